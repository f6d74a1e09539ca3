"""Stretches of a partition's records that somebody has to know of: deleted before they were read, or accepted as unreadable.

They are kept here, and not counted by a process: several processes meet the same gap, and each starts its counters at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from store.tables import stretch

GAP_SHOWN: Final = timedelta(hours=1)
"""For so long after it was found a gap is in the gauges."""


class What(StrEnum):
    GAP = "gap"
    ACCEPTED = "accepted"


@dataclass(frozen=True, slots=True)
class Gap:
    """Records ``first`` to ``last`` that Kafka deleted before they were read, or cannot give; then a person said so."""

    topic: str
    partition: int
    first: int
    last: int
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """Records ``first`` to ``last`` that a person looked at: consumers go on past them."""

    topic: str
    partition: int
    first: int
    last: int
    by: str = ""
    reason: str = ""

    def holds(self, partition: int, offset: int) -> bool:
        return partition == self.partition and self.first <= offset <= self.last


def note_gap(db: Connection, gap: Gap) -> None:
    """Keep a gap once, whichever processes meet it; retention may have made it longer meanwhile."""
    statement = insert(stretch).values(what=What.GAP.value, **asdict(gap))
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["what", "topic", "partition", "first"],
            set_={"last": func.greatest(stretch.c.last, statement.excluded.last)},
        )
    )


def accept(db: Connection, accepted: Accepted) -> None:
    """Keep that a person accepted a stretch, by whom and why."""
    statement = insert(stretch).values(what=What.ACCEPTED.value, **asdict(accepted))
    db.execute(
        statement.on_conflict_do_update(
            index_elements=["what", "topic", "partition", "first"],
            set_={
                "last": func.greatest(stretch.c.last, statement.excluded.last),
                "by": statement.excluded.by,
                "reason": statement.excluded.reason,
                "at": func.now(),
            },
        )
    )


def accepted(db: Connection, topic: str) -> list[Accepted]:
    rows = db.execute(
        select(stretch).where(stretch.c.topic == topic, stretch.c.what == What.ACCEPTED.value).order_by(stretch.c.first)
    )
    return [Accepted(row.topic, row.partition, row.first, row.last, row.by, row.reason) for row in rows]


def recent_gaps(db: Connection) -> Sequence[tuple[str, int]]:
    """Give topic and number of records of what was found missing lately."""
    rows = db.execute(
        text(
            "SELECT topic, sum(last - first + 1) AS missing FROM qbo_stretch WHERE what = 'gap' AND at > now() - :shown"
            " GROUP BY topic"
        ),
        {"shown": GAP_SHOWN},
    )
    return [(row.topic, int(row.missing)) for row in rows]


def unreadable(db: Connection, topic: str, partition: int, first: int, last: int) -> int:
    """Count the records of a stretch that are kept as dead letters, because they could not be read."""
    return int(
        db.execute(
            text(
                "SELECT count(*) FROM qbo_failure WHERE topic = :topic AND partition = :partition"
                " AND stage = 'decode' AND \"offset\" BETWEEN :first AND :last"
            ),
            {"topic": topic, "partition": partition, "first": first, "last": last},
        ).scalar_one()
    )
