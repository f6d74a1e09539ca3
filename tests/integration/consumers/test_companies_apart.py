"""What one company's links, names and ids may do to the others: nothing."""

from __future__ import annotations

import secrets
from functools import partial

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.event import listen
from sqlalchemy.exc import OperationalError

from schemas.events import OrgRef
from simulator.seeds import IRELAND, UK
from store import candidates, companies
from store.engine import retrying
from sync.sweep import sweep
from tests.builders import client, event
from tests.pipeline import Pipeline

IRISH_ORG = OrgRef("org-ie", "Meridian Ireland")


def due(pipeline: Pipeline, realm: str) -> bool:
    return any(row.due_at is not None for row in pipeline.links(realm_id=realm))


def test_a_company_whose_links_cannot_be_locked_holds_up_no_other_and_is_swept_later(pipeline: Pipeline) -> None:
    pipeline.link("org-ie", "Meridian Ireland", realm=IRELAND)
    pipeline.ingest(event(client("c1")), event(client("c2", org=IRISH_ORG)))
    pipeline.sweep()
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET due_at = NULL, state = 'failed'"))
        db.execute(text("UPDATE qbo_configuration SET default_class_id = '1'"))
    with pipeline.engine.begin() as held:
        held.execute(text("SELECT id FROM qbo_link WHERE realm_id = :realm FOR UPDATE"), {"realm": UK})
        first, second = retrying(pipeline.engine, companies.changed)
        with pipeline.engine.connect() as db, pytest.raises(OperationalError):
            sweep(db, first)
        with pipeline.engine.begin() as db:
            assert sweep(db, second) == 1
        assert due(pipeline, IRELAND)
    assert not due(pipeline, UK)
    assert retrying(pipeline.engine, companies.changed) == [first]
    assert pipeline.sweep() == 1
    assert due(pipeline, UK)


def test_two_processes_do_not_sweep_the_same_company_twice(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1")))
    pipeline.sweep()
    with pipeline.engine.begin() as db:
        db.execute(text("UPDATE qbo_link SET state = 'failed'"))
        db.execute(text("UPDATE qbo_configuration SET default_class_id = '1'"))
    (changed,) = retrying(pipeline.engine, companies.changed)
    with pipeline.engine.begin() as db:
        assert sweep(db, changed) == 1
        assert retrying(pipeline.engine, partial(sweep, configuration_id=changed)) == 0
    assert retrying(pipeline.engine, partial(sweep, configuration_id=changed)) == 0


def test_links_made_by_linking_are_written_once_whatever_postgres_knows_of_the_company(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1")))
    pipeline.sweep()
    with pipeline.engine.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO qbo_record (org_id, kind, kompass_id, sequence, reference, body)"
            " SELECT org_id, kind, kompass_id || n, 1, reference, body FROM qbo_record, generate_series(1, 50) n"
        )
        db.exec_driver_sql("UPDATE qbo_sweep SET realm_id = 'another', version = 0")
        (changed,) = companies.changed(db)
    plans: list[str] = []

    def explained(db: Connection, cursor: object, statement: str, parameters: dict[str, str], *_: object) -> None:
        if statement.startswith("INSERT INTO qbo_link"):
            plans.extend(line for (line,) in db.connection.cursor().execute(f"EXPLAIN {statement}", parameters))

    with pipeline.engine.begin() as db:
        listen(db, "before_cursor_execute", explained)
        # Fifty that are new, and the one that was there.
        assert sweep(db, changed) == 51
    assert plans
    # It would compare each record with each link, and Postgres takes a new company's links for a handful.
    assert not [line for line in plans if "Nested Loop" in line]


def test_an_id_too_long_for_an_index_holds_up_nobody(pipeline: Pipeline) -> None:
    hostile = client("c1" + secrets.token_hex(6000))
    (result,) = pipeline.ingest(event(client("c0")), event(hostile), event(client("c2")))
    assert result.newer == 2
    assert [bad.cause for bad in result.undecodable] == ["unstorable"]
    (failure,) = pipeline.rows("qbo_failure")
    assert failure.kompass_id.startswith("c1")
    assert [row.kompass_id for row in pipeline.links()] == ["c0", "c2"]


def test_what_is_due_already_does_not_hide_when_the_next_becomes_due(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1")), event(client("c2")))
    with pipeline.engine.begin() as db:
        assert candidates.next_due_in(db, lane=1) is None
        db.execute(text("UPDATE qbo_link SET due_at = now() + interval '40 s' WHERE kompass_id = 'c2'"))
        assert candidates.next_due_in(db, lane=1) == pytest.approx(40, abs=1)
        assert candidates.next_due_in(db, lane=4) is None
