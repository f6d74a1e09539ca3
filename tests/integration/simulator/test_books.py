"""The pages that show a company's books, and the audit trail behind them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from simulator import UK, USA, Settings, Simulator

from .conftest import TIMEOUT_SECONDS, Http

EXAMPLE = Path(__file__).parents[3] / "simulator" / "companies.example.json"


def page(intuit: Simulator, path: str, status: int = 200) -> str:
    """The text of a page, without its marks, spaces folded."""
    answer = requests.get(f"{intuit.base_url}{path}", timeout=TIMEOUT_SECONDS)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    bare = re.sub(r"<style>.*?</style>|<[^>]+>", " ", answer.text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(bare))


@pytest.fixture
def alder() -> Iterator[Simulator]:
    with Simulator(settings=Settings.from_environment(quota_enabled=False), companies=EXAMPLE) as running:
        yield running


def test_customers_have_their_balances_and_sub_customers_below_them(alder: Simulator) -> None:
    text = page(alder, "/books/1001")
    assert "Rowan Homes 0.00 GBP 940.00 GBP accounts@rowan.example Mill Lane 940.00 GBP 940.00 GBP" in text
    assert "Total 940.00 GBP" in text
    assert "2026-03-02 Invoice A-1 Mill Lane" in text
    assert "1,440.00 GBP 940.00 GBP Partly paid" in text


def test_a_document_has_lines_tax_and_what_is_applied_to_it(alder: Simulator) -> None:
    text = page(alder, "/books/1001/invoice/1")
    assert "1 Models Concept model 2 600 20.0% S 1,200.00 GBP" in text
    assert "Subtotal 1,200.00 GBP" in text
    assert "20 % of 1,200.00 GBP 240.00 GBP Total 1,440.00 GBP Open 940.00 GBP" in text
    assert "Payment 2 Mill Lane 500.00 GBP 0.00 GBP Applied" in text
    assert "Amount 500.00 GBP Unapplied 0.00 GBP" in page(alder, "/books/1001/payment/2")


def test_a_customer_has_its_documents_and_its_sub_customers(alder: Simulator) -> None:
    assert "Sub-customers Sub-customer Open balance Mill Lane 940.00 GBP" in page(alder, "/books/1001/customer/6")
    assert "Invoice A-1 Mill Lane" in page(alder, "/books/1001/customer/7")


def test_the_audit_trail_says_who_changed_what(intuit: Simulator) -> None:
    usa = Http(intuit, USA, intuit.authorize(USA)["access_token"], requests.Session())
    made = usa.create("Customer", {"DisplayName": "Larch"})
    usa.create("Customer", {"Id": made["Id"], "SyncToken": "0", "sparse": True, "Notes": "Pays late"})
    edit = {"realm": USA, "action": "rename", "entity": "Customer", "id": made["Id"], "name": "Larch & Sons"}
    usa.control("POST", "bookkeeper", edit)
    text = page(intuit, f"/books/{USA}/audit")
    who = "Olivia Owner (bookkeeper) Customer Larch & Sons changed (version 2)"
    first, second, third = (
        text.index(part)
        for part in (who, "Simulator client Customer Larch & Sons changed (version 1)", "Larch created (version 0)")
    )
    assert first < second < third
    assert "DisplayName: Larch → Larch & Sons" in text
    assert "Notes: empty → Pays late" in text
    usa.session.close()


def test_what_was_deleted_keeps_its_trail(intuit: Simulator) -> None:
    usa = Http(intuit, USA, intuit.authorize(USA)["access_token"], requests.Session())
    larch = usa.create("Customer", {"DisplayName": "Larch"})
    detail = {"ItemRef": {"value": "1"}}
    lines = [{"Amount": 5, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": detail}]
    made = usa.create("Invoice", {"CustomerRef": {"value": larch["Id"]}, "Line": lines, "DocNumber": "7"})
    usa.post("invoice", {"Id": made["Id"], "SyncToken": "0"}, operation="delete")
    text = page(intuit, f"/books/{USA}/invoice/{made['Id']}")
    assert "This document was deleted" in text
    assert "Simulator client Invoice 7 deleted" in text
    usa.session.close()


def test_what_people_wrote_is_no_markup(intuit: Simulator) -> None:
    usa = Http(intuit, USA, intuit.authorize(USA)["access_token"], requests.Session())
    usa.create("Customer", {"DisplayName": "<script>x</script>"})
    answer = requests.get(f"{intuit.base_url}/books/{USA}", timeout=TIMEOUT_SECONDS)
    assert "<script>" not in answer.text
    assert "&lt;script&gt;x&lt;/script&gt;" in answer.text
    usa.session.close()


@pytest.mark.parametrize(
    "path", ["/books/", "/books/9", f"/books/{UK}/invoice/9", f"/books/{UK}/nothing", f"/books/{UK}/customer/9"]
)
def test_a_page_that_is_none_is_not_found(intuit: Simulator, path: str) -> None:
    assert "Not found" in page(intuit, path, 404)


def test_every_company_links_to_its_books(intuit: Simulator) -> None:
    text = requests.get(f"{intuit.base_url}/", timeout=TIMEOUT_SECONDS).text
    assert f'href="/books/{UK}"' in text
