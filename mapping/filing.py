"""A filed month: the rows of its sheet as they were, their hash, and what is different by now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from mapping.agreement import VOIDED, kompass_line
from mapping.expected import Month
from mapping.problems import money
from mapping.sheet import TYPED, Line, Sheet, Side, Standing
from mapping.sheet_rows import cells
from schemas.documents import SentDocument

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
    "what": "kind",
    "quickbooks_number": "number in QuickBooks",
    "quickbooks_date": "date in QuickBooks",
    "quickbooks_due": "due date in QuickBooks",
    "quickbooks_customer": "customer in QuickBooks",
    "kompass_codes": "tax codes in Kompass",
    "quickbooks_codes": "tax codes in QuickBooks",
    "standing": "standing",
}
"""What is compared of a document, in words. A month that an earlier version filed lacks some of these columns."""
_KNOWN_BY: Mapping[str, str] = {
    "client": "client_id",
    "quickbooks_customer": "quickbooks_customer_id",
    "kompass_codes": "kompass_code_ids",
    "quickbooks_codes": "quickbooks_code_ids",
}
"""What has a name, by which it is shown, and an id, by which it is compared: a new name changes no document."""


def rows_of(sheet: Sheet) -> list[dict[str, str]]:
    """Give the sheet's rows as texts, which neither a database nor a spreadsheet changes."""
    return [_row(line) for line in sheet.lines]


def _row(line: Line) -> dict[str, str]:
    return {
        **{name: _text(value) for name, value in cells(line).items()},
        "kompass_code_ids": _code_ids(line.ours),
        "quickbooks_code_ids": _code_ids(line.theirs),
    }


def _code_ids(side: Side | None) -> str:
    """``5 100.00 20.00; 7 50.00 0.00``"""
    codes = sorted(side.codes, key=lambda one: one.id) if side is not None else ()
    return "; ".join(f"{one.id} {one.net:.2f} {one.tax:.2f}" for one in codes)


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
    before, now = _by_document(filed), _by_document(rows_of(sheet))
    said = []
    for key, row in now.items():
        former = before.get(key)
        if former is None:
            said.append(f"{row['reference']} was not in it: {_amounts(row)}")
        elif parts := _different(former, row):
            said.append(f"{row['reference']}: {'; '.join(parts)}")
    said += [f"{row['reference']} is no longer in it: {_amounts(row)}" for key, row in before.items() if key not in now]
    return tuple(said)


def _different(former: Row, row: Row) -> list[str]:
    """Give in words what differs of a document, the standing last with its reason."""
    differing = [name for name in _COMPARED if _differs(name, former, row)]
    for side in ("kompass", "quickbooks"):
        # Where the sums changed, they say so.
        if {f"{side}_net", f"{side}_tax"} & set(differing) and f"{side}_codes" in differing:
            differing.remove(f"{side}_codes")
    parts = [_said(name, former, row) for name in differing]
    if former.get("standing") != row["standing"] and row["remark"]:
        parts[-1] += f" ({row['remark']})"
    return parts


def _amounts(row: Row) -> str:
    """``120.00 GBP``, or each side where the two are not the same."""
    ours, theirs = row.get("kompass_gross", ""), row.get("quickbooks_gross", "")
    if ours and theirs and ours != theirs:
        return f"{_money(ours)} {row['currency']} in Kompass, {_money(theirs)} {row['currency']} in QuickBooks"
    return f"{_money(ours or theirs)} {row['currency']}".strip()


def _money(amount: str) -> str:
    return money(Decimal(amount)) if amount else "no amount"


def _differs(name: str, former: Row, row: Row) -> bool:
    known_by = _KNOWN_BY.get(name, name)
    compared = known_by if known_by in former else name
    return compared in former and former[compared] != row[compared]


def _said(name: str, former: Row, row: Row) -> str:
    was, now = former[name], row[name]
    if was == now:
        # Two clients may have one name.
        was, now = (f"{each[name]} ({each[_KNOWN_BY[name]]})" for each in (former, row))
    return f"{_COMPARED[name]} was {was or 'nothing'}, is {now or 'nothing'}"


_OF_QUICKBOOKS = TYPED | {Standing.UNKNOWN}


def _by_document(rows: Iterable[Row]) -> dict[tuple[str, str], Row]:
    """Give a document of Kompass by its id, any other by its Id in QuickBooks. What Kompass's own list says is none of a filed month."""
    found = {}
    for row in rows:
        if row["standing"] == Standing.NOT_ARRIVED:
            continue
        # A copy carries the mark of the document that it is a copy of.
        ours = row.get("kompass_id", "") if row["standing"] not in _OF_QUICKBOOKS else ""
        found[ours, "" if ours else row.get("qbo_id", "")] = row
    return found


# --- Kompass's side alone, for which QuickBooks is not read


def kompass_row(one: SentDocument, month: Month) -> Row:
    """Give what Kompass says of a document now, in the cells of a sheet's row."""
    row = _row(kompass_line(one, month))
    return {name: row[name] for name in (*_OF_KOMPASS, "standing", "remark")}


_OF_KOMPASS = (
    "reference", "date", "what", "client", "client_id", "currency", "kompass_net", "kompass_tax", "kompass_gross",
)  # fmt: skip
_NOT_WANTED = frozenset({Standing.NOT_SENT, Standing.WITHDRAWN})


def kompass_changes(before: Row | None, now: Row, month: str) -> tuple[str, ...]:
    """Say what Kompass changed of a document of a filed month.

    :param before: its row as it was filed, or as it was said last; None where it was in no row.
    """
    was, wanted = before is not None and before["standing"] not in _NOT_WANTED, now["standing"] not in _NOT_WANTED
    if before is None or not was:
        if not wanted or not now["date"].startswith(month):
            return ()
        return (f"{_amounts(now)} {'new in the month' if before is None else 'to be in QuickBooks by now'}",)
    if not wanted:
        return (f"{_amounts(before)} taken back in Kompass: {now['remark']}",)
    if now["remark"] == VOIDED and before["kompass_gross"] != now["kompass_gross"]:
        return (f"{_amounts(before)} {VOIDED}",)
    return tuple(_said(name, before, now) for name in _COMPARED if name in _OF_KOMPASS and _differs(name, before, now))


def former_row(rows: Iterable[Row], kompass_id: str) -> Row | None:
    """Give the row of a document of Kompass in a filed month."""
    return _by_document(rows).get((kompass_id, ""))
