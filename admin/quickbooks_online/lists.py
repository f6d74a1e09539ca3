"""Items, classes, tax codes and custom fields by name, for dropdowns.

Opening a form costs at most one metered read per list and hour; while QuickBooks is out of reach the last known list stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from admin.quickbooks_online.companies import Company, CompanyError, error_of
from admin.quickbooks_online.entries import CompanyListing, Entry
from admin.quickbooks_online.models import CompanyList
from admin.quickbooks_online.runtime import engine
from qbo_client import company_facts as intuit_facts
from qbo_client.errors import ReadFailed
from qbo_client.queries import Send
from schemas.company import CompanyFacts
from store.companies import read_facts
from store.sql import dumps

KEPT = timedelta(hours=1)
# After a failure, and while somebody else is fetching: nobody asks again before.
RETRY = timedelta(minutes=1)

Choices = Sequence[tuple[str, str]]


_FETCHERS: dict[str, Callable[[Send], tuple[intuit_facts.Choice, ...]]] = {
    "items": intuit_facts.fetch_items,
    "classes": intuit_facts.fetch_classes,
}


def listing(realm_id: str | None, what: str, *, refresh: bool = False) -> CompanyListing:
    """Give a company's ``items`` or ``classes``."""
    if not realm_id:
        return CompanyListing((), None, "Not linked to QuickBooks yet.")
    known, mine = _known_or_mine(realm_id, what, refresh=refresh)
    if not mine:
        return known
    try:
        fetched = _FETCHERS[what](Company(realm_id).send)
    except ReadFailed as error:
        return _failed(realm_id, what, known, error_of(error.outcome).sentence)
    except CompanyError as error:
        return _failed(realm_id, what, known, error.sentence)
    body: list[Any] = [[one.id, one.full_name, one.active, one.type] for one in fetched]
    now = datetime.now(UTC)
    _write(realm_id, what, fetched_at=now, problem="", body=body)
    return CompanyListing(_entries(body), now)


_KEPT_AT_MOST = 50
_NOTHING_MADE: tuple[str, tuple[Entry, ...]] = ("", ())
_made: dict[tuple[str, str], tuple[str, tuple[Entry, ...]]] = {}
"""The entries of the lists that this process showed last, with the version of their row: 5,000 take a tenth of a second to make."""


def _keep(realm_id: str, what: str, version: str, entries: tuple[Entry, ...]) -> tuple[str, tuple[Entry, ...]]:
    while len(_made) >= _KEPT_AT_MOST:
        _made.pop(next(iter(_made)), None)
    _made[realm_id, what] = version, entries
    return version, entries


# Not through Django's connection: a form is often opened inside its transaction, and nobody should wait for Intuit in there.


def _known_or_mine(realm_id: str, what: str, *, refresh: bool) -> tuple[CompanyListing, bool]:
    """Give what is known, and whether the caller is the one to fetch it again."""
    key = {"realm": realm_id, "what": what}
    made = _made.get((realm_id, what), _NOTHING_MADE)
    with engine().begin() as db:
        db.execute(
            text("INSERT INTO qboadmin_company_list (realm_id, what) VALUES (:realm, :what) ON CONFLICT DO NOTHING"),
            key,
        )
        row = db.execute(
            text(
                "SELECT xmin::text AS version, CASE WHEN xmin::text <> :made THEN body END AS body, fetched_at, problem,"
                " fetched_at > now() - make_interval(secs => :kept) AS fresh,"
                " tried_at > now() - make_interval(secs => :retry) AS tried,"
                " coalesce(fetched_at >= tried_at, false) AS done"
                " FROM qboadmin_company_list WHERE realm_id = :realm AND what = :what FOR UPDATE"
            ),
            {**key, "made": made[0], "kept": KEPT.total_seconds(), "retry": RETRY.total_seconds()},
        ).one()
        if row.body is not None:
            made = _keep(realm_id, what, row.version, _entries(row.body))
        known = CompanyListing(made[1], row.fetched_at, row.problem)
        failed = row.tried and row.problem
        busy = row.tried and not row.problem and not row.done
        if busy and not known.entries and what != "facts":
            return CompanyListing((), None, "The list is being fetched at this moment: reload the page."), False
        if busy or (not refresh and (row.fresh or failed)):
            return known, False
        db.execute(
            text(
                "UPDATE qboadmin_company_list SET tried_at = now(), problem = '' WHERE realm_id = :realm AND what = :what"
            ),
            key,
        )
    return known, True


def _failed(realm_id: str, what: str, known: CompanyListing, problem: str) -> CompanyListing:
    _write(realm_id, what, problem=problem)
    return CompanyListing(known.entries, known.fetched_at, problem)


def _write(realm_id: str, what: str, **values: Any) -> None:
    table = CompanyList._meta.db_table
    if "body" in values:
        values["body"] = dumps(values["body"])
    sets = ", ".join(f"{name} = CAST(:{name} AS jsonb)" if name == "body" else f"{name} = :{name}" for name in values)
    with engine().begin() as db:
        db.execute(
            text(f"UPDATE {table} SET {sets} WHERE realm_id = :realm AND what = :what"),
            {**values, "realm": realm_id, "what": what},
        )


def facts_of(realm_id: str | None) -> CompanyFacts | None:
    """Give the stored snapshot of the company, from any process; None when there is none yet."""
    if not realm_id:
        return None
    with engine().begin() as db:
        return read_facts(db, [realm_id]).get(realm_id)


def facts_listing(realm_id: str | None, what: str, *, refresh: bool = False) -> CompanyListing:
    """Give a company's ``tax_codes`` or ``custom_fields`` from its facts, which the pipeline keeps fresh too."""
    if not realm_id:
        return CompanyListing((), None, "Not linked to QuickBooks yet.")
    facts, problem = facts_of(realm_id), ""
    if refresh or facts is None:
        facts, problem = _fetch_facts(realm_id, facts, refresh=refresh)
    if facts is None:
        return CompanyListing((), None, problem)
    if what == "custom_fields":
        entries = tuple(Entry(key, name, True) for key, name in sorted(facts.custom_fields.items()))
    else:
        entries = tuple(
            Entry(
                code.id,
                _with_rate(code.name, code.sales_rate, of_usa=facts.country == "US"),
                code.active,
                called=code.name,
                rate=code.sales_rate,
            )
            for code in facts.tax_codes.values()
        )
    return CompanyListing(entries, facts.fetched_at, problem)


def _fetch_facts(realm_id: str, known: CompanyFacts | None, *, refresh: bool) -> tuple[CompanyFacts | None, str]:
    tried, mine = _known_or_mine(realm_id, "facts", refresh=refresh)
    if not mine:
        return known, tried.problem
    try:
        facts = Company(realm_id).facts()
    except CompanyError as error:
        _write(realm_id, "facts", problem=error.sentence)
        return known, error.sentence
    _write(realm_id, "facts", fetched_at=datetime.now(UTC), problem="")
    return facts, ""


def _entries(rows: list[Any]) -> tuple[Entry, ...]:
    return tuple(Entry(*row) for row in rows)


def _with_rate(name: str, rate: object, *, of_usa: bool) -> str:
    """Name a tax code. One of purchases has no rate on sales, as all of them in the USA, where nobody maps them."""
    if rate is None:
        return name if of_usa else f"{name} (no rate on sales)"
    return f"{name} ({rate:f} %)"


def tracks_classes(realm_id: str | None) -> bool:
    """Whether the company uses Classes; yes while that is not known."""
    facts = facts_of(realm_id)
    return facts is None or facts.class_per_line or facts.class_per_transaction


def any_listing(realm_id: str | None, what: str, *, refresh: bool = False) -> CompanyListing:
    """Give a list by its name. A company that does not use Classes is not asked for them."""
    if what == "classes" and realm_id and not tracks_classes(realm_id):
        return CompanyListing((), None)
    if what in _FETCHERS:
        return listing(realm_id, what, refresh=refresh)
    return facts_listing(realm_id, what, refresh=refresh)


def known_name(realm_id: str | None, what: str, identifier: str) -> str:
    """Give the name of an item or a class from the last known list; the id itself where it is not known. Makes no call."""
    if not realm_id or not identifier:
        return identifier
    bodies = CompanyList.objects.filter(realm_id=realm_id, what=what).values_list("body", flat=True)
    rows = bodies.first() or ()
    return next((str(row[1]) for row in rows if str(row[0]) == identifier), identifier)


def refresh_all(realm_id: str) -> list[str]:
    """Fetch every list again; gives the problems there were."""
    listings = [any_listing(realm_id, what, refresh=True) for what in ("items", "classes", "tax_codes")]
    return sorted({one.problem for one in listings if one.problem})


def forget(realm_id: str) -> None:
    """Drop what is known: the company was linked again."""
    with engine().begin() as db:
        db.execute(text("DELETE FROM qboadmin_company_list WHERE realm_id = :realm"), {"realm": realm_id})
