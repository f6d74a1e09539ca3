"""A database is restored to a backup whose links stand for documents that a person has replaced since: nothing is booked twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select

from consumers.ingest.batch import Ingest
from schemas.events import Kind
from store import restores
from store.tables import attempt, failure, link, record
from tests.integration.situations.company import SYNCED, Company
from tests.integration.situations.world import World

Backup = dict[str, Sequence[dict[str, Any]]]


def back_up(companies: Sequence[Company]) -> Backup:
    orgs = [one.org.id for one in companies]
    with companies[0].pipeline.engine.begin() as db:
        return {
            table.name: [dict(row) for row in db.execute(select(table).where(table.c.org_id.in_(orgs))).mappings()]
            for table in (link, record)
        }


def restore(companies: Sequence[Company], saved: Backup) -> None:
    pipeline, orgs = companies[0].pipeline, [one.org.id for one in companies]
    with pipeline.engine.begin() as db:
        db.execute(delete(attempt).where(attempt.c.realm_id.in_([one.realm for one in companies])))
        db.execute(delete(failure).where(failure.c.org_id.in_(orgs)))
        for table in (link, record):
            db.execute(delete(table).where(table.c.org_id.in_(orgs)))
            db.execute(insert(table), saved[table.name])
        restores.begin(db, datetime.now(UTC) - timedelta(hours=1))
    # Nobody goes on with what he remembers: the processes are new.
    for one in orgs:
        pipeline.cache.forget(one)
    pipeline.ingests = {kind: Ingest(pipeline.engine, pipeline.codec, kind) for kind in Kind}


def test_a_document_that_was_made_again_since_the_backup_is_not_made_a_third_time(
    world: World, three: list[Company]
) -> None:
    for one in three:
        one.bookkeeper("profile", members={"warn_duplicate_numbers": False})
        one.said(one.invoice())
    saved = back_up(three)
    for one in three:
        one.bookkeeper("delete", entity="Invoice", id=one.link().qbo_id)
        one.said(one.invoice("i1", "120.00"))
        one.choose_kompass()
        one.go()
        assert one.stands() == SYNCED
    restore(three, saved)
    for one in three:
        (again,) = one.marked()
        one.said(one.invoice("i1", "120.00", details="once more"))
        assert (one.stands(), one.link().qbo_id) == (SYNCED, again["Id"]), one.why()
        (document,) = one.marked()
        assert document["CustomerMemo"]["value"] == "once more"


def test_a_document_of_another_type_that_was_made_since_the_backup_is_not_made_twice(
    world: World, three: list[Company]
) -> None:
    for one in three:
        one.bookkeeper("profile", members={"warn_duplicate_numbers": False})
        one.said(one.invoice())
    saved = back_up(three)
    for one in three:
        one.said(one.invoice("i1", "-100.00"))
        one.choose_kompass()
        one.go()
        assert one.stands() == SYNCED
    restore(three, saved)
    for one in three:
        one.said(one.invoice("i1", "-100.00", details="once more"))
        one.choose_kompass()
        one.go()
        assert (one.stands(), one.link().entity) == (SYNCED, "CreditMemo"), one.why()
        assert [document["TotalAmt"] for document in one.objects("Invoice")] == [0]
        (credit,) = one.objects("CreditMemo")
        assert credit["CustomerMemo"]["value"] == "once more"
        assert one.causes() == []
