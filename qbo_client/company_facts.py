"""What a company is like at Intuit, as far as it decides what may be sent to it; and its lists for people to pick from.

Shapes: Intuit's pages of CompanyInfo, Preferences, TaxCode and TaxRate; the names of custom fields as in recorded
answers, where `SalesFormsPrefs.CustomField` holds groups of `SalesFormsPrefs.UseSalesCustom1` (in use or not) and
`SalesFormsPrefs.SalesCustomName1` (its name).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from qbo_client.calls import read
from qbo_client.errors import FactMissing
from qbo_client.queries import ACTIVE_OR_NOT, Send, done, iterate

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class TaxRateFact:
    """One rate of a tax code. `base` is Intuit's `TaxTypeApplicable`.

    `periods` are (percent, first day, last day) of `EffectiveTaxRate`, None where it is open; a rate without them has one
    period that is open at both ends.
    """

    id: str
    name: str
    base: str
    periods: tuple[tuple[Decimal, date | None, date | None], ...]


@dataclass(frozen=True, slots=True)
class TaxCodeFact:
    """A tax code. `sales_rate` is in percent, all its sales rates combined; None when Intuit gives none to combine.

    `rates` are its sales rates one by one, in the order Intuit charges them; empty when one of them is not known.
    In the USA `TAX` and `NON` are codes without rates.
    """

    id: str
    name: str
    active: bool
    sales_rate: Decimal | None
    rates: tuple[TaxRateFact, ...] = ()


@dataclass(frozen=True, slots=True)
class CompanyFacts:
    """A company's settings. `country` as Intuit spells it (`US`, `GB`, `CA`), currencies in ISO 4217.

    `custom_fields` are (DefinitionId, name) of those in use; `book_close_date` is the last day of the closed books.
    """

    name: str
    country: str
    home_currency: str
    multicurrency: bool
    tax_enabled: bool
    automated_tax: bool
    class_per_line: bool
    class_per_transaction: bool
    custom_numbers: bool
    book_close_date: date | None
    tax_codes: tuple[TaxCodeFact, ...]
    custom_fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """An item or a class to pick. `type` is Intuit's (`Service`, `Category`, …), empty where there is none."""

    id: str
    name: str
    full_name: str
    active: bool
    type: str


def fetch_company_facts(send: Send) -> CompanyFacts:
    """Read it all: four metered reads (one more for each further thousand of tax codes or rates).

    Raises `ReadFailed` when an answer does not come, `FactMissing` when it lacks what every company has.
    """
    info = done(send(read("CompanyInfo")), "reading CompanyInfo").entity("CompanyInfo")
    preferences = done(send(read("Preferences")), "reading Preferences").entity("Preferences")
    accounting, sales = _part(preferences, "AccountingInfoPrefs"), _part(preferences, "SalesFormsPrefs")
    tax, currency = _part(preferences, "TaxPrefs"), _part(preferences, "CurrencyPrefs")
    return CompanyFacts(
        name=_text(info, "CompanyName"),
        country=_required(info, "Country", "CompanyInfo").upper(),
        home_currency=_required(_part(currency, "HomeCurrency"), "value", "Preferences.CurrencyPrefs.HomeCurrency"),
        multicurrency=_flag(currency, "MultiCurrencyEnabled"),
        tax_enabled=_flag(tax, "UsingSalesTax"),
        automated_tax=_flag(tax, "PartnerTaxEnabled"),
        class_per_line=_flag(accounting, "ClassTrackingPerTxnLine"),
        class_per_transaction=_flag(accounting, "ClassTrackingPerTxn"),
        custom_numbers=_flag(sales, "CustomTxnNumbers"),
        book_close_date=_date(accounting, "BookCloseDate"),
        tax_codes=fetch_tax_codes(send),
        custom_fields=tuple(_custom_fields(sales)),
    )


def fetch_tax_codes(send: Send) -> tuple[TaxCodeFact, ...]:
    """All tax codes, inactive ones too, by name: two metered reads. Raises `ReadFailed`."""
    codes = list(iterate(send, "TaxCode", ACTIVE_OR_NOT))
    found = {_text(rate, "Id"): rate for rate in iterate(send, "TaxRate", ACTIVE_OR_NOT)}
    rates = {key: _decimal(rate.get("RateValue")) for key, rate in found.items()}
    facts = (
        TaxCodeFact(
            id=_text(code, "Id"),
            name=_text(code, "Name"),
            active=_flag(code, "Active", default=True),
            sales_rate=_combined(_part(code, "SalesTaxRateList"), rates),
            rates=_one_by_one(_part(code, "SalesTaxRateList"), found),
        )
        for code in codes
    )
    return tuple(sorted(facts, key=lambda fact: (fact.name.casefold(), fact.id)))


def fetch_items(send: Send) -> tuple[Choice, ...]:
    """All items by full name, categories and inactive ones too (`type` and `active` say so). Raises `ReadFailed`."""
    return _choices(send, "Item")


def fetch_classes(send: Send) -> tuple[Choice, ...]:
    """All classes by full name, inactive ones too. Raises `ReadFailed`."""
    return _choices(send, "Class")


def _choices(send: Send, entity: str) -> tuple[Choice, ...]:
    choices = (
        Choice(
            id=_text(row, "Id"),
            name=_text(row, "Name"),
            full_name=_text(row, "FullyQualifiedName") or _text(row, "Name"),
            active=_flag(row, "Active", default=True),
            type=_text(row, "Type"),
        )
        for row in iterate(send, entity, ACTIVE_OR_NOT)
    )
    return tuple(sorted(choices, key=lambda choice: (choice.full_name.casefold(), choice.id)))


def _in_order(rate_list: Json) -> list[Json]:
    details = rate_list.get("TaxRateDetail")
    if not isinstance(details, list):
        return []
    return sorted(details, key=lambda detail: int(str(detail.get("TaxOrder") or 0)))


def _one_by_one(rate_list: Json, rates: Mapping[str, Json]) -> tuple[TaxRateFact, ...]:
    """The rates of a code with the periods of each; nothing when one of them is unknown, since the sum would be short."""
    made = []
    for detail in _in_order(rate_list):
        rate_id = _text(_part(detail, "TaxRateRef"), "value")
        rate = rates.get(rate_id)
        periods = () if rate is None else tuple(_periods(rate))
        if rate is None or not periods:
            return ()
        made.append(
            TaxRateFact(
                id=rate_id,
                name=_text(rate, "Name"),
                base=_text(detail, "TaxTypeApplicable") or "TaxOnAmount",
                periods=periods,
            )
        )
    return tuple(made)


def _periods(rate: Json) -> Iterator[tuple[Decimal, date | None, date | None]]:
    periods = rate.get("EffectiveTaxRate")
    for period in periods if isinstance(periods, list) else ():
        percent = _decimal(period.get("RateValue")) if isinstance(period, Mapping) else None
        if percent is not None:
            yield percent, _date(period, "EffectiveDate"), _date(period, "EndDate")
    whole = _decimal(rate.get("RateValue"))
    if not periods and whole is not None:
        yield whole, None, None


def _combined(rate_list: Json, rates: Mapping[str, Decimal | None]) -> Decimal | None:
    """The percentage that all rates of a code make together, taxes on taxes included, in the order Intuit gives."""
    details = _in_order(rate_list)
    if not details:
        return None
    total = Decimal(0)
    for detail in details:
        rate = rates.get(_text(_part(detail, "TaxRateRef"), "value"))
        if rate is None:
            return None
        match _text(detail, "TaxTypeApplicable"):
            case "TaxOnAmountPlusTax":
                total += rate * (100 + total) / 100
            case "TaxOnTax":
                total += rate * total / 100
            case _:
                total += rate
    return total


_CUSTOM: Final = re.compile(r"SalesFormsPrefs\.(UseSalesCustom|SalesCustomName)([0-9]+)", re.ASCII)


def _custom_fields(sales: Json) -> Iterator[tuple[str, str]]:
    in_use: set[int] = set()
    names: dict[int, str] = {}
    for field in _flat(sales.get("CustomField")):
        match = _CUSTOM.fullmatch(_text(field, "Name"))
        if match is None:
            continue
        number = int(match[2])
        if match[1] == "SalesCustomName":
            names[number] = _text(field, "StringValue")
        elif _flag(field, "BooleanValue"):
            in_use.add(number)
    for number in sorted(in_use):
        yield str(number), names.get(number) or f"Custom field {number}"


def _flat(fields: object) -> Iterator[Json]:
    """The fields of all groups; one that stands outside a group counts as well."""
    for field in fields if isinstance(fields, list) else ():
        if isinstance(field, Mapping):
            if "CustomField" in field:
                yield from _flat(field["CustomField"])
            else:
                yield field


def _part(mapping: Json, name: str) -> Json:
    part = mapping.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(mapping: Json, name: str) -> str:
    value = mapping.get(name)
    return "" if value is None else str(value)


def _required(mapping: Json, name: str, where: str) -> str:
    text = _text(mapping, name)
    if not text:
        raise FactMissing(f"{where} of this company has no {name}")
    return text


def _flag(mapping: Json, name: str, *, default: bool = False) -> bool:
    value = mapping.get(name)
    if isinstance(value, str):
        return value.strip().lower() == "true"
    return default if value is None else bool(value)


def _date(mapping: Json, name: str) -> date | None:
    text = _text(mapping, name)
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError as error:
        raise FactMissing(f"{name} of this company is {text!r}, which is no date") from error


def _decimal(value: object) -> Decimal | None:
    try:
        return None if value is None else Decimal(str(value))
    except ArithmeticError:
        return None
