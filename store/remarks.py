"""What of a record is not in QuickBooks as Kompass says, although the record is there and nothing waits for it.

A row stands as long as it is so. Its cause begins like that of a difference, and it is mailed with those (`store.differences`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from store.links import Link
from store.sql import Statement, insert_rows
from store.tables import remark


@dataclass(frozen=True, slots=True)
class Remark:
    link: Link
    cause: str
    message: str


def write(
    db: Connection, *, about: Collection[int], only: Collection[str] | None = None, found: Sequence[Remark]
) -> None:
    """Replace the remarks of these links, or those of some causes alone."""
    if about:
        if only is None:
            _FORGET.count(db, ids=sorted(about))
        else:
            _FORGET_SOME.count(db, ids=sorted(about), causes=sorted(only))
    insert_rows(
        db,
        remark,
        [
            {
                "link_id": one.link.id, "org_id": one.link.org_id, "realm_id": one.link.realm_id, "cause": one.cause,
                "message": one.message,
            }
            for one in found
        ],
        tail="ON CONFLICT (link_id, cause) DO UPDATE SET org_id = excluded.org_id, message = excluded.message",
    )  # fmt: skip


_FORGET = Statement("DELETE FROM qbo_remark WHERE link_id = ANY(%(ids)s::bigint[])")
_FORGET_SOME = Statement(f"{_FORGET.text} AND cause = ANY(%(causes)s::text[])")
