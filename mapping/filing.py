"""A filed month: the rows of its sheet as they were, their hash, and what is different by now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from mapping.sheet import Sheet, cells

Row = Mapping[str, str]

_COMPARED: Mapping[str, str] = {
    "reference": "number",
    "date": "date",
    "client": "client",
    "currency": "currency",
    "kompass_net": "net in Kompass",
    "kompass_tax": "tax in Kompass",
    "kompass_gross": "gross in Kompass",
    "quickbooks_net": "net in QuickBooks",
    "quickbooks_tax": "tax in QuickBooks",
    "quickbooks_gross": "gross in QuickBooks",
    "quickbooks_home": "home amount in QuickBooks",
    "standing": "standing",
}


def rows_of(sheet: Sheet) -> list[dict[str, str]]:
    """Give the sheet's rows as texts, which neither a database nor a spreadsheet changes."""
    return [{name: _text(value) for name, value in cells(line).items()} for line in sheet.lines]


def _text(value: object) -> str:
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    return "" if value is None else str(value)


def digest(rows: Iterable[Row]) -> str:
    """SHA-256 over the rows in their order, as canonical JSON in UTF-8."""
    text = json.dumps([dict(sorted(row.items())) for row in rows], ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def changes(filed: Sequence[Row], sheet: Sheet) -> tuple[str, ...]:
    """Say what is different since the month was filed, a sentence a document."""
    before = {_key(row): row for row in filed}
    now = {_key(row): row for row in rows_of(sheet)}
    said = []
    for key, row in now.items():
        former = before.get(key)
        if former is None:
            said.append(f"{row['reference']} was not in it")
            continue
        parts = [
            f"{words} was {former.get(name) or 'nothing'}, is {row[name] or 'nothing'}"
            for name, words in _COMPARED.items()
            if former.get(name, "") != row[name]
        ]
        if parts:
            said.append(f"{row['reference']}: {'; '.join(parts)}")
    said += [f"{row['reference']} is no longer in it" for key, row in before.items() if key not in now]
    return tuple(said)


def _key(row: Row) -> tuple[str, str, str]:
    """A document of Kompass by its id, any other by its Id in QuickBooks."""
    return (row.get("kompass_id", ""), "" if row.get("kompass_id") else row.get("qbo_id", ""), row.get("what", ""))
