"""Records, configurations and companies to map; every test changes what it is about."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mapping.money import half_up
from mapping.results import Problem, Unmappable
from schemas.company import CompanyFacts, Configuration, ItemService, TaxCodeFact
from schemas.events import (
    Address,
    Client,
    Department,
    Invoice,
    InvoiceLine,
    InvoiceType,
    OrgRef,
    Project,
    QuoteItem,
    Service,
    Step,
    VatRate,
)

NOW = dt.datetime(2025, 3, 1, 12, 0, tzinfo=dt.UTC)
ENTITIES = Path(__file__).parents[2] / "data" / "qbo-entities.json"


class Make:
    """Gives whole examples; keyword arguments replace fields."""

    org = OrgRef("org-1", "Tidal Surveys")
    standard = VatRate("vat-20", "UK 20 %", Decimal(20))
    zero = VatRate("vat-0", "UK 0 %", Decimal(0))
    scanning = Department("dep-1", "Scanning")
    lidar = Service("svc-1", "LiDAR", scanning)

    def client(self, **changes: Any) -> Client:
        base = Client(
            id="cli-1",
            sequence=1,
            name="Harbour Authority",
            orgs=(self.org,),
            modified=NOW,
            email="office@harbour.example",
            phone="+44 1482 000000",
            website="www.harbour.example",
            address=Address("1 Quay Street", "Hull", "HU1 1AA", "United Kingdom", county="East Yorkshire"),
        )
        return replace(base, **changes)

    def project(self, **changes: Any) -> Project:
        base = Project(
            id="pro-1",
            sequence=1,
            reference="24-0329",
            name="Quay wall survey",
            org=self.org,
            client=self.client(),
            billing_client=self.client(),
            modified=NOW,
        )
        return replace(base, **changes)

    def line(self, **changes: Any) -> InvoiceLine:
        base = InvoiceLine(
            id="line-1",
            position=1,
            quote_item=QuoteItem("qi-1", "Topographic survey", Decimal("10000.00")),
            amount_net=Decimal("100.00"),
            amount_vat=Decimal("20.00"),
            service=self.lidar,
            vat_rate=self.standard,
        )
        made = replace(base, **changes)
        if "amount_vat" not in changes and made.vat_rate is not None:
            made = replace(made, amount_vat=half_up(made.amount_net * made.vat_rate.rate / 100))
        return made

    def invoice(self, *lines: InvoiceLine, **changes: Any) -> Invoice:
        """Its amounts are those of its lines, unless they are given."""
        lines = lines or (self.line(),)
        net = sum((line.amount_net for line in lines), Decimal(0))
        vat = sum((line.amount_vat for line in lines), Decimal(0))
        base = Invoice(
            id="inv-1",
            sequence=1,
            reference="24-0329-01",
            org=self.org,
            client=self.client(),
            type=InvoiceType.INVOICE,
            synchronize=True,
            step=Step.APPROVED,
            date=dt.date(2025, 3, 1),
            due_date=dt.date(2025, 3, 31),
            currency="GBP",
            amount_net=net,
            amount_vat=vat,
            amount_gross=net + vat,
            lines=lines,
            modified=NOW,
            project=self.project(),
        )
        return replace(base, **changes)

    def credit_note(self, *lines: InvoiceLine, **changes: Any) -> Invoice:
        return self.invoice(*lines, **{"type": InvoiceType.CREDIT_NOTE, **changes})

    def configuration(self, **changes: Any) -> Configuration:
        base = Configuration(
            org_id="org-1",
            org_name="Tidal Surveys",
            version=1,
            realm_id="9130",
            enabled=True,
            default_item_id="1",
            item_services={"svc-1": ItemService("12")},
            tax_codes={"vat-20": "5", "vat-0": "6", "": "7"},
        )
        return replace(base, **changes)

    def facts(self, **changes: Any) -> CompanyFacts:
        base = CompanyFacts(
            realm_id="9130",
            name="Tidal Surveys Ltd",
            country="GB",
            home_currency="GBP",
            fetched_at=NOW,
            multicurrency=True,
            class_per_line=True,
            tax_codes={
                "5": TaxCodeFact("5", "20.0% S", True, Decimal(20)),
                "6": TaxCodeFact("6", "0.0% Z", True, Decimal(0)),
                "7": TaxCodeFact("7", "No VAT", True, Decimal(0)),
                "8": TaxCodeFact("8", "17.5% S", False, Decimal("17.5")),
            },
        )
        return replace(base, **changes)


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


class Refusals:
    """Calls something that must be unmappable and gives its problems by their cause."""

    def __call__(self, call: Any, *args: Any, **kwargs: Any) -> dict[str, Problem]:
        with pytest.raises(Unmappable) as raised:
            call(*args, **kwargs)
        told = [(problem.cause, problem.field) for problem in raised.value.problems]
        assert len(set(told)) == len(told), told
        return {problem.cause: problem for problem in raised.value.problems}


@pytest.fixture(scope="session")
def refusals() -> Refusals:
    return Refusals()


class Members:
    """Checks a payload against the members and types of QBO's own schema."""

    def __init__(self) -> None:
        self._entities: Mapping[str, Mapping[str, Any]] = json.loads(ENTITIES.read_text())["entities"]

    def check(self, entity: str, payload: Mapping[str, object]) -> None:
        for member, value in payload.items():
            assert member in self._entities[entity], f"{entity} has no member {member}"
            self._check_value(f"{entity}.{member}", self._entities[entity][member], value)

    def _check_value(self, path: str, kind: Mapping[str, Any], value: object) -> None:
        if kind.get("array"):
            assert isinstance(value, list), path
            for item in value:
                self._check_value(path, {**kind, "array": False}, item)
        elif "ref" in kind:
            assert isinstance(value, dict), path
            assert value, f"{path} is empty"
            self.check(kind["ref"], value)
        elif "enum" in kind:
            assert value in kind["enum"], path
        else:
            self._check_scalar(path, kind["type"], value)

    def _check_scalar(self, path: str, kind: str, value: object) -> None:
        if kind == "string":
            assert isinstance(value, str), path
            assert value == value.strip() != "", path
        elif kind == "date":
            assert isinstance(value, str), path
            dt.date.fromisoformat(value)
        elif kind == "boolean":
            assert isinstance(value, bool), path
        elif kind == "integer":
            assert type(value) is int, path
        else:
            assert kind == "number", path
            assert isinstance(value, Decimal), path
            assert value.is_finite(), path


@pytest.fixture(scope="session")
def members() -> Members:
    return Members()
