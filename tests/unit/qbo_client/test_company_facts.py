from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from qbo_client.calls import Call, Operation
from qbo_client.company_facts import (
    Choice,
    CompanyFacts,
    TaxCodeFact,
    TaxRateFact,
    fetch_classes,
    fetch_company_facts,
    fetch_items,
)
from qbo_client.errors import FactMissing, ReadFailed
from qbo_client.outcomes import Done, Outcome, Unauthorized


def answers() -> dict[str, Any]:
    """What a Canadian company answers, cut down to what counts."""

    def code(id_: str, name: str, *rates: tuple[str, str, int], active: bool = True) -> dict[str, Any]:
        details = [
            {"TaxRateRef": {"value": rate}, "TaxTypeApplicable": kind, "TaxOrder": order} for rate, kind, order in rates
        ]
        return {
            "Id": id_,
            "Name": name,
            "Active": active,
            "Taxable": bool(rates),
            "SalesTaxRateList": {"TaxRateDetail": details},
        }

    return {
        "CompanyInfo": {"CompanyName": "Maple", "Country": "CA", "NameValue": []},
        "Preferences": {
            "AccountingInfoPrefs": {
                "ClassTrackingPerTxn": False,
                "ClassTrackingPerTxnLine": True,
                "BookCloseDate": "2023-12-31",
            },
            "SalesFormsPrefs": {
                "CustomTxnNumbers": True,
                "CustomField": [
                    {
                        "CustomField": [
                            {"Name": "SalesFormsPrefs.UseSalesCustom3", "BooleanValue": True, "Type": "BooleanType"},
                            {"Name": "SalesFormsPrefs.UseSalesCustom2", "BooleanValue": False, "Type": "BooleanType"},
                            {"Name": "SalesFormsPrefs.UseSalesCustom1", "BooleanValue": True, "Type": "BooleanType"},
                        ]
                    },
                    {
                        "CustomField": [
                            {"Name": "SalesFormsPrefs.SalesCustomName1", "StringValue": "Crew #"},
                            {"Name": "SalesFormsPrefs.SalesCustomName2", "StringValue": "Not in use"},
                        ]
                    },
                ],
            },
            "TaxPrefs": {"UsingSalesTax": True, "PartnerTaxEnabled": False},
            "CurrencyPrefs": {"MultiCurrencyEnabled": True, "HomeCurrency": {"value": "CAD"}},
        },
        "TaxCode": [
            code("5", "HST ON", ("1", "TaxOnAmount", 0)),
            code("6", "GST/PST BC", ("2", "TaxOnAmount", 0), ("3", "TaxOnAmount", 0)),
            code("7", "QST (old)", ("4", "TaxOnAmountPlusTax", 2), ("2", "TaxOnAmount", 1), active=False),
            code("8", "Broken", ("99", "TaxOnAmount", 0)),
            code("9", "Exempt"),
        ],
        "TaxRate": [
            {"Id": "1", "RateValue": 13},
            {"Id": "2", "Name": "GST", "RateValue": 5},
            {"Id": "3", "RateValue": 7},
            {
                "Id": "4",
                "RateValue": Decimal("9.5"),
                "EffectiveTaxRate": [{"RateValue": Decimal("9.5"), "EndDate": "2012-12-31T23:59:59-08:00"}],
            },
        ],
        "Item": [
            {"Id": "2", "Name": "Drawing", "FullyQualifiedName": "Design:Drawing", "Active": True, "Type": "Service"},
            {"Id": "1", "Name": "Design", "FullyQualifiedName": "Design", "Active": False, "Type": "Category"},
        ],
        "Class": [{"Id": "5000000000000007280", "Name": "North"}],
    }


class Company:
    """Answers reads and queries from a dictionary, and remembers what was asked."""

    def __init__(self, known: dict[str, Any]) -> None:
        self.known = known
        self.asked: list[Call] = []

    def __call__(self, call: Call) -> Outcome:
        self.asked.append(call)
        if call.operation is Operation.READ:
            return Done({call.entity: self.known[call.entity]})
        assert call.query is not None
        assert "WHERE Active IN (true, false)" in call.query
        entity = call.query.split()[3]
        return Done({"QueryResponse": {entity: self.known[entity]}})


def test_the_facts_of_a_company_cost_four_metered_reads() -> None:
    company = Company(answers())
    facts = fetch_company_facts(company)
    assert len(company.asked) == 4
    assert all(call.metered for call in company.asked)
    assert [(code.id, code.rates) for code in facts.tax_codes if code.id in ("6", "7", "8")] == [
        ("8", ()),
        (
            "6",
            (
                TaxRateFact("2", "GST", "TaxOnAmount", ((Decimal(5), None, None),)),
                TaxRateFact("3", "", "TaxOnAmount", ((Decimal(7), None, None),)),
            ),
        ),
        (
            "7",
            (
                TaxRateFact("2", "GST", "TaxOnAmount", ((Decimal(5), None, None),)),
                TaxRateFact("4", "", "TaxOnAmountPlusTax", ((Decimal("9.5"), None, date(2012, 12, 31)),)),
            ),
        ),
    ]
    facts = replace(facts, tax_codes=tuple(replace(code, rates=()) for code in facts.tax_codes))
    assert facts == CompanyFacts(
        name="Maple",
        country="CA",
        home_currency="CAD",
        multicurrency=True,
        tax_enabled=True,
        automated_tax=False,
        class_per_line=True,
        class_per_transaction=False,
        custom_numbers=True,
        book_close_date=date(2023, 12, 31),
        tax_codes=(
            TaxCodeFact("8", "Broken", active=True, sales_rate=None),
            TaxCodeFact("9", "Exempt", active=True, sales_rate=None),
            TaxCodeFact("6", "GST/PST BC", active=True, sales_rate=Decimal(12)),
            TaxCodeFact("5", "HST ON", active=True, sales_rate=Decimal(13)),
            # 5 % on the amount, then 9.5 % on amount and tax: 5 + 9.5 x 1.05.
            TaxCodeFact("7", "QST (old)", active=False, sales_rate=Decimal("14.975")),
        ),
        custom_fields=(("1", "Crew #"), ("3", "Custom field 3")),
    )


def test_a_company_with_little_switched_on() -> None:
    known = answers()
    known["Preferences"] = {"CurrencyPrefs": {"HomeCurrency": {"value": "USD"}}}
    facts = fetch_company_facts(Company(known))
    assert facts.home_currency == "USD"
    assert facts.book_close_date is None
    assert facts.custom_fields == ()
    assert not any((facts.multicurrency, facts.tax_enabled, facts.automated_tax, facts.custom_numbers))


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("CompanyInfo", {"CompanyName": "X"}, "no Country"),
        ("Preferences", {}, "HomeCurrency"),
        ("Preferences", {"CurrencyPrefs": {"HomeCurrency": {"value": "USD"}}, "AccountingInfoPrefs": {"BookCloseDate": "soon"}}, "soon"),
    ],
)  # fmt: skip
def test_what_every_company_has_is_not_guessed(part: str, value: dict[str, Any], words: str) -> None:
    known = answers()
    known[part] = value
    with pytest.raises(FactMissing, match=words):
        fetch_company_facts(Company(known))


def test_a_read_that_fails_is_an_error_with_the_outcome_in_it() -> None:
    refused = Unauthorized()
    with pytest.raises(ReadFailed, match="CompanyInfo: Unauthorized") as caught:
        fetch_company_facts(lambda call: refused)
    assert caught.value.outcome is refused


def test_the_lists_to_pick_from() -> None:
    company = Company(answers())
    assert fetch_items(company) == (
        Choice("1", "Design", "Design", active=False, type="Category"),
        Choice("2", "Drawing", "Design:Drawing", active=True, type="Service"),
    )
    assert fetch_classes(company) == (Choice("5000000000000007280", "North", "North", active=True, type=""),)
