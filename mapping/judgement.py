"""What is to be done about one record: the order of judgement, from "is it to be synced at all" to the very body to send.

Pure, so that the consumers, the admin's preview and `kompass-qbo explain` say the same. See the states in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

from mapping import conflicts
from mapping.cents import BILLED, billed
from mapping.client import map_client
from mapping.difference import (
    OWN_NOTE,
    TAX_BASES,
    changed_members,
    own_lines,
    same,
    tax_overridden,
    touched_by_others,
    with_line_ids,
)
from mapping.invoice import map_invoice, mark
from mapping.parties import party_key
from mapping.project import map_job
from mapping.results import Choice, Mapped, PartyKey, Problem, Unmappable
from mapping.sync_rules import not_synced
from schemas.company import CompanyFacts, Configuration, Standing
from schemas.events import Client, Invoice, Project, Record, Step

_TEMPLATE = OWN_NOTE + "template"
_PARTY = OWN_NOTE + "party"
_PROJECT_CUSTOMERS = OWN_NOTE + "project_customers"
_SUFFIX = OWN_NOTE + "suffix"
MARK = OWN_NOTE + "mark"
"""The words in a document's PrivateNote by which it can be known for ours."""

# What a bookkeeper's edit must not be silently overwritten in: the amounts of the books.
_AMOUNTS = frozenset({"Line", "GlobalTaxCalculation", "TxnTaxDetail"})


@dataclass(frozen=True, slots=True)
class Nothing:
    """QBO has it in its newest state."""

    reason: str
    adopt: Mapping[str, object] | None = None
    """What counts as sent from now on, without a call: the object was linked by hand, or turned out to say it already."""
    currency: str = ""
    voided: bool = False
    billed: Mapping[str, object] | None = None
    """What Kompass bills now, when that changed without changing what is sent: a tax that was rounded anew."""
    cause: str = ""
    """Set when it only stays as it is because it is not to be synced now: a changed configuration may end that."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Not to be synced; raises no error."""

    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Cannot be sent yet, for a reason outside the record."""

    cause: str
    reason: str
    on: PartyKey | None = None


@dataclass(frozen=True, slots=True)
class Reject:
    """Cannot be sent as it is; a person must mend something."""

    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Sent, then taken back in Kompass: QBO is left alone and people are told."""

    cause: str
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """Somebody else wrote since: the object has to be read before it can be written."""

    entity: str
    object_id: str


@dataclass(frozen=True, slots=True)
class Write:
    """One call that makes QBO agree."""

    operation: Literal["create", "update", "void"]
    entity: str
    object_id: str | None
    body: Mapping[str, object]
    sent: Mapping[str, object]
    """What counts as sent once QBO has answered."""
    name: str | None
    voided: bool = False
    choices: tuple[Choice, ...] = ()
    currency: str = ""


Decision = Nothing | Skip | Wait | Reject | Withdraw | Read | Write


@dataclass(frozen=True, slots=True)
class Party:
    """What is known of the customer or job that a record stands on."""

    key: PartyKey
    qbo_id: str | None = None
    state: str = "pending"
    cause: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a judgement is made from."""

    record: Record
    configuration: Configuration
    facts: CompanyFacts
    standing: Standing = field(default_factory=Standing)
    deleted: bool = False
    party: Party | None = None
    """Where the record stands on another (see `needs_party`); None when that has no link yet."""
    billing_client: Client | None = None
    """A job's: the client it is (or was) billed to."""
    suffix: str = ""
    """What tells a new object's name apart from one of ours that already holds it."""


def own_currency(case: Case) -> str:
    """Give the currency of a customer or job: fixed since it was made, else the client's own, else the home currency."""
    if case.standing.currency:
        return case.standing.currency
    client = case.record if isinstance(case.record, Client) else case.billing_client
    return (client.currency if client is not None else None) or case.facts.home_currency


def needed_party(case: Case) -> PartyKey | None:
    """Give the link that this record stands on, if it is to be synced at all."""
    if not_synced(case.record, deleted=case.deleted, configuration=case.configuration) is not None:
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


def _party_note(key: PartyKey) -> str:
    return f"{key.kind}/{key.kompass_id}/{key.party_id}/{key.currency}"


def _kept_party(case: Case) -> PartyKey:
    """Give an invoice's customer or job. Once sent it stays when only *Project customers* was switched."""
    sent = case.standing.sent or {}
    wanted = _party_key(case, case.configuration)
    if case.standing.refresh_names or sent.get(_PARTY) in (None, _party_note(wanted)):
        return wanted
    before = replace(case.configuration, project_customers=bool(sent.get(_PROJECT_CUSTOMERS)))
    kept = _party_key(case, before)
    return kept if _party_note(kept) == sent.get(_PARTY) else wanted


def judge(case: Case) -> Decision:
    """Decide what is to be done about a record now."""
    standing = case.standing
    unsynced = not_synced(case.record, deleted=case.deleted, configuration=case.configuration)
    if unsynced is not None:
        cause, reason = unsynced
        if standing.qbo_id is None:
            return Skip(cause, reason)
        if isinstance(case.record, Invoice) and not standing.voided and cause != "before-start-date":
            return Withdraw(cause, reason)
        return Nothing(f"stays in QuickBooks as it is: {reason}", cause=cause)
    is_void = isinstance(case.record, Invoice) and case.record.step is Step.VOIDED
    if is_void and standing.qbo_id is None:
        return Skip("void-never-sent", "voided in Kompass before it was ever sent to QuickBooks")
    if is_void and standing.voided:
        return Nothing("voided in QuickBooks", voided=True)
    if not case.configuration.enabled:
        return Wait("not-enabled", f"the Configuration of {case.configuration.org_name} is not enabled")
    if isinstance(case.record, Invoice) and standing.qbo_id is not None:
        entity = "CreditMemo" if case.record.type.value == "CREDIT_NOTE" else "Invoice"
        if standing.entity not in (None, entity):
            return Withdraw(
                "type-changed", f"sent as {standing.entity}, meanwhile {case.record.type.value.lower()} in Kompass"
            )
        if standing.voided and not is_void:
            return Reject((conflicts.voided_before(case.record),))
    if is_void:
        return _void(case)
    return _push(case)


def _void(case: Case) -> Decision:
    standing = case.standing
    assert isinstance(case.record, Invoice)
    assert standing.qbo_id is not None
    entity = standing.entity or "Invoice"
    sent = {**(standing.sent or {}), BILLED: billed(case.record, standing.sent or {}, case.facts)}
    if standing.sync_token is None or (entity == "CreditMemo" and standing.theirs is None):
        return Read(entity, standing.qbo_id)
    if standing.theirs is not None:
        if _is_void(standing.theirs):
            return Nothing("voided in QuickBooks", voided=True)
        if not standing.overwrite and _settled_amount(standing.theirs) != 0:
            return Reject((conflicts.paid_in_qbo(case.record, standing.theirs, entity),))
    if entity == "Invoice":
        body: Mapping[str, object] = {"Id": standing.qbo_id, "SyncToken": standing.sync_token}
        return Write("void", entity, standing.qbo_id, body, sent, standing.name, voided=True)
    # Intuit has no void for a credit memo: its lines go to zero, and a note says why.
    lines = [_zeroed(line) for line in own_lines(sent)]
    note = f"Voided in Kompass. {sent.get('PrivateNote', '')}".strip()
    zeroed = {
        "PrivateNote": note,
        "Line": with_line_ids(lines, standing.line_ids),
        **({"GlobalTaxCalculation": sent["GlobalTaxCalculation"]} if "GlobalTaxCalculation" in sent else {}),
    }
    return Write(
        "update",
        entity,
        standing.qbo_id,
        _sparse(standing, zeroed),
        {**sent, "PrivateNote": note, "Line": lines},
        standing.name,
        voided=True,
    )


def _zeroed(line: Mapping[str, object]) -> dict[str, object]:
    detail = line.get("SalesItemLineDetail")
    zero = {**line, "Amount": Decimal(0)}
    if isinstance(detail, Mapping):
        zero["SalesItemLineDetail"] = {key: value for key, value in detail.items() if key not in ("Qty", "UnitPrice")}
    return zero


def _is_void(theirs: Mapping[str, object]) -> bool:
    note = theirs.get("PrivateNote")
    return theirs.get("TotalAmt") == 0 and isinstance(note, str) and note.startswith("Voided")


def _settled_amount(theirs: Mapping[str, object]) -> Decimal:
    """Give how much of a document has been paid or applied, in its currency."""
    total, left = theirs.get("TotalAmt"), theirs.get("RemainingCredit", theirs.get("Balance"))
    if isinstance(total, int | Decimal) and isinstance(left, int | Decimal):
        return Decimal(total) - Decimal(left)
    return Decimal(0)


def _sparse(standing: Standing, members: Mapping[str, object]) -> dict[str, object]:
    return {"Id": standing.qbo_id, "SyncToken": standing.sync_token, "sparse": True, **members}


def _push(case: Case) -> Decision:
    needed = needed_party(case)
    if needed is not None and (case.party is None or case.party.qbo_id is None):
        if case.party is not None and case.party.state == "skipped":
            return Reject((conflicts.party_not_synced(case.record, needed.kind.value, case.party.reason),))
        return _wait_for(case, needed)
    try:
        mapped = _map(case, case.configuration, needed)
        kept_name = _kept_name(case, needed, mapped)
    except Unmappable as unmappable:
        return Reject(unmappable.problems)
    standing = case.standing
    notes = _notes(case, needed, mapped)
    payload = dict(mapped.payload)
    if kept_name is not None:
        payload[_name_member(case.record)] = kept_name
        notes[_TEMPLATE] = str((standing.sent or {}).get(_TEMPLATE, notes[_TEMPLATE]))
    name = kept_name if kept_name is not None else mapped.name
    currency = "" if isinstance(case.record, Invoice) else own_currency(case)
    sent = {**payload, **notes}
    if standing.qbo_id is None:
        return Write("create", mapped.entity, None, payload, sent, name, choices=mapped.choices, currency=currency)
    if standing.sent is None:
        return _adopt(case, payload, sent, currency, mapped.entity)
    changed = changed_members(standing.sent, payload, line_ids=standing.line_ids)
    if not _same_currency(case, standing.sent, payload):
        return Reject((conflicts.currency_changed(case.record, standing.sent.get("CurrencyRef")),))
    if not changed:
        return Nothing("QuickBooks has it", billed=_billed_anew(standing.sent, notes))
    if standing.sync_token is None:
        return Read(mapped.entity, standing.qbo_id)
    if standing.theirs is not None and not standing.overwrite:
        if _says_already(standing.theirs, payload, changed):
            return Nothing("QuickBooks has it", adopt=sent, currency=currency)
        conflict = _conflict(case, standing.theirs, standing.sent, payload, changed, mapped.entity)
        if conflict is not None:
            return Reject((conflict,))
    return Write(
        "update",
        mapped.entity,
        standing.qbo_id,
        _sparse(standing, changed),
        sent,
        name,
        choices=mapped.choices,
        currency=currency,
    )


def _adopt(
    case: Case, payload: Mapping[str, object], sent: Mapping[str, object], currency: str, entity: str
) -> Decision:
    """An object that was in QBO before us keeps what it says until Kompass changes a member."""
    standing = case.standing
    assert standing.qbo_id is not None
    if standing.theirs is None:
        return Read(entity, standing.qbo_id)
    theirs_currency = standing.theirs.get("CurrencyRef")
    wanted = case.record.currency if isinstance(case.record, Invoice) else currency
    if isinstance(theirs_currency, Mapping) and theirs_currency.get("value") not in (None, wanted):
        return Reject((conflicts.adopted_currency(case.record, str(theirs_currency.get("value")), wanted),))
    return Nothing("linked by hand; changes in Kompass go there from now on", adopt=sent, currency=currency)


def _conflict(
    case: Case,
    theirs: Mapping[str, object],
    sent: Mapping[str, object],
    payload: Mapping[str, object],
    changed: Mapping[str, object],
    entity: str,
) -> Problem | None:
    if entity == "Customer":
        # A name or address that Kompass changed is Kompass's again.
        return None
    assert isinstance(case.record, Invoice)
    if _is_void(theirs):
        return conflicts.voided_in_qbo(case.record)
    amounts = {
        member: value
        for member, value in changed.items()
        if member in _AMOUNTS and not _says_already(theirs, payload, (member,))
    }
    # A tax that was put in by hand stands until what it is computed from is written: the lines, but the date or customer too.
    override: tuple[str, ...] = ()
    if TAX_BASES & set(changed) and tax_overridden(theirs, sent, case.standing.qbo_tax):
        override = ("TxnTaxDetail",)
    if not amounts and not override:
        return None
    if _settled_amount(theirs) != 0:
        return conflicts.paid_in_qbo(case.record, theirs, entity)
    touched = (*touched_by_others(theirs, sent, amounts), *override)
    if touched:
        return conflicts.edited_in_qbo(case.record, touched)
    return None


def _says_already(theirs: Mapping[str, object], payload: Mapping[str, object], members: Iterable[str]) -> bool:
    """Tell whether QBO has these members as we want them: an update of ours may have arrived without an answer."""
    return all(member in payload and not touched_by_others(theirs, payload, {member: None}) for member in members)


def _wait_for(case: Case, needed: PartyKey) -> Wait:
    party = case.party
    if party is not None and party.state == "rejected":
        return Wait(
            f"dependency:{party.cause}", f"waits for {needed.kind.value} {needed.kompass_id}: {party.reason}", needed
        )
    return Wait("dependency", f"waits for {needed.kind.value} {needed.kompass_id} to be in QuickBooks", needed)


def _map(case: Case, configuration: Configuration, needed: PartyKey | None) -> Mapped:
    record, standing = case.record, case.standing
    if isinstance(record, Client):
        return map_client(
            record,
            configuration,
            case.facts,
            currency=own_currency(case),
            name_override=standing.name_override,
            name_suffix=_suffix(case),
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
            name_suffix=_suffix(case),
        )
    return map_invoice(record, configuration, case.facts, customer_id=case.party.qbo_id)


def _suffix(case: Case) -> str:
    """Tell apart what stands in QBO more than once: QBO wants every DisplayName unique, and a customer has one currency."""
    sent = case.standing.sent
    if sent is not None and _SUFFIX in sent:
        return str(sent[_SUFFIX])
    record = case.record
    client = record if isinstance(record, Client) else case.billing_client
    parts = []
    if isinstance(record, Project) and client is not None and client.id != record.billing_client.id:
        parts.append(client.name)
    primary = (client.currency if client is not None else None) or case.facts.home_currency
    if own_currency(case) != primary:
        parts.append(own_currency(case))
    return "".join(f" ({part})" for part in parts) + case.suffix


def _name_member(record: Record) -> str:
    return "DocNumber" if isinstance(record, Invoice) else "DisplayName"


def _template(record: Record, configuration: Configuration) -> str:
    if isinstance(record, Client):
        return configuration.client_name_template
    if isinstance(record, Project):
        return configuration.project_name_template
    return configuration.doc_number_template


def _notes(case: Case, needed: PartyKey | None, mapped: Mapped) -> dict[str, object]:
    notes: dict[str, object] = {_TEMPLATE: _template(case.record, case.configuration)}
    if isinstance(case.record, Invoice):
        if needed is not None:
            notes[_PARTY] = _party_note(needed)
        notes[_PROJECT_CUSTOMERS] = case.configuration.project_customers
        notes[MARK] = mark(case.record)
        notes[BILLED] = billed(case.record, mapped.payload, case.facts)
    else:
        notes[_SUFFIX] = _suffix(case)
    return notes


def _billed_anew(sent: Mapping[str, object], notes: Mapping[str, object]) -> Mapping[str, object] | None:
    """The note of what Kompass bills now, if its amounts are others than those of the note that was sent."""
    before, now = sent.get(BILLED), notes.get(BILLED)
    if not isinstance(now, Mapping):
        return None
    known = isinstance(before, Mapping) and all(same(before.get(name), now[name]) for name in ("net", "tax"))
    return None if known else now


def _kept_name(case: Case, needed: PartyKey | None, mapped: Mapped) -> str | None:
    """Give the name that was sent when only the template was edited since; None when the new name is right.

    What was sent, not what QBO has: a bookkeeper's rename is no reason to give the object another name.
    """
    standing = case.standing
    if standing.sent is None or standing.refresh_names or standing.name_override:
        return None
    held = standing.sent.get(_name_member(case.record))
    if not isinstance(held, str) or mapped.name in (None, held):
        return None
    template = standing.sent.get(_TEMPLATE)
    if not isinstance(template, str) or template == _template(case.record, case.configuration):
        return None
    before = replace(
        case.configuration,
        client_name_template=template if isinstance(case.record, Client) else case.configuration.client_name_template,
        project_name_template=template
        if isinstance(case.record, Project)
        else case.configuration.project_name_template,
        doc_number_template=template if isinstance(case.record, Invoice) else case.configuration.doc_number_template,
    )
    try:
        unchanged = _map(case, before, needed).name == held
    except Unmappable:
        return None
    return held if unchanged else None


def _same_currency(case: Case, sent: Mapping[str, object], payload: Mapping[str, object]) -> bool:
    """Compare currencies; one that is not said is the home currency, as before the company had more than that."""
    home = {"value": case.facts.home_currency}
    return same(sent.get("CurrencyRef", home), payload.get("CurrencyRef", home))
