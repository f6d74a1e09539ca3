"""Taking a document out of the books again: what was voided in Kompass, or is another type of document by now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from mapping import conflicts
from mapping.books import TYPE, VOID, in_closed_period
from mapping.case import Case, is_of_another_type, needed_party
from mapping.decisions import Decision, Fail, Nothing, Read, Withdraw, Write
from mapping.difference import sparse_body, with_line_ids
from mapping.members import DOC_NUMBER
from mapping.payloads import billed, kept_name, map_record
from mapping.rates import rate_is_unread
from mapping.results import Problem, Unmappable
from mapping.texts import folded
from schemas.applied import NOTHING_SENT, Applied
from schemas.events import Invoice, Step
from schemas.observed import Observed, own_lines

_LEFT = "left as it is in QuickBooks, as a person chose"


def void(case: Case) -> Decision:
    """Take a document out of the books that is voided in Kompass, unless the books protect it."""
    standing = case.standing
    assert isinstance(case.record, Invoice)
    assert standing.qbo_id is not None
    entity = standing.entity or "Invoice"
    sent = standing.applied or NOTHING_SENT
    bills = billed(case.record, sent.members, case.facts)
    applied = replace(sent, notes=replace(sent.notes, billed=bills))
    observed = standing.observed
    if observed is not None and observed.gone:
        return _renumbered(case) or Nothing("voided or deleted in QuickBooks, too", voided=True)
    if standing.sync_token is not None and _is_left(case, VOID):
        return Nothing(_LEFT)
    if standing.sync_token is None or (entity == "CreditMemo" and not standing.fresh):
        # Whether applying a credit note raises its SyncToken is not known.
        return Read(entity, standing.qbo_id)
    protected = None if observed is None or standing.overwrite else _protected(case, entity, observed)
    if protected is not None:
        # By what is so now: a payment may have been taken back since.
        return Fail((protected,)) if standing.fresh else Read(entity, standing.qbo_id)
    # The void alone goes now: should the number be another, its answer says so, and the link is decided again.
    name = _other_number(case) or standing.name
    if entity == "Invoice":
        body: Mapping[str, object] = {"Id": standing.qbo_id, "SyncToken": standing.sync_token}
        return Write("void", entity, standing.qbo_id, body, applied, name, voided=True)
    # Intuit has no void for a credit memo: its lines go to zero, and a note says why.
    lines = [_zeroed(line) for line in own_lines(sent.members)]
    note = f"Voided in Kompass. {sent.members.get('PrivateNote', '')}".strip()
    zeroed = {
        "PrivateNote": note,
        "Line": with_line_ids(lines, standing.line_ids),
        **{name: sent.members[name] for name in ("GlobalTaxCalculation",) if name in sent.members},
    }
    return Write(
        "update",
        entity,
        standing.qbo_id,
        sparse_body(standing, zeroed),
        replace(applied, members={**sent.members, "PrivateNote": note, "Line": lines}),
        name,
        voided=True,
    )


def stays_void(case: Case) -> Decision | None:
    """Give what becomes of a document that was voided before; None when it is to be voided again, as a person chose."""
    standing, observed = case.standing, case.standing.observed
    assert isinstance(case.record, Invoice)
    assert standing.qbo_id is not None
    deleted = observed is not None and observed.deleted
    if standing.sync_token is None and not deleted and case.configuration.enabled:
        # A person may have brought it back since.
        return Read(standing.entity or "Invoice", standing.qbo_id)
    if observed is None or deleted or not observed.total:
        return _renumbered(case) or Nothing("voided in QuickBooks", voided=True)
    if _is_left(case, VOID):
        return Nothing(_LEFT)
    return None if standing.overwrite else Fail((conflicts.brought_back(case.record, observed),))


def _renumbered(case: Case) -> Decision | None:
    """Give a void document the number that Kompass has given it since: another one may need the number that it has."""
    standing, number = case.standing, _other_number(case)
    if number is None or standing.observed is None or standing.observed.deleted or not case.configuration.enabled:
        return None
    assert standing.qbo_id is not None
    entity, sent = standing.entity or "Invoice", standing.applied or NOTHING_SENT
    if standing.sync_token is None:
        return Read(entity, standing.qbo_id)
    applied = replace(sent, members={**sent.members, "DocNumber": number})
    body = sparse_body(standing, {"DocNumber": number})
    return Write("update", entity, standing.qbo_id, body, applied, number, voided=True)


def _other_number(case: Case) -> str | None:
    """Give the number of a void document if Kompass has changed it since it was sent, and QuickBooks takes another."""
    sent = (case.standing.applied or NOTHING_SENT).members.get("DocNumber")
    needed, observed = needed_party(case), case.standing.observed
    if not isinstance(sent, str) or is_of_another_type(case) or needed is None:
        return None
    if case.party is None or case.party.qbo_id is None or rate_is_unread(case):
        return None
    if observed is not None and in_closed_period(case.facts, observed.date):
        return None
    try:
        mapped = map_record(case, case.configuration, needed)
        held = kept_name(case, needed, mapped)
    except Unmappable:
        return None
    number = mapped.payload.get("DocNumber") if held is None else held
    return number if isinstance(number, str) and number != sent else None


def taken_back(case: Case, cause: str, reason: str) -> Decision:
    """Leave a document to the people whom the mail asks to void it; in a closed period, where they cannot, a person chooses."""
    standing, observed = case.standing, case.standing.observed
    assert isinstance(case.record, Invoice)
    assert standing.qbo_id is not None
    closed = observed is not None and in_closed_period(case.facts, observed.date)
    if observed is None or not closed or not case.configuration.enabled:
        return Withdraw(cause, reason)
    if standing.sync_token is None:
        return Read(standing.entity or "Invoice", standing.qbo_id)
    if _is_left(replace(case, record=replace(case.record, step=Step.VOIDED)), VOID):
        return Nothing(_LEFT)
    if not standing.fresh:
        return Read(standing.entity or "Invoice", standing.qbo_id)
    return Fail((conflicts.books_closed(case.record, case.facts, observed, taken_back=reason),))


def other_type(case: Case) -> Decision:
    """A document that was sent as an invoice is a credit note by now, or the other way round.

    QuickBooks cannot turn one into the other, and the sum of the former stays in the books until a person takes it out.
    """
    standing = case.standing
    assert isinstance(case.record, Invoice)
    assert standing.qbo_id is not None
    entity = standing.entity or "Invoice"
    if standing.sync_token is None:
        return Read(entity, standing.qbo_id)
    if _is_left(case, TYPE):
        return Nothing(_LEFT)
    if standing.overwrite and standing.observed is not None:
        return _give_way(case, entity, standing.observed)
    # What a person is asked about is what is so now: a payment may be on it by now, or a hand may have taken it out.
    if not standing.fresh or standing.observed is None:
        return Read(entity, standing.qbo_id)
    return Fail((conflicts.type_changed(case.record, entity, standing.observed),))


def _is_left(case: Case, choice: str) -> bool:
    """Whether a person chose to leave the whole document as QuickBooks has it, and Kompass bills what it did then."""
    standing = case.standing
    assert isinstance(case.record, Invoice)
    sent = standing.applied or NOTHING_SENT
    now = billed(case.record, sent.members, case.facts)
    return choice in standing.kept and not standing.overwrite and sent.notes.billed == now


def _give_way(case: Case, entity: str, observed: Observed) -> Decision:
    """Void the former document of a record whose type changed, as a person chose; its number goes first, since a void keeps it."""
    standing = case.standing
    assert isinstance(case.record, Invoice)
    assert standing.qbo_id is not None
    protected = _protected(case, entity, observed)
    if protected is not None:
        return Fail((protected,)) if standing.fresh else Read(entity, standing.qbo_id)
    applied = _without_billed(standing.applied or NOTHING_SENT)
    number = applied.members.get("DocNumber")
    mark = f" void {standing.qbo_id}"
    if isinstance(number, str) and folded(number) == folded(observed.name) and not number.endswith(mark):
        former = f"{number[: DOC_NUMBER - len(mark)].rstrip()}{mark}"
        sent = replace(applied, members={**applied.members, "DocNumber": former})
        body = sparse_body(standing, {"DocNumber": former})
        return Write("update", entity, standing.qbo_id, body, sent, former, temporary=conflicts.TYPE_CHANGED)
    decision = void(case)
    if not isinstance(decision, Write):
        return decision
    # What Kompass bills now is the other document's.
    return replace(decision, applied=_without_billed(decision.applied), temporary=conflicts.TYPE_CHANGED)


def _without_billed(applied: Applied) -> Applied:
    return replace(applied, notes=replace(applied.notes, billed=None))


def _protected(case: Case, entity: str, observed: Observed) -> Problem | None:
    """What keeps a document from being voided: a payment or credit on it, or a closed period."""
    assert isinstance(case.record, Invoice)
    members = (TYPE if is_of_another_type(case) else "Line",)
    if observed.is_settled:
        return conflicts.paid_in_qbo(case.record, observed, entity, members)
    if in_closed_period(case.facts, observed.date):
        return conflicts.books_closed(case.record, case.facts, observed, members=members)
    return None


def _zeroed(line: Mapping[str, object]) -> dict[str, object]:
    detail = line.get("SalesItemLineDetail")
    zero = {**line, "Amount": Decimal(0)}
    if isinstance(detail, Mapping):
        zero["SalesItemLineDetail"] = {key: value for key, value in detail.items() if key not in ("Qty", "UnitPrice")}
    return zero
