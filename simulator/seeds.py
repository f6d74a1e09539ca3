"""The companies the simulator starts with: one for each locale whose tax differs, and one that numbers its own documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from simulator import seed_recorded
from simulator.clock import Clock
from simulator.company import Company, Profile
from simulator.currencies import currency_reference
from simulator.members import Object
from simulator.seed_taxes import (
    AUTOMATED_CODES,
    AUTOMATED_RATES,
    CANADA_CODES,
    CANADA_RATES,
    EU_CODES,
    EU_RATES,
    UK_CODES,
    UK_RATES,
    USA_CODES,
    USA_RATES,
    Codes,
    Rates,
)
from simulator.settings import Settings

USA = "9130347000000000001"
UK = "9130347000000000002"
CANADA = "9130347000000000003"
IRELAND = "9130347000000000004"
USA_AUTOMATED_TAX = "9130347000000000011"
SELF_NUMBERED = "9130347000000000012"
"""A small company of the USA with custom transaction numbers off."""
REALMS = (USA, UK, CANADA, IRELAND, USA_AUTOMATED_TAX, SELF_NUMBERED)

CUSTOM_FIELDS = ("Kompass reference", "Account manager", "Order confirmation")
RATES = {
    "USD": {"GBP": "1.27", "EUR": "1.09", "CAD": "0.73", "JPY": "0.0066"},
    "GBP": {"USD": "0.79", "EUR": "0.86", "CAD": "0.58", "JPY": "0.0049"},
    "CAD": {"USD": "1.37", "GBP": "1.74", "EUR": "1.49", "JPY": "0.0091"},
    "EUR": {"USD": "0.92", "GBP": "1.16", "CAD": "0.67", "JPY": "0.0057"},
}
_COUNTRIES = {"US": "USA", "GB": "GBR", "CA": "CAN", "IE": "IRL"}
# (name, items below a category?) Kompass sells design and engineering work by the hour and by the stage.
_ITEMS = ("Services", "Design", "Engineering", "Project management", "Surveying", "Consulting", "Site supervision")
_CLASSES = ("Architecture", "Structures", "Mechanical", "Planning", "Interiors")
_TERMS = (("Due on receipt", 0), ("Net 15", 15), ("Net 30", 30), ("Net 60", 60))
_VENDORS = ("Harbour Printing", "Northern Surveys", "Tall Crane Hire")
_EMPLOYEES = (("Emily", "Platt"), ("John", "Johnson"))


def companies(clock: Clock, settings: Settings) -> dict[str, Company]:
    """Realm → company, each as on its first day."""
    made = (
        _company(
            Profile(USA, "Larch & Co Design", "US", "US", "USD"),
            clock,
            settings,
            USA_RATES,
            USA_CODES,
            "Agency of Taxes",
        ),
        _company(
            Profile(UK, "Larch Design Ltd", "GB", "UK", "GBP"),
            clock,
            settings,
            UK_RATES,
            UK_CODES,
            "HMRC",
            multicurrency=True,
        ),
        _company(
            Profile(CANADA, "Larch Design Canada Inc", "CA", "CA", "CAD"),
            clock,
            settings,
            CANADA_RATES,
            CANADA_CODES,
            "Canada Revenue Agency",
            multicurrency=True,
        ),
        _company(
            Profile(IRELAND, "Larch Design Ireland DAC", "IE", "EU", "EUR"),
            clock,
            settings,
            EU_RATES,
            EU_CODES,
            "Revenue",
            multicurrency=True,
        ),
        _company(
            Profile(USA_AUTOMATED_TAX, "Larch West LLC", "US", "US", "USD"),
            clock,
            settings,
            AUTOMATED_RATES,
            AUTOMATED_CODES,
            "Department of Revenue",
            automated=True,
        ),
        _company(
            Profile(SELF_NUMBERED, "Larch Workshop Inc", "US", "US", "USD"),
            clock,
            settings,
            USA_RATES,
            USA_CODES,
            "Agency of Taxes",
            custom_numbers=False,
        ),
    )
    return {company.profile.realm: company for company in made}


def new_company(
    clock: Clock, settings: Settings, *, realm: str, name: str, like: str, changes: dict[str, Any] | None = None
) -> Company:
    """A further company with the books of the seeded company `like`, under its own realm and name."""
    company = companies(clock, settings)[like]
    company.profile.realm = realm
    company.profile.name = name
    for key, value in (changes or {}).items():
        setattr(company.profile, key, value)
    (info,) = company.tables["CompanyInfo"].values()
    company.tables["CompanyInfo"]["1"] = {**info, "CompanyName": name, "LegalName": name}
    return company


def _company(
    profile: Profile,
    clock: Clock,
    settings: Settings,
    rates: Rates,
    codes: Codes,
    agency: str,
    *,
    multicurrency: bool = False,
    automated: bool = False,
    custom_numbers: bool = True,
) -> Company:
    profile.exchange_rates = dict(RATES[profile.home_currency])
    company = Company(profile, clock=clock, settings=settings)
    working = _preferences(profile, multicurrency, automated, custom_numbers)
    company.insert("Preferences", seed_recorded.preferences(profile.name, working), identifier="1")
    company.insert("CompanyInfo", seed_recorded.company_info(_company_info(profile, clock)), identifier="1")
    for name, kind in (
        ("Sales of Services", "Income"),
        ("Subcontractors", "Expense"),
        ("Debtors", "Accounts Receivable"),
    ):
        members = {
            "Name": name,
            "FullyQualifiedName": name,
            "AccountType": kind,
            "Classification": "Revenue" if kind == "Income" else "Expense" if kind == "Expense" else "Asset",
            "Active": True,
            "CurrencyRef": currency_reference(profile.home_currency),
        }
        company.insert("Account", seed_recorded.account(members, kind=kind))
    _tax(company, rates, codes, agency)
    _lists(company)
    _people(company)
    if automated:
        company.profile.sales_tax_by_state = {"CA": "1", "NY": "2", "TX": "3"}
    # What is there on the first day nobody changed.
    company.trail.clear()
    return company


def _company_info(profile: Profile, clock: Clock) -> Object:
    return {
        "CompanyName": profile.name,
        "LegalName": profile.name,
        "CompanyAddr": {
            "Id": "1",
            "Line1": "1 Quay Street",
            "City": "Larchton",
            "Country": _COUNTRIES[profile.country],
        },
        "Country": profile.country,
        "Email": {"Address": "accounts@larch.example"},
        "CompanyStartDate": clock.today().replace(month=1, day=1).isoformat(),
        "FiscalYearStartMonth": "January",
        "SupportedLanguages": profile.language,
        "DefaultTimeZone": "America/Los_Angeles",
        "NameValue": [
            {"Name": "OfferingSku", "Value": "QuickBooks Online Plus"},
            {"Name": "SubscriptionStatus", "Value": "PAID"},
        ],
    }


def _preferences(profile: Profile, multicurrency: bool, automated: bool, custom_numbers: bool) -> Object:
    tax: Object = {"UsingSalesTax": True, "PartnerTaxEnabled": automated}
    if profile.locale == "US":
        tax["TaxGroupCodeRef"] = {"value": "1"}
    currency: Object = {
        "MultiCurrencyEnabled": multicurrency,
        "HomeCurrency": {"value": profile.home_currency},
    }
    return {
        "AccountingInfoPrefs": {
            "UseAccountNumbers": False,
            "TrackDepartments": True,
            "DepartmentTerminology": "Location",
            "ClassTrackingPerTxn": False,
            "ClassTrackingPerTxnLine": True,
            "FirstMonthOfFiscalYear": "January",
            "CustomerTerminology": "Customers",
        },
        "ProductAndServicesPrefs": {"ForSales": True, "ForPurchase": True, "QuantityWithPriceAndRate": True},
        "SalesFormsPrefs": {
            "CustomField": [
                {
                    "CustomField": [
                        {"Name": f"SalesFormsPrefs.UseSalesCustom{place}", "Type": "BooleanType", "BooleanValue": True}
                        for place in (1, 2, 3)
                    ]
                },
                {
                    "CustomField": [
                        {"Name": f"SalesFormsPrefs.SalesCustomName{place}", "Type": "StringType", "StringValue": name}
                        for place, name in enumerate(CUSTOM_FIELDS, start=1)
                    ]
                },
            ],
            "CustomTxnNumbers": custom_numbers,
            "AllowDeposit": True,
            "AllowDiscount": True,
            "AllowEstimates": True,
            "AllowServiceDate": True,
            "AllowShipping": False,
            "AutoApplyCredit": False,
            "ETransactionPaymentEnabled": False,
            "UsingProgressInvoicing": False,
            "DefaultTerms": {"value": "3"},
        },
        "EmailMessagesPrefs": {},
        "VendorAndPurchasesPrefs": {"TrackingByCustomer": True, "BillableExpenseTracking": True},
        "TimeTrackingPrefs": {"UseServices": True, "BillCustomers": True},
        "TaxPrefs": tax,
        "CurrencyPrefs": currency,
        "OtherPrefs": {"NameValue": [{"Name": "SalesFormsPrefs.DefaultTerms", "Value": "3"}]},
    }


def _tax(company: Company, rates: Rates, codes: Codes, agency: str) -> None:
    made = company.insert(
        "TaxAgency", {"DisplayName": agency, "TaxTrackedOnSales": True, "TaxTrackedOnPurchases": True}
    )
    by_name: dict[str, Object] = {}
    for name, periods, special in rates:
        by_name[name] = company.insert(
            "TaxRate",
            {
                "Name": name,
                "Description": name,
                "Active": True,
                "RateValue": _percent(periods[0][0]),
                "AgencyRef": {"value": made["Id"]},
                "SpecialTaxType": special,
                "DisplayType": "ReadOnly",
                "EffectiveTaxRate": [_period(*period) for period in periods],
            },
        )
    for name, description, taxable, parts in codes:
        company.insert(
            "TaxCode",
            {
                "Name": name,
                "Description": description,
                "Active": True,
                "Hidden": False,
                "Taxable": taxable,
                "TaxGroup": True,
                "SalesTaxRateList": {"TaxRateDetail": list(_details(by_name, parts))},
                "PurchaseTaxRateList": {"TaxRateDetail": []},
                "TaxCodeConfigType": "SYSTEM_GENERATED",
            },
        )
    if company.american:
        for pseudo, taxable in (("TAX", True), ("NON", False)):
            company.insert(
                "TaxCode",
                {
                    "Name": pseudo,
                    "Description": "Taxable" if taxable else "Not taxable",
                    "Active": True,
                    "Taxable": taxable,
                    "TaxGroup": False,
                },
                identifier=pseudo,
            )
    else:
        # A code for purchases only: it may not be used on sales.
        company.insert(
            "TaxCode",
            {
                "Name": "Purchases only",
                "Description": "Purchases only",
                "Active": True,
                "Taxable": True,
                "TaxGroup": True,
                "PurchaseTaxRateList": {"TaxRateDetail": list(_details(by_name, codes[0][3]))},
            },
        )


def _details(by_name: dict[str, Object], parts: Iterable[tuple[str, bool]]) -> Iterable[Object]:
    for order, (name, compound) in enumerate(parts):
        yield {
            "TaxRateRef": {"value": by_name[name]["Id"], "name": name},
            "TaxTypeApplicable": "TaxOnAmountPlusTax" if compound else "TaxOnAmount",
            "TaxOrder": order,
        }


def _percent(text: str) -> int | float:
    return float(text) if "." in text else int(text)


def _period(percent: str, since: str, until: str | None) -> Object:
    period: Object = {"RateValue": _percent(percent), "EffectiveDate": f"{since}T00:00:00-08:00"}
    if until is not None:
        period["EndDate"] = f"{until}T23:59:59-08:00"
    return period


def _lists(company: Company) -> None:
    income = {"value": "1", "name": "Sales of Services"}
    for name in _ITEMS:
        kind = "NonInventory" if name == "Surveying" else "Service"
        company.insert(
            "Item",
            {
                "Name": name,
                "FullyQualifiedName": name,
                "Description": name,
                "Active": True,
                "Taxable": False,
                "UnitPrice": 0,
                "Type": kind,
                "IncomeAccountRef": income,
                "PurchaseCost": 0,
                "TrackQtyOnHand": False,
            },
        )
    company.insert("Item", {"Name": "Studio", "FullyQualifiedName": "Studio", "Active": True, "Type": "Category"})
    company.insert(
        "Item",
        {
            "Name": "Drawing by hand (deleted)",
            "FullyQualifiedName": "Drawing by hand (deleted)",
            "Active": False,
            "Type": "Service",
            "UnitPrice": 0,
            "IncomeAccountRef": income,
        },
    )
    company.counters["Class"] = 5000000000000000000
    for name in _CLASSES:
        company.insert("Class", {"Name": name, "FullyQualifiedName": name, "SubClass": False, "Active": True})
    for name in ("Head office", "Harbour studio"):
        company.insert("Department", {"Name": name, "FullyQualifiedName": name, "SubDepartment": False, "Active": True})
    for name, days in _TERMS:
        company.insert(
            "Term", {"Name": name, "Active": True, "Type": "STANDARD", "DiscountPercent": 0, "DueDays": days}
        )


def _people(company: Company) -> None:
    currency = currency_reference(company.profile.home_currency)
    for name in _VENDORS:
        company.insert(
            "Vendor",
            {
                "DisplayName": name,
                "CompanyName": name,
                "PrintOnCheckName": name,
                "Active": True,
                "Balance": 0,
                "Vendor1099": False,
                "CurrencyRef": currency,
            },
        )
    for given, family in _EMPLOYEES:
        name = f"{given} {family}"
        company.insert(
            "Employee",
            {
                "BillableTime": False,
                "GivenName": given,
                "FamilyName": family,
                "DisplayName": name,
                "PrintOnCheckName": name,
                "Active": True,
            },
        )
