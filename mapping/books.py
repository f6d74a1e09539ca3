"""What the books protect, and where QuickBooks' answer is not what was asked for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mapping.difference import TAX_BASES, holds, same, tax_overridden, tax_shares, touched_by_others
from schemas.company import CompanyFacts
from schemas.counting import counted
from schemas.documents import CHOSEN
from schemas.observed import Observed, own_lines, part, rows

BOOKS: Final = frozenset(
    {"Line", "GlobalTaxCalculation", "TxnTaxDetail", "CustomerRef", "TxnDate", "CurrencyRef", "ExchangeRate"}
)
"""Members that change the books. Texts, addresses, numbers and due dates do not."""
_TEXTS_OF_A_LINE: Final = frozenset({"Description", "Id", "LineNum"})


def changed_in_books(
    changed: Mapping[str, object], applied: Mapping[str, object], observed: Observed
) -> tuple[str, ...]:
    """Name those members of an update that would change the books, as they are in QuickBooks now."""
    named = []
    for member, value in changed.items():
        if member not in BOOKS or member == "GlobalTaxCalculation":
            continue
        if member == "Line" and _same_amounts(applied.get("Line"), value):
            continue
        if member != "Line" and holds(observed.document.get(member), value):
            continue
        named.append(member)
    return tuple(named)


def _same_amounts(before: object, now: object) -> bool:
    """Whether two sets of lines differ in their texts alone."""
    return same([_plain(one) for one in rows(before)], [_plain(one) for one in rows(now)])


def _plain(line: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in line.items() if name not in _TEXTS_OF_A_LINE}


def in_closed_period(facts: CompanyFacts, *dates: dt.date | None) -> bool:
    """Whether one of these dates lies in a period whose books are closed."""
    closed = facts.book_close_date
    return closed is not None and any(date is not None and date <= closed for date in dates)


@dataclass(frozen=True, slots=True)
class NotTaken:
    """A member that QuickBooks answered otherwise than it was asked for, without a refusal."""

    cause: str
    """``not-taken:number``: stable, what people are notified by."""
    member: str
    asked: str
    answered: str
    reason: str
    """The probable reason, completing "probably because …"."""


def not_taken(
    payload: Mapping[str, object], observed: Observed, *, apart_from: Iterable[str] = ()
) -> tuple[NotTaken, ...]:
    """Compare what was asked for with what QuickBooks has, member by member of what we own.

    Totals and tax are not among them: QuickBooks computes those (`mapping.cents`). Addresses, emails and notes are not either:
    QuickBooks may write them in a form of its own, and a bookkeeper may change them.
    """
    document, left_out = observed.document, frozenset(apart_from)
    found = []
    for member, (cause, reason) in _MEMBERS.items():
        if member in left_out or member not in payload:
            continue
        asked, answered = payload[member], document.get(member)
        if not holds(answered, asked) and not (member == "CurrencyRef" and answered is None):
            found.append(NotTaken(cause, member, _shown(asked), _shown(answered), reason))
    if (
        "DocNumber" not in payload
        and "DocNumber" not in left_out
        and "CustomerRef" in payload
        and not document.get("DocNumber")
    ):
        found.append(
            NotTaken(
                "not-taken:number", "DocNumber", "a number by QuickBooks", "none",
                "custom transaction numbers were switched on in QuickBooks",
            )
        )  # fmt: skip
    if "Line" in payload and "Line" not in left_out:
        found += _lines_not_taken(rows(payload["Line"]), own_lines(document))
    if "CustomField" in payload and "CustomField" not in left_out:
        found += _fields_not_taken(rows(payload["CustomField"]), rows(document.get("CustomField")))
    return tuple(found)


_WHO_PAYS: Final = frozenset({"ParentRef", "Job"})


def left_alone(by_hand: Sequence[str], kept: Sequence[str]) -> tuple[str, ...]:
    """Name the members that are no difference although they differ: edited there and not changed by us, or kept as a person chose.

    Whom a sub-customer belongs to is a difference all the same: that customer pays for it.
    """
    return (*(member for member in by_hand if member not in _WHO_PAYS), *kept)


def made_by_hand(
    applied: Mapping[str, object], before: Observed | None, now: Observed, *, known: Sequence[str], tax: Decimal | None
) -> list[str]:
    """Give the members that are somebody else's by now: changed since an earlier answer, and not back at what we sent.

    ``known`` are those that were so before; ``tax`` is what QuickBooks came to at our last write.
    """
    differing = set(edited_since_sent(applied, now))
    if before is not None and not before.deleted:
        differing &= {*known, *edited(before, now)}
    # After a write beside it, ``tax`` is what was put in by hand: that it was, is known.
    stays = "TxnTaxDetail" in known and before is not None and before.tax == now.tax
    moved = before is not None and _tax_moved(before, now)
    # Of lines that somebody typed, ``tax`` says nothing of ours, should those be there again.
    of_ours = before is None or not touched_by_others(before.document, applied, {"Line": None})
    if stays or moved or (of_ours and tax_overridden(now.document, applied, tax)):
        differing.add("TxnTaxDetail")
    return sorted(differing)


def _tax_moved(before: Observed, now: Observed) -> bool:
    """Whether a person gave a part of the tax to another of its rates, as from GST to QST. What it is computed from is as it was."""
    if before.deleted or before.tax != now.tax or TAX_BASES.intersection(edited(before, now)):
        return False
    return not same(tax_shares(before.document), tax_shares(now.document))


def edited(before: Observed, now: Observed) -> tuple[str, ...]:
    """Name the members that a person changed in QuickBooks between two answers."""
    return tuple(
        member
        for member in (*_MEMBERS, "DueDate", "CustomField", "Line")
        if not same(_value(before.document, member), _value(now.document, member))
    )


VOID = "Void"
"""Stands among the members that a person chose to keep for a void in Kompass that does not go to QuickBooks."""
TYPE = "Type"
"""Stands among them for a document that stays what it was sent as, an invoice or a credit note, although Kompass changed its type."""
OF_THE_WHOLE = frozenset({VOID, TYPE})
"""What a person chose about the whole document: it is over once Kompass's side is in QuickBooks."""
_NO_MEMBERS = OF_THE_WHOLE | {CHOSEN}


def still_kept(kept: Sequence[str], before: Observed | None, now: Observed) -> tuple[list[str], list[str]]:
    """Give what is kept of an object that was read again, and the members that are not any more.

    The choice was of what the person saw: another edit of what the books say ends it, also one of another member.
    """
    if before is None or not kept:
        return list(kept), []
    as_it_was = (before.total, before.tax) == (now.total, now.tax) and not _tax_moved(before, now)
    if as_it_was and all(_value(before.document, one) == _value(now.document, one) for one in (*BOOKS, *kept)):
        return list(kept), []
    return [], [one for one in kept if one not in _NO_MEMBERS]


def edited_since_sent(applied: Mapping[str, object], now: Observed) -> tuple[str, ...]:
    """Name the members that are not what we sent, of an object of which no earlier answer is known."""
    return tuple(
        member
        for member in (*_MEMBERS, "DueDate", "CustomField", "Line")
        if member in applied and touched_by_others(now.document, applied, {member: None})
    )


def _value(document: Mapping[str, object], member: str) -> object:
    """Give what is compared of a member: without names of references, Ids and the subtotal, which are QuickBooks' own."""
    value = document.get(member)
    if member == "Line":
        return [
            {
                "Amount": line.get("Amount"),
                "Description": line.get("Description"),
                **{name: _plain_reference(detail.get(name)) for name in (*_LINE_MEMBERS, "Qty", "UnitPrice")},
            }
            for line in own_lines(document)
            for detail in (part(line, "SalesItemLineDetail"),)
        ]
    if member == "CustomField":
        return {str(one.get("DefinitionId")): one.get("StringValue") for one in rows(value) if one.get("StringValue")}
    return _plain_reference(value)


def _plain_reference(value: object) -> object:
    return value.get("value") if isinstance(value, Mapping) else value


_MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "DocNumber": ("not-taken:number", "custom transaction numbers were switched off in QuickBooks"),
    "CustomerRef": ("not-taken:customer", "the customer was merged into another one in QuickBooks"),
    "TxnDate": ("not-taken:date", "a setting of the company moved it"),
    "CurrencyRef": ("not-taken:currency", "multicurrency was switched off in QuickBooks"),
    "ExchangeRate": ("not-taken:exchange-rate", "QuickBooks put in another exchange rate"),
    "ClassRef": ("not-taken:class", "class tracking was switched off or moved to the lines in QuickBooks"),
    "DisplayName": ("not-taken:name", "QuickBooks writes the name otherwise"),
    "ParentRef": ("not-taken:parent", "it was moved, or its customer was merged into another one, in QuickBooks"),
    "Job": ("not-taken:parent", "QuickBooks made it a customer of its own"),
}


def _lines_not_taken(asked: Sequence[Mapping[str, object]], answered: Sequence[Mapping[str, object]]) -> list[NotTaken]:
    if len(asked) != len(answered):
        return [
            NotTaken(
                "not-taken:lines",
                "Line",
                counted(len(asked), "line"),
                counted(len(answered), "line"),
                "a line was dropped",
            )
        ]
    found: dict[str, NotTaken] = {}
    for number, (ours, theirs) in enumerate(zip(asked, answered, strict=True), 1):
        if not same(ours.get("Amount"), theirs.get("Amount")):
            found.setdefault(
                "Amount",
                NotTaken(
                    "not-taken:lines", "Line", f"amount {ours.get('Amount')} in line {number}", _shown(theirs.get("Amount")),
                    "QuickBooks computed another amount",
                ),
            )  # fmt: skip
        our_detail, their_detail = part(ours, "SalesItemLineDetail"), part(theirs, "SalesItemLineDetail")
        for member, (cause, reason) in _LINE_MEMBERS.items():
            if member in our_detail and not holds(their_detail.get(member), our_detail[member]):
                asked_for = f"{_shown(our_detail[member])} in line {number}"
                found.setdefault(member, NotTaken(cause, "Line", asked_for, _shown(their_detail.get(member)), reason))
    return list(found.values())


_LINE_MEMBERS: Final[Mapping[str, tuple[str, str]]] = {
    "ItemRef": ("not-taken:item", "the item was merged into another one in QuickBooks"),
    "ClassRef": ("not-taken:class", "class tracking was switched off or moved to the whole document in QuickBooks"),
    "TaxCodeRef": ("not-taken:tax-code", "sales tax was switched off, or is automated, in QuickBooks"),
}


def _fields_not_taken(
    asked: Sequence[Mapping[str, object]], answered: Sequence[Mapping[str, object]]
) -> list[NotTaken]:
    values = {str(one.get("DefinitionId")): one.get("StringValue") for one in answered}
    for one in asked:
        wanted = one.get("StringValue")
        there = values.get(str(one.get("DefinitionId")))
        if wanted != there and (wanted or there):
            reason = "the custom field was switched off or renamed in QuickBooks"
            return [NotTaken("not-taken:custom-field", "CustomField", _shown(wanted), _shown(there), reason)]
    return []


def details(document: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Give what the lines of a document say of their items."""
    return [part(line, "SalesItemLineDetail") for line in rows(document.get("Line"))]


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        value = value.get("value")
    return "none" if value in (None, "") else str(value)
