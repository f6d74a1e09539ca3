"""What changed on our side since we last sent: the members of a sparse update, and what a stranger's write means for them.

A sparse update leaves out what did not change, so a bookkeeper's edits survive until Kompass changes that very member. `Line` is the
exception QBO makes: an array that is sent replaces all lines, so it travels whole, with the Ids QBO gave, or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from schemas.applied import NOTHING_SENT
from schemas.company import Standing
from schemas.observed import amount, own_lines, part, reference, rows

# How a member that we no longer want is cleared. A full update would null it; in a sparse one it has to be said.
_BLANK: Mapping[str, object] = {
    "PrimaryEmailAddr": {"Address": ""},
    "BillEmail": {"Address": ""},
    "PrimaryPhone": {"FreeFormNumber": ""},
    "WebAddr": {"URI": ""},
    "CustomerMemo": {"value": ""},
}
_ADDRESSES = frozenset({"BillAddr", "ShipAddr"})
_TAX_MEMBERS = ("GlobalTaxCalculation", "TxnTaxDetail")
# Never sent again once the object exists: QBO fixes them at creation or numbers them itself.
_FIXED = frozenset({"CurrencyRef"})
# QBO masks it in every answer (XXXXXX6789): never compared, and never sent again once the object exists.
_MASKED = frozenset({"PrimaryTaxIdentifier"})
# Left out, QBO keeps or chooses a rate of its own, computes the tax of the lines that go with it, and numbers the document itself.
_NEVER_CLEARED = frozenset({"ExchangeRate", "TxnTaxDetail", "DocNumber"})


def same(one: object, other: object) -> bool:
    """Compare two JSON values; numbers by value, so that 10.50 read back as 10.5 is no change."""
    # Most values are text, and asking whether something is a mapping costs ten times as much.
    if isinstance(one, str):
        return one == other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | Decimal) and isinstance(other, int | Decimal):
        return Decimal(one) == Decimal(other)
    return one == other


def holds(observed: object, ours: object) -> bool:
    """Tell whether QBO's value still says what ours said; QBO adds members of its own (a reference's name, an address's Id)."""
    if isinstance(ours, str):
        return observed == ours
    if isinstance(ours, Mapping):
        return isinstance(observed, Mapping) and all(
            holds(observed.get(key), value) or (value == "" and observed.get(key) is None)
            for key, value in ours.items()
            if key not in _MASKED
        )
    if isinstance(ours, list | tuple):
        return isinstance(observed, list | tuple) and len(observed) == len(ours) and all(map(holds, observed, ours))
    return same(observed, ours)


def _cleared(member: str, before: object) -> object:
    if member in _BLANK:
        return _BLANK[member]
    if isinstance(before, Mapping):
        return dict.fromkeys(before, "")
    return ""


def _addressed(before: object, now: object) -> object:
    """Give the whole address: whether QBO merges the members of an address is not documented, so none is left to chance."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return {**dict.fromkeys(before, ""), **now}
    return now


def _fields(before: object, now: object) -> object:
    """Custom fields by DefinitionId: one that is gone is sent with an empty value."""
    wanted = [dict(field) for field in now if isinstance(field, Mapping)] if isinstance(now, list | tuple) else []
    present = {field.get("DefinitionId") for field in wanted}
    if isinstance(before, list | tuple):
        wanted += [
            {**field, "StringValue": ""}
            for field in before
            if isinstance(field, Mapping) and field.get("DefinitionId") not in present
        ]
    return wanted


def with_line_ids(lines: object, line_ids: Sequence[str]) -> object:
    """Give the lines the Ids under which QBO knows them, by position; a line beyond those is new."""
    if not isinstance(lines, list | tuple):
        return lines
    return [
        {"Id": line_ids[index], **line} if index < len(line_ids) and isinstance(line, Mapping) else line
        for index, line in enumerate(lines)
    ]


def changed_members(
    applied: Mapping[str, object], payload: Mapping[str, object], *, line_ids: Sequence[str] = ()
) -> dict[str, object]:
    """Give the members of a sparse update that turns what was sent into the payload; empty when nothing changed."""
    changed: dict[str, object] = {}
    for member, value in payload.items():
        before = applied.get(member)
        if member in _FIXED | _MASKED or same(before, value):
            continue
        if member == "Line":
            changed[member] = with_line_ids(value, line_ids)
        elif member in _ADDRESSES:
            changed[member] = _addressed(before, value)
        elif member == "CustomField":
            changed[member] = _fields(before, value)
        else:
            changed[member] = value
    for member, before in applied.items():
        if member in payload or member in _FIXED | _MASKED | _NEVER_CLEARED:
            continue
        changed[member] = _fields(before, None) if member == "CustomField" else _cleared(member, before)
    if "Line" in changed:
        # New lines are read under the tax mode they were made for.
        changed.update({member: payload[member] for member in _TAX_MEMBERS if member in payload})
    return changed


def sparse_body(standing: Standing, members: Mapping[str, object]) -> dict[str, object]:
    """Make the body of a sparse update. Lines go with their document's customer, without which QuickBooks may refuse them (2020)."""
    changed = dict(members)
    if "Line" in changed and "CustomerRef" not in changed:
        there = standing.observed.document if standing.observed is not None else {}
        customer = there.get("CustomerRef") or (standing.applied or NOTHING_SENT).members.get("CustomerRef")
        if isinstance(customer, Mapping):
            changed["CustomerRef"] = {"value": customer["value"]}
    return {"Id": standing.qbo_id, "SyncToken": standing.sync_token, "sparse": True, **changed}


def touched_by_others(
    observed: Mapping[str, object], applied: Mapping[str, object], members: Mapping[str, object]
) -> tuple[str, ...]:
    """Name those of ``members`` whose value in QBO is no longer the one we sent."""
    touched = []
    for member in members:
        before = applied.get(member)
        if member == "Line":
            if not holds(own_lines(observed), [_without_blank_code(line) for line in own_lines(applied)]):
                touched.append(member)
        elif before is not None and not holds(observed.get(member), comparable(member, before)):
            touched.append(member)
    return tuple(touched)


def comparable(member: str, value: object) -> object:
    """Give what is compared of a member: QuickBooks may answer the country of an address as a code of its own."""
    if member in _ADDRESSES and isinstance(value, Mapping):
        return {name: part for name, part in value.items() if name != "Country"}
    return value


# What QBO computes the tax of a document from: a write of any of these undoes a tax that was put in by hand.
TAX_BASES = frozenset({"Line", "GlobalTaxCalculation", "TxnTaxDetail", "TxnDate", "CustomerRef", "ShipAddr"})


def tax_overridden(observed: Mapping[str, object], applied: Mapping[str, object], qbo_tax: Decimal | None) -> bool:
    """Whether the lines are still those we sent, but the tax no longer the one QBO made of them (``qbo_tax``; None: not known).

    Other lines make QBO compute another tax: then it is the lines that were edited.
    """
    found = amount(part(observed, "TxnTaxDetail"), "TotalTax")
    if qbo_tax is None or found is None:
        return False
    return found != qbo_tax and not touched_by_others(observed, applied, {"Line": None})


def tax_shares(document: Mapping[str, object]) -> dict[str, object]:
    """Give what each tax rate has of a document's tax, by the rate's Id."""
    lines = rows(part(document, "TxnTaxDetail").get("TaxLine"))
    named = ((reference(part(line, "TaxLineDetail"), "TaxRateRef"), line) for line in lines)
    return {rate: line.get("Amount") for rate, line in named if rate}


def _without_blank_code(line: Mapping[str, object]) -> Mapping[str, object]:
    return {key: value for key, value in line.items() if key != "LineNum"}
