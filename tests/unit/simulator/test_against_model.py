"""Any sequence of creates, updates, payments, voids, deletes and deactivations, held against a plain model of the books."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from simulator import UK, Settings
from simulator.faults import ApiFault
from simulator.members import clean
from simulator.operations import Write, write
from simulator.selection import run

from .conftest import Books, line

CENT = Decimal("0.01")
RATES = {"20.0% S": Decimal(20), "5.0% R": Decimal(5), "0.0% Z": Decimal(0)}
NAMES = st.sampled_from(["Larch", "larch", "Birch", "Alder & Co", "O'Hara", "Harbour Printing", "Emily Platt", "Rowan"])
AMOUNTS = st.decimals("0.00", "9999.99", places=2)
LINES = st.lists(st.tuples(AMOUNTS, st.sampled_from(sorted(RATES))), min_size=1, max_size=4)


@dataclass
class Person:
    id: str
    name: str
    active: bool = True
    token: int = 0


@dataclass
class Document:
    id: str
    kind: str
    customer: str
    number: str
    total: Decimal
    paid: Decimal = Decimal(0)
    token: int = 0
    state: str = "open"
    lines: list[tuple[Decimal, str]] = field(default_factory=list)


def gross(lines: list[tuple[Decimal, str]], *, per_line: bool) -> Decimal:
    """Net plus the tax, half a cent up: of each line, or of each rate on the summed net."""
    total = sum((amount for amount, _ in lines), Decimal(0))
    if per_line:
        return total + sum((taxed(amount, RATES[code]) for amount, code in lines), Decimal(0))
    for code, percent in RATES.items():
        total += taxed(sum((amount for amount, one in lines if one == code), Decimal(0)), percent)
    return total


def taxed(net: Decimal, percent: Decimal) -> Decimal:
    return (net * percent / 100).quantize(CENT, ROUND_HALF_UP)


class AgainstModel(RuleBasedStateMachine):
    """Under the kinder answers; the less kind ones are below."""

    switches: ClassVar[dict[str, Any]] = {
        "tax_rounding": "per_rate",
        "docnumber_scope": "type",
        "inactive_name_is_free": True,
        "sparse_line_needs": "nothing",
        "inner_spaces": "kept",
        "paid_document": "unlink",
    }
    customers = Bundle("customers")
    invoices = Bundle("invoices")

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(UK, Settings(**self.switches))
        self.codes = {one["Name"]: one["Id"] for one in self.books.company.tables["TaxCode"].values()}
        self.people: dict[str, Person] = {}
        self.documents: dict[str, Document] = {}
        self.others = {"harbour printing", "emily platt"}

    def taken(self, name: str, own: str | None = None) -> bool:
        held = {one.name.casefold() for one in self.people.values() if one.id != own}
        if not self.switches["inactive_name_is_free"]:
            held |= {one.removesuffix(" (deleted)") for one in held}
        return name.casefold() in held | self.others

    def gross(self, lines: list[tuple[Decimal, str]]) -> Decimal:
        return gross(lines, per_line=self.switches["tax_rounding"] == "per_line")

    def wire(self, lines: list[tuple[Decimal, str]]) -> list[dict[str, Any]]:
        return [line(float(amount), self.codes[code]) for amount, code in lines]

    @rule(target=customers, name=NAMES)
    def create_customer(self, name: str) -> Any:
        if self.taken(name):
            with pytest.raises(ApiFault) as refused:
                self.books.customer(name)
            assert refused.value.codes == ("6240",)
            return multiple()
        made = self.books.customer(name)
        assert made["SyncToken"] == "0"
        self.people[made["Id"]] = Person(made["Id"], name)
        return made["Id"]

    @rule(customer=customers, name=NAMES)
    def rename_customer(self, customer: str, name: str) -> None:
        person = self.people[customer]
        old = {"Id": customer, "SyncToken": str(person.token)}
        if not person.active:
            return
        if self.taken(name, customer):
            assert self.books.refuses(lambda: self.books.update("Customer", old, DisplayName=name)).codes == ("6240",)
            return
        made = self.books.update("Customer", old, DisplayName=name)
        person.token += person.name != name
        person.name = name
        assert made["SyncToken"] == str(person.token)

    @rule(customer=customers)
    def stale_update(self, customer: str) -> None:
        old = {"Id": customer, "SyncToken": str(self.people[customer].token + 1)}
        assert self.books.refuses(lambda: self.books.update("Customer", old, Notes="x")).codes == ("5010",)

    @rule(customer=customers)
    def deactivate(self, customer: str) -> None:
        person = self.people[customer]
        old = {"Id": customer, "SyncToken": str(person.token)}
        if person.active and self.balance(customer):
            assert self.books.refuses(lambda: self.books.update("Customer", old, Active=False)).codes == ("6220",)
            return
        made = self.books.update("Customer", old, Active=False)
        if person.active:
            person.token += 1
            wanted = f"{person.name} (deleted)"
            # A second one of that name gets a number behind it.
            assert made["DisplayName"].startswith(wanted)
            person.name, person.active = made["DisplayName"], False
        assert (made["SyncToken"], made["Active"]) == (str(person.token), False)

    @rule(
        target=invoices,
        customer=customers,
        lines=LINES,
        number=st.integers(1, 12),
        kind=st.sampled_from(["Invoice", "CreditMemo"]),
    )
    def create_document(self, customer: str, lines: list[tuple[Decimal, str]], number: int, kind: str) -> Any:
        def make() -> dict[str, Any]:
            make = self.books.invoice if kind == "Invoice" else self.books.memo
            return make({"Id": customer}, *self.wire(lines), DocNumber=str(number))

        if not self.people[customer].active:
            assert self.books.refuses(make).codes == ("610",)
            return multiple()
        clash = [
            one
            for one in self.documents.values()
            if one.state != "deleted"
            and one.number == str(number)
            and (one.kind == kind or self.switches["docnumber_scope"] == "sales")
        ]
        if clash:
            refused = self.books.refuses(make)
            assert refused.codes == ("6140",)
            assert any(f"TxnId={one.id}" in refused.errors[0].detail for one in clash)
            return multiple()
        made = make()
        self.documents[made["Id"]] = Document(made["Id"], kind, customer, str(number), self.gross(lines), lines=lines)
        return made["Id"]

    @rule(document=invoices, lines=LINES)
    def change_lines(self, document: str, lines: list[tuple[Decimal, str]]) -> None:
        known = self.documents[document]
        if known.state != "open" or self.gross(lines) < known.paid:
            return
        old = {"Id": document, "SyncToken": str(known.token)}
        stored = self.books.get(known.kind, document)["Line"]
        wire = self.wire(lines)
        for one, before in zip(wire, stored, strict=False):
            if "Id" in before:
                one["Id"] = before["Id"]
        owner = {"value": known.customer}
        if known.kind == "CreditMemo" and self.switches["sparse_line_needs"] != "nothing":
            assert self.books.refuses(lambda: self.books.update(known.kind, old, Line=wire)).codes == ("2020",)
        made = self.books.update(known.kind, old, Line=wire, CustomerRef=owner)
        # The same lines again are no change; any others are one.
        known.token += lines != known.lines
        known.lines, known.total = lines, self.gross(lines)
        assert made["SyncToken"] == str(known.token)

    @rule(document=invoices)
    def write_the_same_again(self, document: str) -> None:
        known = self.documents[document]
        if known.state == "open":
            stored = self.books.get(known.kind, document)
            made = write(self.books.company, Write(entity=known.kind, operation="update", payload=stored))
            assert made == stored

    @rule(document=invoices, share=st.integers(1, 100))
    def pay(self, document: str, share: int) -> None:
        known = self.documents[document]
        amount = ((known.total - known.paid) * share / 100).quantize(CENT)
        if known.kind != "Invoice" or known.state != "open" or not amount or not self.people[known.customer].active:
            return
        owner = {"Id": known.customer}
        too_much = float(known.total - known.paid + CENT)
        stored = self.books.get("Invoice", document)
        assert self.books.refuses(lambda: self.books.pay(owner, too_much, ("Invoice", stored, too_much))).codes == (
            "6000",
        )
        self.books.pay(owner, float(amount), ("Invoice", stored, float(amount)))
        known.paid += amount
        known.token += 1

    @rule(document=invoices)
    def void(self, document: str) -> None:
        known = self.documents[document]
        if known.kind != "Invoice" or known.state != "open":
            return
        if known.paid:
            if self.switches["paid_document"] == "refuse":
                paid = {"Id": document, "SyncToken": str(known.token)}
                assert self.books.refuses(lambda: self.books.remove("Invoice", "void", paid)).codes == ("6000",)
            return
        made = self.books.remove("Invoice", "void", {"Id": document, "SyncToken": str(known.token)})
        known.token += 1
        known.total, known.state = Decimal(0), "void"
        assert (made["TotalAmt"], made["Balance"], made["SyncToken"]) == (0, 0, str(known.token))

    @rule(document=consumes(invoices))
    def delete(self, document: str) -> None:
        known = self.documents[document]
        if known.paid:
            return
        old = {"Id": document, "SyncToken": str(known.token)}
        assert self.books.remove(known.kind, "delete", old)["status"] == "Deleted"
        known.state = "deleted"
        assert self.books.refuses(lambda: self.books.remove(known.kind, "delete", old)).codes == ("610",)

    def balance(self, customer: str) -> Decimal:
        return sum(
            (
                (one.total - one.paid) * (1 if one.kind == "Invoice" else -1)
                for one in self.documents.values()
                if one.customer == customer and one.state == "open"
            ),
            Decimal(0),
        )

    @invariant()
    def the_books_agree(self) -> None:
        for person in self.people.values():
            shown = self.books.get("Customer", person.id)
            assert (shown["DisplayName"], shown["Active"], shown["SyncToken"]) == (
                person.name,
                person.active,
                str(person.token),
            )
            assert Decimal(str(shown["Balance"])) == self.balance(person.id)
        for document in self.documents.values():
            if document.state == "deleted":
                assert self.books.company.get(document.kind, document.id) is None
                continue
            shown = self.books.get(document.kind, document.id)
            assert clean(document.kind, shown) == shown
            assert shown["SyncToken"] == str(document.token)
            assert Decimal(str(shown["TotalAmt"])) == document.total
            assert Decimal(str(shown["Balance"])) == document.total - document.paid
            if document.state == "open":
                net = sum((Decimal(str(one["Amount"])) for one in shown["Line"] if "Id" in one), Decimal(0))
                assert net + Decimal(str(shown["TxnTaxDetail"]["TotalTax"])) == document.total
                assert [one["Amount"] for one in shown["Line"][:-1]] == [float(amount) for amount, _ in document.lines]

    @invariant()
    def queries_agree(self) -> None:
        company = self.books.company
        active = {one.id for one in self.people.values() if one.active}
        found = run(company, "select * from Customer maxresults 1000").get("Customer", [])
        assert {one["Id"] for one in found} == active
        assert run(company, "select count(*) from Customer where Active in (true, false)")["totalCount"] == len(
            self.people
        )
        owing = {
            one.id
            for one in self.documents.values()
            if one.kind == "Invoice" and one.total > one.paid and one.state == "open"
        }
        answer = run(company, "select * from Invoice where Balance > '0' maxresults 1000")
        assert {one["Id"] for one in answer.get("Invoice", [])} == owing


class AgainstStrictModel(AgainstModel):
    switches: ClassVar[dict[str, Any]] = {
        "tax_rounding": "per_line",
        "docnumber_scope": "sales",
        "inactive_name_is_free": False,
        "sparse_line_needs": "credit_memo",
        "inner_spaces": "folded",
        "paid_document": "refuse",
    }


# How many sequences there are, and whether from a fixed seed, the profile says: `make explore` runs many more.
for machine in (AgainstModel, AgainstStrictModel):
    machine.TestCase.settings = settings(stateful_step_count=30)
TestAgainstModel = AgainstModel.TestCase
TestAgainstStrictModel = AgainstStrictModel.TestCase
