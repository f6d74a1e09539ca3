"""The statements that make a link due, each with its reason for the link's history. `sync.link` alone runs them."""

from __future__ import annotations

from typing import Final

from schemas.link_state import Because, LinkState
from store.sql import Statement

_DUE: Final = "due_at = now(), again = true, due_since = least(l.due_since, now())"
"""Work is not queued since a moment to come: the clock may have been set back. `least` leaves out a null."""
_NOTE: Final = (
    " INSERT INTO qbo_history (org_id, realm_id, kind, kompass_id, link_id, what, outcome, message)"
    " SELECT org_id, realm_id, kind, kompass_id, id, 'due', {because}, {message} FROM due"
)


LOCK: Final = "FOR UPDATE OF l"
FREE_ONLY: Final = "FOR NO KEY UPDATE OF l SKIP LOCKED"


def makes_due(which: str, *, because: str, message: str, lock: str = LOCK, also: str = "") -> str:
    """Give the statement that makes the links of a query due and notes why in their history; it counts them.

    Links are locked in the order of their ids, as everywhere. ``because`` and ``message`` are SQL, ``also`` assigns further columns.
    """
    return (
        f"WITH chosen AS ({which} ORDER BY l.id {lock}), due AS ("
        f" UPDATE qbo_link l SET {_DUE}{also} FROM chosen WHERE l.id = chosen.id"
        " RETURNING l.org_id, l.realm_id, l.kind, l.kompass_id, l.id)" + _NOTE.format(because=because, message=message)
    )


RECORD = ("realm_id", "kind", "kompass_id", "party_id")
_ROWS = (
    "json_to_recordset(CAST(%(newer)s AS json)) AS n(org_id text, realm_id text, kind text, kompass_id text, party_id text,"
    " reference text, lanes integer, event_created_at timestamptz)"
)
PRESENT = Statement(
    f"SELECT DISTINCT {', '.join(f'l.{name}' for name in RECORD)} FROM qbo_link l JOIN {_ROWS} USING ({', '.join(RECORD)})"
)
MAKE = Statement(
    "INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, party_id, reference, lanes, event_created_at, due_at, due_since, again)"
    " SELECT n.org_id, n.realm_id, n.kind, n.kompass_id, n.party_id, n.reference, n.lanes, n.event_created_at, now(), now(), true"
    f" FROM {_ROWS} ON CONFLICT DO NOTHING"
)
NEWER = Statement(
    "WITH locked AS ("
    f" SELECT l.id, n.reference, n.event_created_at, n.org_id FROM qbo_link l JOIN {_ROWS} USING (realm_id, kind, kompass_id)"
    # Those that were made just now are due as they are: to write each of them twice took a seventh of Postgres's time for new records.
    " WHERE l.xmin <> pg_current_xact_id()::xid ORDER BY l.id FOR UPDATE OF l"
    f") UPDATE qbo_link l SET {_DUE},"
    # A client's link may stem from the Org that the company was linked to before.
    " org_id = locked.org_id, reference = locked.reference, event_created_at = locked.event_created_at, lanes = l.lanes | %(lane)s"
    " FROM locked WHERE l.id = locked.id"
)

LANE_ADDED = makes_due(
    "SELECT l.id FROM qbo_link l WHERE l.id = ANY(CAST(:ids AS bigint[]))",
    because=f"'{Because.ANOTHER_PROCESS}'",
    message="'another process needs it too'",
)

TWIN = makes_due(
    "SELECT l.id FROM qbo_link l WHERE l.depends_on = :id",
    because=f"'{Because.TWIN}'",
    message="'the customer it waited for has another link already'",
    lock=FREE_ONLY,
    also=", depends_on = :twin",
)

UNNEEDED = makes_due(
    # What is in QuickBooks stays there.
    "SELECT l.id FROM qbo_link l WHERE l.id = ANY(CAST(:ids AS bigint[])) AND l.qbo_id IS NULL AND l.kind <> 'invoice'",
    because=f"'{Because.UNNEEDED}'",
    message="'a record that rested on it rests on another one now'",
    lock=FREE_ONLY,
)

WAKE_DEPENDENTS = Statement(
    makes_due(
        "SELECT l.id FROM qbo_link l WHERE l.depends_on = ANY(%(ids)s::bigint[])"
        f" AND (l.state = '{LinkState.WAITING}'"
        f" OR (l.state = '{LinkState.FAILED}' AND l.depends_on <> ALL(%(as_before)s::bigint[])))",
        because=f"'{Because.DEPENDENCY}'",
        message="'the record it rests on was decided'",
        lock=FREE_ONLY,
    )
)

CONFIGURATION_CHANGED = makes_due(
    "SELECT l.id FROM qbo_link l WHERE l.realm_id = :realm AND l.org_id = :org AND coalesce(l.decided_version, 0) < :version"
    f" AND (l.state IN ('{LinkState.WAITING}', '{LinkState.FAILED}', '{LinkState.SKIPPED}')"
    f" OR (l.state = '{LinkState.SYNCED}' AND l.cause <> '')"
    " OR EXISTS (SELECT 1 FROM qbo_attempt i WHERE i.link_id = l.id))",
    because=f"'{Because.CONFIGURATION}'",
    message=":message",
)

LINK_RECORDS = (
    "INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, party_id, reference, lanes, event_created_at, due_at, due_since)"
    " SELECT r.org_id, :realm, r.kind, r.kompass_id,"
    " CASE r.kind WHEN 'project' THEN r.body -> 'billing_client' ->> 'id' ELSE '' END, r.reference,"
    " CASE r.kind WHEN 'client' THEN 7 WHEN 'project' THEN 6 ELSE 4 END, r.event_created_at, now(), now()"
    " FROM qbo_record r WHERE r.org_id = :org AND NOT EXISTS ("
    " SELECT 1 FROM qbo_link l WHERE l.realm_id = :realm AND l.kind = r.kind AND l.kompass_id = r.kompass_id)"
    " ON CONFLICT DO NOTHING"
)
COMPANY_LINKED = makes_due(
    # Those that were made just now are due as they are: to write each of them twice took half the time.
    "SELECT l.id FROM qbo_link l WHERE l.realm_id = :realm AND l.org_id = :org AND l.due_at IS DISTINCT FROM now()",
    because=f"'{Because.COMPANY_LINKED}'",
    message="'the company was linked'",
)
