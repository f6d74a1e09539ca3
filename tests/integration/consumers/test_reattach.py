"""After a restore, what a company got in the time that was lost is reattached where it is certain, and asked about where it is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from consumers.ingest.batch import Ingest
from schemas.events import Kind
from schemas.link_state import Because
from simulator import UK, bookkeeper
from simulator.world import World
from store import restores
from sync.link import Wish, make_due
from tests.builders import client, event, invoice, line, project
from tests.pipeline import Pipeline


def lose(pipeline: Pipeline, *ids: str) -> None:
    """Be restored from a backup that knows nothing of these records."""
    with pipeline.engine.begin() as db:
        for table in ("qbo_link", "qbo_record"):
            db.execute(text(f"DELETE FROM {table} WHERE kompass_id = ANY(CAST(:ids AS text[]))"), {"ids": list(ids)})
        restores.begin(db, datetime.now(UTC) - timedelta(hours=1))
    # Nobody goes on with what he remembers: the processes are new.
    pipeline.cache.forget("org-uk")
    pipeline.ingests = {kind: Ingest(pipeline.engine, pipeline.codec, kind) for kind in Kind}


def created(pipeline: Pipeline) -> int:
    return sum(1 for one in pipeline.requests() if one.operation == "create")


def edit(pipeline: Pipeline, entity: str, qbo_id: str, **members: object) -> None:
    def by_hand(world: World) -> None:
        bookkeeper.edit(
            world.companies[UK], {"action": "update", "entity": entity, "id": qbo_id, "members": dict(members)}
        )

    pipeline.simulator.call(by_hand)


def test_a_job_that_was_renamed_is_known_by_its_reference(pipeline: Pipeline) -> None:
    owner = client("c1")
    pipeline.ingest(event(owner), event(project("p1", of=owner)))
    pipeline.drive()
    made = created(pipeline)
    lose(pipeline, "p1")
    pipeline.ingest(event(project("p1", of=owner, sequence=2, name="Another name")))
    pipeline.drive()
    assert created(pipeline) == made
    assert {one["DisplayName"] for one in pipeline.objects("Customer")} == {"Harbour & Sons c1", "24-p1 Another name"}


def test_a_customer_that_was_renamed_is_asked_about(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1", name="Before")))
    pipeline.drive()
    lose(pipeline, "c1")
    pipeline.ingest(event(client("c1", sequence=2, name="After")))
    pipeline.drive()
    link = pipeline.one("client", "c1")
    assert (link.state, link.cause) == ("failed", "conflict:in-doubt")
    assert "'Before' (Id " in link.reason
    pipeline.ingest(event(client("c1", sequence=3, name="After", notes="neither an event nor Try again is a choice")))
    pipeline.drive()
    with pipeline.engine.begin() as db:
        make_due(db, [link.id], Because.RESEND, "ada pressed Try again")
    pipeline.drive()
    assert pipeline.one("client", "c1").cause == "conflict:in-doubt"
    assert len(pipeline.objects("Customer")) == 1
    with pipeline.engine.begin() as db:
        make_due(db, [link.id], Because.RESEND, "ada chose what Kompass says", wishes=(Wish.OVERWRITE,))
    pipeline.drive()
    assert {one["DisplayName"] for one in pipeline.objects("Customer")} == {"Before", "After"}


def test_lines_that_nobody_knows_the_author_of_are_asked_about(pipeline: Pipeline) -> None:
    bill = invoice("i1")
    pipeline.ingest(event(bill))
    pipeline.drive()
    qbo_id = pipeline.one("invoice", "i1").qbo_id
    (booked,) = pipeline.objects("Invoice")
    edit(pipeline, "Invoice", qbo_id, Line=[{**booked["Line"][0], "Amount": 42}])
    lose(pipeline, "i1")
    pipeline.ingest(event(bill))
    pipeline.drive()
    link = pipeline.one("invoice", "i1")
    assert (link.state, link.cause, link.qbo_id) == ("failed", "conflict:edited-in-qbo", qbo_id)
    assert [one["Line"][0]["Amount"] for one in pipeline.objects("Invoice")] == [42]


def test_what_a_bookkeeper_added_stays(pipeline: Pipeline) -> None:
    bill = invoice("i1")
    pipeline.ingest(event(bill))
    pipeline.drive()
    edit(pipeline, "Invoice", pipeline.one("invoice", "i1").qbo_id, TrackingNum="T1")
    lose(pipeline, "i1")
    pipeline.ingest(event(replace(bill, sequence=2, details="Changed meanwhile")))
    pipeline.drive()
    (booked,) = pipeline.objects("Invoice")
    assert (booked["TrackingNum"], booked["CustomerMemo"]["value"]) == ("T1", "Changed meanwhile")
    assert pipeline.one("invoice", "i1").state == "synced"


def test_a_document_of_that_number_that_is_not_ours_is_left_alone(pipeline: Pipeline) -> None:
    pipeline.simulator.call(lambda world: setattr(world.companies[UK].profile, "warn_duplicate_numbers", False))
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", reference="INV-i1", lines=(line("7.00"),))))
    pipeline.drive()
    first, second = pipeline.one("invoice", "i1").qbo_id, pipeline.one("invoice", "i2").qbo_id
    lose(pipeline, "i1", "i2")
    pipeline.ingest(event(invoice("i1")), event(invoice("i2", reference="INV-i1", lines=(line("7.00"),))))
    pipeline.drive()
    assert (pipeline.one("invoice", "i1").qbo_id, pipeline.one("invoice", "i2").qbo_id) == (first, second)
    assert len(pipeline.objects("Invoice")) == 2


def test_a_company_that_is_shut_is_looked_through_once_it_opens(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1")))
    pipeline.drive()
    made = created(pipeline)

    def revoke(world: World) -> None:
        for grant in list(world.authority.live_grants(realm=UK)):
            world.authority.revoke_grant(grant.id)

    pipeline.simulator.call(revoke)
    lose(pipeline, "c1")
    pipeline.ingest(event(client("c1")))
    pipeline.drive()
    assert pipeline.one("client", "c1").cause == "disconnected"
    pipeline.link()
    pipeline.drive()
    assert (pipeline.one("client", "c1").state, created(pipeline)) == ("synced", made)
