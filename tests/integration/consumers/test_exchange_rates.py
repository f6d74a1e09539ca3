"""A document in a foreign currency goes with QuickBooks' rate of its date: one metered read a company, currency and day."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from schemas.events import VatRate
from simulator.seeds import UK
from tests.builders import client, event, invoice, line, project
from tests.cases.kompass_cases import events_of, right
from tests.pipeline import Pipeline

ZERO = VatRate("uk0", "Zero 0%", Decimal(0))


@pytest.fixture(params=["one", "day"])
def omitted(request: pytest.FixtureRequest, pipeline: Pipeline) -> str:
    """What QuickBooks books for a document that names no rate: both are reported."""
    pipeline.simulator.call(lambda world: world.change_settings({"omitted_exchange_rate": request.param}))
    pipeline.map_vat_rate("uk0", "0.0% Z")
    return str(request.param)


def know(pipeline: Pipeline, currency: str, **rates: str) -> None:
    """Give the company's books a rate of a currency from each of these days: ``d20260301="0.0049"``."""

    def change(world: Any) -> None:
        dated = world.companies[UK].profile.dated_rates.setdefault(currency, {})
        dated.update({f"{day[1:5]}-{day[5:7]}-{day[7:9]}": rate for day, rate in rates.items()})

    pipeline.simulator.call(change)


def rate_reads(pipeline: Pipeline) -> int:
    return sum(1 for one in pipeline.requests() if "exchangerate" in str(one.path))


def foreign(id: str = "i1", *, net: str = "5000.00", currency: str = "USD", **more: Any) -> Any:
    who = client(f"c-{currency}", currency=currency)
    lines = (line(net, vat=ZERO),)
    return event(invoice(id, of=project(f"p-{currency}", of=who), lines=lines, currency=currency, **more))


@pytest.mark.parametrize(
    ("name", "currency", "rate", "home"),
    [
        # 1,000,000 JPY × 0.0049 = 4,900.00 GBP, not 1,000,000.00.
        ("s02-fx-rate-one", "JPY", "0.0049", "4900"),
        # 5,000.00 USD × 0.7931 = 3,965.50 GBP.
        ("uk12-usd", "USD", "0.7931", "3965.5"),
    ],
)
def test_the_rate_of_the_day_is_booked_whatever_quickbooks_would_choose(
    pipeline: Pipeline, omitted: str, name: str, currency: str, rate: str, home: str
) -> None:
    know(pipeline, currency, d20260301=rate)
    pipeline.ingest(*events_of(name))
    pipeline.drive()
    (booked,) = pipeline.objects("Invoice")
    assert (str(booked["ExchangeRate"]), Decimal(str(booked["HomeTotalAmt"]))) == (rate, Decimal(home)), right(name)


def test_one_read_serves_all_documents_of_a_currency_and_day(pipeline: Pipeline, omitted: str) -> None:
    pipeline.ingest(*(foreign(f"i{number}", reference=f"R{number}") for number in range(5)))
    pipeline.drive()
    assert len(pipeline.objects("Invoice")) == 5
    assert rate_reads(pipeline) == 1
    pipeline.ingest(foreign("later", reference="L", date=dt.date(2026, 3, 2)))
    pipeline.ingest(foreign("euro", reference="E", currency="EUR"))
    pipeline.drive()
    assert rate_reads(pipeline) == 3


def test_another_date_takes_the_rate_of_that_date_and_a_text_keeps_it(pipeline: Pipeline, omitted: str) -> None:
    know(pipeline, "USD", d20260301="0.79", d20260302="0.80")
    pipeline.ingest(foreign())
    pipeline.drive()
    know(pipeline, "USD", d20260301="0.70")
    pipeline.ingest(foreign(sequence=2, details="Thank you"))
    pipeline.drive()
    (booked,) = pipeline.objects("Invoice")
    assert (booked["ExchangeRate"], booked["CustomerMemo"]["value"]) == (0.79, "Thank you")
    pipeline.ingest(foreign(sequence=3, date=dt.date(2026, 3, 2)))
    pipeline.drive()
    (booked,) = pipeline.objects("Invoice")
    # 5,000.00 × 0.80
    assert (Decimal(str(booked["ExchangeRate"])), booked["HomeTotalAmt"]) == (Decimal("0.8"), 4000)


def test_a_rate_that_was_corrected_is_read_again_a_day_later_and_only_where_a_document_needs_it(
    pipeline: Pipeline, omitted: str
) -> None:
    """7.9 was typed for 0.79; what was sent keeps it until a person corrects it, the next document gets 0.79."""
    know(pipeline, "USD", d20260301="7.9")
    pipeline.ingest(foreign())
    pipeline.drive()
    know(pipeline, "USD", d20260301="0.79")
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_exchange_rate SET fetched_at = fetched_at - interval '25 hours'")
    pipeline.ingest(foreign(sequence=2, details="Thank you"))
    pipeline.drive()
    assert rate_reads(pipeline) == 1
    pipeline.ingest(foreign("i2", reference="R2"))
    pipeline.drive()
    assert [Decimal(str(one["ExchangeRate"])) for one in pipeline.objects("Invoice")] == [
        Decimal("7.9"),
        Decimal("0.79"),
    ]
    assert rate_reads(pipeline) == 2


def test_left_to_quickbooks_no_rate_is_sent(pipeline: Pipeline, omitted: str) -> None:
    know(pipeline, "USD", d20260301="0.79")
    with pipeline.engine.begin() as db:
        db.exec_driver_sql("UPDATE qbo_configuration SET exchange_rates = 'quickbooks'")
    pipeline.ingest(foreign())
    pipeline.drive()
    (booked,) = pipeline.objects("Invoice")
    assert Decimal(str(booked["ExchangeRate"])) == (Decimal(1) if omitted == "one" else Decimal("0.79"))
    assert rate_reads(pipeline) == 0


def test_the_home_currency_needs_none(pipeline: Pipeline, omitted: str) -> None:
    pipeline.ingest(event(invoice("i1")))
    pipeline.drive()
    assert rate_reads(pipeline) == 0
