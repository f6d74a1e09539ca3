"""Which record another one depends on: the customer or job that an invoice is for, and the customer that a job is under."""

from __future__ import annotations

from mapping.results import PartyKey
from schemas.company import CompanyFacts, Configuration
from schemas.events import Client, Invoice, Kind, Project, Record


def billing_client(invoice: Invoice) -> Client:
    """Who pays: the project's billing client, else the invoice's client."""
    return invoice.client if invoice.project is None else invoice.project.billing_client


def party_key(record: Record, configuration: Configuration, facts: CompanyFacts, currency: str = "") -> PartyKey | None:
    """The link that ``record``'s link needs first; None for a client, which needs nothing.

    An invoice stands on its project's job (with *Project customers*), else on a customer, in the invoice's currency: a
    QBO customer has one currency for ever. A job stands on the customer of its billing client, in ``currency`` when its
    link has one, else in the billing client's own currency, else in the company's home currency.
    """
    if isinstance(record, Invoice):
        payer = billing_client(record)
        if configuration.project_customers and record.project is not None:
            return PartyKey(Kind.PROJECT, record.project.id, payer.id, record.currency)
        return PartyKey(Kind.CLIENT, payer.id, "", record.currency)
    if isinstance(record, Project):
        payer = record.billing_client
        return PartyKey(Kind.CLIENT, payer.id, "", currency or payer.currency or facts.home_currency)
    return None
