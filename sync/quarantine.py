"""Claims in which one link that cannot be decided, for a mistake of ours, holds up no other."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, Engine

from mapping.results import Problem
from schemas.link_state import LinkState
from store import links
from store.engine import AWAY, retrying
from sync.claim import Claim, Claimed
from sync.failing import failed_in_mapping
from sync.link import decided, wake_dependents, write

log = logging.getLogger(__name__)


def claim_around(
    engine: Engine, claim: Claim, ids: Sequence[int], *, calls_allowed: Mapping[str, int], together: int = 1
) -> Claimed:
    """Claim these links; one that cannot be decided for a mistake of ours fails, and holds up no other.

    Raises the database's errors, after which none of them is claimed, or only the first of them.
    """
    try:
        return retrying(engine, lambda db: claim(db, ids, calls_allowed=calls_allowed, together=together))
    except AWAY:
        raise
    except Exception as error:
        if len(ids) == 1:
            log.exception("link %d cannot be decided", ids[0])
            (poison,), words = ids, f"{type(error).__name__}: {error}"
            return retrying(engine, lambda db: _quarantine(db, poison, words))
    found, left = Claimed(), dict(calls_allowed)
    for link_id in ids:
        one = claim_around(engine, claim, [link_id], calls_allowed=left)
        for attempt in one.attempts:
            if attempt.link.realm_id in left:
                left[attempt.link.realm_id] -= 1
        found.batches += one.batches
        found.unready |= one.unready
        found.refused_by_facts |= one.refused_by_facts
        found.held_up |= one.held_up
        found.blocked |= one.blocked
        found.decided += one.decided
        found.woken = found.woken or one.woken
    return found


def _quarantine(db: Connection, link_id: int, words: str) -> Claimed:
    found = Claimed()
    due = links.lock_due(db, [link_id])
    for link in () if due is None else due.links:
        problem = Problem(
            cause="unforeseen",
            message=f"{link.kind.value.capitalize()} {link.reference or link.kompass_id}: the sync fails over it ({words[:300]})",
            field="",
            value="",
            remedy="Hand this message to the operator of the sync: the log says more. The next change of the record is tried again",
        )
        write(db, [decided(link, LinkState.FAILED, cause=problem.cause, reason=problem.message)])
        failed_in_mapping(db, link, (problem,))
        found.decided.append((link.kind, LinkState.FAILED, "unforeseen", link.org_id))
        found.woken = bool(wake_dependents(db, [link.id]))
    return found
