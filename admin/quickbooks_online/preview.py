"""Preview: what would be sent now, beside what was sent last, with the reason of every choice. No call is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from admin.quickbooks_online.naming import NO_NAMES, Names
from mapping.decisions import Fail, Nothing, Read, Skip, Wait, Withdraw, Write
from mapping.results import Choice, Problem
from schemas.applied import NOTHING_SENT
from store.sql import dumps
from sync.decide import Prediction

LABELS: Mapping[str, str] = {
    "Active": "Active", "BillAddr": "Billing address", "BillEmail": "Email", "CompanyName": "Company name", "CurrencyRef": "Currency",
    "CustomField": "Custom fields", "CustomerMemo": "Message", "CustomerRef": "Customer", "DisplayName": "Name", "DocNumber": "Number",
    "DueDate": "Due date", "ExchangeRate": "Exchange rate", "GlobalTaxCalculation": "Tax calculation", "Line": "Lines",
    "Notes": "Notes", "ParentRef": "Parent customer", "PrimaryEmailAddr": "Email", "PrimaryPhone": "Phone", "PrivateNote": "Private note",
    "ShipAddr": "Shipping address", "TxnDate": "Date", "TxnTaxDetail": "Tax",
}  # fmt: skip
_DAYS = ("TxnDate", "DueDate")


@dataclass(frozen=True, slots=True)
class Difference:
    member: str
    before: str
    now: str

    @property
    def changed(self) -> bool:
        return self.before != self.now

    @property
    def label(self) -> str:
        """What a bookkeeper calls the member."""
        return LABELS.get(self.member, self.member)


@dataclass(frozen=True, slots=True)
class Preview:
    headline: str
    tone: str
    """good | calm | bad: how the headline is coloured."""
    explanation: str = ""
    differences: tuple[Difference, ...] = ()
    choices: tuple[Choice, ...] = ()
    problems: tuple[Problem, ...] = ()
    body: str = ""
    """The very body of the call, as JSON."""
    assumed: str = ""
    agrees: bool = False
    """QuickBooks has it as Kompass says."""
    details: Mapping[str, str] = field(default_factory=dict)


def preview_of(predicted: Prediction) -> Preview:
    decision, assumed = predicted.outcome, _sentences(predicted.assumed)
    match decision:
        case Write():
            names = Names(predicted.link.realm_id)
            verb = {"create": "would be created", "update": "would be updated", "void": "would be voided"}
            return Preview(
                headline=f"{decision.entity} {decision.name or ''} {verb[decision.operation]} in QuickBooks".replace(
                    "  ", " "
                ),
                tone="good",
                differences=differences(
                    (predicted.link.applied or NOTHING_SENT).members, decision.applied.members, names
                ),
                choices=tuple(_named(choice, names) for choice in decision.choices),
                body=pretty(decision.body),
                assumed=assumed,
            )
        case Fail():
            return Preview(
                headline="Cannot be sent: fix the problem first",
                tone="bad",
                problems=decision.problems,
            )
        case Nothing():
            return Preview(
                headline="Nothing would be sent", tone="calm", explanation=_sentence(decision.reason), agrees=True
            )
        case Skip() | Withdraw():
            return Preview(headline="It is not to be synced", tone="calm", explanation=_sentence(decision.reason))
        case Wait():
            return Preview(headline="It waits", tone="calm", explanation=_sentence(decision.reason))
        case Read():
            return Preview(
                headline="It would be read again first",
                tone="calm",
                explanation=f"{decision.entity} {decision.object_id} was changed or linked in QuickBooks since Kompass "
                "last saw it; Kompass reads it before deciding what to send.",
            )


def _named(choice: Choice, names: Names) -> Choice:
    """Give a choice with a name in place of an id: of ``Line[1].ItemRef`` the item's."""
    return replace(choice, value=names.of(choice.member.rpartition(".")[2], choice.value))


def _sentences(words: Sequence[str]) -> str:
    return " ".join(map(_sentence, words))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def differences(
    before: Mapping[str, object], now: Mapping[str, object], names: Names = NO_NAMES
) -> tuple[Difference, ...]:
    """Member by member, in the order of the payload."""
    members = (*now, *(name for name in before if name not in now))
    return tuple(
        Difference(name, shown(before.get(name), names, name), shown(now.get(name), names, name)) for name in members
    )


def shown(value: object, names: Names = NO_NAMES, member: str = "") -> str:
    """Give a member's value for people: lines and addresses in words, names for ids, in one order, so that alike looks alike."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _day(value) if member in _DAYS else value
    if isinstance(value, list | tuple):
        return _lines(value, names)
    if isinstance(value, Mapping):
        if set(value) <= {"value", "name"}:
            return names.of(member, str(value.get("value", "")))
        if len(value) == 1:
            return shown(next(iter(value.values())), names, member)
        if set(value) <= {*_ADDRESS, "Id"}:
            return "\n".join(str(value[part]) for part in _ADDRESS if value.get(part))
    return pretty(value)


def _day(text: str) -> str:
    try:
        return f"{date.fromisoformat(text):%-d %b %Y}"
    except ValueError:
        return text


_ADDRESS = ("Line1", "Line2", "Line3", "Line4", "Line5", "City", "CountrySubDivisionCode", "PostalCode", "Country")


def _lines(rows: Sequence[object], names: Names) -> str:
    written = [_line(row, names) for row in rows if isinstance(row, Mapping)]
    return "\n\n".join(line for line in written if line)


def _line(row: Mapping[str, object], names: Names) -> str:
    if "DefinitionId" in row:
        field = names.of("DefinitionId", str(row["DefinitionId"]))
        return f"{field}: {row['StringValue']}" if row.get("StringValue") else ""
    if row.get("DetailType") == "SubTotalLineDetail":
        return ""
    detail = row.get("SalesItemLineDetail")
    if not isinstance(detail, Mapping):
        return pretty(row)
    parts = [str(row.get("Description") or "").replace("\n", " / "), _amount(row.get("Amount"))]
    if detail.get("Qty") is not None and detail.get("UnitPrice") is not None:
        parts[1] += f" ({_amount(detail['Qty'], plain=True)} × {_amount(detail['UnitPrice'], plain=True)})"
    for member, label in (("ItemRef", "item"), ("ClassRef", "class"), ("TaxCodeRef", "tax code")):
        reference = detail.get(member)
        if isinstance(reference, Mapping) and reference.get("value") not in (None, ""):
            parts.append(f"{label} {names.of(member, str(reference['value']))}")
    return "\n".join(part for part in parts if part)


def _amount(value: object, *, plain: bool = False) -> str:
    try:
        number = Decimal(str(value))
    except ArithmeticError:
        return "" if value is None else str(value)
    return f"{number.normalize():f}" if plain else f"{number:,.2f}"


def pretty(value: object) -> str:
    return json.dumps(json.loads(dumps(value), parse_float=_AsWritten), indent=2, ensure_ascii=False)


class _AsWritten(float):
    """A number that is written with the digits it came with."""

    def __new__(cls, text: str) -> _AsWritten:
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text
