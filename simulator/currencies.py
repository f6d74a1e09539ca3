"""Currencies: what they are called, their smallest unit, and the company's exchange rates by date."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from simulator.amounts import CENT, dec, number
from simulator.company import Company
from simulator.faults import ApiFault, business, fault, missing
from simulator.members import Object
from simulator.query import Query

CURRENCIES = {
    *("AED", "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "INR", "JPY", "KRW"),
    *("MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "ZAR"),
}
WITHOUT_DECIMALS = {"JPY", "KRW"}
_NAMES = {
    "USD": "United States Dollar",
    "GBP": "British Pound Sterling",
    "EUR": "Euro",
    "CAD": "Canadian Dollar",
    "JPY": "Japanese Yen",
}
ENTITY = "ExchangeRate"


def currency_reference(code: str) -> Object:
    return {"value": code, "name": _NAMES.get(code, code)}


def unit(currency: str) -> Decimal:
    """The smallest amount of a currency: a cent, or one yen."""
    return Decimal(1) if currency in WITHOUT_DECIMALS else CENT


def rounded(value: Decimal, smallest: Decimal) -> Decimal:
    """Rounded half-up to a multiple of the smallest amount."""
    return value.quantize(smallest, ROUND_HALF_UP)


def rate_on(company: Company, currency: str, day: str) -> Decimal:
    """Home units for one unit of the currency on a day (ISO); 1 where the company knows no rate."""
    if currency == company.profile.home_currency:
        return Decimal(1)
    dated = company.profile.dated_rates.get(currency, {})
    since = max((one for one in dated if one <= day), default=None)
    return dec(dated[since] if since is not None else company.profile.exchange_rates.get(currency, "1"))


def omitted_rate(company: Company, currency: str, day: str) -> Decimal:
    """The rate that QuickBooks stores with a foreign document that names none."""
    return Decimal(1) if company.settings.omitted_exchange_rate == "one" else rate_on(company, currency, day)


def read_rate(company: Company, currency: str, day: str) -> Object:
    """`GET /exchangerate?sourcecurrencycode=EUR&asofdate=2026-01-31`.

    :raises ApiFault: 2020 without a currency, 2220 for one that is not known, 2060 for a day that is none, 6000 in a
        company without multicurrency.
    """
    if not company.multicurrency:
        raise business("Multicurrency must be turned on to use a currency other than the home currency.")
    if not currency:
        raise ApiFault(missing("sourcecurrencycode"))
    if currency.upper() not in CURRENCIES:
        raise fault("2220", f"Invalid Currency : {currency[:30]}", "sourcecurrencycode")
    day = day or company.clock.today().isoformat()
    try:
        date.fromisoformat(day)
    except ValueError:
        raise fault("2060", f"Invalid Date : {day[:100]}", "asofdate") from None
    return {
        "SyncToken": "0",
        "domain": "QBO",
        "AsOfDate": day,
        "SourceCurrencyCode": currency.upper(),
        "Rate": number(rate_on(company, currency.upper(), day)),
        "sparse": False,
        "TargetCurrencyCode": company.profile.home_currency,
        "MetaData": {"LastUpdatedTime": company.clock.stamp()},
    }


def select_rates(company: Company, query: Query) -> Object:
    """The `QueryResponse` of `select * from ExchangeRate where sourcecurrencycode in ('EUR') and asofdate = '…'`.

    :raises ApiFault: 4001 for another condition.
    """
    codes: tuple[str, ...] = ()
    day = ""
    for condition in query.conditions:
        name = condition.property.lower()
        if name == "sourcecurrencycode" and condition.operator in ("=", "IN"):
            codes = condition.values
        elif name == "asofdate" and condition.operator == "=":
            day = condition.values[0]
        else:
            raise fault("4001", f"QueryValidationError: Property {condition.property[:100]} is not queryable")
    known = {*company.profile.exchange_rates, *company.profile.dated_rates}
    found = [read_rate(company, code, day) for code in codes or sorted(known)]
    if query.count:
        return {"totalCount": len(found)}
    page = found[query.start - 1 : query.start - 1 + query.results]
    return {ENTITY: page, "startPosition": query.start, "maxResults": len(page)} if page else {}
