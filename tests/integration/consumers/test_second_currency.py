"""A client whose currency changes gets a second customer with a name of its own; the first stays. And its VAT number goes once."""

from __future__ import annotations

from decimal import Decimal

from schemas.events import VatRate
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline

ZERO = VatRate("vat-0", "Zero", Decimal(0))


def bill(pipeline: Pipeline, id: str, currency: str, *, sequence: int) -> None:
    who = client("acme", name="Acme", currency=currency, sequence=sequence)
    work = project("p1", of=who, sequence=sequence)
    pipeline.ingest(event(invoice(id, of=work, lines=(line("100.00", vat=ZERO),), currency=currency)))
    pipeline.drive()


def customers(pipeline: Pipeline) -> set[tuple[str, str, str]]:
    """(DisplayName, currency, the parent's Id)"""
    return {
        (one["DisplayName"], one["CurrencyRef"]["value"], one.get("ParentRef", {}).get("value", ""))
        for one in pipeline.objects("Customer")
        if one["DisplayName"].startswith(("Acme", "24-p1", "EUR"))
    }


def test_the_second_customer_and_its_job_are_named_by_the_currency(pipeline: Pipeline) -> None:
    pipeline.map_vat_rate("vat-0", "0.0% Z")
    bill(pipeline, "i1", "GBP", sequence=1)
    first = customers(pipeline)
    assert {(name, currency) for name, currency, _ in first} == {("Acme", "GBP"), ("24-p1 Survey p1", "GBP")}
    bill(pipeline, "i2", "EUR", sequence=2)
    assert {row.state for row in pipeline.links()} == {"synced"}, [row.reason for row in pipeline.links()]
    assert first < customers(pipeline)
    assert {(name, currency) for name, currency, _ in customers(pipeline) - first} == {
        ("Acme (EUR)", "EUR"),
        ("24-p1 Survey p1 (EUR)", "EUR"),
    }


def test_the_template_of_the_second_name_is_the_admins_and_an_edit_renames_nothing(pipeline: Pipeline) -> None:
    pipeline.map_vat_rate("vat-0", "0.0% Z")
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET currency_name_template = '{{ currency }} {{ name }}'")
    bill(pipeline, "i1", "GBP", sequence=1)
    bill(pipeline, "i2", "EUR", sequence=2)
    assert ("EUR Acme", "EUR") in {(name, currency) for name, currency, _ in customers(pipeline)}
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET currency_name_template = '{{ name }} in {{ currency }}'")
    pipeline.ingest(event(client("acme", name="Acme", currency="EUR", sequence=3, phone="+44 1 23")))
    pipeline.drive()
    named = {
        one["DisplayName"]: one.get("PrimaryPhone", {}).get("FreeFormNumber") for one in pipeline.objects("Customer")
    }
    assert named["EUR Acme"] == "+44 1 23"
    assert "Acme in EUR" not in named


def test_the_vat_number_goes_with_a_new_customer_and_never_again(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("acme", name="Acme", vat_number="GB123456789")))
    pipeline.drive()
    (made,) = [one for one in pipeline.requests() if one.method == "POST" and str(one.path).endswith("/customer")]
    assert b"GB123456789" in made.request_body
    pipeline.ingest(event(client("acme", name="Acme", vat_number="GB987654321", sequence=2, phone="+44 1 23")))
    pipeline.drive()
    changed = [one for one in pipeline.requests() if one.method == "POST" and str(one.path).endswith("/customer")][1:]
    assert len(changed) == 1
    assert b"PrimaryTaxIdentifier" not in changed[0].request_body
    assert pipeline.one("client", "acme").state == "synced"


def test_the_vat_number_stays_away_where_the_admin_says_so(pipeline: Pipeline) -> None:
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET vat_numbers = false")
    pipeline.ingest(event(client("acme", name="Acme", vat_number="GB123456789")))
    pipeline.drive()
    assert not any(b"PrimaryTaxIdentifier" in one.request_body for one in pipeline.requests())
