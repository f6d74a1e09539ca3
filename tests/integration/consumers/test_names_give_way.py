"""Names and numbers that records take, give up, swap and rotate: each ends with the one that Kompass says, and nothing stays refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.events import Action, Client
from simulator.seeds import USA
from tests.builders import client, event, invoice, project
from tests.cases.kompass_cases import events_of
from tests.pipeline import Pipeline


@pytest.fixture(params=("null", "id"))
def detailed(pipeline: Pipeline, request: pytest.FixtureRequest) -> Pipeline:
    """QuickBooks names who has a name, or does not."""
    pipeline.simulator.call(lambda world: world.change_settings({"duplicate_name_detail": request.param}))
    return pipeline


def customers(pipeline: Pipeline) -> dict[str, str]:
    """Give the DisplayName of every Kompass record in QuickBooks."""
    there = {one["Id"]: one["DisplayName"] for one in pipeline.objects("Customer", pipeline.links()[0].realm_id)}
    return {link.kompass_id: there[link.qbo_id] for link in pipeline.links() if link.kind != "invoice" and link.qbo_id}


def numbers(pipeline: Pipeline) -> dict[str, str]:
    realm = pipeline.links()[0].realm_id
    there = {
        (entity, one["Id"]): one["DocNumber"]
        for entity in ("Invoice", "CreditMemo")
        for one in pipeline.objects(entity, realm)
    }
    return {link.kompass_id: there[link.entity, link.qbo_id] for link in pipeline.links(kind="invoice") if link.qbo_id}


def all_well(pipeline: Pipeline) -> None:
    assert [
        (row.kompass_id, row.state, row.cause, row.reason) for row in pipeline.links() if row.state != "synced"
    ] == []
    assert [row.message for row in pipeline.rows("qbo_failure") if row.closed_at is None] == []


def said(pipeline: Pipeline, kompass_id: str) -> str:
    return " | ".join(row.message for row in pipeline.rows("qbo_history") if row.kompass_id == kompass_id)


# --- One gives way to another


@pytest.mark.parametrize("first", ["c1", "c2"])
def test_a_name_goes_to_the_next_in_whatever_order_both_come(detailed: Pipeline, first: str) -> None:
    detailed.ingest(event(client("c1", name="Alba")), event(client("c2", name="Berg")))
    detailed.drive()
    changes = {"c1": client("c1", name="Berg", sequence=2), "c2": client("c2", name="Cairn", sequence=2)}
    for one in (changes.pop(first), *changes.values()):
        detailed.ingest(event(one))
        detailed.drive()
    assert customers(detailed) == {"c1": "Berg", "c2": "Cairn"}
    all_well(detailed)


@pytest.mark.parametrize("together", [1, 30])
def test_both_may_come_at_once(detailed: Pipeline, together: int) -> None:
    detailed.together = together
    detailed.ingest(event(client("c1", name="Alba")), event(client("c2", name="Berg")))
    detailed.drive()
    detailed.ingest(event(client("c1", name="Berg", sequence=2)), event(client("c2", name="Cairn", sequence=2)))
    detailed.drive()
    assert customers(detailed) == {"c1": "Berg", "c2": "Cairn"}
    all_well(detailed)


def test_a_name_that_is_held_fails_and_says_by_whom_as_it_is_called_now(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1", name="Alba")), event(client("c2", name="Berg")))
    pipeline.drive()
    pipeline.ingest(event(client("c1", name="Cairn", sequence=2)))
    pipeline.drive()
    pipeline.ingest(event(client("c2", name="CAIRN", sequence=2)))
    pipeline.drive()
    link = pipeline.one("client", "c2")
    assert (link.state, link.cause, link.depends_on) == (
        "failed",
        "name-held-by-another",
        pipeline.one("client", "c1").id,
    )
    assert "client “Cairn” of Kompass" in link.reason


def test_case_and_inner_spaces_do_not_make_another_name(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1", name="Harbour Sons")))
    pipeline.drive()
    pipeline.ingest(event(client("c2", name="HARBOUR  sons")))
    pipeline.drive()
    assert pipeline.one("client", "c2").cause == "name-held-by-another"
    pipeline.ingest(event(client("c1", name="Dell", sequence=2)))
    pipeline.drive()
    all_well(pipeline)


def test_a_client_of_the_same_name_that_comes_with_it_fails_and_goes_once_it_may(detailed: Pipeline) -> None:
    detailed.together = 30
    detailed.ingest(event(client("c1", name="Alba")), event(client("c2", name="Alba")))
    detailed.drive()
    failed, held = (detailed.links(state=state)[0] for state in ("failed", "synced"))
    assert (failed.cause, failed.depends_on) == ("name-held-by-another", held.id)
    detailed.ingest(event(client(held.kompass_id, name="Berg", sequence=2)))
    detailed.drive()
    assert customers(detailed) == {held.kompass_id: "Berg", failed.kompass_id: "Alba"}
    all_well(detailed)


def test_a_client_and_a_project_share_their_names(pipeline: Pipeline) -> None:
    owner = client("c1", name="Alba")
    pipeline.ingest(event(project("p1", of=owner)))
    pipeline.drive()
    name = customers(pipeline)["p1"]
    pipeline.ingest(event(client("c2", name=name)))
    pipeline.drive()
    assert pipeline.one("client", "c2").cause == "name-held-by-another"
    pipeline.ingest(event(project("p1", of=owner, reference="24-other", sequence=2)))
    pipeline.drive()
    assert customers(pipeline)["c2"] == name
    all_well(pipeline)


# --- Exchanges


@pytest.mark.parametrize("together", [1, 30])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_clients_exchange_their_names(detailed: Pipeline, together: int, apart: bool, count: int) -> None:
    detailed.together = together
    for number in range(count):
        detailed.ingest(event(client(f"c{number}", name=f"Client {number}")))
    detailed.drive()
    for number in range(count):
        detailed.ingest(event(client(f"c{number}", name=f"Client {(number + 1) % count}", sequence=2)))
        if apart:
            detailed.drive()
    detailed.drive()
    assert customers(detailed) == {f"c{number}": f"Client {(number + 1) % count}" for number in range(count)}
    assert "for now: it exchanges its name" in said(detailed, "c0")
    all_well(detailed)


@pytest.mark.parametrize("together", [1, 30])
def test_two_jobs_exchange_their_names(detailed: Pipeline, together: int) -> None:
    detailed.together = together
    owner = client("c1")
    first, second = project("p1", of=owner), project("p2", of=owner)
    detailed.ingest(event(first), event(second))
    detailed.drive()
    before = customers(detailed)
    detailed.ingest(
        event(replace(first, reference=second.reference, name=second.name, sequence=2)),
        event(replace(second, reference=first.reference, name=first.name, sequence=2)),
    )
    detailed.drive()
    assert customers(detailed) == {"c1": before["c1"], "p1": before["p2"], "p2": before["p1"]}
    all_well(detailed)


# --- Numbers


@pytest.mark.parametrize("together", [1, 30])
@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_invoices_exchange_their_numbers(pipeline: Pipeline, together: int, apart: bool, count: int) -> None:
    pipeline.together = together
    pipeline.ingest(*[event(invoice(f"i{number}", reference=f"A-{number}")) for number in range(count)])
    pipeline.drive()
    for number in range(count):
        pipeline.ingest(event(invoice(f"i{number}", reference=f"A-{(number + 1) % count}", sequence=2)))
        if apart:
            pipeline.drive()
    pipeline.drive()
    assert numbers(pipeline) == {f"i{number}": f"A-{(number + 1) % count}" for number in range(count)}
    all_well(pipeline)


def test_a_number_that_is_held_says_by_whom(pipeline: Pipeline) -> None:
    pipeline.ingest(event(invoice("i1", reference="A-1")), event(invoice("i2", reference="A-2")))
    pipeline.drive()
    pipeline.ingest(event(invoice("i1", reference="A-2", sequence=2)))
    pipeline.drive()
    link = pipeline.one("invoice", "i1")
    assert (link.state, link.cause, link.depends_on) == ("failed", "number-taken", pipeline.one("invoice", "i2").id)
    assert "invoice “A-2” of Kompass" in link.reason


# --- Cases


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("name", ["real-name-1", "real-name-2", "real-name-3"])
def test_a_name_in_a_case_of_kompass(detailed: Pipeline, name: str, apart: bool) -> None:
    events = events_of(name)
    for one in events:
        detailed.ingest(one)
        if apart:
            detailed.drive()
    detailed.drive()
    latest = {one.object.id: one.object for one in events if isinstance(one.object, Client)}
    assert {key: name for key, name in customers(detailed).items() if key in latest} == {
        key: one.name for key, one in latest.items()
    }
    all_well(detailed)


def test_a_number_that_is_freed_later(unlinked: Pipeline) -> None:
    unlinked.link("org-us", "Northstar Surveys Inc", realm=USA)
    for one in events_of("17b-number-freed-later"):
        unlinked.ingest(one)
        unlinked.drive()
    assert numbers(unlinked) == {"i1": "A-2", "i2": "A-3"}
    all_well(unlinked)


# --- Parties


def test_an_invoice_of_a_client_that_is_not_synced_goes_once_it_is(pipeline: Pipeline) -> None:
    owner = client("c1", name="Alba")
    pipeline.ingest(event(owner, action=Action.DELETE))
    pipeline.ingest(event(invoice("i1", client=owner, project=None)))
    pipeline.drive()
    failed = pipeline.one("invoice", "i1")
    assert (failed.state, failed.cause) == ("failed", "party-not-synced")
    assert failed.depends_on == pipeline.one("client", "c1").id
    pipeline.ingest(event(client("c1", name="Alba", sequence=2)))
    pipeline.drive()
    all_well(pipeline)
