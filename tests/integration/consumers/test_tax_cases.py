"""Events whose tax once ended wrong: booked as computed by hand, or refused before the call."""

from __future__ import annotations

from decimal import Decimal

import pytest

from simulator.seeds import CANADA, UK, USA, USA_AUTOMATED_TAX
from tests.cases.kompass_cases import events_of, right
from tests.pipeline import Pipeline

ORGS = {
    UK: ("org-uk", "Meridian Geomatics Ltd"),
    CANADA: ("org-ca", "Borealis Mapping Inc"),
    USA: ("org-us", "Northstar"),
}


def push(pipeline: Pipeline, name: str, realm: str, rows: dict[str, str]) -> None:
    pipeline.link(*ORGS[realm], realm=realm)
    for vat_rate, code in rows.items():
        pipeline.map_vat_rate(vat_rate, code, org_id=ORGS[realm][0], realm=realm)
    pipeline.ingest(*events_of(name))
    pipeline.drive()


@pytest.mark.parametrize(
    ("name", "realm", "rows", "rounding"),
    [
        ("uk03-three-lines-half-pennies", UK, {"uk20": "20.0% S"}, "per_line"),
        ("uk04-31-lines", UK, {"uk20": "20.0% S"}, "per_line"),
        ("ca04-qc-two-step", CANADA, {"qc": "GST/QST QC - 9.975"}, "per_line"),
        ("ca04-qc-two-step", CANADA, {"qc": "GST/QST QC - 9.975"}, "per_rate"),
        ("ca07-ns-before-2025-04", CANADA, {"hns15": "HST NS"}, "per_line"),
        ("ca07-ns-before-2025-04", CANADA, {"hns15": "HST NS"}, "per_rate"),
    ],
)
def test_booked_as_computed_by_hand(
    unlinked: Pipeline, name: str, realm: str, rows: dict[str, str], rounding: str
) -> None:
    unlinked.simulator.call(lambda world: world.change_settings({"tax_rounding": rounding}))
    push(unlinked, name, realm, rows)
    (booked,) = unlinked.objects("Invoice", realm)
    wanted = right(name)
    assert (Decimal(str(booked["TotalAmt"])), Decimal(str(booked["TxnTaxDetail"]["TotalTax"]))) == (
        Decimal(wanted["right_total"]),
        Decimal(wanted["right_tax"]),
    ), wanted["arithmetic"]
    assert unlinked.rows("qbo_difference") == []


@pytest.mark.parametrize("name", ["uk03-three-lines-half-pennies", "uk04-31-lines"])
def test_rounded_on_the_sum_it_is_rounding_and_nothing_waits(unlinked: Pipeline, name: str) -> None:
    unlinked.simulator.call(lambda world: world.change_settings({"tax_rounding": "per_rate"}))
    push(unlinked, name, UK, {"uk20": "20.0% S"})
    assert [row.cause for row in unlinked.rows("qbo_difference")] == ["difference:tax-rounding"]
    assert unlinked.rows("qbo_failure") == []


@pytest.mark.parametrize(
    ("name", "rows", "cause", "figures"),
    [
        ("s06-wrong-tax-code-row", {"vat-20b": "5.0% R"}, "tax-would-differ:vat-20b", "would book 500.00"),
        ("uk17-wrong-vat-in-kompass", {"uk20": "20.0% S"}, "tax-would-differ:uk20", "would book 200.00"),
    ],
)
def test_known_to_be_wrong_is_refused(
    unlinked: Pipeline, name: str, rows: dict[str, str], cause: str, figures: str
) -> None:
    push(unlinked, name, UK, rows)
    assert unlinked.objects("Invoice") == []
    failures = unlinked.rows("qbo_failure")
    assert {row.cause for row in failures} == {cause}, right(name)["arithmetic" if name.startswith("uk") else "right"]
    assert all(figures in row.message for row in failures)


def test_once_the_row_is_right_all_of_them_go(unlinked: Pipeline) -> None:
    push(unlinked, "s06-wrong-tax-code-row", UK, {"vat-20b": "5.0% R"})
    code = unlinked.object_id(UK, "TaxCode", "20.0% S")
    with unlinked.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_tax_code_vat_rate SET tax_code_id = %s", (code,))
    unlinked.drive()
    booked = unlinked.objects("Invoice")
    # Three times 10,000.00 net and 20 % of it.
    assert [one["TotalAmt"] for one in booked] == [12_000, 12_000, 12_000]
    assert sum(one["TxnTaxDetail"]["TotalTax"] for one in booked) == 6_000
    assert [row.closed_at for row in unlinked.rows("qbo_failure") if row.closed_at is None] == []


def choose(pipeline: Pipeline, **values: str) -> None:
    """Have the admin choose something else in the Configuration."""
    with pipeline.engine.begin() as db:
        for column, value in values.items():
            db.exec_driver_sql(f"UPDATE qbo_configuration SET {column} = %s", (value,))


def test_a_taxed_invoice_in_the_usa_is_refused_until_the_admin_chooses(unlinked: Pipeline) -> None:
    """1,000.00 and 82.50 of tax, which would not be booked."""
    push(unlinked, "us02-taxed", USA, {})
    assert (unlinked.one("invoice", "us02-taxed").cause, unlinked.objects("Invoice", USA)) == ("tax-not-booked", [])
    choose(unlinked, billed_tax="item-line", tax_item_id=unlinked.object_id(USA, "Item", "Services"))
    unlinked.drive()
    (booked,) = unlinked.objects("Invoice", USA)
    assert (booked["TotalAmt"], [line["Amount"] for line in booked["Line"][:2]]) == (1082.5, [1000, 82.5])
    assert unlinked.rows("qbo_difference") == []


def test_automated_sales_tax_decides_when_the_admin_says_so(unlinked: Pipeline) -> None:
    """The simulator's engine takes an unmarked line for not taxable: 1,000.00 is booked, and the difference is shown."""
    unlinked.link("org-us", "Northstar", realm=USA_AUTOMATED_TAX)
    choose(unlinked, billed_tax="automated")
    unlinked.ingest(*events_of("us02-taxed"))
    unlinked.drive()
    (booked,) = unlinked.objects("Invoice", USA_AUTOMATED_TAX)
    assert booked["TotalAmt"] == 1000
    assert [(row.cause, row.kompass_total, row.qbo_total) for row in unlinked.rows("qbo_difference")] == [
        ("difference:automated-tax", Decimal("1082.5"), Decimal("1000"))
    ]
