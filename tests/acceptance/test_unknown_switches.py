"""What nobody outside Intuit knows of QuickBooks is a switch of the simulator; the books must be right under each setting.

One story, with trouble in it, runs under every setting of every switch. What it leaves in the books must be what it leaves under
the defaults. `make switches` runs the other tests under several of them at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.engine import URL

from schemas.events import Step
from simulator import UK, Simulator
from simulator.settings import Settings, unknowns
from tests.builders import client, event, invoice, line, project
from tests.database import cloned_database
from tests.pipeline import Pipeline, open_pipeline

CASES = [(name, value) for name, values in unknowns().items() for value in values[1:]]


def _tell(pipeline: Pipeline) -> dict[str, Any]:
    """New, changed, cleared, voided, foreign, renamed; an answer lost after the commit, and one before; a name taken twice."""
    pipeline.link()
    pipeline.map_vat_rate("vat-20", "20.0% S")
    first, second = client("c1"), client("c2", name="Tall Crane Hire")
    survey = project("p1", of=first)
    bill = invoice("i1", of=survey)
    credit = invoice("i2", of=survey, lines=(line("-50.00"),))
    pipeline.ingest(event(first), event(survey), event(bill), event(credit), event(second))
    pipeline.drive()
    with_trouble(pipeline, kind="reset_after", operation="create", entity="Invoice")
    pipeline.ingest(event(invoice("i3", of=survey, currency="EUR")))
    pipeline.drive()
    with_trouble(pipeline, kind="reset_before", operation="update", entity="Invoice")
    pipeline.ingest(
        event(replace(bill, sequence=2, lines=(line("10.00"), line("20.00", position=2)))),
        event(client("c1", sequence=2, name="Quay & Sons", address=None, email=None)),
        event(project("p1", sequence=2, of=first, name="Second phase")),
    )
    pipeline.drive()
    with_trouble(pipeline, kind="reset_after", operation="void", entity="Invoice")
    pipeline.ingest(
        event(replace(bill, sequence=3, step=Step.VOIDED)), event(replace(credit, sequence=2, step=Step.VOIDED))
    )
    pipeline.drive()
    return {
        "customers": sorted(
            (
                one["DisplayName"],
                one["CurrencyRef"]["value"],
                _said(one.get("BillAddr")),
                _said(one.get("PrimaryEmailAddr")),
            )
            for one in pipeline.objects("Customer")
        ),
        "documents": sorted(
            (entity, one["DocNumber"], str(one["TotalAmt"]), one["CurrencyRef"]["value"], len(one["Line"]))
            for entity in ("Invoice", "CreditMemo")
            for one in pipeline.objects(entity)
        ),
        "links": sorted((one.kind, one.kompass_id, one.currency, one.state, one.cause) for one in pipeline.links()),
    }


def _said(value: Any) -> list[tuple[str, str]]:
    return sorted((name, said) for name, said in (value or {}).items() if said and name != "Id")


def with_trouble(pipeline: Pipeline, **rule: Any) -> None:
    pipeline.simulator.call(lambda world: world.troubles.add({**rule, "realm": UK, "count": 1}))


@pytest.fixture(scope="module")
def expected(database_server: URL, template_database: URL) -> dict[str, Any]:
    return _books(database_server, template_database, Settings(quota_enabled=False))


def _books(server: URL, template: URL, settings: Settings) -> dict[str, Any]:
    with cloned_database(server, template) as url, Simulator(settings=settings) as simulator:
        pipeline = open_pipeline(url, simulator)
        try:
            return _tell(pipeline)
        finally:
            pipeline.close()
            pipeline.engine.dispose()


@pytest.fixture
def books(request: pytest.FixtureRequest, database_server: URL, template_database: URL) -> tuple[dict[str, Any], str]:
    name, value = request.param
    return _books(database_server, template_database, Settings(quota_enabled=False).replace({name: value})), name


def test_the_story_is_told_rightly_under_the_defaults(expected: dict[str, Any]) -> None:
    assert [document[:3] for document in expected["documents"]] == [
        ("CreditMemo", "INV-i2", "0"),
        ("Invoice", "INV-i1", "0"),
        ("Invoice", "INV-i3", "120"),
    ]
    assert ("client", "c2", "GBP", "failed", "name-taken") in expected["links"]
    assert [name for name, *_ in expected["customers"]] == [
        "24-p1 Second phase",
        "24-p1 Second phase (EUR)",
        "Quay & Sons",
        "Quay & Sons (EUR)",
    ]


@pytest.mark.parametrize("books", CASES, ids=lambda case: f"{case[0]}={case[1]}", indirect=True)
def test_the_books_are_the_same_under_every_setting(
    expected: dict[str, Any], books: tuple[dict[str, Any], str]
) -> None:
    assert books[0] == expected
