"""What an Org's admin configured, and what QuickBooks Online says of the company it is linked to.

These are the shapes in which `store` hands a company to `mapping`; neither room imports the other.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Self

from schemas.applied import Applied
from schemas.observed import Observed

DEFAULT_CLIENT_NAME_TEMPLATE = "{{ client.name }}"
DEFAULT_PROJECT_NAME_TEMPLATE = "{{ project.reference }} {{ project.name }}"
DEFAULT_CURRENCY_NAME_TEMPLATE = "{{ name }} ({{ currency }})"
"""A client's customer in a further currency: ``name`` is what its own template gives."""
DEFAULT_DOC_NUMBER_TEMPLATE = "{{ invoice.reference }}"


class Locale(StrEnum):
    """Decides the tax rules: the USA sends no per-line tax codes, the EU and Canada send one on every line."""

    USA = "USA"
    EU = "EU"
    CANADA = "Canada"


class BilledTax(StrEnum):
    """USA, where no tax codes are sent: what becomes of tax that Kompass billed."""

    REFUSE = "refuse"
    """The document is not sent."""
    ITEM_LINE = "item-line"
    """A line of *Sales tax Item ID* carries it."""
    AUTOMATED = "automated"
    """QuickBooks' automated sales tax computes its own; a difference is shown."""


class TaxAmounts(StrEnum):
    """EU and Canada: whose tax is booked where rounding has two answers."""

    QUICKBOOKS = "quickbooks"
    KOMPASS = "kompass"
    """What Kompass billed is sent to the cent, as an override of the tax of each rate."""


class ExchangeRates(StrEnum):
    """Who says the rate of a document in a foreign currency."""

    DAY = "day"
    """QuickBooks' rate of the document's date is read and sent with it."""
    QUICKBOOKS = "quickbooks"
    """No rate is sent: QuickBooks books the one it chooses."""


@dataclass(frozen=True, slots=True)
class ItemService:
    """A row of *Item Services*: a Kompass Service goes to a QBO Item, and optionally to a Class of its own."""

    item_id: str
    class_id: str | None = None


@dataclass(frozen=True, slots=True)
class CustomField:
    definition_id: str
    name: str
    template: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """One Org's QBO Configuration with its mapping tables, as they were at ``version``."""

    org_id: str
    org_name: str
    version: int
    """Raised by the database at every change of the configuration or of one of its mappings."""
    realm_id: str | None = None
    enabled: bool = False
    start_date: dt.date | None = None
    """Documents dated earlier are never sent."""
    project_customers: bool = True
    client_name_template: str = DEFAULT_CLIENT_NAME_TEMPLATE
    project_name_template: str = DEFAULT_PROJECT_NAME_TEMPLATE
    doc_number_template: str = DEFAULT_DOC_NUMBER_TEMPLATE
    currency_name_template: str = DEFAULT_CURRENCY_NAME_TEMPLATE
    locale: Locale = Locale.EU
    billed_tax: BilledTax = BilledTax.REFUSE
    tax_item_id: str | None = None
    """The item of the line that carries billed tax in the USA."""
    tax_amounts: TaxAmounts = TaxAmounts.QUICKBOOKS
    exchange_rates: ExchangeRates = ExchangeRates.DAY
    vat_numbers: bool = True
    """Whether a new customer gets the client's VAT number."""
    default_item_id: str | None = None
    default_class_id: str | None = None
    item_services: Mapping[str, ItemService] = field(default_factory=dict)
    """Kompass service id → item and class."""
    department_classes: Mapping[str, str] = field(default_factory=dict)
    """Kompass department id → QBO class id."""
    tax_codes: Mapping[str, str] = field(default_factory=dict)
    """Kompass VAT rate id → QBO tax code id; the key ``""`` is the row for lines without a VAT rate."""
    custom_fields: tuple[CustomField, ...] = ()


class RateBase(StrEnum):
    """What a rate of a tax code is charged on, in Intuit's words (`TaxTypeApplicable`)."""

    NET = "TaxOnAmount"
    NET_AND_TAX = "TaxOnAmountPlusTax"
    TAX = "TaxOnTax"

    def share(self, net: Decimal, tax: Decimal) -> Decimal:
        """Give what is charged of a net amount on which the rates before this one came to ``tax``."""
        return {RateBase.NET: net, RateBase.NET_AND_TAX: net + tax, RateBase.TAX: tax}[self]


@dataclass(frozen=True, slots=True)
class RatePeriod:
    """The percent of a rate from ``first`` to ``last``, both included; None is open."""

    percent: Decimal
    first: dt.date | None = None
    last: dt.date | None = None


@dataclass(frozen=True, slots=True)
class SalesRate:
    """One of the rates that a tax code charges on sales."""

    id: str
    name: str
    base: RateBase
    periods: tuple[RatePeriod, ...]

    @classmethod
    def read(
        cls, rate_id: str, name: str, base: str, periods: Iterable[tuple[Decimal, dt.date | None, dt.date | None]]
    ) -> Self:
        """Make one from Intuit's words; a base that this version does not know counts as the net."""
        known = RateBase(base) if base in set(RateBase) else RateBase.NET
        return cls(rate_id, name, known, tuple(RatePeriod(*period) for period in periods))

    def on(self, day: dt.date) -> Decimal | None:
        """Give the percent in force on ``day``; None when there is none."""
        for period in self.periods:
            if (period.first is None or period.first <= day) and (period.last is None or day <= period.last):
                return period.percent
        return None


@dataclass(frozen=True, slots=True)
class TaxCodeFact:
    id: str
    name: str
    active: bool
    sales_rate: Decimal | None
    """Combined percent on sales today; None when QBO names no rate (exempt, or automated)."""
    rates: tuple[SalesRate, ...] = ()
    """The rates of the code in the order in which QBO charges them; empty when they are not known one by one."""

    def charged(self) -> tuple[SalesRate, ...]:
        """Give the rates one by one; of a code of which only the combined percent is known, that one."""
        if self.rates or self.sales_rate is None:
            return self.rates
        return (SalesRate(self.id, self.name, RateBase.NET, (RatePeriod(self.sales_rate),)),)

    def percent_on(self, day: dt.date) -> Decimal | None:
        """Give the percent that all rates make together on ``day``; None when one of them is not known."""
        total = Decimal(0)
        for rate in self.charged():
            percent = rate.on(day)
            if percent is None:
                return None
            total += percent * rate.base.share(Decimal(100), total) / 100
        return total if self.charged() else None

    def percents(self) -> set[Decimal]:
        """Give every percent that all rates together have or had."""
        days = {period.first or dt.date.min for rate in self.charged() for period in rate.periods}
        return {percent for day in days if (percent := self.percent_on(day)) is not None}


@dataclass(frozen=True, slots=True)
class CompanyFacts:
    """A dated snapshot of the QBO company: CompanyInfo, Preferences, tax codes."""

    realm_id: str
    name: str
    country: str
    home_currency: str
    fetched_at: dt.datetime
    multicurrency: bool = False
    tax_enabled: bool = True
    automated_tax: bool = False
    class_per_line: bool = False
    class_per_transaction: bool = False
    custom_numbers: bool = True
    book_close_date: dt.date | None = None
    tax_codes: Mapping[str, TaxCodeFact] = field(default_factory=dict)
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    """Definition id → name."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What QBO has of one record, as far as we know: the left-hand side of every difference."""

    qbo_id: str | None = None
    entity: str | None = None
    """``Customer``, ``Invoice`` or ``CreditMemo``; also of what was there once, and is gone."""
    sync_token: str | None = None
    """None while a ``qbo_id`` is known: somebody else wrote since, the object must be read again before it is written."""
    applied: Applied | None = None
    """What we sent last; None while nothing was."""
    line_ids: tuple[str, ...] = ()
    """The Ids that QBO gave the lines last sent, in their order."""
    name: str | None = None
    """The DisplayName or DocNumber under which it stands in QBO."""
    currency: str = ""
    """The currency of the customer or job, fixed when it was made; empty until then."""
    voided: bool = False
    qbo_total: Decimal | None = None
    """TotalAmt as QBO answered our last write; None of a customer."""
    qbo_tax: Decimal | None = None
    """TxnTaxDetail.TotalTax as QBO answered our last write: another one since is somebody's override."""
    observed: Observed | None = None
    """The object as QuickBooks answered it last; None until it has."""
    by_hand: tuple[str, ...] = ()
    """Members of the books that somebody is known to have changed in QuickBooks since we last wrote them."""
    kept: tuple[str, ...] = ()
    """Members in which a person chose what QuickBooks says, until Kompass changes them."""
    fresh: bool = False
    """``observed`` was read for the very decision that is to be taken now."""
    name_override: str | None = None
    """A DisplayName given by the admin for this one record; stands before the template."""
    refresh_names: bool = False
    """The admin asked that an edited template be applied to what is already in QBO."""
    overwrite: bool = False
    """The admin looked at both sides of a conflict and chose what Kompass says."""
