"""What the pipeline would do about a record now, judged as a claim judges it, without a lock, a write or a call."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection

from mapping.cases import Case, Party, needed_party, own_currency
from mapping.decisions import Decision, Nothing, Read, Reject, Skip, Wait, Withdraw, Write
from mapping.judgement import judge
from mapping.results import Choice, PartyKey, Problem
from schemas.company import CompanyFacts, Configuration, TaxCodeFact
from schemas.events import Client, Invoice, Kind, Project, Record, VatRate, kind_of
from store import companies, links
from store.links import Link
from store.searching import links_of_record
from sync.companies import Company
from sync.decide import RecordCase, decide, with_currency

Outcome = Literal[
    "create", "update", "void", "read", "nothing", "skip", "wait", "withdraw", "reject", "stale", "unconfigured", "undecodable",
    "unlinked",
]  # fmt: skip
"""What a judgement can come to, and what keeps a record from ever being judged."""

PLACEHOLDER = "(new)"
"""Stands for the Id of a customer that QuickBooks will give."""

_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What would become of one link."""

    org_id: str
    kind: Kind
    kompass_id: str
    label: str
    """The reference, or a client's name."""
    outcome: Outcome
    cause: str = ""
    reason: str = ""
    entity: str = ""
    object_id: str = ""
    body: object | None = None
    """The exact payload of the call."""
    choices: tuple[Choice, ...] = ()
    problems: tuple[Problem, ...] = ()
    assumed: tuple[str, ...] = ()
    """What was taken for granted, in words."""

    def to_json(self) -> dict[str, object]:
        return {
            "org": self.org_id,
            "kind": self.kind.value,
            "id": self.kompass_id,
            "label": self.label,
            "outcome": self.outcome,
            "cause": self.cause,
            "reason": self.reason,
            "entity": self.entity,
            "object_id": self.object_id,
            "payload": self.body,
            "choices": [
                {"member": one.member, "value": one.value, "reason": one.reason} for one in self.choices
            ],
            "problems": [
                {"cause": one.cause, "message": one.message, "field": one.field, "value": one.value, "remedy": one.remedy}
                for one in self.problems
            ],
            "assumed": list(self.assumed),
        }  # fmt: skip


def label_of(record: Record) -> str:
    return record.name if isinstance(record, Client) else record.reference


def new_link(record: Record, *, org_id: str, realm_id: str) -> Link:
    """Give the link that the first event of a record would make."""
    return Link(
        id=0,
        org_id=org_id,
        realm_id=realm_id,
        kind=kind_of(record),
        kompass_id=record.id,
        party_id=record.billing_client.id if isinstance(record, Project) else "",
        currency="",
        reference=label_of(record),
        entity="",
        qbo_id=None,
        sync_token=None,
        applied=None,
        line_ids=(),
        name="",
        voided=False,
        qbo_total=None,
        qbo_tax=None,
        observed=None,
        by_hand=(),
        kept=(),
        name_override="",
        refresh_names=False,
        overwrite=False,
        state="pending",
        cause="",
        reason="",
        depends_on=None,
        attempts=0,
        first_failed_at=None,
        event_created_at=None,
        epoch=0,
        lanes=0,
    )


def read_company(db: Connection, org_id: str) -> Company | None:
    """Give an Org's configuration and its company's facts, where there are any; None without a configuration."""
    configuration = companies.read_configuration(db, org_id)
    if configuration is None:
        return None
    realm_id = configuration.realm_id
    return Company(configuration, companies.read_facts(db, [realm_id]).get(realm_id) if realm_id else None)


def foresee(db: Connection, link: Link, company: Company, case: RecordCase, *, assume_parties: bool = True) -> Foreseen:
    """Judge one link. With ``assume_parties`` the customer or job it stands on counts as made, under a placeholder id."""
    link = _with_currency(link, case.case)
    case = with_currency(case, link)
    key = needed_party(case.case)
    party = _find_party(db, link, key) if key is not None else None
    assumed: tuple[str, ...] = ()
    if key is not None and assume_parties and (party is None or party.qbo_id is None):
        assumed = (_party_words(key, party),)
        party = replace(
            party or new_link(case.case.record, org_id=link.org_id, realm_id=link.realm_id),
            kind=key.kind, kompass_id=key.kompass_id, party_id=key.party_id, currency=key.currency, qbo_id=PLACEHOLDER,
            state="synced",
        )  # fmt: skip
    decision = decide(db, [(link, case, party)])[link.id]
    return _told(link.org_id, case.case.record, decision, assumed)


def foresee_alone(record: Record, *, org_id: str, deleted: bool) -> Foreseen:
    """Judge a record without any database: with a Configuration of defaults, in which everything is mapped to something."""
    configuration, facts, assumed = assumptions(record, org_id)
    case = Case(
        record=record,
        configuration=configuration,
        facts=facts,
        deleted=deleted,
        billing_client=record.billing_client if isinstance(record, Project) else None,
    )
    key = needed_party(case)
    if key is not None:
        case = replace(case, party=Party(key, qbo_id=PLACEHOLDER, state="synced"))
        assumed = (*assumed, _party_words(key, None))
    return _told(org_id, record, judge(case), assumed)


def assumptions(record: Record, org_id: str) -> tuple[Configuration, CompanyFacts, tuple[str, ...]]:
    """Give a Configuration and facts under which nothing is refused for want of a mapping, and say so."""
    rates = {
        "" if line.vat_rate is None else line.vat_rate.id: line.vat_rate
        for line in (record.lines if isinstance(record, Invoice) else ())
    }
    codes = {kompass_id: f"(tax code of {rate.name if rate else 'no VAT rate'})" for kompass_id, rate in rates.items()}
    currency = record.currency if isinstance(record, Invoice) else _client_of(record).currency or "GBP"
    configuration = Configuration(
        org_id=org_id,
        org_name=org_id,
        version=0,
        realm_id="(company)",
        enabled=True,
        default_item_id="(default item)",
        tax_codes=codes,
    )
    words = [f"no Configuration was read: the defaults count, locale EU, home currency {currency}"]
    if isinstance(record, Invoice):
        words.append("every line has the Default Item ID, and every VAT rate a tax code of the same rate")
    return configuration, assumed_facts(currency, {codes[key]: rates[key] for key in codes}), tuple(words)


def assumed_facts(
    currency: str, rates: Mapping[str, VatRate | None] | None = None, *, realm_id: str = "(company)"
) -> CompanyFacts:
    """Give the facts of a company that nobody has asked about yet: one home currency, and these tax codes with their rates."""
    return CompanyFacts(
        realm_id=realm_id,
        name="",
        country="",
        home_currency=currency,
        fetched_at=_LONG_AGO,
        tax_codes={
            code: TaxCodeFact(code, code, True, None if rate is None else rate.rate)
            for code, rate in (rates or {}).items()
        },
    )


def links_of(db: Connection, *, realm_id: str, org_id: str, record: Record) -> list[Link]:
    """Give the links of a record in a company, or the one that its event would make."""
    found = links_of_record(db, org_id=org_id, kind=kind_of(record), kompass_id=record.id, realm_id=realm_id)
    return found or [new_link(record, org_id=org_id, realm_id=realm_id)]


def record_case(
    record: Record, company: Company, facts: CompanyFacts, link: Link, *, deleted: bool, sequence: int
) -> RecordCase:
    """Put a record that is not in the database yet where the stored one would be."""
    return RecordCase(
        case=Case(
            record=record,
            configuration=company.configuration,
            facts=facts,
            standing=link.standing,
            deleted=deleted,
            billing_client=record.billing_client if isinstance(record, Project) else None,
        ),
        sequence=sequence,
    )


def _client_of(record: Record) -> Client:
    return record if isinstance(record, Client) else record.client


def _with_currency(link: Link, case: Case) -> Link:
    return link if link.kind is Kind.INVOICE or link.currency else replace(link, currency=own_currency(case))


def _find_party(db: Connection, link: Link, key: PartyKey) -> Link | None:
    exact = (link.realm_id, key.kind.value, key.kompass_id, key.party_id, key.currency)
    unfixed = (*exact[:4], "")
    found = links.find_party(db, [exact, unfixed])
    return found.get(exact) or found.get(unfixed)


def _party_words(key: PartyKey, party: Link | None) -> str:
    what = "customer of client" if key.kind is Kind.CLIENT else "sub-customer of project"
    words = f"the {what} {party.reference if party and party.reference else key.kompass_id} ({key.currency}) is not in QuickBooks yet"
    if party is not None and party.state in ("failed", "waiting"):
        words += f" ({party.state}: {party.reason})"
    return f"{words}; {PLACEHOLDER} stands for its Id"


def _told(org_id: str, record: Record, decision: Decision, assumed: tuple[str, ...]) -> Foreseen:
    told = Foreseen(
        org_id=org_id,
        kind=kind_of(record),
        kompass_id=record.id,
        label=label_of(record),
        outcome="nothing",
        assumed=assumed,
    )
    match decision:
        case Write():
            return replace(
                told, outcome=decision.operation, entity=decision.entity, object_id=decision.object_id or "",
                body=decision.body, choices=decision.choices,
            )  # fmt: skip
        case Read(entity, object_id):
            return replace(
                told, outcome="read", entity=entity, object_id=object_id,
                reason="somebody else changed it in QuickBooks: it is read before anything is written",
            )  # fmt: skip
        case Reject(problems):
            return replace(
                told, outcome="reject", cause=problems[0].cause, reason=problems[0].message, problems=problems
            )
        case Nothing(reason):
            return replace(told, reason=reason, assumed=())
        case Skip(cause, reason):
            return replace(told, outcome="skip", cause=cause, reason=reason, assumed=())
        case Withdraw(cause, reason):
            return replace(told, outcome="withdraw", cause=cause, reason=reason, assumed=())
        case Wait(cause, reason):
            return replace(told, outcome="wait", cause=cause, reason=reason)
