"""A record's payload with the notes we keep beside it, and the name that an object keeps when only a template was edited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from mapping.case import Case, own_currency, party_note
from mapping.client import map_client
from mapping.difference import same
from mapping.invoice import map_invoice, mark
from mapping.money import distinct
from mapping.problems import label, quoted
from mapping.project import map_job
from mapping.rates import with_rate
from mapping.results import Choice, Mapped, PartyKey, Unmappable
from mapping.tax import document_pieces
from mapping.tax_amounts import Interval, accepted_together
from schemas.applied import NOTHING_SENT, Billed, Notes
from schemas.company import CompanyFacts, Configuration
from schemas.events import Client, Invoice, InvoiceType, Kind, Project, Record, Step


def map_record(case: Case, configuration: Configuration, needed: PartyKey | None) -> Mapped:
    """Map by a configuration, the case's own or an earlier one; what it depends on is in QBO. Raises `Unmappable`."""
    return _without_refused(case, _map(case, configuration, needed))


def _without_refused(case: Case, mapped: Mapped) -> Mapped:
    """Leave out what QuickBooks refused, until Kompass says something else."""
    refused = _refused(case, mapped)
    if not refused:
        return mapped
    why = {
        member: f"{label(case.record)}: QuickBooks does not take {_shown(value)} as {_SPOKEN.get(member, member)}"
        for member, value in refused.items()
    }
    payload = {member: value for member, value in mapped.payload.items() if member not in refused}
    choices = [one for one in mapped.choices if one.member not in refused]
    choices += [Choice(member, "", f"Left out: {reason.partition(': ')[2]}") for member, reason in why.items()]
    return replace(mapped, payload=payload, choices=tuple(choices), left_out={**mapped.left_out, **why})


def _refused(case: Case, mapped: Mapped) -> dict[str, object]:
    refused = (case.standing.applied or NOTHING_SENT).notes.refused
    return {member: value for member, value in refused.items() if same(mapped.payload.get(member), value)}


def _shown(value: object) -> str:
    return quoted(str(next(iter(value.values()), "")) if isinstance(value, Mapping) else str(value))


_SPOKEN: Mapping[str, str] = {
    "PrimaryEmailAddr": "an email address", "BillEmail": "an email address", "WebAddr": "a web address",
}  # fmt: skip


def _map(case: Case, configuration: Configuration, needed: PartyKey | None) -> Mapped:
    record, standing = case.record, case.standing
    if isinstance(record, Client):
        return map_client(
            record,
            configuration,
            case.facts,
            currency=own_currency(case),
            name_override=standing.name_override,
            name_suffix=_without_currency(case),
            second=_is_second(case),
        )
    assert case.party is not None
    assert case.party.qbo_id is not None
    if isinstance(record, Project):
        return map_job(
            record,
            configuration,
            case.facts,
            billing_client=case.billing_client or record.billing_client,
            currency=own_currency(case),
            parent_id=case.party.qbo_id,
            name_override=standing.name_override,
            name_suffix=_without_currency(case),
            second=_is_second(case),
        )
    return with_rate(map_invoice(record, configuration, case.facts, customer_id=case.party.qbo_id), case)


def suffix_of(case: Case) -> str:
    """Tell apart what stands in QBO more than once: QBO wants every DisplayName unique, and a customer has one currency."""
    sent = (case.standing.applied or NOTHING_SENT).notes.suffix
    if sent is not None:
        return sent
    record = case.record
    client = record if isinstance(record, Client) else case.billing_client
    parts = []
    if isinstance(record, Project) and client is not None and client.id != record.billing_client.id:
        parts.append(client.name)
    primary = (client.currency if client is not None else None) or case.facts.home_currency
    if own_currency(case) != primary:
        parts.append(own_currency(case))
    return "".join(f" ({part})" for part in parts) + case.suffix


def _is_second(case: Case) -> bool:
    """Whether the suffix tells a customer or job apart from another one of the same client or project by its currency."""
    return f" ({own_currency(case)})" in suffix_of(case)


def _without_currency(case: Case) -> str:
    """The rest of the suffix: the currency goes through a template of its own."""
    return suffix_of(case).replace(f" ({own_currency(case)})", "", 1)


def name_member(record: Record) -> str:
    """Give the member that a template of the admin's makes."""
    return "DocNumber" if isinstance(record, Invoice) else "DisplayName"


_TEMPLATES: Mapping[type[Record], str] = {
    Client: "client_name_template", Project: "project_name_template", Invoice: "doc_number_template",
}  # fmt: skip
"""The member of a configuration with the template that makes a record's name or number."""


def _template(record: Record, configuration: Configuration) -> str:
    return str(getattr(configuration, _TEMPLATES[type(record)]))


def notes_of(case: Case, needed: PartyKey | None, mapped: Mapped) -> Notes:
    """Give what is noted beside the payload, for later decisions and for the cent check."""
    refused = (case.standing.applied or NOTHING_SENT).notes.refused
    notes = Notes(
        template=_template(case.record, case.configuration),
        left_out=mapped.left_out,
        refused={member: value for member, value in refused.items() if member in mapped.left_out},
    )
    if isinstance(case.record, Invoice):
        # What it was sent under, which an edit keeps: the switch itself may be another by now.
        on_job = needed.kind is Kind.PROJECT if needed is not None else False
        return replace(
            notes,
            party=None if needed is None else party_note(needed),
            project_customers=case.configuration.project_customers if case.record.project is None else on_job,
            mark=mark(case.record),
            billed=billed(case.record, mapped.payload, case.facts),
        )
    second = case.configuration.currency_name_template if _is_second(case) else None
    return replace(notes, suffix=suffix_of(case), second_template=second)


def kept_name(case: Case, needed: PartyKey | None, mapped: Mapped) -> str | None:
    """Give the name that was sent when only the template was edited since; None when the new name is right.

    What was sent, not what QBO has: a bookkeeper's rename is no reason to give the object another name.
    """
    standing = case.standing
    if standing.applied is None or standing.refresh_names or standing.name_override:
        return None
    held = standing.applied.members.get(name_member(case.record))
    if not isinstance(held, str) or mapped.name in (None, held):
        return None
    template, second = standing.applied.notes.template, standing.applied.notes.second_template
    if second is None:
        second = case.configuration.currency_name_template
    same_templates = (template, second) == (
        _template(case.record, case.configuration),
        case.configuration.currency_name_template,
    )
    if template is None or same_templates:
        return None
    earlier: dict[str, Any] = {"currency_name_template": second, _TEMPLATES[type(case.record)]: template}
    before = replace(case.configuration, **earlier)
    try:
        unchanged = map_record(case, before, needed).name == held
    except Unmappable:
        return None
    return held if unchanged else None


# --- What Kompass billed


def billed(invoice: Invoice, payload: Mapping[str, object], facts: CompanyFacts) -> Billed:
    """Give the note that the settle of the call compares with; ``payload`` names the tax codes of the lines."""
    sign = 0 if invoice.step is Step.VOIDED else -1 if invoice.type is InvoiceType.CREDIT_NOTE else 1
    gross = sign * invoice.amount_gross
    details = [line["SalesItemLineDetail"] for line in cast("Sequence[Any]", payload.get("Line", ()))]
    # In the USA a line may carry the tax: then it is part of the net amount there.
    net = gross if len(details) > len(invoice.lines) else sign * invoice.amount_net
    rounding = _rounding(invoice, details, facts) if sign else None
    codes = [facts.tax_codes.get(str(one["TaxCodeRef"]["value"])) for one in details if "TaxCodeRef" in one]
    percents = [code.percent_on(invoice.date) for code in codes if code is not None]
    return Billed(
        net=net,
        tax=gross - net,
        lines=len(invoice.lines),
        rates=distinct([line.vat_rate.rate for line in invoice.lines if line.vat_rate is not None]),
        code_rates=distinct([one for one in percents if one is not None]),
        automated=facts.automated_tax,
        low=None if rounding is None else rounding.low,
        high=None if rounding is None else rounding.high,
    )


def _rounding(invoice: Invoice, details: Sequence[Mapping[str, object]], facts: CompanyFacts) -> Interval | None:
    """The taxes that differ from what was billed by rounding alone; None when a rate is not known."""
    lines = sorted(invoice.lines, key=lambda line: line.position)
    if len(details) != len(lines):
        return None
    credit = invoice.type is InvoiceType.CREDIT_NOTE
    pieces, unknown = document_pieces(lines, details, facts, day=invoice.date, credit=credit)
    return None if unknown else accepted_together(pieces, invoice.currency)
