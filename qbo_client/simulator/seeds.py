"""The companies the simulator starts with: one for each locale whose tax differs, and one that numbers its own documents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from qbo_client.simulator.clock import Clock
from qbo_client.simulator.company import Company, Profile
from qbo_client.simulator.members import Object
from qbo_client.simulator.people import currency_reference
from qbo_client.simulator.settings import Settings

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
    "USD": {"GBP": "1.27", "EUR": "1.09", "CAD": "0.73"},
    "GBP": {"USD": "0.79", "EUR": "0.86", "CAD": "0.58"},
    "CAD": {"USD": "1.37", "GBP": "1.74", "EUR": "1.49"},
    "EUR": {"USD": "0.92", "GBP": "1.16", "CAD": "0.67"},
}
_COUNTRIES = {"US": "USA", "GB": "GBR", "CA": "CAN", "IE": "IRL"}
# (name, items below a category?) Kompass sells design and engineering work by the hour and by the stage.
_ITEMS = ("Services", "Design", "Engineering", "Project management", "Surveying", "Consulting", "Site supervision")
_CLASSES = ("Architecture", "Structures", "Mechanical", "Planning", "Interiors")
_TERMS = (("Due on receipt", 0), ("Net 15", 15), ("Net 30", 30), ("Net 60", 60))
_VENDORS = ("Harbour Printing", "Northern Surveys", "Tall Crane Hire")
_EMPLOYEES = (("Emily", "Platt"), ("John", "Johnson"))

# Rates: (name, [(percent, from, until)], special type). Codes: (name, description, taxable, [(rate name, compound?)]).
_FOREVER = "2000-01-01"
_Rates = Sequence[tuple[str, Sequence[tuple[str, str, str | None]], str]]
_Codes = Sequence[tuple[str, str, bool, Sequence[tuple[str, bool]]]]

_UK_RATES: _Rates = (
    (
        "20% S",
        (("20", "2011-01-04", None), ("17.5", "2010-01-01", "2011-01-03"), ("15", _FOREVER, "2009-12-31")),
        "NONE",
    ),
    ("5% R", (("5", _FOREVER, None),), "NONE"),
    ("0% Z", (("0", _FOREVER, None),), "ZERO_RATE"),
    ("Exempt", (("0", _FOREVER, None),), "NONE"),
    ("20% RC", (("0", _FOREVER, None),), "REVERSE_CHARGE"),
    ("No VAT", (("0", _FOREVER, None),), "NONE"),
)
_UK_CODES: _Codes = (
    ("20.0% S", "20% standard", True, (("20% S", False),)),
    ("5.0% R", "5% reduced", True, (("5% R", False),)),
    ("0.0% Z", "Zero-rated", True, (("0% Z", False),)),
    ("Exempt", "Exempt", True, (("Exempt", False),)),
    ("20.0% RC SG", "Reverse charge, services", True, (("20% RC", False),)),
    ("No VAT", "Outside the scope of VAT", False, (("No VAT", False),)),
)
_EU_RATES: _Rates = (
    ("23% S", (("23", "2021-03-01", None), ("21", "2020-09-01", "2021-02-28"), ("23", _FOREVER, "2020-08-31")), "NONE"),
    ("13.5% R", (("13.5", _FOREVER, None),), "NONE"),
    ("9% R", (("9", _FOREVER, None),), "NONE"),
    ("0% Z", (("0", _FOREVER, None),), "ZERO_RATE"),
    ("Exempt", (("0", _FOREVER, None),), "NONE"),
    ("0% EC", (("0", _FOREVER, None),), "REVERSE_CHARGE"),
)
_EU_CODES: _Codes = (
    ("23.0% S", "Standard", True, (("23% S", False),)),
    ("13.5% R", "Reduced", True, (("13.5% R", False),)),
    ("9.0% R", "Second reduced", True, (("9% R", False),)),
    ("0.0% Z", "Zero-rated", True, (("0% Z", False),)),
    ("Exempt", "Exempt", True, (("Exempt", False),)),
    ("0.0% ECS", "Reverse charge, services in the EU", True, (("0% EC", False),)),
)
_CANADA_RATES: _Rates = (
    ("GST", (("5", _FOREVER, None),), "NONE"),
    ("HST ON", (("13", "2010-07-01", None),), "NONE"),
    ("HST NS", (("14", "2025-04-01", None), ("15", "2010-07-01", "2025-03-31")), "NONE"),
    ("PST BC", (("7", _FOREVER, None),), "NONE"),
    ("QST", (("9.975", "2013-01-01", None),), "NONE"),
    ("QST 9.5", (("9.5", _FOREVER, None),), "NONE"),
    ("Zero-rated", (("0", _FOREVER, None),), "ZERO_RATE"),
    ("Exempt", (("0", _FOREVER, None),), "NONE"),
    ("Out of scope", (("0", _FOREVER, None),), "NONE"),
)
_CANADA_CODES: _Codes = (
    ("GST", "GST 5%", True, (("GST", False),)),
    ("HST ON", "HST Ontario 13%", True, (("HST ON", False),)),
    ("HST NS", "HST Nova Scotia", True, (("HST NS", False),)),
    ("GST/PST BC", "GST 5% and PST 7%", True, (("GST", False), ("PST BC", False))),
    ("GST/QST QC - 9.975", "GST 5% and QST 9.975%", True, (("GST", False), ("QST", False))),
    ("GST/QST QC - 9.5", "GST 5% and QST on top of it, as before 2013", True, (("GST", False), ("QST 9.5", True))),
    ("Zero-rated", "Zero-rated", True, (("Zero-rated", False),)),
    ("Exempt", "Exempt", True, (("Exempt", False),)),
    ("Out of Scope", "Out of scope", False, (("Out of scope", False),)),
)
_USA_RATES: _Rates = (
    ("California", (("8", _FOREVER, None),), "NONE"),
    ("Tucson City", (("2", _FOREVER, None),), "NONE"),
    ("AZ State tax", (("7.1", _FOREVER, None),), "NONE"),
)
_USA_CODES: _Codes = (
    ("California", "California", True, (("California", False),)),
    ("Tucson", "Tucson and Arizona", True, (("Tucson City", False), ("AZ State tax", False))),
)
_AUTOMATED_RATES: _Rates = (
    ("California Sales Tax", (("8.25", _FOREVER, None),), "NONE"),
    ("New York Sales Tax", (("8.875", _FOREVER, None),), "NONE"),
    ("Texas Sales Tax", (("6.25", _FOREVER, None),), "NONE"),
)
_AUTOMATED_CODES: _Codes = (
    ("Automated Sales Tax", "Found from the address", True, (("California Sales Tax", False),)),
)


def companies(clock: Clock, settings: Settings) -> dict[str, Company]:
    """Realm → company, each as on its first day."""
    made = (
        _company(
            Profile(USA, "Larch & Co Design", "US", "US", "USD"),
            clock,
            settings,
            _USA_RATES,
            _USA_CODES,
            "Agency of Taxes",
        ),
        _company(
            Profile(UK, "Larch Design Ltd", "GB", "UK", "GBP"),
            clock,
            settings,
            _UK_RATES,
            _UK_CODES,
            "HMRC",
            multicurrency=True,
        ),
        _company(
            Profile(CANADA, "Larch Design Canada Inc", "CA", "CA", "CAD"),
            clock,
            settings,
            _CANADA_RATES,
            _CANADA_CODES,
            "Canada Revenue Agency",
            multicurrency=True,
        ),
        _company(
            Profile(IRELAND, "Larch Design Ireland DAC", "IE", "EU", "EUR"),
            clock,
            settings,
            _EU_RATES,
            _EU_CODES,
            "Revenue",
            multicurrency=True,
        ),
        _company(
            Profile(USA_AUTOMATED_TAX, "Larch West LLC", "US", "US", "USD"),
            clock,
            settings,
            _AUTOMATED_RATES,
            _AUTOMATED_CODES,
            "Department of Revenue",
            automated=True,
        ),
        _company(
            Profile(SELF_NUMBERED, "Larch Workshop Inc", "US", "US", "USD"),
            clock,
            settings,
            _USA_RATES,
            _USA_CODES,
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
    rates: _Rates,
    codes: _Codes,
    agency: str,
    *,
    multicurrency: bool = False,
    automated: bool = False,
    custom_numbers: bool = True,
) -> Company:
    profile.exchange_rates = dict(RATES[profile.home_currency])
    company = Company(profile, clock=clock, settings=settings)
    company.insert("Preferences", _preferences(profile, multicurrency, automated, custom_numbers), identifier="1")
    company.insert("CompanyInfo", _company_info(profile, clock), identifier="1")
    for name, kind in (
        ("Sales of Services", "Income"),
        ("Subcontractors", "Expense"),
        ("Debtors", "Accounts Receivable"),
    ):
        company.insert(
            "Account",
            {
                "Name": name,
                "FullyQualifiedName": name,
                "AccountType": kind,
                "Classification": "Revenue" if kind == "Income" else "Expense" if kind == "Expense" else "Asset",
                "Active": True,
                "CurrencyRef": currency_reference(profile.home_currency),
            },
        )
    _tax(company, rates, codes, agency)
    _lists(company)
    _people(company)
    if automated:
        company.profile.sales_tax_by_state = {"CA": "1", "NY": "2", "TX": "3"}
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


def _tax(company: Company, rates: _Rates, codes: _Codes, agency: str) -> None:
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
                "CurrencyRef": currency,
            },
        )
    for given, family in _EMPLOYEES:
        name = f"{given} {family}"
        company.insert(
            "Employee",
            {"GivenName": given, "FamilyName": family, "DisplayName": name, "PrintOnCheckName": name, "Active": True},
        )
