"""The lines of an agreement sheet as rows: for a file, for programs and for a filed month."""

from __future__ import annotations

import csv

from mapping.sheet import Line, Sheet, Side
from mapping.texts import harmless

COLUMNS = (
    "standing", "reference", "date", "what", "currency", "kompass_net", "kompass_tax", "kompass_gross", "quickbooks_net",
    "quickbooks_tax", "quickbooks_gross", "difference", "qbo_id", "remark", "client", "kompass_home", "quickbooks_home", "state",
    "cause", "kompass_id", "client_id", "quickbooks_number", "quickbooks_date", "quickbooks_due", "quickbooks_customer",
    "quickbooks_customer_id", "kompass_codes", "quickbooks_codes",
)  # fmt: skip
_BOOKED_AS = ("quickbooks_number", "quickbooks_date", "quickbooks_due", "quickbooks_customer", "quickbooks_customer_id")


def cells(line: Line) -> dict[str, object]:
    """Give a line's values by `COLUMNS`."""
    values: dict[str, object] = {
        "standing": line.standing.value, "reference": line.reference, "date": line.date.isoformat(), "what": line.what,
        "currency": line.currency, "difference": line.difference, "qbo_id": line.qbo_id, "remark": line.remark,
        "client": line.client, "state": line.state, "cause": line.cause, "kompass_id": line.kompass_id,
        "client_id": line.client_id, **dict(zip(_BOOKED_AS, line.booked_as or ("",) * len(_BOOKED_AS), strict=True)),
    }  # fmt: skip
    for name, side in (("kompass", line.ours), ("quickbooks", line.theirs)):
        for amount in ("net", "tax", "gross"):
            values[f"{name}_{amount}"] = None if side is None else getattr(side.amounts, amount)
        values[f"{name}_home"] = None if side is None else side.home
        values[f"{name}_codes"] = "" if side is None else _codes(side)
    return {name: values[name] for name in COLUMNS}


def _codes(side: Side) -> str:
    """``20.0% S 100.00 + 20.00; 0.0% Z 50.00 + 0.00``"""
    named = sorted(side.codes, key=lambda one: one.code)
    return "; ".join(f"{one.code or 'no tax code'} {one.net:.2f} + {one.tax:.2f}" for one in named)


def as_csv(sheet: Sheet) -> str:
    """The sheet as CSV; its last row is the verdict. A text that a spreadsheet would take for a formula gets an apostrophe."""
    written: list[str] = []
    writer = csv.writer(_Lines(written), lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in sheet.lines:
        writer.writerow([_guarded(value) for value in cells(line).values()])
    last: dict[str, object] = {"standing": "verdict", "reference": sheet.month, "remark": sheet.verdict}
    writer.writerow([_guarded(last.get(name, "")) for name in COLUMNS])
    return "".join(written)


class _Lines:
    """What `csv` writes to."""

    def __init__(self, written: list[str]) -> None:
        self.write = written.append


def _guarded(value: object) -> object:
    if isinstance(value, str):
        return harmless(value)
    return "" if value is None else f"{value:f}"
