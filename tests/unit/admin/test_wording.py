# ruff: noqa: E402 - Django is set up before its models are imported
"""Headings of sync errors, and values as people read them."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin.settings")
import django

django.setup()

from admin.quickbooks_online.models import Failure
from admin.quickbooks_online.preview import differences, shown
from admin.quickbooks_online.remedies import title_of


@pytest.mark.parametrize(
    ("cause", "count", "more", "title"),
    [
        (
            "no-tax-code:vat-21",
            37,
            {"value": "VAT 21 %"},
            "37 invoices need attention: VAT 21 % has no QuickBooks tax code",
        ),
        ("no-tax-code:none", 1, {}, "1 invoice needs attention: lines without a VAT rate have no QuickBooks tax code"),
        ("no-item:none", 2, {}, "2 invoices need attention: lines without a Service have no QuickBooks item"),
        ("conflict:edited-in-qbo", 1, {}, "1 invoice needs attention: changed in QuickBooks and in Kompass"),
        ("no-multicurrency:EUR", 1, {}, "1 invoice needs attention: the QuickBooks company does not keep EUR"),
        ("too-long:DocNumber", 2, {}, "2 invoices need attention: too long for QuickBooks' DocNumber"),
        ("never-heard-of", 1_200, {}, "1,200 invoices need attention: of a cause that is not in our table"),
        ("fault:6999", 1, {"kind": "client"}, "1 client needs attention: QuickBooks refuses it (code 6999)"),
        (
            "undecodable",
            2,
            {"stage": "decode", "kind": ""},
            "2 events need attention: events that cannot be read",
        ),
        ("disconnected", 1, {"stage": "connect", "kind": ""}, "The connection to QuickBooks is lost"),
    ],
)
def test_a_group_says_in_a_heading_what_is_wrong(cause: str, count: int, more: dict[str, str], title: str) -> None:
    assert title_of(Failure(**{"cause": cause, "stage": "map", "kind": "invoice", **more}), count) == title


def test_lines_are_shown_in_words() -> None:
    line = {
        "Id": "1",
        "Description": "Point cloud\nSurvey",
        "Amount": Decimal("1200.5"),
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {
            "ItemRef": {"value": "5"},
            "Qty": Decimal("3"),
            "UnitPrice": Decimal("400.1666"),
            "TaxCodeRef": {"value": "2"},
        },
    }
    subtotal = {"Amount": 1, "DetailType": "SubTotalLineDetail"}
    assert shown([line, subtotal]) == "Point cloud / Survey\n1,200.50 (3 × 400.1666)\nitem 5\ntax code 2"


def test_what_says_the_same_looks_the_same() -> None:
    before = {"BillAddr": {"Id": "9", "City": "Bath", "Line1": "1 Road"}, "Gone": "old"}
    now = {"BillAddr": {"Line1": "1 Road", "City": "Bath"}, "DocNumber": "7"}
    assert [(one.member, one.changed) for one in differences(before, now)] == [
        ("BillAddr", False),
        ("DocNumber", True),
        ("Gone", True),
    ]
    assert [one.label for one in differences(before, now)] == ["Billing address", "Number", "Gone"]
    assert differences({}, {"DueDate": "2026-11-27"})[0].now == "27 Nov 2026"
