"""Forms of a text: on one line, as QuickBooks compares names, and as a spreadsheet may hold it."""

from __future__ import annotations

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


def harmless(value: str) -> str:
    """Give a cell that no spreadsheet runs as a formula: a leading apostrophe makes it text."""
    return f"'{value}" if value.startswith(FORMULA) else value
