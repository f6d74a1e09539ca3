"""The log of the site: the one that `kompass-qbo` has set up by LOG_FORMAT, else Django's."""

from __future__ import annotations

import logging
from logging.config import dictConfig
from typing import Any


def configure(config: dict[str, Any]) -> None:
    """Set up the loggers of LOGGING, and keep the root's handlers where it has some: they know the format, and let no secret pass.

    Django calls this at each set-up, in every worker too (LOGGING_CONFIG).
    """
    root = logging.getLogger()
    handlers = root.handlers[:]
    dictConfig(config)
    if handlers:
        root.handlers[:] = handlers
