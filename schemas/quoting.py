"""How a message quotes a value."""

from __future__ import annotations

import json

_LONGEST = 40


def shown(value: object) -> str:
    """`value` as JSON, cut to what a sentence can hold."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
