"""A name that another link of ours stands under in QuickBooks is found out at the claim, for all of its links at once."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.builders import client, event, project
from tests.pipeline import Pipeline


def test_a_name_that_another_client_has_is_rejected_and_the_others_of_the_claim_go(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1", name="Alba")))
    pipeline.drive()
    pipeline.ingest(
        event(client("c2", name="Alba")), event(client("c3", name="Berg")), event(client("c4", name="Alba"))
    )
    pipeline.sweep()
    (attempt,) = pipeline.claim().attempts
    assert attempt.link.kompass_id == "c3"
    for kompass_id in ("c2", "c4"):
        link = pipeline.one("client", kompass_id)
        assert (link.state, link.cause) == ("failed", "name-held-by-another")
        assert "so is client “Alba” of Kompass already" in link.reason


def test_a_client_that_is_sent_again_does_not_meet_itself(pipeline: Pipeline) -> None:
    pipeline.ingest(event(client("c1", name="Alba")), event(client("c2", name="Berg")))
    pipeline.drive()
    pipeline.ingest(event(client("c1", name="Berg & Co", sequence=2)), event(client("c2", name="Berg", sequence=2)))
    pipeline.drive()
    assert sorted(one["DisplayName"] for one in pipeline.objects("Customer")) == ["Berg", "Berg & Co"]


def test_one_project_under_two_billing_clients_is_told_apart_by_theirs(pipeline: Pipeline) -> None:
    first, second = client("c1", name="Alba"), client("c2", name="Berg")
    pipeline.ingest(event(project("p1", of=first)), event(client("c3", name="Cairn")))
    pipeline.drive()
    pipeline.ingest(
        event(project("p1", of=first, billing_client=second, sequence=2)),
        event(client("c4", name="Cairn")),
        event(client("c5", name="Dell")),
    )
    pipeline.drive()
    jobs = {one["DisplayName"] for one in pipeline.objects("Customer") if one.get("Job")}
    (plain,) = [one.name for one in pipeline.links(kind="project", party_id="c1")]
    assert jobs == {plain, f"{plain} (Berg)"}
    assert pipeline.one("client", "c4").cause == "name-held-by-another"
    assert pipeline.one("client", "c5").state == "synced"


def test_a_claim_asks_as_often_for_thirty_links_as_for_two(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0
    execute = psycopg.Cursor.execute

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        return execute(*arguments, **options)

    def statements(first: int, count: int) -> int:
        nonlocal asked
        pipeline.ingest(*(event(client(f"c{number}")) for number in range(first, first + count)))
        pipeline.sweep()
        due = pipeline.due()
        with pipeline.engine.begin() as db:
            before = asked
            assert len(pipeline.steps.claims(db, due, calls_allowed={}).attempts) == count
            return asked - before

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    # What is known of the company is kept after the first claim.
    statements(0, 1)
    assert statements(1, 2) == statements(3, 30)
