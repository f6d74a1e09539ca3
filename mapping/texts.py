"""What of a text QBO takes as it is typed, and what it would not."""

from __future__ import annotations

import unicodedata

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a cell begins that a spreadsheet runs."""
BREAKS = "\t\n\r\v\f\x85\u2028\u2029"


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
    if text.isprintable():
        return None
    return next((c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"), None)


def harmless(value: str) -> str:
    """Give a cell that no spreadsheet runs as a formula: a leading apostrophe makes it text."""
    return f"'{value}" if value.startswith(FORMULA) else value
