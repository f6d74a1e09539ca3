"""What must stand in each QuickBooks company, worked out from the newest events alone by plain rules.

Written from the specification and independently of `mapping`, so that the two can be compared. It says less
than the mapping does (no templates but the defaults), and what it says is exact: names, numbers, amounts to the cent.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from demo.newest import History, Seen, seen_by_org
from demo.rules import OrgRules
from schemas.events import Client, Event, Invoice, InvoiceLine, InvoiceType, Project, Step

_MAX_NUMBER = 21
_MAX_NAME = 500
_MAX_TEXT = 4000
_CENT = Decimal("0.01")
_NEVER_SENT = {
    Step.DRAFT: "its step is Draft",
    Step.SUBMITTED: "its step is Submitted",
    Step.REJECTED: "it was rejected in Kompass",
    Step.UNKNOWN: "its step is not known",
}


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer, or a job when it has a parent; both by DisplayName."""

    name: str
    currency: str
    parent: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    amount: Decimal
    item: str
    text: str
    """What its description must hold."""
    tax_code: str | None
    class_name: str | None


@dataclass(frozen=True, slots=True)
class Document:
    entity: str
    """``Invoice`` or ``CreditMemo``."""
    number: str
    mark: str
    """The Kompass id, which stands in the PrivateNote."""
    customer: str
    date: dt.date
    due_date: dt.date | None
    currency: str
    total: Decimal
    tax: Decimal
    lines: tuple[Line, ...]
    memo: str | None = None
    custom_fields: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Expectation:
    """One company. What is in none of these must not be there."""

    customers: dict[str, Customer] = field(default_factory=dict)
    """By DisplayName: must stand."""
    contested: dict[str, Customer] = field(default_factory=dict)
    """By DisplayName: several records want the name, and the first to come has it."""
    optional: dict[str, Customer] = field(default_factory=dict)
    """By DisplayName: wanted only by a document that did not get through, or no longer. May stand, or be absent."""
    documents: dict[tuple[str, str], Document] = field(default_factory=dict)
    """By entity and number: must stand."""
    allowed: dict[tuple[str, str], list[Document]] = field(default_factory=lambda: defaultdict(list))
    """By entity and number: an earlier state that may have been sent before the newest one came, or one whose customer is
    contested. May stand, or be absent."""
    voided: set[tuple[str, str]] = field(default_factory=set)
    """May stand with every amount at zero, or be absent."""
    absent: dict[str, str] = field(default_factory=dict)
    """Reference of each record that must not have got through → why."""


def expect(events: Iterable[Event], rules: Iterable[OrgRules]) -> dict[str, Expectation]:
    """Realm id → what must be in that company after all these events, in any order."""
    orgs = seen_by_org(events)
    return {one.realm_id: _company(orgs.get(one.org_id, Seen()), one) for one in rules}


def _company(seen: Seen, rules: OrgRules) -> Expectation:
    expected = Expectation()
    names = _Names(seen, rules, expected)
    for history in seen.clients.values():
        if history.gone:
            continue
        client = history.newest
        assert isinstance(client, Client)
        names.customer(client, client.currency or rules.home_currency)
    if rules.project_customers:
        for history in seen.projects.values():
            project = history.newest
            assert isinstance(project, Project)
            if not history.gone:
                payer = seen.client(project.billing_client)
                names.job(project, payer.currency or rules.home_currency)
    for history in seen.invoices.values():
        _document(history, names, rules, expected)
    names.settle()
    return expected


class _Names:
    """Customers and jobs as they are wanted, and who gets a name that several want."""

    def __init__(self, seen: Seen, rules: OrgRules, expected: Expectation) -> None:
        self._seen = seen
        self._rules = rules
        self._expected = expected
        self._wanted: dict[str, dict[str, Customer]] = defaultdict(dict)
        self._firm: set[str] = set()
        self.firm = True
        """False while looking at what may have been sent, or may not."""
        self._taken = {name.casefold() for name in rules.taken_names}

    def customer(self, client: Client, currency: str) -> Customer | str:
        """The customer for a client in a currency, or why there cannot be one."""
        name = client.name.strip()
        if currency != (client.currency or self._rules.home_currency):
            name = f"{name} ({currency})"
        refusal = self._refusal(name, currency)
        if refusal:
            self._expected.absent[client.name] = refusal
            return refusal
        customer = Customer(name, currency, email=client.accounts_email or client.email)
        self._want(customer, f"client {client.id}")
        return customer

    def job(self, project: Project, currency: str) -> Customer | str:
        """The job for a project under its billing client in a currency, or why there cannot be one."""
        payer = self._seen.client(project.billing_client)
        parent = self.customer(payer, currency)
        if isinstance(parent, str):
            self._expected.absent[project.reference] = f"its client: {parent}"
            return f"its client: {parent}"
        name = f"{project.reference} {project.name}".strip()
        if currency != (payer.currency or self._rules.home_currency):
            name = f"{name} ({currency})"
        refusal = self._refusal(name, currency)
        if refusal:
            self._expected.absent[project.reference] = refusal
            return refusal
        job = Customer(name, currency, parent=parent.name)
        self._want(job, f"project {project.id}")
        return job

    def holder(self, invoice: Invoice) -> Customer | str:
        """Whom the document is for, or why there cannot be one."""
        if invoice.project is None:
            return self.customer(self._seen.client(invoice.client), invoice.currency)
        project = self._seen.project(invoice.project)
        if self._rules.project_customers:
            return self.job(project, invoice.currency)
        return self.customer(self._seen.client(project.billing_client), invoice.currency)

    def custom_fields(self, invoice: Invoice) -> tuple[tuple[str, str], ...]:
        """The order confirmation of the project, where the Org shows it."""
        if self._rules.order_field is None or invoice.project is None:
            return ()
        text = (self._seen.project(invoice.project).order_confirmation or "").strip()
        return ((self._rules.order_field, text),) if text else ()

    def _want(self, customer: Customer, whose: str) -> None:
        self._wanted[customer.name.casefold()][whose] = customer
        if self.firm:
            self._firm.add(customer.name.casefold())

    def contested(self, customer: Customer) -> bool:
        if len(self._wanted[customer.name.casefold()]) > 1:
            return True
        return customer.parent is not None and len(self._wanted[customer.parent.casefold()]) > 1

    def settle(self) -> None:
        """Move what is wanted into what must stand; documents of a contested customer may stand."""
        for name, wanted in self._wanted.items():
            for customer in wanted.values():
                if name not in self._firm:
                    where = self._expected.optional
                elif self.contested(customer):
                    where = self._expected.contested
                else:
                    where = self._expected.customers
                where[customer.name] = customer
        loose = set(self._expected.contested)
        for key, document in list(self._expected.documents.items()):
            if document.customer in loose:
                self._expected.allowed[key].append(self._expected.documents.pop(key))

    def _refusal(self, name: str, currency: str) -> str | None:
        if not name or len(name) > _MAX_NAME or any(character in name for character in ":\t\n"):
            return f"QuickBooks takes no name like {name[:40]!r}"
        if name.casefold() in self._taken:
            return f"a vendor or employee is called {name!r}"
        if currency != self._rules.home_currency and not self._rules.multicurrency:
            return f"the company has no second currency, {currency}"
        return None


def _document(history: History, names: _Names, rules: OrgRules, expected: Expectation) -> None:
    invoice = history.newest
    assert isinstance(invoice, Invoice)
    reason = "deleted in Kompass" if history.gone else _skipped(invoice, rules)
    if reason is None:
        made = _map(invoice, names, rules)
        if isinstance(made, Document):
            if invoice.step is Step.VOIDED:
                expected.voided.add((made.entity, made.number))
            else:
                expected.documents[made.entity, made.number] = made
                return
        else:
            reason = made
    if reason is not None:
        expected.absent[invoice.reference] = reason
    _allow_older(history, names, rules, expected)


def _allow_older(history: History, names: _Names, rules: OrgRules, expected: Expectation) -> None:
    """What went before the newest state came stays as it was: nothing is removed from the books."""
    names.firm = False
    for older in history.older:
        assert isinstance(older, Invoice)
        if older.sequence in history.deleted or _skipped(older, rules) or older.step is Step.VOIDED:
            continue
        made = _map(older, names, rules)
        if isinstance(made, Document):
            expected.allowed[made.entity, made.number].append(made)
    names.firm = True


def _skipped(invoice: Invoice, rules: OrgRules) -> str | None:
    if not invoice.synchronize:
        return "Synchronize is off"
    if invoice.type not in (InvoiceType.INVOICE, InvoiceType.CREDIT_NOTE):
        return f"its type is {invoice.type.value.title()}"
    if rules.start_date is not None and invoice.date < rules.start_date:
        return f"it is dated before {rules.start_date}"
    return _NEVER_SENT.get(invoice.step)


def _map(invoice: Invoice, names: _Names, rules: OrgRules) -> Document | str:
    """The document, or why there cannot be one."""
    sign = -1 if invoice.type is InvoiceType.CREDIT_NOTE else 1
    reason = _refused(invoice, rules, sign)
    firm, names.firm = names.firm, names.firm and reason is None and invoice.step is not Step.VOIDED
    holder = names.holder(invoice)
    names.firm = firm
    if reason is not None:
        return reason
    if isinstance(holder, str):
        return holder
    return Document(
        entity="CreditMemo" if sign < 0 else "Invoice",
        number=invoice.reference,
        mark=invoice.id,
        customer=holder.name,
        date=invoice.date,
        due_date=None if sign < 0 else invoice.due_date,
        currency=invoice.currency,
        total=sign * invoice.amount_gross,
        tax=sign * invoice.amount_vat,
        lines=tuple(_line(line, rules, sign) for line in sorted(invoice.lines, key=lambda one: one.position)),
        memo=invoice.details.strip() if invoice.details and invoice.details.strip() else None,
        custom_fields=names.custom_fields(invoice),
    )


def _refused(invoice: Invoice, rules: OrgRules, sign: int) -> str | None:
    net = sum((line.amount_net for line in invoice.lines), Decimal(0))
    vat = sum((line.amount_vat for line in invoice.lines), Decimal(0))
    if not invoice.lines:
        return "it has no lines"
    if (net, vat, net + vat) != (invoice.amount_net, invoice.amount_vat, invoice.amount_gross):
        return "its lines do not add up to its header"
    if any(amount != amount.quantize(_CENT) for line in invoice.lines for amount in (line.amount_net, line.amount_vat)):
        return "an amount is finer than a cent"
    if sign * invoice.amount_gross < 0:
        return "its total is negative"
    if any(len(line.description or "") > _MAX_TEXT for line in invoice.lines):
        return f"the text of a line is longer than {_MAX_TEXT}"
    if len(invoice.reference) > _MAX_NUMBER:
        return f"its number is longer than {_MAX_NUMBER}"
    if invoice.currency != rules.home_currency and not rules.multicurrency:
        return f"the company has no second currency, {invoice.currency}"
    if rules.locale == "USA":
        return "it bills tax that the company would not book" if invoice.amount_vat else None
    missing = {_rate_name(line) for line in invoice.lines if _rate_id(line) not in rules.tax_codes}
    return f"no tax code for {', '.join(sorted(missing))}" if missing else None


def _rate_id(line: InvoiceLine) -> str:
    return "" if line.vat_rate is None else line.vat_rate.id


def _rate_name(line: InvoiceLine) -> str:
    return "lines without a VAT rate" if line.vat_rate is None else line.vat_rate.name


def _line(line: InvoiceLine, rules: OrgRules, sign: int) -> Line:
    service = line.service
    department = None if service is None else service.department
    class_name = None if service is None else rules.item_classes.get(service.name)
    if class_name is None and department is not None:
        class_name = rules.classes.get(department.name)
    return Line(
        amount=sign * line.amount_net,
        item=rules.default_item if service is None else rules.items.get(service.name, rules.default_item),
        text=line.quote_item.name.strip(),
        tax_code=None if rules.locale == "USA" else rules.tax_codes[_rate_id(line)],
        class_name=class_name or rules.default_class,
    )


def without(expectation: Expectation, references: Mapping[str, str]) -> Expectation:
    """The same, with these documents absent for the reasons given: what a test holds back on purpose."""
    kept = {key: one for key, one in expectation.documents.items() if one.number not in references}
    return replace(expectation, documents=kept, absent={**expectation.absent, **references})
