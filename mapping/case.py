"""A case: everything from which one decision is made, and the customer or job that the record depends on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from mapping.difference import OWN_NOTE
from mapping.parties import party_key
from mapping.results import PartyKey
from mapping.sync_rules import not_synced
from schemas.company import CompanyFacts, Configuration, Standing
from schemas.events import Client, Project, Record
from schemas.link_state import LinkState

PARTY = OWN_NOTE + "party"
PROJECT_CUSTOMERS = OWN_NOTE + "project_customers"


@dataclass(frozen=True, slots=True)
class Party:
    """What is known of the customer or job that a record stands on."""

    key: PartyKey
    qbo_id: str | None = None
    state: str = LinkState.PENDING
    cause: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything from which a decision is made."""

    record: Record
    configuration: Configuration
    facts: CompanyFacts
    standing: Standing = field(default_factory=Standing)
    deleted: bool = False
    party: Party | None = None
    """Where the record stands on another (see `needs_party`); None when that has no link yet."""
    billing_client: Client | None = None
    """A job's: the client it is (or was) billed to."""
    rates: Mapping[tuple[str, dt.date], Decimal | None] | None = None
    """The exchange rates that are known (`mapping.rates`); None where nobody asked for them: then nothing waits for one."""
    inventoried: bool = False
    """Whether its company was looked through for what it had before us (`mapping.matching`)."""
    suffix: str = ""
    """What tells a new object's name apart from one of ours that already holds it."""


def own_currency(case: Case) -> str:
    """Give the currency of a customer or job: fixed since it was made, else the client's own, else the home currency."""
    if case.standing.currency:
        return case.standing.currency
    client = case.record if isinstance(case.record, Client) else case.billing_client
    return (client.currency if client is not None else None) or case.facts.home_currency


def why_not_synced(case: Case) -> tuple[str, str] | None:
    """Give the cause and the reason why the record is not to be in QuickBooks; None when it is."""
    sent = case.standing.qbo_id is not None
    return not_synced(case.record, deleted=case.deleted, configuration=case.configuration, sent=sent)


def needed_party(case: Case) -> PartyKey | None:
    """Give the link that this record stands on, if it is to be synced at all."""
    if why_not_synced(case) is not None:
        return None
    if isinstance(case.record, Client):
        return None
    if isinstance(case.record, Project):
        billing_client = case.billing_client or case.record.billing_client
        return replace(
            _party_key(case, case.configuration),
            kompass_id=billing_client.id,
            currency=own_currency(case),
        )
    return _kept_party(case)


def _party_key(case: Case, configuration: Configuration) -> PartyKey:
    key = party_key(case.record, configuration, case.facts)
    if key is None:
        raise AssertionError("only a client stands on nothing")
    return key


def party_note(key: PartyKey) -> str:
    """Give the note of what a document stands on."""
    return f"{key.kind}/{key.kompass_id}/{key.party_id}/{key.currency}"


def _kept_party(case: Case) -> PartyKey:
    """Give an invoice's customer or job. Once sent it stays when only *Project customers* was switched."""
    applied = case.standing.applied or {}
    wanted = _party_key(case, case.configuration)
    if case.standing.refresh_names or applied.get(PARTY) in (None, party_note(wanted)):
        return wanted
    before = replace(case.configuration, project_customers=bool(applied.get(PROJECT_CUSTOMERS)))
    kept = _party_key(case, before)
    return kept if party_note(kept) == applied.get(PARTY) else wanted
