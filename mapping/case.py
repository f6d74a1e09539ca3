"""A case: everything from which one decision is made; whether the record is to be synced at all, and what it depends on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from mapping.results import PartyKey
from schemas.applied import NOTHING_SENT
from schemas.company import CompanyFacts, Configuration, Standing
from schemas.events import Client, Invoice, InvoiceType, Kind, Project, Record, Step
from schemas.link_state import LinkState

SYNCED_STEPS = frozenset({Step.APPROVED, Step.POSTED, Step.VOIDED})
"""An invoice goes once it reaches one of these (set-up article, "How the sync runs after setup")."""


@dataclass(frozen=True, slots=True)
class Party:
    """What is known of the customer or job that a record depends on."""

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
    """Where the record depends on another (see `needed_party`); None when that has no link yet."""
    billing_client: Client | None = None
    """A job's: the client it is (or was) billed to."""
    rates: Mapping[tuple[str, dt.date], Decimal | None] | None = None
    """The exchange rates that are known (`mapping.rates`); None where nobody asked for them: then nothing waits for one."""
    inventoried: bool = False
    """Whether its company was looked through for what it had before us (`mapping.matching`)."""
    suffix: str = ""
    """What tells a new object's name apart from one of ours that already holds it."""


def entity_of(invoice: Invoice) -> str:
    """What a document is in QuickBooks."""
    return "CreditMemo" if invoice.type is InvoiceType.CREDIT_NOTE else "Invoice"


def is_of_another_type(case: Case) -> bool:
    """Whether a document was sent as an invoice and is a credit note by now, or the other way round."""
    return isinstance(case.record, Invoice) and case.standing.entity not in (None, entity_of(case.record))


def compared_with(case: Case) -> Standing:
    """Give what a record is compared with: nothing, where it was another type of document before, and that is gone."""
    standing = case.standing
    return Standing(currency=standing.currency) if is_of_another_type(case) and is_gone(standing) else standing


def is_gone(standing: Standing) -> bool:
    """Whether QuickBooks has nothing of a document that was sent, as far as is known."""
    return standing.voided or (standing.observed is not None and standing.observed.gone)


def may_be_back(standing: Standing) -> bool:
    """Whether a document that was voided by hand has to be read before another is made in its place: a hand may bring it back."""
    observed = standing.observed
    return observed is not None and observed.voided and not standing.voided and not standing.fresh


def own_currency(case: Case) -> str:
    """Give the currency of a customer or job: fixed since it was made, else the client's own, else the home currency."""
    if case.standing.currency:
        return case.standing.currency
    client = case.record if isinstance(case.record, Client) else case.billing_client
    return (client.currency if client is not None else None) or case.facts.home_currency


def primary_party(case: Case) -> PartyKey | None:
    """Give the customer or job that a client or project is to have whether or not a document needs it; None of a document."""
    record = case.record
    if isinstance(record, Invoice):
        return None
    payer = record if isinstance(record, Client) else record.billing_client
    currency = payer.currency or case.facts.home_currency
    if isinstance(record, Client):
        return PartyKey(Kind.CLIENT, record.id, "", currency)
    return PartyKey(Kind.PROJECT, record.id, payer.id, currency)


def why_not_synced(case: Case) -> tuple[str, str] | None:
    """Give the cause and the reason why the record is not to be in QuickBooks; None when it is."""
    # What was there once, and is to be made again, has no Id any more.
    sent = case.standing.qbo_id is not None or bool(case.standing.entity)
    return not_synced(case.record, deleted=case.deleted, configuration=case.configuration, sent=sent)


def needed_party(case: Case) -> PartyKey | None:
    """Give the link that this record depends on, if it is to be synced at all."""
    if why_not_synced(case) is not None:
        return None
    if isinstance(case.record, Client):
        return None
    if isinstance(case.record, Project):
        payer = case.billing_client or case.record.billing_client
        return PartyKey(Kind.CLIENT, payer.id, "", own_currency(case))
    return _kept_party(case, case.record)


def party_note(key: PartyKey) -> str:
    """Give the note of what a document depends on."""
    return f"{key.kind}/{key.kompass_id}/{key.party_id}/{key.currency}"


def _kept_party(case: Case, invoice: Invoice) -> PartyKey:
    """Give an invoice's customer or job. Once sent it stays when only *Project customers* was switched."""
    sent = (compared_with(case).applied or NOTHING_SENT).notes
    wanted = document_party(invoice, project_customers=case.configuration.project_customers)
    if case.standing.refresh_names or sent.party in (None, party_note(wanted)):
        return wanted
    kept = document_party(invoice, project_customers=sent.project_customers)
    return kept if party_note(kept) == sent.party else wanted


# --- Which records are not to be synced. Such a record needs no mapping and raises no error


def not_synced(
    record: Record, *, deleted: bool, configuration: Configuration, sent: bool = False
) -> tuple[str, str] | None:
    """The stable cause and the reason in words, when ``record`` is not to be in QBO; else None.

    Causes: ``deleted``, ``project-customers-off``, ``synchronize-off``, ``journal``, ``type:unknown``,
    ``step:<step in lower case>``, ``before-start-date``.

    :param sent: whether QuickBooks has it, or had it: the start date decides only about what was never sent.
    """
    if deleted:
        return "deleted", "deleted in Kompass"
    if isinstance(record, Project):
        if not configuration.project_customers:
            return "project-customers-off", "Project customers is off in the Configuration"
        return None
    if isinstance(record, Invoice):
        return _document_not_synced(record, configuration, sent=sent)
    return None


def _document_not_synced(invoice: Invoice, configuration: Configuration, *, sent: bool) -> tuple[str, str] | None:
    if not invoice.synchronize:
        return "synchronize-off", "Synchronize is off in Kompass"
    if invoice.type is InvoiceType.JOURNAL:
        return "journal", "a journal, whose allocations come to zero; journals are not sent"
    if invoice.type is InvoiceType.UNKNOWN:
        return "type:unknown", "of a type that this version of the sync does not know"
    if invoice.step is Step.UNKNOWN:
        return "step:unknown", "at a step that this version of the sync does not know"
    if invoice.step not in SYNCED_STEPS:
        step = invoice.step.value
        return f"step:{step.lower()}", f"its step is {step.capitalize()}; it goes once it is Approved"
    start = configuration.start_date
    if start is not None and invoice.date < start and not sent:
        return "before-start-date", f"dated {invoice.date}, before the start date {start}"
    return None


# --- What a document depends on: a customer or a job


def billing_client(invoice: Invoice) -> Client:
    """Who pays: the project's billing client, else the invoice's client."""
    return invoice.client if invoice.project is None else invoice.project.billing_client


def document_party(invoice: Invoice, *, project_customers: bool) -> PartyKey:
    """Give the link that a document needs first: its project's job (with *Project customers*), else a customer, in its own currency.

    A QBO customer has one currency for ever.
    """
    payer = billing_client(invoice)
    if project_customers and invoice.project is not None:
        return PartyKey(Kind.PROJECT, invoice.project.id, payer.id, invoice.currency)
    return PartyKey(Kind.CLIENT, payer.id, "", invoice.currency)


def name_of_party(case: Case, key: PartyKey) -> str:
    """Give what people call the customer or job that a record waits for; its Kompass id where the record does not carry it."""
    record = case.record
    if key.kind is Kind.PROJECT:
        project = record.project if isinstance(record, Invoice) else None
        return (
            project.reference or project.name
            if project is not None and project.id == key.kompass_id
            else key.kompass_id
        )
    clients = [case.billing_client, *(getattr(record, member, None) for member in ("client", "billing_client"))]
    return next((one.name for one in clients if one is not None and one.id == key.kompass_id), key.kompass_id)
