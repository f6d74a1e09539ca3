"""The table of all causes, and the look-up by stable cause or fault code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mapping.causes.cause import UNFORESEEN, Words
from mapping.causes.intuit import REFUSALS
from mapping.causes.ours import CONFLICTS, DECODING, DIFFERENCES, MAPPING, STATES

ALL: Final = (*MAPPING, *CONFLICTS, *REFUSALS, *DIFFERENCES, *DECODING, *STATES)
BY_CAUSE: Final[Mapping[str, Words]] = {words.cause: words for words in ALL}
BY_CODE: Final[Mapping[str, Words]] = {code: words for words in ALL for code in words.codes}
"""Intuit's fault code → what it comes to."""


def words_of(cause: str) -> Words:
    """Give what is said of a cause; of one that nobody foresaw, what can honestly be said."""
    return BY_CAUSE.get(cause) or BY_CAUSE.get(cause.partition(":")[0]) or UNFORESEEN
