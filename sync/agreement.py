"""Read both sides of a month and compare them: what `kompass-qbo agree` and the admin's page share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, Engine

from mapping.agreement import Key, lines_of, ordered, unknown, unread
from mapping.booked import Booked, booked_by_key
from mapping.case import billing_client, needed_party
from mapping.control import Listed, held_against, in_words
from mapping.expected import OPEN, Month
from mapping.filing import changes, digest, rows_of
from mapping.matching import NEAR_DAYS
from mapping.rates import RateKey, plausible
from mapping.resemblance import strangers, typed_by_hand, with_jobs, with_resemblances
from mapping.sheet import Line, Sheet, Standing
from qbo_client.calls import Call
from qbo_client.exchange_rates import fetch_rate
from qbo_client.outcomes import Outcome
from schemas.company import CompanyFacts, Configuration
from schemas.documents import SentDocument
from schemas.events import Step
from store.agreement import customers_of, documents_dated, documents_numbered, documents_of, documents_under
from store.filing import Filed, file_month, read_filed
from store.searching import links_by_id
from sync.booked_documents import Documents
from sync.companies import read_company
from sync.decide import predict

Send = Callable[[Call], Outcome]
_NOT_OWED = frozenset({Standing.NOT_SENT, Standing.WITHDRAWN})
"""What Kompass's own list rightly lacks."""


def read_sheet(
    engine: Engine,
    send: Send,
    configuration: Configuration,
    facts: CompanyFacts,
    first: dt.date,
    listed: Sequence[Listed] | None = None,
) -> Sheet:
    """Make the sheet of the month that begins with ``first``: two metered reads, and one for what is dated elsewhere.

    One more for each currency and day of a foreign document of which no rate is known, and one where a customer that no link knows
    has a document like one of ours.

    :param listed: Kompass's own list of the month, to hold against the events that arrived.

    Raises
    ------
    qbo_client.errors.ReadFailed
    """
    month = Month(first, configuration, facts)
    org_id, realm_id = configuration.org_id, facts.realm_id
    reads = 0

    def counted(call: Call) -> Outcome:
        nonlocal reads
        reads += 1
        return send(call)

    with engine.begin() as db:
        ours = documents_dated(db, org_id=org_id, realm_id=realm_id, first=first, after=month.after)
    documents = Documents(counted)
    dated = documents.dated(first=first, after=month.after)
    theirs = booked_by_key(dated, home_currency=facts.home_currency)
    elsewhere = booked_by_key(documents.under(unread(ours, theirs)), home_currency=facts.home_currency)
    theirs |= elsewhere
    # Those of ours were read by their Ids. What is left was typed by hand.
    hidden = max(documents.broken - sum(one.date in month for one in elsewhere.values()), 0)
    with engine.begin() as db:
        ours += documents_under(db, org_id=org_id, realm_id=realm_id, ids=unknown(ours, theirs))
        ours = _with_newest_customers(db, org_id, ours, theirs)
    month = replace(month, day_rates=_day_rates(counted, ours, theirs, facts.home_currency))
    lines = lines_of(ours, theirs, month)
    words = ""
    lines = _resembling(engine, lines, _Sides(ours, theirs, documents), month)
    with engine.begin() as db:
        filed = read_filed(db, org_id=org_id, realm_id=realm_id, month=f"{first:%Y-%m}")
    if listed is not None:
        with engine.begin() as db:
            arrived = documents_of(db, org_id=org_id, realm_id=realm_id, ids={one.id for one in listed})
        # A list of what is owed has neither what is void nor what Kompass dates in another month.
        void = {one.invoice.id for one in ours if one.invoice.step is Step.VOIDED}
        belonging = {
            line.kompass_id: line
            for line in lines
            if line.ours is not None
            and line.ours_counts
            and line.standing not in _NOT_OWED
            and line.kompass_id not in void
        }
        disagreeing = held_against(listed, {one.invoice.id: one for one in arrived}, belonging, first)
        lines, words = ordered((*lines, *disagreeing)), in_words(listed, disagreeing)
    sheet = Sheet(
        org_name=configuration.org_name,
        company_name=facts.name,
        month=f"{first:%Y-%m}",
        made_at=datetime.now(UTC),
        reads=reads,
        lines=lines,
        control=words,
        hidden=hidden,
        home_currency=facts.home_currency,
    )
    if filed is None:
        return sheet
    note = f"Filed by {filed.filed_by} on {filed.filed_at:%Y-%m-%d %H:%M} UTC, SHA-256 {filed.digest}."
    return replace(sheet, filed=note, changes=changes(filed.rows, sheet))


@dataclass(frozen=True, slots=True)
class _Sides:
    ours: Sequence[SentDocument]
    theirs: Mapping[Key, Booked]
    documents: Documents


def _resembling(engine: Engine, lines: Sequence[Line], sides: _Sides, month: Month) -> tuple[Line, ...]:
    """Name what each hand-typed document may be: one of the days around it, or one of any date with its number."""
    typed = typed_by_hand(lines, sides.theirs)
    if not typed:
        return tuple(lines)
    of = {"org_id": month.configuration.org_id, "realm_id": month.facts.realm_id}
    numbers = {one.number for one in typed.values()} - {""}
    # Of those of the month more is known: they come last.
    with engine.begin() as db:
        known = [*documents_numbered(db, **of, numbers=numbers), *_around(db, month), *sides.ours]
        customers = customers_of(db, **of, clients={billing_client(one.invoice).id for one in known})
    # A bookkeeper makes jobs, too; of one that no link knows QuickBooks says whose it is.
    above = sides.documents.customers_above(strangers(typed.values(), known, customers))
    return with_resemblances(lines, known, sides.theirs, month, with_jobs(customers, above))


def _day_rates(
    send: Send, ours: Sequence[SentDocument], theirs: Mapping[tuple[str, str], Booked], home_currency: str
) -> dict[RateKey, Decimal | None]:
    """Read QuickBooks' rates of the days of documents of which no rate is known: they were linked by hand, or are booked at 1."""
    keys = set()
    for one in ours:
        found = theirs.get((one.entity, one.qbo_id))
        if found is None or found.currency == home_currency or one.exchange_rate is not None:
            continue
        if plausible(one.answered.rate, found.currency, home_currency) is None:
            keys.add((found.currency, found.date))
    return {key: plausible(fetch_rate(send, *key), key[0], home_currency) for key in sorted(keys)}


def _around(db: Connection, month: Month) -> list[SentDocument]:
    """Give the documents that Kompass dates some days before or after the month."""
    days, of = timedelta(days=NEAR_DAYS), {"org_id": month.configuration.org_id, "realm_id": month.facts.realm_id}
    before = documents_dated(db, **of, first=month.first - days, after=month.first)
    return before + documents_dated(db, **of, first=month.after, after=month.after + days)


def _with_newest_customers(
    db: Connection, org_id: str, ours: Sequence[SentDocument], theirs: Mapping[tuple[str, str], Booked]
) -> list[SentDocument]:
    """Say for which customer a document would be sent now, as the decision has it.

    It is asked of those that are in QuickBooks in an older version, or at another customer than they were sent to.
    A document that is paid keeps its customer there, and its amounts may agree all the same.
    """

    def asked(one: SentDocument) -> bool:
        found = theirs.get((one.entity, one.qbo_id))
        return one.state in OPEN or (found is not None and found.customer_id != one.customer)

    older = {one.link_id for one in ours if one.qbo_id and one.link_id and asked(one)}
    company = read_company(db, org_id) if older else None
    if company is None:
        return list(ours)
    wanted = [(link, company) for link in links_by_id(db, older).values()]
    cases = {one.link.id: one.case for one in predict(db, wanted, assume=False)}
    made = []
    for one in ours:
        case = cases.get(one.link_id)
        if case is not None and needed_party(case) is not None:
            made.append(replace(one, newest_customer=(case.party.qbo_id or "") if case.party is not None else ""))
        else:
            made.append(one)
    return made


def file_sheet(engine: Engine, sheet: Sheet, configuration: Configuration, *, by: str) -> bool:
    """Keep a month as its sheet says now; False when it is filed already."""
    rows = rows_of(sheet)
    filed = Filed(sheet.month, sheet.made_at, by, digest(rows), sheet.verdict, rows)
    with engine.begin() as db:
        return file_month(db, filed, org_id=configuration.org_id, realm_id=configuration.realm_id or "")
