"""A record's payload with the notes we keep beside it, and the name that an object keeps when only a template was edited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mapping.case import PARTY, PROJECT_CUSTOMERS, Case, own_currency, party_note
from mapping.cents import BILLED, billed
from mapping.client import map_client
from mapping.difference import OWN_NOTE, same
from mapping.invoice import map_invoice, mark
from mapping.problems import label, quoted
from mapping.project import map_job
from mapping.rates import with_rate
from mapping.results import Choice, Mapped, PartyKey, Unmappable
from schemas.company import Configuration
from schemas.events import Client, Invoice, Kind, Project, Record

TEMPLATE = OWN_NOTE + "template"
_SUFFIX = OWN_NOTE + "suffix"
_SECOND_TEMPLATE = OWN_NOTE + "second_template"
LEFT_OUT = OWN_NOTE + "left_out"
"""What was left out because QuickBooks would not take it: why, by member."""
REFUSED = OWN_NOTE + "refused"
"""Contact details that QuickBooks refused: the value, by member."""
MARK = OWN_NOTE + "mark"
"""The words in a document's PrivateNote by which it can be known for ours."""


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
    noted = (case.standing.applied or {}).get(REFUSED)
    values = noted if isinstance(noted, Mapping) else {}
    return {member: value for member, value in values.items() if same(mapped.payload.get(member), value)}


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
    applied = case.standing.applied
    if applied is not None and _SUFFIX in applied:
        return str(applied[_SUFFIX])
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


def _template(record: Record, configuration: Configuration) -> str:
    if isinstance(record, Client):
        return configuration.client_name_template
    if isinstance(record, Project):
        return configuration.project_name_template
    return configuration.doc_number_template


def notes_of(case: Case, needed: PartyKey | None, mapped: Mapped) -> dict[str, object]:
    """Give what goes into ``sent`` beside the payload, for later decisions and for the cent check."""
    notes: dict[str, object] = {TEMPLATE: _template(case.record, case.configuration)}
    if mapped.left_out:
        notes[LEFT_OUT] = dict(mapped.left_out)
    noted = (case.standing.applied or {}).get(REFUSED)
    refused = noted if isinstance(noted, Mapping) else {}
    if still := {member: value for member, value in refused.items() if member in mapped.left_out}:
        notes[REFUSED] = still
    if isinstance(case.record, Invoice):
        if needed is not None:
            notes[PARTY] = party_note(needed)
        # What it was sent under, which an edit keeps: the switch itself may be another by now.
        on_job = needed.kind is Kind.PROJECT if needed is not None else False
        notes[PROJECT_CUSTOMERS] = case.configuration.project_customers if case.record.project is None else on_job
        notes[MARK] = mark(case.record)
        notes[BILLED] = billed(case.record, mapped.payload, case.facts)
    else:
        notes[_SUFFIX] = suffix_of(case)
        if _is_second(case):
            notes[_SECOND_TEMPLATE] = case.configuration.currency_name_template
    return notes


def kept_name(case: Case, needed: PartyKey | None, mapped: Mapped) -> str | None:
    """Give the name that was sent when only the template was edited since; None when the new name is right.

    What was sent, not what QBO has: a bookkeeper's rename is no reason to give the object another name.
    """
    standing = case.standing
    if standing.applied is None or standing.refresh_names or standing.name_override:
        return None
    held = standing.applied.get(name_member(case.record))
    if not isinstance(held, str) or mapped.name in (None, held):
        return None
    template = standing.applied.get(TEMPLATE)
    second = standing.applied.get(_SECOND_TEMPLATE, case.configuration.currency_name_template)
    same_templates = (template, second) == (
        _template(case.record, case.configuration),
        case.configuration.currency_name_template,
    )
    if not isinstance(template, str) or same_templates:
        return None
    before = replace(
        case.configuration,
        currency_name_template=str(second),
        client_name_template=template if isinstance(case.record, Client) else case.configuration.client_name_template,
        project_name_template=template
        if isinstance(case.record, Project)
        else case.configuration.project_name_template,
        doc_number_template=template if isinstance(case.record, Invoice) else case.configuration.doc_number_template,
    )
    try:
        unchanged = map_record(case, before, needed).name == held
    except Unmappable:
        return None
    return held if unchanged else None
