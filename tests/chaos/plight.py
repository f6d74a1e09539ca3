"""What a test that never came to rest prints: what is left, how far each group read, and which process held which partition."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from consumers.ingest.group import topic_of
from schemas.events import Kind

_OF_THE_GROUP = (" consuming ", " assigned ", " lost ", " offsets of ", " the group of ")
_LINKS = (
    "SELECT now(), l.id, l.realm_id, l.kind, l.kompass_id, l.state, l.cause, l.due_at, l.again, l.lanes, l.epoch,"
    " i.phase, i.attempt, i.owner, i.heartbeat_at, i.resend_after, c.state AS connection, c.version, c.access_expires_at,"
    " c.refresh_lease_until, q.blocked_until, q.window"
    " FROM qbo_link l LEFT JOIN qbo_attempt i ON i.link_id = l.id"
    " LEFT JOIN qbo_connection c ON c.realm_id = l.realm_id"
    " LEFT JOIN qbo_quota_lease q ON q.realm_id = l.realm_id"
    " WHERE l.due_at IS NOT NULL OR i.link_id IS NOT NULL ORDER BY l.due_at LIMIT 8"
)
_COUNTS = (
    "SELECT kind, state, cause, due_at IS NOT NULL AS due, count(*) FROM qbo_link GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
    "SELECT phase, owner, attempt, count(*), min(heartbeat_at), max(resend_after) FROM qbo_attempt GROUP BY 1, 2, 3",
    "SELECT count(*) AS outbox, min(id) FROM qbo_outbox HAVING count(*) > 0",
)


def in_the_database(engine: Engine) -> list[str]:
    """Tell of the links that are due or have an attempt, and how many there are of what."""
    try:
        with engine.begin() as db:
            return [
                "  ".join(f"{name}={value}" for name, value in row._mapping.items())
                for statement in (*_COUNTS, _LINKS)
                for row in db.execute(text(statement))
            ]
    except SQLAlchemyError as error:
        return [f"the database: {error}"]


def in_the_groups(bootstrap_servers: str) -> list[str]:
    """Tell how far each group has committed, and where its partitions end."""
    return [line for kind in Kind for line in _group(bootstrap_servers, kind)]


def _group(bootstrap_servers: str, kind: Kind) -> Iterable[str]:
    topic = topic_of(kind)
    consumer = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": f"kompass-qbo.{kind.value}s"})
    try:
        for partition in sorted(consumer.list_topics(topic, timeout=5).topics[topic].partitions):
            place = TopicPartition(topic, partition)
            (committed,) = consumer.committed([place], timeout=5)
            _, end = consumer.get_watermark_offsets(place, timeout=5)
            yield f"{topic}/{partition}: committed {committed.offset} of {end}"
    except KafkaException as error:
        yield f"{topic}: {error.args[0].str()}"
    finally:
        consumer.close()


def in_the_processes(processes: Sequence[tuple[str, BaseProcess, Path]], *, lines: int = 25) -> list[str]:
    """Tell, for each process that ever was, how it ended and what it said of its group; of the living, the log's end too."""
    report = []
    for name, process, path in processes:
        log = path.read_text(errors="replace").splitlines() if path.exists() else []
        report.append(f"--- {name} (pid {process.pid}): {_ended(process)}; {len(log)} lines")
        report += [line for line in log if any(words in line for words in _OF_THE_GROUP)][-8:]
        if process.is_alive():
            report += ["...", *log[-lines:]]
    return report


def _ended(process: BaseProcess) -> str:
    return "alive" if process.is_alive() else f"exit code {process.exitcode}"
