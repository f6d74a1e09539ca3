"""A document as QuickBooks has it, read for the agreement sheet."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from mapping.invoice import marked_id
from mapping.money import half_up
from mapping.sheet import Amounts, CodeAmount, Side
from schemas.company import CompanyFacts
from schemas.observed import Observed, amount, part, reference, rows

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Booked:
    """Signed as in Kompass: a credit memo is below zero."""

    entity: str
    id: str
    number: str
    date: dt.date
    currency: str
    amounts: Amounts
    due: str = ""
    """The due date; empty when the answer has none."""
    customer_id: str = ""
    customer_name: str = ""
    exchange_rate: Decimal | None = None
    """Home units for one of the currency; None when the answer has none."""
    home: Decimal | None = None
    """Gross in the home currency."""
    marked: str | None = None
    """The Kompass id that its private note names."""
    nets: tuple[tuple[str, Decimal], ...] = ()
    """(tax code id, net) of its lines, each code once; the id is empty for lines without."""
    taxes: tuple[tuple[str, Decimal], ...] = ()
    """(tax rate id, tax), each rate once."""
    items: tuple[tuple[str, Decimal], ...] = ()
    """(item id, net) of its lines, each item once."""
    voided: bool = False

    def side(self, facts: CompanyFacts) -> Side:
        return Side(self.amounts, self.home, self._codes(facts))

    def _codes(self, facts: CompanyFacts) -> tuple[CodeAmount, ...]:
        nets = dict(self.nets)
        # A discount or shipping that was typed there has no line of ours.
        left = self.amounts.net - sum(nets.values(), _ZERO)
        if left:
            nets[""] = nets.get("", _ZERO) + left
        taxes = dict.fromkeys(nets, _ZERO)
        for rate, tax in self.taxes:
            using = [code for code in nets if _charges(code, rate, facts)]
            for code, share in _shared(using, tax, nets, rate, facts, self.date).items():
                taxes[code] = taxes.get(code, _ZERO) + share
        rest = self.amounts.tax - sum(taxes.values(), _ZERO)
        if rest:
            first = next(iter(nets), "")
            taxes[first] = taxes.get(first, _ZERO) + rest
        return tuple(
            CodeAmount(_name(code, facts), nets.get(code, _ZERO), taxes.get(code, _ZERO), code)
            for code in {**nets, **taxes}
        )


def _name(code: str, facts: CompanyFacts) -> str:
    fact = facts.tax_codes.get(code)
    return code if fact is None else fact.name


def _charges(code: str, rate: str, facts: CompanyFacts) -> bool:
    fact = facts.tax_codes.get(code)
    return fact is not None and any(one.id == rate for one in fact.charged())


def _shared(
    using: list[str], tax: Decimal, nets: Mapping[str, Decimal], rate: str, facts: CompanyFacts, day: dt.date
) -> dict[str, Decimal]:
    """A rate's tax by code: what each code's net comes to, the last one taking what is left."""
    shares: dict[str, Decimal] = {}
    for code in using[:-1]:
        percent = next((one.on(day) for one in facts.tax_codes[code].charged() if one.id == rate), None)
        shares[code] = half_up(nets[code] * (percent or _ZERO) / 100)
    if using:
        shares[using[-1]] = tax - sum(shares.values(), _ZERO)
    return shares


def booked_by_key(
    documents: Iterable[tuple[str, Mapping[str, object]]], *, home_currency: str
) -> dict[tuple[str, str], Booked]:
    """Read QuickBooks' documents, each with its entity, by entity and Id."""
    read = (booked_of(entity, document, home_currency=home_currency) for entity, document in documents)
    return {(one.entity, one.id): one for one in read}


def booked_of(entity: str, document: Mapping[str, object], *, home_currency: str) -> Booked:
    """Read a document of QuickBooks'."""
    sign = -1 if entity == "CreditMemo" else 1
    gross = amount(document, "TotalAmt") or _ZERO
    tax_detail = part(document, "TxnTaxDetail")
    tax = amount(tax_detail, "TotalTax") or _ZERO
    currency = reference(document, "CurrencyRef") or home_currency
    rate = Decimal(1) if currency == home_currency else amount(document, "ExchangeRate")
    home = amount(document, "HomeTotalAmt")
    if currency == home_currency:
        home = gross
    elif home is None and rate is not None:
        home = half_up(gross * rate)
    note = str(document.get("PrivateNote") or "")
    return Booked(
        entity=entity,
        id=str(document["Id"]),
        number=str(document.get("DocNumber") or ""),
        date=dt.date.fromisoformat(str(document["TxnDate"])),
        currency=currency,
        amounts=Amounts(sign * (gross - tax) + 0, sign * tax + 0, sign * gross + 0),
        due=str(document.get("DueDate") or ""),
        customer_id=reference(document, "CustomerRef"),
        customer_name=str(part(document, "CustomerRef").get("name") or ""),
        exchange_rate=rate,
        home=None if home is None else sign * home + 0,
        marked=marked_id(note),
        # TAX and NON of the USA are no codes of a Tax Code VAT Rate.
        nets=_sums(
            ("" if code in ("TAX", "NON") else code, sign * net) for code, net in line_nets(document, "TaxCodeRef")
        ),
        items=_sums((item, sign * net) for item, net in line_nets(document, "ItemRef")),
        taxes=_sums((rate, sign * net) for rate, net in _rate_taxes(tax_detail)),
        voided=Observed(document).voided,
    )


def line_nets(document: Mapping[str, object], member: str) -> Iterable[tuple[str, Decimal]]:
    """Give what each line of a document refers to by a member of its detail, and its net, as we send it or as it is answered."""
    for line in rows(document.get("Line")):
        if "SalesItemLineDetail" in line:
            yield reference(part(line, "SalesItemLineDetail"), member), amount(line, "Amount") or _ZERO


def _rate_taxes(detail: Mapping[str, object]) -> Iterable[tuple[str, Decimal]]:
    for line in rows(detail.get("TaxLine")):
        if rate := reference(part(line, "TaxLineDetail"), "TaxRateRef"):
            yield rate, amount(line, "Amount") or _ZERO


def _sums(parts: Iterable[tuple[str, Decimal]]) -> tuple[tuple[str, Decimal], ...]:
    made: dict[str, Decimal] = {}
    for key, value in parts:
        made[key] = made.get(key, _ZERO) + value
    return tuple(made.items())
