"""What of a text QBO takes as it is typed, and what it would not."""

from __future__ import annotations

import re

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a cell begins that a spreadsheet runs."""
BREAKS = "\t\n\r\v\f\x85\u2028\u2029"
# Unicode's categories Cc and Cs, save for tabs and line feeds.
_CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def one_line(value: str) -> str:
    """Trimmed; where there are line breaks or tabs, every run of spaces becomes one space. Else as it was typed."""
    if not value.isprintable() and any(character in value for character in BREAKS):
        return " ".join(value.split())
    return value.strip()


def folded(name: str) -> str:
    """As QuickBooks compares names and numbers: neither case nor the number of inner spaces counts."""
    return " ".join(name.split()).casefold()


def several_lines(value: str) -> str:
    """Trimmed, with line breaks of one kind."""
    return value.replace("\r\n", "\n").replace("\r", "\n").strip()


def control_character(text: str) -> str | None:
    """The first character that JSON or QBO would not carry; tabs and line breaks are fine in texts of several lines."""
    found = _CONTROL.search(text)
    return None if found is None else found.group()


def harmless(value: str) -> str:
    """Give a cell that no spreadsheet runs as a formula: a leading apostrophe makes it text."""
    return f"'{value}" if value.startswith(FORMULA) else value
