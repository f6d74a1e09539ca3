"""A company's year, drawn from a seed: what Kompass says, what a bookkeeper does, and what goes wrong on the way."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from schemas.events import Action, Invoice, InvoiceLine, Step, VatRate
from simulator import bookkeeper
from simulator.bookkeeper import BookkeeperError
from simulator.seeds import UK
from tests.builders import STANDARD, client, event, invoice, line, project
from tests.integration.agreement.year_oracle import Books, Said, books_of, documents_by_kompass_id
from tests.pipeline import Pipeline

REDUCED: Final = VatRate("vat-5", "Reduced", Decimal(5))
ZERO: Final = VatRate("vat-0", "Zero", Decimal(0))
UNMAPPED: Final = VatRate("vat-unmapped", "Nobody mapped it", Decimal(20))
ROWS: Final = {"vat-5": "5.0% R", "vat-0": "0.0% Z"}
CURRENCIES: Final = ("GBP", "GBP", "GBP", "GBP", "GBP", "USD", "EUR", "JPY")
DEEDS: Final = (
    "void", "delete", "month", "day", "customer", "tax", "amount", "code", "copy", "hand", "text", "note", "pay", "rate",
    "number", "due",
)  # fmt: skip
REVISIONS: Final = ("reject", "void", "off", "delete", "month", "amount", "project", "text", "approve")
TRANSIENT: Final = "name_lock+try_again+saved_anyway+requestid_used+unsupported+not_found_page+server_error"
LOST: Final[tuple[dict[str, Any], ...]] = tuple(
    {**trouble, "operation": operation}
    for operation in ("create", "update", "void", "batch")
    for trouble in (
        {"kind": "reset_after", "probability": 0.05},
        {"kind": "reset_before", "probability": 0.02},
        {"kind": "http", "status": 503, "probability": 0.02},
    )
)
ONE: Final = {"Qty": 1, "UnitPrice": 1}
DAYS: Final = (1, 10, 19, 28)
"""Few of them, since each day of a currency is a read of its rate."""
QUIET_FROM: Final = 11
"""The last months are left as they are, so that some agree."""


@dataclass
class Year:
    """``a_month`` documents in each of twelve months."""

    pipeline: Pipeline
    seed: int
    a_month: int
    said: Said = field(default_factory=dict)
    """Kompass's newest word about each document."""
    deleted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        for vat, code in ROWS.items():
            self.pipeline.map_vat_rate(vat, code)
        # Each look at the books renders all of them, so it is taken once.
        self.item = self.pipeline.object_id(UK, "Item", "Surveying")
        self.codes = {one["Name"]: one["Id"] for one in self.pipeline.objects("TaxCode")}
        self.typed: dict[str, Any] = {}
        # The rate of a month differs from that of the next, so that a wrong date shows.
        for month in range(1, 13):
            for currency, rate in rates_of(month).items():
                self._bookkeeper(action="exchange_rate", currency=currency, date=f"2026-{month:02}-01", rate=rate)
        way = ("per_line", "per_rate")[self.seed % 2]
        settings = {"tax_rounding": way, "sparse_line_needs": "nothing", "omitted_exchange_rate": "one"}
        self.pipeline.simulator.call(lambda world: world.change_settings(settings))
        self.pipeline.together = (1, 10)[self.seed // 2 % 2]

    def live(self, file: Callable[[], None]) -> None:
        """Bill the year, file it, then let the bookkeeper and Kompass change half of it, with lost answers and passing refusals."""
        for month in range(1, 13):
            for number in range(month * 1000, month * 1000 + self.a_month):
                self.said[f"n{number}"] = self._document(number, month)
        for one in self.said.values():
            if _number(one) % 19 == 4 and one.date.month < QUIET_FROM and one.amount_gross > 0:
                self._type_in(one)
        self._drive(*(event(one) for one in self.said.values()))
        file()
        books = books_of(self.pipeline)
        there = documents_by_kompass_id(books)
        for one in [each for each in self.said.values() if each.date.month < QUIET_FROM]:
            if one.id in there and self.rng.random() < 0.4:
                self._deed(self.rng.choice(DEEDS), one, there[one.id][0], books)
        self._bookkeeper(action="close_books", date="2026-01-31")
        changed = [
            self._revised(one)
            for one in [each for each in self.said.values() if each.date.month < QUIET_FROM - 1]
            if self.rng.random() < 0.25
        ]
        actions = {True: Action.DELETE, False: Action.UPDATE}
        self._drive(*(event(one, action=actions[one.id in self.deleted]) for one in changed))

    def _drive(self, *events: Any) -> None:
        world = self.pipeline.simulator
        for place, rule in enumerate(LOST):
            wanted = {**rule, "seed": self.seed + place, "realm": UK}
            world.call(lambda one, wanted=wanted: one.troubles.add(wanted))
        trouble = {"background_trouble": TRANSIENT, "background_per_thousand": 10, "background_seed": self.seed}
        world.call(lambda one: one.change_settings(trouble))
        self.pipeline.ingest(*events)
        self._rest()
        world.call(lambda one: one.troubles.remove())
        world.call(lambda one: one.change_settings({"background_trouble": "none"}))

    def _rest(self) -> None:
        """Drive until nothing is due; what is put off is due at once, and what was sent without an answer is old enough."""
        for _ in range(1500):
            self._execute("UPDATE qbo_link SET due_at = now() WHERE due_at IS NOT NULL")
            self._execute("UPDATE qbo_attempt SET first_sent_at = first_sent_at - interval '4 minutes'")
            self.pipeline.sweep()
            due = self.pipeline.due()
            if not due:
                return
            # What is claimed and not sent for half a minute is late.
            claimed = self.pipeline.claim(due[:100])
            for realm, org in claimed.unready.items():
                self.pipeline.jobs.prepare(org, realm, refused_by_facts=realm in claimed.refused_by_facts)
            answers = self.pipeline.answers(claimed.attempts)
            if answers:
                self.pipeline.settle(*answers)
        due_rows = [row for row in self.pipeline.links() if row.due_at is not None]
        raise AssertionError(f"still due: {[(row.kompass_id, row.currency, row.state, row.cause) for row in due_rows]}")

    def _execute(self, statement: str) -> None:
        with self.pipeline.engine.begin() as db:
            db.exec_driver_sql(statement)

    # Kompass

    def _document(self, number: int, month: int) -> Invoice:
        currency = self.rng.choice(CURRENCIES)
        sign = "-" if number % 7 == 3 else ""
        standard = UNMAPPED if number % 13 == 5 and month < QUIET_FROM else STANDARD
        lines = tuple(
            self._line(
                f"{sign}{self._net(currency)}", currency, self.rng.choice((standard, standard, REDUCED, ZERO)), place
            )
            for place in range(1, self.rng.randint(2, 4))
        )
        step = {0: Step.DRAFT, 1: Step.SUBMITTED}.get(number % 11, Step.APPROVED)
        return self._of(
            f"n{number}", number % 5, currency, lines, step=step, date=dt.date(2026, month, self.rng.choice(DAYS))
        )

    def _of(self, kompass_id: str, who: int, currency: str, lines: tuple[InvoiceLine, ...], **more: Any) -> Invoice:
        billed = project(f"p{who}", of=client(f"c{who}"))
        return invoice(kompass_id, of=billed, lines=lines, currency=currency, **more)

    def _net(self, currency: str) -> str:
        pence = self.rng.randint(1, 900_00)
        return str(pence) if currency == "JPY" else f"{pence / 100:.2f}"

    def _line(self, net: str, currency: str, vat: VatRate, place: int) -> InvoiceLine:
        unit = Decimal(1) if currency == "JPY" else Decimal("0.01")
        tax = (Decimal(net) * vat.rate / 100).quantize(unit, ROUND_HALF_UP)
        return line(net, vat=vat, position=place, amount_vat=tax)

    def _revised(self, one: Invoice) -> Invoice:
        """Kompass's next word about a document."""
        what = self.rng.choice(REVISIONS)
        sign = "-" if one.amount_gross < 0 else ""
        again = {"sequence": one.sequence + 1, "step": one.step, "date": one.date}
        kept = (one.id, int((one.project or project()).id[1:]), one.currency, one.lines)
        if what == "amount":
            lines = tuple(
                self._line(
                    f"{sign}{self._net(one.currency)}", one.currency, self.rng.choice((STANDARD, REDUCED)), place
                )
                for place in range(1, self.rng.randint(2, 4))
            )
            revised = self._of(*kept[:3], lines, **again)
        elif what == "project":
            revised = self._of(one.id, (kept[1] + 1) % 5, *kept[2:], **again)
        elif what == "month":
            revised = self._of(*kept, **{**again, "date": one.date + dt.timedelta(days=31)})
        else:
            more: dict[str, dict[str, Any]] = {
                "reject": {"step": Step.REJECTED}, "void": {"step": Step.VOIDED}, "off": {"synchronize": False},
                "approve": {"step": Step.POSTED}, "text": {"details": "Thank you"},
            }  # fmt: skip
            revised = self._of(*kept, **{**again, **more.get(what, {})})
        if what == "delete":
            self.deleted.add(one.id)
        self.said[one.id] = revised
        return revised

    # The bookkeeper

    def _bookkeeper(self, **wanted: Any) -> list[Any]:
        try:
            changed: list[Any] = self.pipeline.simulator.call(
                lambda world: bookkeeper.edit(world.companies[UK], wanted)
            )
        except BookkeeperError:
            # QuickBooks does not let them; the day goes on.
            return []
        return changed

    def _type_in(self, one: Invoice) -> None:
        """The bookkeeper has typed in an invoice of that number and currency: QuickBooks refuses ours."""
        detail = {"ItemRef": {"value": self.item}, "TaxCodeRef": {"value": self.codes["20.0% S"]}}
        name = f"Typed in {one.currency}"
        currency = {"value": one.currency}
        if name not in self.typed:
            new = {"DisplayName": name, "CurrencyRef": currency}
            (self.typed[name],) = self._bookkeeper(action="create", entity="Customer", members=new)
        members = {
            "DocNumber": one.reference, "CustomerRef": {"value": self.typed[name]["Id"]}, "CurrencyRef": currency,
            "TxnDate": one.date.isoformat(), "GlobalTaxCalculation": "TaxExcluded",
            "Line": [{"DetailType": "SalesItemLineDetail", "Amount": 5, "SalesItemLineDetail": detail}],
        }  # fmt: skip
        assert self._bookkeeper(action="create", entity="Invoice", members=members)

    def _deed(self, deed: str, one: Invoice, found: Mapping[str, Any], books: Books) -> None:
        """One deed of a bookkeeper, on the document of an invoice."""
        entity = "CreditMemo" if "RemainingCredit" in found else "Invoice"
        here: dict[str, Any] = {"entity": entity, "id": found["Id"]}
        sales = [dict(each) for each in found["Line"] if each["DetailType"] == "SalesItemLineDetail"]
        plain = [{key: value for key, value in each.items() if key != "Id"} for each in sales]
        first = dt.date.fromisoformat(found["TxnDate"])
        detail = sales[0]["SalesItemLineDetail"]
        names = ("CustomerRef", "CurrencyRef", "TxnDate", "GlobalTaxCalculation", "ExchangeRate")
        copied = {name: found[name] for name in names if name in found}
        exempt = {"TaxCodeRef": {"value": self.codes["Exempt"]}}
        currency = {"value": one.currency}
        other = next(
            (each for each in books.customers.values() if each["CurrencyRef"] == found["CurrencyRef"] and
             each["Id"] != found["CustomerRef"]["value"]), None,
        )  # fmt: skip
        members: dict[str, dict[str, Any]] = {
            "month": {"TxnDate": (first + dt.timedelta(days=31)).isoformat()},
            "day": {"TxnDate": first.replace(day=1 if first.day > 1 else 2).isoformat()},
            "customer": {"CustomerRef": {"value": other["Id"]}} if other else {},
            "amount": {"Line": [{**sales[0], "Amount": 1, "SalesItemLineDetail": {**detail, **ONE}}]},
            "code": {"Line": [{**sales[0], "SalesItemLineDetail": {**detail, **exempt}}, *sales[1:]]},
            "text": {"CustomerMemo": {"value": "Thank you"}},
            "note": {"PrivateNote": "checked"},
            "number": {"DocNumber": f"B{one.id}"},
            "due": {"DueDate": "2027-01-31"} if entity == "Invoice" else {},
            "rate": {"ExchangeRate": Decimal("0.5"), "CurrencyRef": currency} if one.currency != "GBP" else {},
        }
        if deed == "copy":
            made = {**copied, "DocNumber": f"C{one.id}", "Line": plain, "PrivateNote": found["PrivateNote"]}
            self._bookkeeper(action="create", entity=entity, members=made)
        elif deed == "hand":
            self._bookkeeper(
                action="create", entity=entity, members={**copied, "DocNumber": f"H{one.id}", "Line": plain}
            )
        elif deed == "tax":
            self._bookkeeper(action="override_tax", tax="0.77", **here)
        elif deed in ("pay", "void", "delete"):
            self._bookkeeper(action=deed, **here)
        elif members[deed]:
            self._bookkeeper(action="update", members=members[deed], **here)


def rates_of(month: int) -> dict[str, str]:
    """Home units for one of each foreign currency in a month."""
    return {"USD": f"0.79{month:02}", "EUR": f"0.86{month:02}", "JPY": f"0.0049{month:02}"}


def _number(one: Invoice) -> int:
    return int(one.id[1:])
