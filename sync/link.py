"""The life of a link: its states, every transition, and what makes it due. No other module writes these columns.

A link is due when `due_at` is past. It is null when there is nothing to do, and in the future while the link is retrying or a call is under
way, so that a call whose process died becomes due again. Everything that makes a link due raises `again`, and a claim lowers it: a settle
that finds it raised leaves the link due. `due_since` says since when work has been queued, and is empty in every state without work. Why a
link became due is in its history: newer events write their own entry there (`event`), every other reason writes one of kind `due`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, text

from mapping.conflicts import NAME_HELD
from mapping.results import PartyKey
from schemas.events import Kind
from schemas.link_state import Because, LinkState
from store import due
from store.links import LANES, Link, notify
from store.records import SeenRecord
from store.sql import dumps, update_rows
from store.tables import link as table

OWNED: Final = frozenset({
    "state", "cause", "reason", "depends_on", "decided_sequence", "decided_version", "due_at", "due_since", "again", "epoch",
})  # fmt: skip
"""The columns that this module alone writes; a test reads the SQL of all rooms."""

QUEUED: Final = frozenset({LinkState.PENDING, LinkState.RETRYING})
"""The states in which work is queued: in all others `due_since` is empty, unless something newer came meanwhile."""
_CLOCKS_DIFFER_S: Final = 5
"""As `KompassQboClockOff` has it."""


# --- Transitions of links that a transaction has locked


@dataclass(frozen=True, slots=True)
class Change:
    """What a transition writes to one link. Made here alone."""

    id: int
    columns: Mapping[str, object] = field(repr=False)


def later(link: Link, at: datetime) -> Change:
    """Look again at ``at``: somebody works on the link, or on what it depends on, at this moment."""
    return Change(link.id, {"due_at": at})


def dropped(link: Link, reason: str | None = None) -> Change:
    """There is nothing to decide: the company is not linked any more, or Kompass never said what the record is."""
    said = {} if reason is None else {"reason": reason}
    return Change(link.id, {"due_at": None, "due_since": None, "again": False, **said})


def decided(
    link: Link, to: LinkState, *, cause: str, reason: str, at: tuple[int, int] | None = None, **columns: Any
) -> Change:
    """A decision that needs no call. ``at``: the record's sequence and the configuration's version that it rests on.

    ``columns`` are the facts that change with it; ``due_at`` among them holds it until then, ``depends_on`` names the link it waits for.
    """
    rests_on = {} if at is None else {"decided_sequence": at[0], "decided_version": at[1]}
    queued = {} if to in QUEUED else {"due_since": None}
    return Change(
        link.id,
        {
            "state": to, "cause": cause, "reason": reason, "depends_on": None, "due_at": None, "again": False,
            **queued, **rests_on, **columns,
        },
    )  # fmt: skip


def sent(link: Link, *, epoch: int, over_at: datetime, at: tuple[int, int] | None = None, **columns: Any) -> Change:
    """A call is planned under a new epoch. Should the process die, the link is due once the call is certainly over.

    ``at`` as in `decided`; None for a call that is taken over as it was planned.
    """
    rests_on: dict[str, object] = {}
    if at is not None:
        rests_on = {"again": False, "depends_on": None, "decided_sequence": at[0], "decided_version": at[1]}
    return Change(link.id, {"epoch": epoch, "due_at": over_at, **rests_on, **columns})


def answered(link_id: int, *, again: bool, now: datetime, **columns: Any) -> Change:
    """What an answer makes of a link. ``again``: something newer came while the call was under way, so it stays due.

    ``columns`` are the facts that the answer changes, and ``state``, ``cause``, ``reason`` and ``due_at`` where it changes those.
    """
    wanted = columns.get("due_at")
    due_at = wanted if not again else now if wanted is None else min(wanted, now)
    state = columns.get("state")
    queued = {} if state is None or state in QUEUED else {"due_since": now if again else None}
    return Change(link_id, {**columns, "due_at": due_at, **queued})


def by_hand(link: Link, to: LinkState, *, reason: str = "", **columns: Any) -> Change:
    """What a person decided. A call that is under way settles nothing any more: the epoch is another."""
    return decided(link, to, cause="", reason=reason, epoch=link.epoch + 1, **columns)


def write(db: Connection, changes: Sequence[Change]) -> None:
    """Write transitions of links that this transaction has locked."""
    update_rows(db, table, [{"id": change.id, **change.columns} for change in changes])


# --- What makes a link due


class Wish(StrEnum):
    """What a person wants of the next decision of a link: a column each."""

    REFRESH_NAMES = "refresh_names"
    """Apply an edited template to what QuickBooks has already."""
    OVERWRITE = "overwrite"
    """Write Kompass's side of a conflict that the person looked at."""


def make_due(
    db: Connection,
    ids: Collection[int],
    because: Because,
    message: str,
    *,
    wishes: Collection[Wish] = (),
    free_only: bool = False,
) -> int:
    """Make these links due, in any state, and notify the processes; gives how many there are.

    ``free_only`` leaves out those that another transaction holds at this moment, because it decides them again.
    """
    if not ids:
        return 0
    also = "".join(f", {wish} = true" for wish in wishes)
    if because in (Because.RESEND, Because.REPLAY) and Wish.REFRESH_NAMES not in wishes:
        # What keeps the name from it may have been renamed in QuickBooks, which says so only when it is asked.
        also += f", {Wish.REFRESH_NAMES} = l.{Wish.REFRESH_NAMES} OR (l.state = '{LinkState.FAILED}' AND l.cause = '{NAME_HELD}')"
        # A person doubts that it is there as Kompass says: what a bookkeeper made of it is read.
        doubted = f"l.state = '{LinkState.SYNCED}' AND l.kind = '{Kind.INVOICE}' AND l.qbo_id IS NOT NULL"
        also += f", sync_token = CASE WHEN {doubted} THEN NULL ELSE l.sync_token END"
    statement = due.makes_due(
        "SELECT l.id FROM qbo_link l WHERE l.id = ANY(CAST(:ids AS bigint[]))",
        because=":because",
        message=":message",
        lock=due.FREE_ONLY if free_only else due.LOCK,
        also=also,
    )
    made = db.execute(text(statement), {"ids": sorted(ids), "because": because, "message": message}).rowcount
    notify(db)
    return made


def newer_records(db: Connection, records: Sequence[SeenRecord], realms: Mapping[str, str], *, lane: int) -> None:
    """Make the links of these newer records due, and make those that do not exist yet. The ingest notes the events.

    ``realms`` maps the Org to its linked company.
    """
    wanted = [(realms[seen.org_id], seen) for seen in records if seen.org_id in realms]
    if not wanted:
        return
    newer = [
        {
            "org_id": seen.org_id,
            "realm_id": realm_id,
            "kind": seen.kind.value,
            "kompass_id": seen.kompass_id,
            "party_id": seen.party_id,
            "reference": seen.reference,
            "lanes": lane | LANES[seen.kind],
            "event_created_at": seen.event_created_at,
        }
        for realm_id, seen in wanted
    ]
    document = dumps(newer)
    present = {tuple(row) for row in due.PRESENT.rows(db, newer=document)}
    missing = [one for one in newer if tuple(one[name] for name in due.RECORD) not in present]
    if missing:
        due.MAKE.count(db, newer=dumps(missing))
    due.NEWER.count(db, newer=document, lane=lane)


def want_party(db: Connection, party: PartyKey, *, org_id: str, realm_id: str, lane: int) -> None:
    """Make sure that the link of a customer or job exists, and is worked in this lane too.

    A customer or job that was not decided yet has no currency: it is that one if the primary currency is the one wanted, which
    the decision of that link tells; a second link is made only beside one whose currency is fixed.
    """
    db.execute(
        text(
            "INSERT INTO qbo_link (org_id, realm_id, kind, kompass_id, party_id, currency, reference, lanes, due_at, due_since)"
            " VALUES (:org_id, :realm_id, :kind, :kompass_id, :party_id, :currency, :kompass_id, :lanes, now(), now())"
            " ON CONFLICT DO NOTHING"
        ),
        {
            "org_id": org_id,
            "realm_id": realm_id,
            "kind": party.kind.value,
            "kompass_id": party.kompass_id,
            "party_id": party.party_id,
            "currency": party.currency,
            "lanes": lane | LANES[party.kind],
        },
    )


def add_lane(db: Connection, ids: Collection[int], lane: int) -> None:
    """Have these links worked in this lane too. One that waits is decided again: what woke it meanwhile found it locked."""
    if not ids:
        return
    found = db.execute(
        text(
            "UPDATE qbo_link SET lanes = lanes | :lane WHERE id IN ("
            " SELECT id FROM qbo_link WHERE id = ANY(CAST(:ids AS bigint[])) AND (lanes & :lane) = 0"
            " ORDER BY id FOR NO KEY UPDATE) RETURNING id, state"
        ),
        {"ids": sorted(ids), "lane": lane},
    ).all()
    waiting = [row.id for row in found if row.state == LinkState.WAITING]
    if waiting:
        db.execute(text(due.LANE_ADDED), {"ids": waiting})


def replace_by_twin(db: Connection, link_id: int, *, twin_id: int) -> None:
    """Delete a link that turned out to stand for what another one stands for already; what waited for it waits for that one."""
    db.execute(text(due.TWIN), {"twin": twin_id, "id": link_id})
    db.execute(text("DELETE FROM qbo_link WHERE id = :id"), {"id": link_id})


def wake_dependents(db: Connection, ids: Collection[int], *, as_before: Collection[int] = ()) -> int:
    """Make those due that wait for one of these links, or failed for its sake.

    ``as_before``: those of them that failed as they had before. Two that are in each other's way do not wake each other for ever.

    One that somebody has locked is left out: its holder either brings a newer state or found the link it waits for busy, and
    decides it again. One that is only retrying (`store.links.hold`) is woken.
    """
    return due.WAKE_DEPENDENTS.count(db, ids=sorted(ids), as_before=sorted(as_before)) if ids else 0


def rested_on(db: Connection, ids: Collection[int]) -> set[int]:
    """Give those of these links that another one waits for or rests on."""
    found = db.execute(
        text("SELECT DISTINCT depends_on FROM qbo_link WHERE depends_on = ANY(CAST(:ids AS bigint[]))"),
        {"ids": sorted(ids)},
    )
    return set(found.scalars())


def wake_unneeded(db: Connection, ids: Collection[int]) -> None:
    """Make these customers and jobs due, which were made for a record that rests on something else by now."""
    if ids:
        db.execute(text(due.UNNEEDED), {"ids": sorted(ids)})


def wake_held(db: Connection, *, lane: int, cause: str) -> int:
    """Make those of this lane due that are retrying for this cause."""
    statement = due.makes_due(
        f"SELECT l.id FROM qbo_link l WHERE l.due_at IS NOT NULL AND (l.lanes & {lane:d}) <> 0"
        f" AND l.state = '{LinkState.RETRYING}' AND l.cause = :cause",
        because=f"'{Because.BUDGET}'",
        message="'there is budget for reads again'",
        lock=due.FREE_ONLY,
    )
    return db.execute(text(statement), {"cause": cause}).rowcount


def wake_ahead(db: Connection, *, lane: int) -> int:
    """Make those of this lane due that were queued, or tried, at a moment to come: the database's clock was set back since.

    Else each would wait for as long as the clock was ahead.
    """
    statement = due.makes_due(
        f"SELECT l.id FROM qbo_link l WHERE l.due_at > now() AND (l.lanes & {lane:d}) <> 0"
        f" AND greatest(l.due_since, l.last_failed_at) > now() + interval '{_CLOCKS_DIFFER_S} seconds'",
        because=f"'{Because.CLOCK}'",
        message="'the clock of the database was set back'",
        lock=due.FREE_ONLY,
    )
    return db.execute(text(statement)).rowcount


def configuration_changed(db: Connection, *, org_id: str, realm_id: str, version: int) -> int:
    """Make those of a company due whose decision may be another under this version of its configuration.

    Those that wait, failed or were skipped; those that only stay as they are for a cause of the configuration's; and those whose call is
    under way, which may be refused for what was just fixed. Synced ones are left until their record changes or a person asks.
    """
    asked = {"org": org_id, "realm": realm_id, "version": version, "message": f"version {version} of the Configuration"}
    return db.execute(text(due.CONFIGURATION_CHANGED), asked).rowcount


def company_linked(db: Connection, *, org_id: str, realm_id: str) -> int:
    """Give a newly linked company a link for each record that was kept, and make all it had before due; gives how many are due.

    What changed while another company was linked reached none of them.
    """
    # A company is linked before Postgres has statistics of it: taking its links for a handful, it compared each of 100,000 records with
    # each of 100,000 links, which ended by the timeout. With a hash of them it takes a second.
    db.execute(text("SET LOCAL enable_nestloop = off"))
    made = db.execute(text(due.LINK_RECORDS), {"org": org_id, "realm": realm_id}).rowcount
    db.execute(text("SET LOCAL enable_nestloop = on"))
    return made + db.execute(text(due.COMPANY_LINKED), {"org": org_id, "realm": realm_id}).rowcount
