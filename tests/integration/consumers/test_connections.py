"""A connection that expires, dies and comes back: one refresh, one failure, and everything that waits is sent."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import text

from qbo_client.outcomes import Done, Forbidden, Unauthorized
from schemas.events import OrgRef
from simulator.seeds import IRELAND, UK
from simulator.world import World
from store import connections, quota
from sync.patience import Patience
from sync.settings import RetryPolicy
from sync.settle import Answer
from tests.builders import UK_ORG, client, event
from tests.pipeline import Pipeline


def execute(pipeline: Pipeline, statement: str) -> None:
    with pipeline.engine.begin() as db:
        db.execute(text(statement))


def refreshes(pipeline: Pipeline) -> int:
    return sum(
        1 for one in pipeline.requests() if one.path.endswith("/tokens/bearer") and b"refresh_token" in one.request_body
    )


def revoke(world: World) -> None:
    for grant in list(world.authority.live_grants(realm=UK)):
        world.authority.revoke_grant(grant.id)


def open_failures(pipeline: Pipeline) -> list[tuple[str, str]]:
    return [(row.stage, row.cause) for row in pipeline.rows("qbo_failure") if row.closed_at is None]


def test_two_processes_and_an_expired_token_make_one_refresh(
    pipeline: Pipeline, opened: Callable[..., Pipeline]
) -> None:
    pipeline.simulator.call(lambda world: world.authority.expire_access(realm=UK, token=None))
    processes = [pipeline, opened(), opened(), opened()]
    pipeline.ingest(*[event(client(f"c{number}")) for number in range(12)])
    ids = pipeline.due()
    attempts = [one.claim(ids[number::4]).attempts for number, one in enumerate(processes)]
    for one, mine in zip(processes, attempts, strict=True):
        outcomes = [one.call(attempt) for attempt in mine]
        assert {type(outcome) for outcome in outcomes} == {Unauthorized}
        one.settle(*[Answer(attempt, outcome) for attempt, outcome in zip(mine, outcomes, strict=True)])
    before = refreshes(pipeline)
    threads = [threading.Thread(target=one.jobs.prepare, args=("org-uk", UK)) for one in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pipeline.drive()
    assert refreshes(pipeline) - before == 1
    assert len(pipeline.objects("Customer")) == 12
    assert {row.state for row in pipeline.links()} == {"synced"}


def test_a_refusal_that_comes_while_tokens_are_refreshed_does_not_throw_the_new_ones_away(pipeline: Pipeline) -> None:
    """Refreshing may end the old access token at once: calls under way then meet 401, under the version being refreshed."""
    pipeline.simulator.call(lambda world: world.change_settings({"rotation_seconds": 0}))
    pipeline.ingest(event(client()))
    (attempt,) = pipeline.claim().attempts
    execute(pipeline, "UPDATE qbo_connection SET access_expires_at = now() + interval '10 seconds'")
    refresh = pipeline.oauth.refresh

    def refresh_meanwhile(token: str) -> object:
        fresh = refresh(token)
        pipeline.settle(Answer(attempt, Unauthorized()))
        return fresh

    pipeline.oauth.refresh = refresh_meanwhile  # type: ignore[method-assign, assignment]
    pipeline.jobs.prepare("org-uk", UK)
    pipeline.oauth.refresh = refresh  # type: ignore[method-assign]
    execute(pipeline, "UPDATE qbo_connection SET access_expires_at = now()")
    outcomes = pipeline.drive()
    assert open_failures(pipeline) == []
    assert all(isinstance(outcome, Done) for outcome in outcomes)
    assert pipeline.one("client", "c1").state == "synced"


def test_a_dead_grant_is_one_failure_everything_waits_and_a_new_link_sends_all(pipeline: Pipeline) -> None:
    pipeline.ingest(*[event(client(f"c{number}")) for number in range(10)])
    pipeline.simulator.call(revoke)
    pipeline.drive()
    assert open_failures(pipeline) == [("connect", "disconnected")]
    assert {(row.state, row.cause) for row in pipeline.links()} == {("waiting", "disconnected")}
    assert len(pipeline.rows("qbo_outbox")) == 1
    before = len(pipeline.requests())
    pipeline.ingest(*[event(client(f"c{number}", sequence=2, name=f"New {number}")) for number in range(10)])
    pipeline.drive()
    assert len(pipeline.requests()) == before
    pipeline.link()
    pipeline.drive()
    assert open_failures(pipeline) == []
    assert sorted(one["DisplayName"] for one in pipeline.objects("Customer")) == [
        f"New {number}" for number in range(10)
    ]


def test_a_company_that_shuts_us_out_while_its_facts_are_read_is_disconnected(pipeline: Pipeline) -> None:
    execute(pipeline, "UPDATE qbo_company_facts SET fetched_at = now() - interval '2 days'")
    pipeline.ingest(event(client()))
    shut_out = Forbidden(())
    send = pipeline.transport.send
    pipeline.transport.send = lambda *args, **more: shut_out  # type: ignore[method-assign]
    pipeline.cache.forget("org-uk")
    claimed = pipeline.claim()
    assert claimed.unready == {UK: "org-uk"}
    pipeline.jobs.prepare("org-uk", UK)
    pipeline.transport.send = send  # type: ignore[method-assign]
    assert open_failures(pipeline) == [("connect", "disconnected")]
    pipeline.drive()
    assert pipeline.one("client", "c1").cause == "disconnected"


def test_a_token_refused_while_facts_are_read_is_refreshed(pipeline: Pipeline) -> None:
    execute(pipeline, "UPDATE qbo_company_facts SET fetched_at = now() - interval '2 days'")
    pipeline.cache.forget("org-uk")
    pipeline.simulator.call(lambda world: world.authority.expire_access(realm=UK, token=None))
    pipeline.ingest(event(client()))
    pipeline.drive()
    assert pipeline.one("client", "c1").state == "synced"
    assert refreshes(pipeline) == 1


def test_tokens_refused_one_after_the_other_are_not_refreshed_at_once(
    pipeline: Pipeline, opened: Callable[..., Pipeline]
) -> None:
    """Each fresh token is refused, for another link each time; Intuit may take refreshes that come so close for a theft."""
    pipeline.simulator.call(
        lambda world: world.change_settings({"concurrent_refresh": "revoke", "concurrent_refresh_seconds": 10})
    )
    pipeline.ingest(*[event(client(f"c{number}")) for number in range(5)])
    processes = [pipeline, opened()]
    for number, link in enumerate(pipeline.due()):
        one = processes[number % 2]
        pipeline.simulator.call(lambda world: world.authority.expire_access(realm=UK, token=None))
        one.settle(*[Answer(attempt, one.call(attempt)) for attempt in one.claim([link]).attempts])
        one.jobs.prepare("org-uk", UK)
    assert refreshes(pipeline) == 1
    assert open_failures(pipeline) == []
    pipeline.simulator.call(lambda world: world.clock.advance(10))
    pipeline.drive()
    assert {row.state for row in pipeline.links()} == {"synced"}
    assert refreshes(pipeline) == 2


def test_an_access_token_that_is_never_taken_does_not_spin(pipeline: Pipeline, opened: Callable[..., Pipeline]) -> None:
    """Every refreshed token is refused at once: each try costs a refresh, so they have to become rare."""
    patient = opened(
        retries=RetryPolicy(backoff_first_seconds=100.0, backoff_longest_seconds=900.0), patience=Patience()
    )
    pipeline.ingest(event(client()))
    put_off = []
    for _ in range(4):
        (attempt,) = patient.claim(_due_now(patient)).attempts
        patient.settle(Answer(attempt, Unauthorized()))
        put_off.append(_seconds_until_due(patient))
        patient.jobs.prepare("org-uk", UK)
    assert put_off[0] <= 0
    assert 90 < put_off[1] < put_off[2] < put_off[3]


def _seconds_until_due(pipeline: Pipeline) -> float:
    with pipeline.engine.begin() as db:
        return float(db.execute(text("SELECT extract(epoch FROM due_at - now()) FROM qbo_link")).scalar_one())


def _due_now(pipeline: Pipeline) -> list[int]:
    execute(pipeline, "UPDATE qbo_link SET due_at = now()")
    execute(pipeline, "UPDATE qbo_connection SET refresh_lease_until = NULL")
    return pipeline.due()


@pytest.mark.parametrize("trouble", ["disconnected", "throttled", "facts"])
def test_one_company_in_trouble_delays_no_other(pipeline: Pipeline, trouble: str) -> None:
    irish = OrgRef("org-ie", "Meridian Ireland")
    pipeline.link("org-ie", irish.name, realm=IRELAND)
    pipeline.ingest(event(client("c1", org=UK_ORG)), event(client("c2", org=irish)))
    with pipeline.engine.begin() as db:
        if trouble == "disconnected":
            version = connections.read_connections(db)[UK].version
            connections.disconnect(db, realm_id=UK, version=version, cause="disconnected", message="ended")
        elif trouble == "throttled":
            quota.block(db, UK, 60)
        else:
            db.execute(text("UPDATE qbo_company_facts SET fetched_at = now() - interval '2 days'"))
    pipeline.cache.forget("org-uk")
    if trouble == "facts":
        pipeline.simulator.call(lambda world: world.troubles.add({"kind": "http", "realm": UK, "status": 503}))
        pipeline.jobs.prepare("org-ie", IRELAND)
    claimed = pipeline.claim()
    assert [attempt.link.realm_id for attempt in claimed.attempts] == [IRELAND]
