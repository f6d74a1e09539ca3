"""The controls that a file of events names in lines ``# bookkeeper {…}``: the simulator carries each of them out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulator import CANADA, IRELAND, UK, USA
from simulator.bookkeeper import ACTIONS, edit

from .conftest import Books, OpenBooks, line
from .test_documentation import section

LINES = """
# bookkeeper {"action": "create", "entity": "Customer", "members": {"DisplayName": "Anna  Fielding"}}
# bookkeeper {"action": "preferences", "group": "CurrencyPrefs", "members": {"MultiCurrencyEnabled": true}}
# bookkeeper {"action": "preferences", "group": "SalesFormsPrefs", "members": {"CustomTxnNumbers": false}}
# bookkeeper {"action": "preferences", "group": "AccountingInfoPrefs", "members": {"ClassTrackingPerTxnLine": false}}
# bookkeeper {"action": "preferences", "group": "SalesFormsPrefs", "members": {"AutoApplyCredit": true}}
# bookkeeper {"action": "preferences", "group": "SalesFormsPrefs", "members": {"CustomField": []}}
# bookkeeper {"action": "create", "entity": "Customer", "members": {"DisplayName": "24-p1", "Job": true, "ParentRef": {"value": "6"}}}
# bookkeeper {"action": "project", "name": "24-p2", "customer": "6"}
# bookkeeper {"action": "merge", "id": "7", "into": "8"}
# bookkeeper {"action": "merge", "id": "9", "into": "8"}
# bookkeeper {"action": "pay", "id": "1", "amount": 10}
# bookkeeper {"action": "update", "entity": "Invoice", "id": "2", "members": {"PrivateNote": "by hand"}}
# bookkeeper {"action": "add_line", "entity": "Invoice", "id": "2", "line": {"DetailType": "DescriptionOnly", "Description": "x"}}
# bookkeeper {"action": "type", "entity": "Invoice", "id": "2", "members": {"BillEmail": {"Address": "a b@x.com"}}}
# bookkeeper {"action": "type", "entity": "Item", "members": {"Name": "Survey", "Type": "Group"}}
# bookkeeper {"action": "void", "entity": "Invoice", "id": "2"}
# bookkeeper {"action": "delete", "entity": "Invoice", "id": "2"}
# bookkeeper {"action": "rename", "entity": "Customer", "id": "6", "name": "Birch"}
# bookkeeper {"action": "setting", "setting": "warn_duplicates", "on": false}
# bookkeeper {"action": "exchange_rate", "currency": "USD", "date": "2026-01-01", "rate": "0.8"}
# bookkeeper {"action": "close_books", "date": "2025-12-31"}
# bookkeeper {"action": "deactivate", "entity": "Item", "id": "2"}
# bookkeeper {"action": "reactivate", "entity": "Item", "id": "2"}
# bookkeeper {"action": "deactivate_tax_code", "id": "2"}
# bookkeeper {"action": "profile", "members": {"status": "locked"}}
"""


@pytest.mark.parametrize("realm", [USA, UK, CANADA, IRELAND])
def test_every_control_line_is_carried_out(open_books: OpenBooks, realm: str) -> None:
    books: Books = open_books(realm)
    customer = books.customer("Quay & Sons")
    job = books.customer("Phase 1", Job=True, ParentRef={"value": customer["Id"]})
    code = None if realm == USA else "1"
    for _ in range(2):
        books.invoice(job, line(100, code))
    # The rest of the names that the lines number: 8 and 9 are made by them.
    for text in LINES.strip().splitlines():
        wanted: dict[str, Any] = json.loads(text.removeprefix("# bookkeeper "))
        if wanted["action"] == "merge":
            people = books.company.tables["Customer"]
            wanted["id"] = next(one["Id"] for one in people.values() if one.get("Job") and not one.get("IsProject"))
            wanted["into"] = next(one["Id"] for one in people.values() if one.get("IsProject"))
        edit(books.company, wanted)
    assert books.company.profile.status == "locked"
    assert {one["DisplayName"] for one in books.company.tables["Customer"].values()} == {
        "Birch",
        "Anna  Fielding",
        "24-p2",
    }


def test_the_page_lists_every_action_of_the_bookkeeper() -> None:
    listed = section("Controls").partition("### The bookkeeper")[2].partition("###")[0]
    named = {
        name for row in listed.splitlines() if row.startswith("| `") for name in row.split("|")[1].split("`")[1::2]
    }
    assert named == set(ACTIONS)
