"""Companies on a clock that stands still, without any transport."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from simulator import USA, Settings
from simulator.clock import Clock
from simulator.company import Company
from simulator.faults import ApiFault
from simulator.operations import Write, write
from simulator.seeds import companies

MORNING = datetime(2026, 3, 10, 17, 0, tzinfo=UTC)
SERVICE, CATEGORY, INACTIVE_ITEM = "1", "8", "9"

OpenBooks = Callable[..., "Books"]


class Books:
    """A company, and short ways to work on it."""

    def __init__(self, realm: str, settings: Settings) -> None:
        self.clock = Clock(start=MORNING)
        self.company: Company = companies(self.clock, settings)[realm]

    def create(self, entity: str, **members: Any) -> dict[str, Any]:
        return write(self.company, Write(entity=entity, operation="create", payload=members))

    def update(self, entity: str, old: dict[str, Any], *, sparse: bool = True, **members: Any) -> dict[str, Any]:
        payload = {"Id": old["Id"], "SyncToken": old["SyncToken"], "sparse": sparse, **members}
        return write(self.company, Write(entity=entity, operation="update", payload=payload))

    def remove(self, entity: str, operation: str, old: dict[str, Any]) -> dict[str, Any]:
        payload = {"Id": old["Id"], "SyncToken": old["SyncToken"]}
        return write(self.company, Write(entity=entity, operation=operation, payload=payload))

    def get(self, entity: str, identifier: str) -> dict[str, Any]:
        found = self.company.get(entity, identifier)
        assert found is not None
        return self.company.render(entity, found)

    def customer(self, name: str = "Larch", **members: Any) -> dict[str, Any]:
        return self.create("Customer", DisplayName=name, **members)

    def invoice(self, customer: dict[str, Any], *lines: dict[str, Any], **members: Any) -> dict[str, Any]:
        return self._sale("Invoice", customer, *lines, **members)

    def memo(self, customer: dict[str, Any], *lines: dict[str, Any], **members: Any) -> dict[str, Any]:
        return self._sale("CreditMemo", customer, *lines, **members)

    def _sale(self, entity: str, customer: dict[str, Any], *lines: dict[str, Any], **members: Any) -> dict[str, Any]:
        """In the customer's currency, which a company of several wants named."""
        if self.company.multicurrency:
            known = self.company.get("Customer", customer["Id"])
            members.setdefault("CurrencyRef", None if known is None else known["CurrencyRef"])
        wanted = {"CustomerRef": {"value": customer["Id"]}, "Line": list(lines) or [line(100)], **members}
        return self.create(entity, **wanted)

    def pay(
        self, customer: dict[str, Any], total: float, *applied: tuple[str, dict[str, Any], float]
    ) -> dict[str, Any]:
        lines = [
            {"Amount": amount, "LinkedTxn": [{"TxnId": one["Id"], "TxnType": kind}]} for kind, one, amount in applied
        ]
        return self.create("Payment", CustomerRef={"value": customer["Id"]}, TotalAmt=total, Line=lines)

    def refuses(self, work: Callable[[], Any]) -> ApiFault:
        with pytest.raises(ApiFault) as refused:
            work()
        return refused.value


def line(amount: Any, code: str | None = None, **detail: Any) -> dict[str, Any]:
    """A line that sells the first service."""
    members: dict[str, Any] = {"ItemRef": {"value": SERVICE}, **detail}
    if code is not None:
        members["TaxCodeRef"] = {"value": code}
    return {"Amount": amount, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": members}


@pytest.fixture
def open_books() -> OpenBooks:
    """`open_books(realm, **switches)`"""

    def make(realm: str = USA, **switches: Any) -> Books:
        return Books(realm, Settings(**switches))

    return make


@pytest.fixture
def books(open_books: OpenBooks) -> Books:
    return open_books()


def code_of(company: Company, name: str) -> str:
    """Id of the tax code of that name."""
    return next(one["Id"] for one in company.tables["TaxCode"].values() if one["Name"] == name)
