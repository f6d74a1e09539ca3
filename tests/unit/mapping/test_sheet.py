"""The sums of an agreement sheet are those of its rows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from mapping.sheet import Amounts, Line, Sheet, Side, Standing


def missing(gross: str, currency: str) -> Line:
    side = Side(Amounts(Decimal(gross), Decimal(0), Decimal(gross)))
    return Line(Standing.MISSING, "1", dt.date(2026, 3, 1), "invoice", currency, "", ours=side)


def test_a_sum_is_rounded_as_the_rows_are() -> None:
    lines = (missing("150.145", "GBP"), missing("6000.00", "GBP"), missing("7", "JPY"))
    sheet = Sheet("Org", "Company", "2026-03", dt.datetime(2026, 4, 1, tzinfo=dt.UTC), 2, lines)
    assert sheet.verdict.endswith("Belongs in the month, but is not in QuickBooks: 3 (6,150.15 GBP, 7.00 JPY).")
