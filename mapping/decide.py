"""Decides what to do about one record, without I/O: in order, is it to be synced at all, can it be mapped, what is to be sent.

Pure, so that the consumers, the admin's preview and `kompass-qbo explain` say the same. See the states in docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from mapping import conflicts
from mapping.books import BOOKS, OF_THE_WHOLE, changed_in_books, in_closed_period, left_alone, not_taken
from mapping.case import (
    Case,
    compared_with,
    is_gone,
    is_of_another_type,
    may_be_back,
    name_of_party,
    needed_party,
    own_currency,
    why_not_synced,
)
from mapping.decisions import DEPENDENCY, Decision, Fail, Nothing, Read, Skip, Wait, Write, not_enabled
from mapping.difference import (
    TAX_BASES,
    changed_members,
    same,
    sparse_body,
    touched_by_others,
    with_line_ids,
)
from mapping.payloads import kept_name, map_record, name_member, notes_of
from mapping.rates import WAITING, rate_is_unread
from mapping.results import PartyKey, Problem, Unmappable
from mapping.voids import other_type, stays_void, taken_back, void
from schemas.applied import NOTHING_SENT, Applied, Billed, Notes
from schemas.company import Standing
from schemas.documents import CHOSEN
from schemas.events import Invoice, Step
from schemas.link_state import LinkState
from schemas.observed import Observed


def decide_case(case: Case) -> Decision:
    """Decide what is to be done about a record now."""
    standing = case.standing
    unsynced = why_not_synced(case)
    if unsynced is not None:
        cause, reason = unsynced
        if standing.qbo_id is None:
            return Skip(cause, reason)
        if isinstance(case.record, Invoice) and not is_gone(standing):
            return taken_back(case, cause, reason)
        if (named := _named_by_a_person(case)) is not None:
            return named
        return Nothing(f"stays in QuickBooks as it is: {reason}", cause=cause)
    is_void = isinstance(case.record, Invoice) and case.record.step is Step.VOIDED
    if is_void and standing.qbo_id is None:
        return Skip("void-never-sent", "voided in Kompass before it was ever sent to QuickBooks")
    if is_void and standing.voided and (stays := stays_void(case)) is not None:
        return stays
    if not case.configuration.enabled:
        return not_enabled(case.configuration.org_name)
    if is_void:
        return void(case)
    if isinstance(case.record, Invoice) and standing.qbo_id is not None:
        if is_of_another_type(case):
            if not is_gone(standing):
                return other_type(case)
            if may_be_back(standing):
                return Read(standing.entity or "Invoice", standing.qbo_id)
            return _push(replace(case, standing=compared_with(case)))
        if standing.voided and not standing.overwrite:
            return Fail((conflicts.voided_before(case.record),))
    return _push(case)


def _named_by_a_person(case: Case) -> Decision | None:
    """Give a name that a person chose to a customer or job that Kompass wants no more: another record may need the one that it has."""
    standing, name = case.standing, case.standing.name_override
    if isinstance(case.record, Invoice) or not case.configuration.enabled or is_gone(standing):
        return None
    if not (standing.refresh_names and name and standing.qbo_id and standing.applied) or name == standing.name:
        return None
    if standing.sync_token is None:
        return Read("Customer", standing.qbo_id)
    members = {"DisplayName": name}
    applied = replace(standing.applied, members={**standing.applied.members, **members})
    return Write("update", "Customer", standing.qbo_id, sparse_body(standing, members), applied, name)


def _push(case: Case) -> Decision:
    needed = needed_party(case)
    if (missing := _what_is_missing(case, needed)) is not None:
        return missing
    try:
        mapped = map_record(case, case.configuration, needed)
        held_name = kept_name(case, needed, mapped)
    except Unmappable as unmappable:
        return Fail(unmappable.problems)
    standing = case.standing
    notes = notes_of(case, needed, mapped)
    before = standing.applied or NOTHING_SENT
    # What is left out is not taken away: QuickBooks keeps what it had.
    kept_members = {member for name in mapped.left_out if (member := name.partition(".")[0]) not in mapped.payload}
    payload = {**mapped.payload, **{member: before.members[member] for member in kept_members & before.members.keys()}}
    if held_name is not None:
        payload[name_member(case.record)] = held_name
        held_template = before.notes.template
        notes = notes if held_template is None else replace(notes, template=held_template)
    name = held_name if held_name is not None else mapped.name
    currency = "" if isinstance(case.record, Invoice) else own_currency(case)
    applied = Applied(payload, notes)
    if standing.qbo_id is None:
        return Write("create", mapped.entity, None, payload, applied, name, choices=mapped.choices, currency=currency)
    if standing.applied is None:
        return _adopt(case, applied, currency, mapped.entity)
    changed = changed_members(before.members, payload, line_ids=standing.line_ids)
    emptied = standing.observed is not None and _is_empty_already(standing.observed, changed)
    if emptied:
        del changed["CustomField"]
    if not _same_currency(case, before.members, payload):
        return Fail((conflicts.currency_changed(case.record, before.members.get("CurrencyRef")),))
    if standing.overwrite and standing.observed is not None:
        changed |= _overwritten(standing, standing.observed, payload)
    unknown = isinstance(case.record, Invoice) or (standing.observed is not None and standing.observed.deleted)
    if standing.sync_token is None and (changed or unknown):
        # Somebody else may have written, or was asked to: what is true in the books has to be read first.
        return Read(mapped.entity, standing.qbo_id)
    observed = standing.observed
    if observed is not None and not standing.overwrite:
        if changed and not observed.gone and _says_already(observed, payload, changed):
            return Nothing("QuickBooks agrees", adopt=applied, currency=currency)
        conflict = _conflict(case, observed, payload, changed, mapped.entity)
        if conflict is not None:
            # Nobody is asked by what was so earlier: a payment may have been taken back since. A read names what a credit is applied to.
            # Without a SyncToken, what is observed is what a person was asked about before.
            doubted = bool(changed) or standing.sync_token is None or conflict.cause == conflicts.CREDIT_APPLIED
            asks = doubted and not standing.fresh
            return Read(mapped.entity, standing.qbo_id) if asks else Fail((conflict,))
    if not changed:
        return (
            Nothing("QuickBooks agrees", adopt=applied, currency=currency)
            if emptied
            else _unchanged(standing, applied, currency)
        )
    return Write(
        "update",
        mapped.entity,
        standing.qbo_id,
        sparse_body(standing, changed),
        applied,
        name,
        choices=mapped.choices,
        currency=currency,
    )


def _unchanged(standing: Standing, applied: Applied, currency: str) -> Nothing:
    """Nothing of what was sent has changed: say what is known otherwise than before."""
    before = standing.applied or NOTHING_SENT
    if "DocNumber" in before.members and "DocNumber" not in applied.members:
        # The company numbers its documents itself by now: should it stop, Kompass's number is sent again.
        return Nothing("QuickBooks agrees, under a number of its own", adopt=applied, currency=currency)
    if OF_THE_WHOLE.intersection(standing.kept):
        # Kompass says again what QuickBooks was left with: the choice is over.
        return Nothing("QuickBooks agrees", adopt=applied, currency=currency)
    return Nothing(
        "QuickBooks agrees",
        billed=_billed_otherwise(before.notes, applied.notes),
        left_out=None if before.notes.left_out == applied.notes.left_out else applied.notes.left_out,
    )


def _what_is_missing(case: Case, needed: PartyKey | None) -> Decision | None:
    """What the record rests on and that is not there: its customer or job, or the exchange rate of its day."""
    if needed is not None and (case.party is None or case.party.qbo_id is None):
        if case.party is not None and case.party.state == LinkState.SKIPPED:
            return Fail((conflicts.party_not_synced(case.record, needed.kind.value, case.party.reason),))
        return _wait_for(case, needed)
    if rate_is_unread(case):
        return Wait(WAITING, "waits for QuickBooks' exchange rate of its date")
    return None


def _adopt(case: Case, applied: Applied, currency: str, entity: str) -> Decision:
    """An object that was in QBO before us keeps what it says until Kompass changes a member."""
    standing = case.standing
    assert standing.qbo_id is not None
    if standing.observed is None:
        return Read(entity, standing.qbo_id)
    theirs_currency = standing.observed.document.get("CurrencyRef")
    wanted = case.record.currency if isinstance(case.record, Invoice) else currency
    if isinstance(theirs_currency, Mapping) and theirs_currency.get("value") not in (None, wanted):
        return Fail((conflicts.currency_linked_by_hand(case.record, str(theirs_currency.get("value")), wanted),))
    return Nothing("linked by hand; changes in Kompass go there from now on", adopt=applied, currency=currency)


def _conflict(
    case: Case, observed: Observed, payload: Mapping[str, object], changed: Mapping[str, object], entity: str
) -> Problem | None:
    """What keeps an update from being written, or a record from counting as synced, until a person has chosen."""
    standing = case.standing
    if observed.deleted:
        return conflicts.deleted_in_qbo(case.record, entity, standing.qbo_id)
    if isinstance(case.record, Invoice):
        if observed.voided:
            return conflicts.voided_in_qbo(case.record)
        books = changed_in_books(changed, (standing.applied or NOTHING_SENT).members, observed)
        if books and observed.is_settled:
            return conflicts.paid_in_qbo(case.record, observed, entity, books)
        moved_to = case.record.date if "TxnDate" in books else None
        if books and in_closed_period(case.facts, observed.date, moved_to):
            return conflicts.books_closed(case.record, case.facts, observed, members=books)
        edited = _edited_by_hand(standing, observed, payload, changed)
        if edited:
            return conflicts.edited_in_qbo(case.record, edited)
    if changed:
        return None
    missed = not_taken(payload, observed, apart_from=left_alone(standing.by_hand, standing.kept))
    return conflicts.not_taken(case.record, missed) if missed else None


def _overwritten(standing: Standing, observed: Observed, payload: Mapping[str, object]) -> dict[str, object]:
    """Give the members in which QuickBooks says something else and a person chose what Kompass says."""
    others = {*standing.by_hand, *standing.kept, *(one.member for one in not_taken(payload, observed))}
    if observed.voided:
        # QuickBooks has put "Voided" before the note: it would stand there of a document that is alive.
        others |= {"Line", "PrivateNote"}
    found = {
        member: payload[member]
        for member in others
        if member in payload and not _says_already(observed, payload, (member,))
    }
    if "TxnTaxDetail" in standing.by_hand and "TxnTaxDetail" not in payload and "Line" in payload:
        # QuickBooks computes the tax again of lines that are written.
        found["Line"] = payload["Line"]
    if "Line" in found:
        found["Line"] = with_line_ids(found["Line"], standing.line_ids)
        found |= {member: payload[member] for member in ("GlobalTaxCalculation",) if member in payload}
    return found


def _edited_by_hand(
    standing: Standing, observed: Observed, payload: Mapping[str, object], changed: Mapping[str, object]
) -> tuple[str, ...]:
    """Name the members of the books in which a bookkeeper's edit and Kompass disagree.

    Without a change of ours, what a person chose to keep is no disagreement. A tax that was put in by hand stands until what it is
    computed from is written: the lines, but the date or customer too. Where somebody has the document looked at, and nobody chose yet,
    all that differs is named: also what it was linked with by hand.
    """
    found = []
    looked_at = not changed and standing.fresh and CHOSEN not in standing.kept
    for member in dict.fromkeys(one for one in (*standing.by_hand, *standing.kept) if one in BOOKS):
        if member == "TxnTaxDetail":
            disagrees = looked_at or bool(TAX_BASES & changed.keys())
        elif changed:
            disagrees = member in changed and not _says_already(observed, payload, (member,))
        else:
            asks = looked_at or member not in standing.kept
            disagrees = asks and not _says_already(observed, payload, (member,))
        if disagrees:
            found.append(member)
    return tuple(found)


def _is_empty_already(observed: Observed, changed: Mapping[str, object]) -> bool:
    """Tell whether custom fields are to be emptied that have no value in QuickBooks: one that is not in use there takes not even that."""
    wanted, there = _fields(changed.get("CustomField")), _fields(observed.document.get("CustomField"))
    return bool(wanted) and not any(value or there.get(definition) for definition, value in wanted.items())


def _fields(value: object) -> dict[object, object]:
    rows = value if isinstance(value, list | tuple) else ()
    return {one.get("DefinitionId"): one.get("StringValue") for one in rows if isinstance(one, Mapping)}


def _says_already(observed: Observed, payload: Mapping[str, object], members: Iterable[str]) -> bool:
    """Tell whether QBO has these members as we want them: an update of ours may have arrived without an answer."""
    return all(
        member in payload and not touched_by_others(observed.document, payload, {member: None}) for member in members
    )


def _wait_for(case: Case, needed: PartyKey) -> Wait:
    party, named = case.party, f"{needed.kind.value} {name_of_party(case, needed)}"
    if party is not None and party.state == LinkState.FAILED:
        return Wait(f"{DEPENDENCY}{party.cause}", f"waits for {named}: {party.reason}", needed)
    if party is not None and party.state == LinkState.WAITING and party.cause.startswith(DEPENDENCY):
        return Wait(party.cause, f"waits for {named}, which {party.reason}", needed)
    return Wait("dependency", f"waits for {named} to be in QuickBooks", needed)


def _billed_otherwise(sent: Notes, now: Notes) -> Billed | None:
    """Give what Kompass bills now, if its amounts are others than when it was sent."""
    if now.billed is None or (sent.billed is not None and _amounts(sent.billed) == _amounts(now.billed)):
        return None
    return now.billed


def _amounts(billed: Billed) -> tuple[Decimal, Decimal]:
    return billed.net, billed.tax


def _same_currency(case: Case, applied: Mapping[str, object], payload: Mapping[str, object]) -> bool:
    """Compare currencies; one that is not said is the home currency, as before the company had more than that."""
    home = {"value": case.facts.home_currency}
    return same(applied.get("CurrencyRef", home), payload.get("CurrencyRef", home))
