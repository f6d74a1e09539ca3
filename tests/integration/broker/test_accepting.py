"""A long run of unreadable records stops a consumer; once a person accepted the stretch it goes on, and nothing is lost."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from consumers import cli
from consumers.errors import ExitCode
from consumers.ingest.limit import DecodeLimit, TooManyUndecodable
from store import stretches
from store.engine import open_engine, retrying
from store.stretches import Accepted
from tests.integration.broker.members import TOPIC, Members, Publisher, all_committed, eventually, kept, value_of
from tests.kafka import Kafka

RUN = 150


@pytest.mark.parametrize("empty_kafka", ["embedded"], indirect=True)
def test_an_operator_lets_a_consumer_go_on(
    kafka: Kafka, database: str, members: Members, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", database)
    engine = open_engine(database, pool_size=1)
    publisher = Publisher(kafka)
    for number in range(RUN):
        # What a producer with a new schema would write: not to be read by this version.
        publisher.send(f"bad{number}", value=b"\xc3\x01" + b"\x07" * 8 + value_of(f"bad{number}")[10:], partition=0)
    publisher.flush()
    publisher.newest.clear()
    publisher.send_all(["c1", "c2"], partition=0)

    def limit() -> DecodeLimit:
        return DecodeLimit(run=100, accepted=lambda: retrying(engine, lambda db: stretches.accepted(db, TOPIC)))

    # All in one batch with the good ones is no run: so they are read alone first.
    first = members(kafka, {"queued.min.messages": "1", "fetch.message.max.bytes": "8000"}, limit=limit())
    failure = first.failure()
    assert isinstance(failure, TooManyUndecodable)
    _, _, command = str(failure).partition("kompass-qbo ")
    arguments = [*command.split(), "--reason", "the new schema is rolled out tomorrow"]

    wrong = [*arguments[:3], "3", *arguments[4:]]
    assert cli.run(wrong) == ExitCode.FAILED
    assert "no record of kompass.clients/3" in capsys.readouterr().err
    arguments[arguments.index("--to") + 1] = str(RUN)
    assert cli.run(arguments) == ExitCode.OK
    assert "stay as dead letters" in capsys.readouterr().out

    members(kafka, limit=limit())
    eventually(lambda: kept(database) == {"c1": 1, "c2": 1})
    eventually(lambda: all_committed(kafka))
    with engine.begin() as db:
        (accepted,) = stretches.accepted(db, TOPIC)
        assert accepted == Accepted(TOPIC, 0, 0, RUN, accepted.by, "the new schema is rolled out tomorrow")
        assert accepted.by
        open_ones = db.execute(text("SELECT count(*) FROM qbo_failure WHERE stage = 'decode' AND closed_at IS NULL"))
        assert open_ones.scalar_one() == RUN, "each can be replayed once it can be read"
    engine.dispose()
