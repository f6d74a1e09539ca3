# ruff: noqa: E402 - Django is set up before its models are imported
"""Headings of sync errors, and values as people read them."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "admin.settings")
import django

django.setup()

from admin.quickbooks_online.causes import title_of
from admin.quickbooks_online.models import Failure
from admin.quickbooks_online.preview import differences, shown


@pytest.mark.parametrize(
    ("cause", "count", "more", "title"),
    [
        ("no-tax-code:vat-21", 37, {"value": "VAT 21 %"}, "37 invoices wait for a tax code for VAT 21 %"),
        ("no-tax-code:none", 1, {}, "1 invoice waits for a tax code for lines without a VAT rate"),
        ("no-item:none", 2, {}, "2 invoices wait for an item for lines without a Service"),
        ("conflict:edited-in-qbo", 1, {}, "1 invoice was changed in QuickBooks and in Kompass"),
        ("no-multicurrency:EUR", 1, {}, "1 invoice is in EUR, which the company does not keep"),
        ("too-long:DocNumber", 2, {}, "2 invoices have a DocNumber that is too long for QuickBooks"),
        ("never-heard-of", 1_200, {}, "1,200 invoices: never-heard-of"),
        ("fault:6000", 1, {"kind": "client"}, "1 client was refused by QuickBooks"),
        ("undecodable", 1, {"stage": "decode", "kind": ""}, "1 event could not be read"),
        ("invalid-grant", 1, {"stage": "connect"}, "The connection to QuickBooks is lost"),
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
    before = {"BillAddr": {"Id": "9", "City": "Bath", "Line1": "1 Road"}, "#note": "x", "Gone": "old"}
    now = {"BillAddr": {"Line1": "1 Road", "City": "Bath"}, "DocNumber": "7"}
    assert [(one.member, one.changed) for one in differences(before, now)] == [
        ("BillAddr", False),
        ("DocNumber", True),
        ("Gone", True),
    ]
