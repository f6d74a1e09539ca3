"""What is to be done about one record: the order of judgement, from "is it to be synced at all" to the very body to send.

Pure, so that the consumers, the admin's preview and `kompass-qbo explain` say the same. See the states in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from mapping import conflicts
from mapping.cases import Case, needed_party, own_currency
from mapping.cents import BILLED, billed
from mapping.decisions import Decision, Nothing, Read, Reject, Skip, Wait, Withdraw, Write
from mapping.difference import (
    TAX_BASES,
    changed_members,
    own_lines,
    same,
    tax_overridden,
    touched_by_others,
    with_line_ids,
)
from mapping.payloads import TEMPLATE, kept_name, map_record, name_member, notes_of
from mapping.results import PartyKey, Problem, Unmappable
from mapping.sync_rules import not_synced
from schemas.company import Standing
from schemas.events import Invoice, Step

# What a bookkeeper's edit must not be silently overwritten in: the amounts of the books.
_AMOUNTS = frozenset({"Line", "GlobalTaxCalculation", "TxnTaxDetail"})


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
    applied = {**(standing.applied or {}), BILLED: billed(case.record, standing.applied or {}, case.facts)}
    if standing.sync_token is None or (entity == "CreditMemo" and standing.observed is None):
        return Read(entity, standing.qbo_id)
    if standing.observed is not None:
        if _is_void(standing.observed):
            return Nothing("voided in QuickBooks", voided=True)
        if not standing.overwrite and _settled_amount(standing.observed) != 0:
            return Reject((conflicts.paid_in_qbo(case.record, standing.observed, entity),))
    if entity == "Invoice":
        body: Mapping[str, object] = {"Id": standing.qbo_id, "SyncToken": standing.sync_token}
        return Write("void", entity, standing.qbo_id, body, applied, standing.name, voided=True)
    # Intuit has no void for a credit memo: its lines go to zero, and a note says why.
    lines = [_zeroed(line) for line in own_lines(applied)]
    note = f"Voided in Kompass. {applied.get('PrivateNote', '')}".strip()
    zeroed = {
        "PrivateNote": note,
        "Line": with_line_ids(lines, standing.line_ids),
        **({"GlobalTaxCalculation": applied["GlobalTaxCalculation"]} if "GlobalTaxCalculation" in applied else {}),
    }
    return Write(
        "update",
        entity,
        standing.qbo_id,
        _sparse(standing, zeroed),
        {**applied, "PrivateNote": note, "Line": lines},
        standing.name,
        voided=True,
    )


def _zeroed(line: Mapping[str, object]) -> dict[str, object]:
    detail = line.get("SalesItemLineDetail")
    zero = {**line, "Amount": Decimal(0)}
    if isinstance(detail, Mapping):
        zero["SalesItemLineDetail"] = {key: value for key, value in detail.items() if key not in ("Qty", "UnitPrice")}
    return zero


def _is_void(observed: Mapping[str, object]) -> bool:
    note = observed.get("PrivateNote")
    return observed.get("TotalAmt") == 0 and isinstance(note, str) and note.startswith("Voided")


def _settled_amount(observed: Mapping[str, object]) -> Decimal:
    """Give how much of a document has been paid or applied, in its currency."""
    total, left = observed.get("TotalAmt"), observed.get("RemainingCredit", observed.get("Balance"))
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
        mapped = map_record(case, case.configuration, needed)
        held_name = kept_name(case, needed, mapped)
    except Unmappable as unmappable:
        return Reject(unmappable.problems)
    standing = case.standing
    notes = notes_of(case, needed, mapped)
    payload = dict(mapped.payload)
    if held_name is not None:
        payload[name_member(case.record)] = held_name
        notes[TEMPLATE] = str((standing.applied or {}).get(TEMPLATE, notes[TEMPLATE]))
    name = held_name if held_name is not None else mapped.name
    currency = "" if isinstance(case.record, Invoice) else own_currency(case)
    applied = {**payload, **notes}
    if standing.qbo_id is None:
        return Write("create", mapped.entity, None, payload, applied, name, choices=mapped.choices, currency=currency)
    if standing.applied is None:
        return _adopt(case, payload, applied, currency, mapped.entity)
    changed = changed_members(standing.applied, payload, line_ids=standing.line_ids)
    if not _same_currency(case, standing.applied, payload):
        return Reject((conflicts.currency_changed(case.record, standing.applied.get("CurrencyRef")),))
    if not changed:
        return Nothing("QuickBooks has it", billed=_billed_anew(standing.applied, notes))
    if standing.sync_token is None:
        return Read(mapped.entity, standing.qbo_id)
    if standing.observed is not None and not standing.overwrite:
        if _says_already(standing.observed, payload, changed):
            return Nothing("QuickBooks has it", adopt=applied, currency=currency)
        conflict = _conflict(case, standing.observed, standing.applied, payload, changed, mapped.entity)
        if conflict is not None:
            return Reject((conflict,))
    return Write(
        "update",
        mapped.entity,
        standing.qbo_id,
        _sparse(standing, changed),
        applied,
        name,
        choices=mapped.choices,
        currency=currency,
    )


def _adopt(
    case: Case, payload: Mapping[str, object], applied: Mapping[str, object], currency: str, entity: str
) -> Decision:
    """An object that was in QBO before us keeps what it says until Kompass changes a member."""
    standing = case.standing
    assert standing.qbo_id is not None
    if standing.observed is None:
        return Read(entity, standing.qbo_id)
    theirs_currency = standing.observed.get("CurrencyRef")
    wanted = case.record.currency if isinstance(case.record, Invoice) else currency
    if isinstance(theirs_currency, Mapping) and theirs_currency.get("value") not in (None, wanted):
        return Reject((conflicts.adopted_currency(case.record, str(theirs_currency.get("value")), wanted),))
    return Nothing("linked by hand; changes in Kompass go there from now on", adopt=applied, currency=currency)


def _conflict(
    case: Case,
    observed: Mapping[str, object],
    applied: Mapping[str, object],
    payload: Mapping[str, object],
    changed: Mapping[str, object],
    entity: str,
) -> Problem | None:
    if entity == "Customer":
        # A name or address that Kompass changed is Kompass's again.
        return None
    assert isinstance(case.record, Invoice)
    if _is_void(observed):
        return conflicts.voided_in_qbo(case.record)
    amounts = {
        member: value
        for member, value in changed.items()
        if member in _AMOUNTS and not _says_already(observed, payload, (member,))
    }
    # A tax that was put in by hand stands until what it is computed from is written: the lines, but the date or customer too.
    override: tuple[str, ...] = ()
    if TAX_BASES & set(changed) and tax_overridden(observed, applied, case.standing.qbo_tax):
        override = ("TxnTaxDetail",)
    if not amounts and not override:
        return None
    if _settled_amount(observed) != 0:
        return conflicts.paid_in_qbo(case.record, observed, entity)
    touched = (*touched_by_others(observed, applied, amounts), *override)
    if touched:
        return conflicts.edited_in_qbo(case.record, touched)
    return None


def _says_already(observed: Mapping[str, object], payload: Mapping[str, object], members: Iterable[str]) -> bool:
    """Tell whether QBO has these members as we want them: an update of ours may have arrived without an answer."""
    return all(member in payload and not touched_by_others(observed, payload, {member: None}) for member in members)


def _wait_for(case: Case, needed: PartyKey) -> Wait:
    party = case.party
    if party is not None and party.state == "failed":
        return Wait(
            f"dependency:{party.cause}", f"waits for {needed.kind.value} {needed.kompass_id}: {party.reason}", needed
        )
    return Wait("dependency", f"waits for {needed.kind.value} {needed.kompass_id} to be in QuickBooks", needed)


def _billed_anew(applied: Mapping[str, object], notes: Mapping[str, object]) -> Mapping[str, object] | None:
    """The note of what Kompass bills now, if its amounts are others than those of the note that was sent."""
    before, now = applied.get(BILLED), notes.get(BILLED)
    if not isinstance(now, Mapping):
        return None
    known = isinstance(before, Mapping) and all(same(before.get(name), now[name]) for name in ("net", "tax"))
    return None if known else now


def _same_currency(case: Case, applied: Mapping[str, object], payload: Mapping[str, object]) -> bool:
    """Compare currencies; one that is not said is the home currency, as before the company had more than that."""
    home = {"value": case.facts.home_currency}
    return same(applied.get("CurrencyRef", home), payload.get("CurrencyRef", home))
