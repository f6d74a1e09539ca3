"""Links: one row per thing a company should have in QBO, with what it has, what is due, and who works on it.

Here they are found, read and locked; `sync.link` alone writes their state and says what makes them due.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select, text, update

from schemas.applied import Applied
from schemas.company import Standing
from schemas.events import Kind
from schemas.link_state import LinkState
from schemas.observed import Observed
from store.sql import Statement, unpack, unpack_applied
from store.tables import attempt, link

# Which consumer process works a link, as bits of `lanes`: a customer that an invoice waits for is in the invoices' lane too.
LANES: Mapping[Kind, int] = {Kind.CLIENT: 1, Kind.PROJECT: 2, Kind.INVOICE: 4}

READ = "read"
"""The cause of a link that is pending because its object was just read."""

CHANNEL = "kompass_qbo"
"""The NOTIFY channel: a record or a reason to decide came in."""


@dataclass(frozen=True, slots=True)
class Link:
    id: int
    org_id: str
    realm_id: str
    kind: Kind
    kompass_id: str
    party_id: str = ""
    currency: str = ""
    reference: str = ""
    entity: str = ""
    qbo_id: str | None = None
    sync_token: str | None = None
    applied: Applied | None = field(default=None, repr=False)
    line_ids: tuple[str, ...] = ()
    name: str = ""
    voided: bool = False
    qbo_total: Decimal | None = None
    qbo_tax: Decimal | None = None
    observed: Mapping[str, object] | None = field(default=None, repr=False)
    by_hand: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    name_override: str = ""
    refresh_names: bool = False
    overwrite: bool = False
    state: str = LinkState.PENDING
    cause: str = ""
    reason: str = ""
    depends_on: int | None = None
    attempts: int = 0
    first_failed_at: datetime | None = None
    event_created_at: datetime | None = None
    epoch: int = 0
    batch_most: int | None = None
    """The most that may go in one batch with it, after one was refused as a whole; None: as many as Intuit takes."""

    @property
    def standing(self) -> Standing:
        return Standing(
            qbo_id=self.qbo_id,
            entity=self.entity or None,
            sync_token=self.sync_token,
            applied=self.applied,
            line_ids=self.line_ids,
            name=self.name or None,
            currency=self.currency,
            voided=self.voided,
            qbo_total=self.qbo_total,
            qbo_tax=self.qbo_tax,
            observed=None if self.observed is None else Observed(self.observed),
            by_hand=self.by_hand,
            kept=self.kept,
            fresh=self.state == LinkState.PENDING and self.cause == READ,
            name_override=self.name_override or None,
            refresh_names=self.refresh_names,
            overwrite=self.overwrite,
        )


_COLUMNS = ", ".join(Link.__dataclass_fields__)
_KIND, *_ARRAYS = (list(Link.__dataclass_fields__).index(name) for name in ("kind", "line_ids", "by_hand", "kept"))
_APPLIED, _OBSERVED = (list(Link.__dataclass_fields__).index(name) for name in ("applied", "observed"))
LINK_COLUMNS = tuple(link.c[name] for name in Link.__dataclass_fields__)


# Of a customer or job that others depend on, what it holds in QBO is known by its id: the documents stay where they are.
_FIND_PARTY = Statement(
    "SELECT "
    + ", ".join(
        f"NULL AS {name}" if name in ("applied", "observed") else f"l.{name}" for name in Link.__dataclass_fields__
    )
    + " FROM qbo_link l JOIN unnest(%(realms)s::text[], %(kinds)s::text[], %(ids)s::text[],"
    " %(parties)s::text[], %(currencies)s::text[]) AS n(realm_id, kind, kompass_id, party_id, currency)"
    " USING (realm_id, kind, kompass_id, party_id, currency)"
)


def link_of(values: Sequence[Any]) -> Link:
    """Make a link of its columns, in the order of its fields."""
    known = list(values)
    known[_KIND] = Kind(known[_KIND])
    for index in _ARRAYS:
        known[index] = tuple(known[index])
    # As a `Statement` gives them; SQLAlchemy has unpacked its own.
    if type(known[_APPLIED]) is bytes:
        known[_APPLIED] = unpack_applied(known[_APPLIED])
    if type(known[_OBSERVED]) is bytes:
        known[_OBSERVED] = unpack(known[_OBSERVED])
    return Link(*known)


@dataclass(frozen=True, slots=True)
class Due:
    links: list[Link]
    now: datetime
    """The moment of the transaction by the database's clock, the one that every process shares."""


def lock_due(db: Connection, ids: Sequence[int]) -> Due | None:
    """Lock those of these links that are still due and that nobody else holds; None when none is left."""
    rows = _LOCK_DUE.rows(db, ids=list(ids))
    return Due([link_of(row[:-1]) for row in rows], rows[0].now) if rows else None


_LOCK_DUE = Statement(
    f"SELECT {_COLUMNS}, now() AS now FROM qbo_link WHERE id = ANY(%(ids)s::bigint[]) AND due_at <= now()"
    " ORDER BY id FOR UPDATE SKIP LOCKED"
)


def lock_free(db: Connection, ids: Collection[int]) -> list[Link]:
    """Lock those of these links that nobody else holds, due or not; waits for none."""
    if not ids:
        return []
    rows = db.execute(
        select(*LINK_COLUMNS).where(link.c.id.in_(sorted(ids))).order_by(link.c.id).with_for_update(skip_locked=True)
    )
    return [link_of(row) for row in rows]


def lock(db: Connection, ids: Collection[int]) -> dict[int, Link]:
    """Lock these links, and wait for those that another transaction holds."""
    rows = db.execute(select(*LINK_COLUMNS).where(link.c.id.in_(sorted(ids))).order_by(link.c.id).with_for_update())
    return {row.id: link_of(row) for row in rows}


def is_linked_by_hand(db: Connection, link_id: int) -> bool:
    return bool(db.execute(select(link.c.adopted).where(link.c.id == link_id)).scalar())


def set_name_override(db: Connection, link_id: int, name: str) -> None:
    db.execute(update(link).where(link.c.id == link_id).values(name_override=name))


def find_party(
    db: Connection, keys: Iterable[tuple[str, str, str, str, str]]
) -> dict[tuple[str, str, str, str, str], Link]:
    """Give the links by (realm, kind, Kompass id, party, currency), for those that exist; no lock."""
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        return {}
    rows = _FIND_PARTY.rows(
        db,
        realms=[key[0] for key in wanted],
        kinds=[key[1] for key in wanted],
        ids=[key[2] for key in wanted],
        parties=[key[3] for key in wanted],
        currencies=[key[4] for key in wanted],
    )
    found = [link_of(row) for row in rows]
    return {(one.realm_id, one.kind.value, one.kompass_id, one.party_id, one.currency): one for one in found}


def hold(db: Connection, ids: Collection[int]) -> dict[int, Link]:
    """Hold these links still, so that none settles unseen while a link is put to wait for it; busy ones are left out.

    The weakest lock there is: it keeps out a settle and a decision of the link itself, who lock it FOR UPDATE, but not those
    who only wake it (`sync.link.wake_dependents`). A job locked here for an invoice must hear of its customer all the same.
    """
    if not ids:
        return {}
    rows = db.execute(
        select(*LINK_COLUMNS)
        .where(link.c.id.in_(sorted(ids)))
        .order_by(link.c.id)
        .with_for_update(read=True, key_share=True, skip_locked=True)
    )
    return {row.id: link_of(row) for row in rows}


def set_currencies(db: Connection, currencies: Mapping[int, str]) -> None:
    """Fix the currencies of customers and jobs that this transaction has locked, by id."""
    if currencies:
        db.execute(
            text(
                "UPDATE qbo_link l SET currency = n.currency"
                " FROM unnest(CAST(:ids AS bigint[]), CAST(:currencies AS text[])) AS n(id, currency) WHERE l.id = n.id"
            ),
            {"ids": list(currencies), "currencies": list(currencies.values())},
        )


@dataclass(frozen=True, slots=True)
class Mine:
    """Rows of `qbo_link` by id; ``applied`` only of those that were asked for whole: the others' is left in the database."""

    rows: Mapping[int, Any]
    now: datetime | None
    """The moment of the transaction by the database's clock; None without rows."""


def still_mine(db: Connection, claims: Iterable[tuple[int, int]], *, whole: Collection[int] = ()) -> Mine:
    """Lock those links whose epoch is still the claimed one; ``whole``: those whose applied members are wanted, too."""
    wanted = dict(claims)
    found = {
        row.id: row._replace(applied=unpack_applied(row.applied), observed=unpack(row.observed))
        for row in _LOCK.rows(db, ids=sorted(wanted), whole=sorted(whole))
        if row.epoch == wanted[row.id]
    }
    return Mine(found, next((row.now for row in found.values()), None))


_LOCK = Statement(
    f"SELECT {', '.join(column.name for column in link.columns if column.name != 'applied')},"
    # Compared with what was read in QuickBooks.
    " CASE WHEN id = ANY(%(whole)s::bigint[]) THEN applied END AS applied, now() AS now"
    " FROM qbo_link WHERE id = ANY(%(ids)s::bigint[]) ORDER BY id FOR UPDATE"
)


def others_settled_since(
    db: Connection, *, realm_id: str, other_than: int, moment: datetime | None, kind: Kind | None = None
) -> bool:
    """Whether another link of the company (of this kind) came through at a moment or after it; False when there is no moment."""
    if moment is None:
        return False
    found = select(link.c.id).where(link.c.realm_id == realm_id, link.c.id != other_than, link.c.synced_at >= moment)
    if kind is not None:
        found = found.where(link.c.kind == kind.value)
    return db.execute(found.limit(1)).scalar() is not None


def others_retrying(db: Connection, *, realm_id: str, other_than: int) -> bool:
    """Whether another link of the company is being retried, too."""
    found = select(link.c.id).where(
        link.c.realm_id == realm_id,
        link.c.id != other_than,
        link.c.state == LinkState.RETRYING,
        link.c.due_at.is_not(None),
    )
    return db.execute(found.limit(1)).scalar() is not None


@dataclass(frozen=True, slots=True)
class WantedName:
    """A DisplayName, or of invoices a DocNumber, that a link is to have."""

    realm_id: str
    name: str
    by: int
    """The id of the link; others are looked for."""
    is_number: bool = False


def name_holders(db: Connection, names: Collection[WantedName]) -> dict[WantedName, Link]:
    """Find what of ours already stands in QBO under these names, compared as QBO does: neither case nor inner spaces count."""
    wanted = list(names)
    if not wanted:
        return {}
    rows = _NAME_HOLDERS.rows(
        db,
        realms=[name.realm_id for name in wanted],
        names=[name.name for name in wanted],
        ids=[name.by for name in wanted],
        numbers=[name.is_number for name in wanted],
    )
    return {wanted[row.place - 1]: link_of(row[:-1]) for row in rows}


FOLDED_NAME = r"lower(regexp_replace(btrim({column}), '\s+', ' ', 'g'))"
"""The expression of the index `qbo_link_folded_name`."""

_NAME_HOLDERS = Statement(
    f"SELECT {', '.join(f'l.{name}' for name in Link.__dataclass_fields__)}, n.place"
    " FROM unnest(%(realms)s::text[], %(names)s::text[], %(ids)s::bigint[], %(numbers)s::boolean[])"
    " WITH ORDINALITY AS n(realm_id, name, id, is_number, place) JOIN qbo_link l"
    f" ON l.realm_id = n.realm_id AND {FOLDED_NAME.format(column='l.name')} = {FOLDED_NAME.format(column='n.name')}"
    " AND l.id <> n.id AND (l.kind = 'invoice') = n.is_number"
    " WHERE l.qbo_id IS NOT NULL AND l.name <> '' ORDER BY l.id DESC"
)


def synced_since_sent(db: Connection, link_id: int, *, other: int) -> bool:
    """Whether ``other`` was written to QBO after the call of this link was planned."""
    found = select(link.c.id).where(
        link.c.id == other,
        link.c.synced_at >= select(attempt.c.first_sent_at).where(attempt.c.link_id == link_id).scalar_subquery(),
    )
    return db.execute(found).scalar() is not None


def holder_of(db: Connection, *, realm_id: str, entity: str, qbo_id: str, other_than: int) -> Link | None:
    """Give the link that already stands for an object in QBO."""
    row = db.execute(
        select(*LINK_COLUMNS)
        .where(link.c.realm_id == realm_id, link.c.qbo_id == qbo_id, link.c.entity == entity, link.c.id != other_than)
        .limit(1)
    ).one_or_none()
    return None if row is None else link_of(row)


def notify(db: Connection) -> None:
    """Wake every process that listens, when this transaction commits."""
    _NOTIFY.count(db)


_NOTIFY = Statement(f"NOTIFY {CHANNEL}")
