"""Short transactions that try again when Postgres asks for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from psycopg.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

Answer = TypeVar("Answer")

AWAY = (DBAPIError, PoolTimeout)
"""What a database raises that is away, or that hangs until all of the pool's connections are busy with it."""

_PASSING_CLASSES = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE after which the very same statement may go through later: a connection lost, a server that became read-only (a
standby, as after a failover), a deadlock, no space or memory, a lock, an operator's intervention, a system error."""


def passes(error: BaseException) -> bool:
    """Say whether to wait for the database and try again; what the database has against a statement itself does not pass."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state[:2] in _PASSING_CLASSES


def _lost_a_race(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and isinstance(error.orig, DeadlockDetected | SerializationFailure)


def retrying(engine: Engine, work: Callable[[Connection], Answer]) -> Answer:
    """Run ``work`` in a transaction of its own, again when it lost a deadlock; ``work`` must not have effects elsewhere."""
    for attempt in Retrying(
        retry=retry_if_exception(_lost_a_race),
        stop=stop_after_attempt(6),
        wait=wait_random_exponential(multiplier=0.01, max=0.5),
        reraise=True,
    ):
        with attempt, engine.begin() as db:
            return work(db)
    raise AssertionError("tenacity gives an answer or raises")
