"""What later sheets say of a filed month: what changed, and not what only has another name."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal

import pytest

from mapping.filing import changes, kompass_changes, rows_of
from mapping.sheet import Amounts, CodeAmount, Line, Sheet, Side, Standing

AMOUNTS = Amounts(Decimal(100), Decimal(20), Decimal(120))
SIDE = Side(AMOUNTS, Decimal(120), (CodeAmount("20.0% S", Decimal(100), Decimal(20), "5"),))
LINE = Line(
    Standing.AGREES, "INV-1", dt.date(2026, 3, 1), "invoice", "GBP", "", client="Twin Ltd", kompass_id="i1", qbo_id="91",
    ours=SIDE, theirs=SIDE, client_id="c1", booked_as=("INV-1", "2026-03-01", "2026-03-31", "Twin Ltd", "7"),
)  # fmt: skip


def sheet(*lines: Line) -> Sheet:
    return Sheet("Org", "Company", "2026-03", dt.datetime(2026, 4, 1, tzinfo=dt.UTC), 2, lines)


def code(name: str, id: str) -> Side:
    return replace(SIDE, codes=(CodeAmount(name, Decimal(100), Decimal(20), id),))


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (LINE, ()),
        (replace(LINE, client="Renamed Ltd"), ()),
        (replace(LINE, booked_as=("INV-1", "2026-03-01", "2026-03-31", "Renamed Ltd", "7")), ()),
        (replace(LINE, ours=code("20 % standard", "5"), theirs=code("20 % standard", "5")), ()),
        (replace(LINE, client_id="c2"), ("INV-1: client was Twin Ltd (c1), is Twin Ltd (c2)",)),
        (
            replace(LINE, booked_as=("INV-1", "2026-03-01", "2026-03-31", "Twin Ltd", "8")),
            ("INV-1: customer in QuickBooks was Twin Ltd (7), is Twin Ltd (8)",),
        ),
        (
            replace(LINE, theirs=code("Exempt", "9"), standing=Standing.DIFFERS, remark="why"),
            (
                "INV-1: tax codes in QuickBooks was 20.0% S 100.00 + 20.00, is Exempt 100.00 + 20.00; "
                "standing was agrees, is differs (why)",
            ),
        ),
    ],
)
def test_an_id_is_compared_and_a_name_is_shown(now: Line, said: tuple[str, ...]) -> None:
    assert changes(rows_of(sheet(LINE)), sheet(now)) == said


def test_a_month_that_an_earlier_version_filed_is_compared_by_what_it_has() -> None:
    columns = (
        "standing",
        "reference",
        "date",
        "what",
        "currency",
        "client",
        "kompass_id",
        "kompass_net",
        "quickbooks_net",
    )
    (row,) = rows_of(sheet(LINE))
    filed = [{name: row[name] for name in columns}]
    assert changes(filed, sheet(LINE)) == ()
    assert changes(filed, sheet(replace(LINE, client="Another Ltd"))) == ("INV-1: client was Twin Ltd, is Another Ltd",)
    assert kompass_changes(filed[0], {**row, "client": "Another Ltd"}, "2026-03") == (
        "client was Twin Ltd, is Another Ltd",
    )


@pytest.mark.parametrize("standing", [Standing.UNKNOWN, Standing.HAND_TYPED])
def test_a_copy_and_what_kompass_lists_hide_no_document(standing: Standing) -> None:
    """A copy carries the mark of the document that it is a copy of, and has the same Kompass id."""
    copy = replace(LINE, standing=standing, reference="COPY", qbo_id="92")
    filed = rows_of(sheet(copy, LINE))
    changed = replace(LINE, ours=replace(SIDE, amounts=replace(AMOUNTS, net=Decimal(90))))
    listed = replace(LINE, standing=Standing.NOT_ARRIVED)
    assert changes(filed, sheet(listed, copy, LINE)) == ()
    assert changes(filed, sheet(changed, copy)) == ("INV-1: net in Kompass was 100.00, is 90.00",)
    assert changes(filed, sheet(LINE)) == ("COPY is no longer in it: 120.00 GBP",)
