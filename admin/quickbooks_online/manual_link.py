"""Links Kompass Clients to customers that QuickBooks had before: one at a time, or in bulk by exact name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from admin.quickbooks_online.companies import Company, trouble_of
from admin.quickbooks_online.models import Configuration, Link, Org, Record
from admin.quickbooks_online.runtime import engine
from admin.quickbooks_online.template_preview import KINDS, values_for
from mapping.templates import TemplateProblem, render
from qbo_client.calls import query
from qbo_client.errors import ReadFailed
from qbo_client.queries import compare, equals, iterate, select
from schemas.events import Client, Invoice, InvoiceType, OrgRef
from store.companies import read_facts
from store.transactions import retrying
from sync.by_hand import CannotLink, Customer, Existing, KnownClient, link_customer, link_existing, unlink_customer

FOUND_AT_MOST = 20


@dataclass(frozen=True, slots=True)
class QboCustomer:
    id: str
    name: str
    currency: str
    active: bool = True

    @property
    def label(self) -> str:
        return f"{self.name} ({self.currency})" if self.currency else self.name


@dataclass(frozen=True, slots=True)
class Match:
    """A Kompass Client and the QBO customer of exactly its name and currency."""

    kompass_id: str
    client: str
    customer: QboCustomer
    taken_by: str = ""
    """Another client that is linked to this customer already."""


def search(configuration: Configuration, words: str) -> list[QboCustomer]:
    """Find customers whose DisplayName holds the words (one metered read).

    Raises
    ------
    CompanyTrouble
    """
    text = select(
        "Customer",
        compare("DisplayName", "LIKE", f"%{words.replace('%', '')}%"),
        equals("Job", False),
        at_most=FOUND_AT_MOST,
    )
    answer = Company(configuration.realm_id or "").ask(query(text))
    return [_customer(row) for row in answer.rows("Customer")]


def customer_by_id(configuration: Configuration, qbo_id: str) -> QboCustomer | None:
    """Read one customer (one metered read); None when there is none, or it is a sub-customer.

    Raises
    ------
    CompanyTrouble
    """
    text = select("Customer", equals("Id", qbo_id), at_most=1)
    rows = Company(configuration.realm_id or "").ask(query(text)).rows("Customer")
    return None if not rows or rows[0].get("Job") else _customer(rows[0])


def _customer(row: dict[str, object]) -> QboCustomer:
    currency = row.get("CurrencyRef")
    code = str(currency.get("value") or "") if isinstance(currency, dict) else ""
    return QboCustomer(str(row.get("Id")), str(row.get("DisplayName") or ""), code, bool(row.get("Active", True)))


def existing_by_id(configuration: Configuration, link: Link, qbo_id: str) -> Existing | None:
    """Read what a project or invoice may be in QuickBooks (one metered read); None when there is nothing of that Id.

    Raises
    ------
    CompanyTrouble
    """
    entity = "Customer" if link.kind == "project" else "Invoice"
    record = Record.objects.filter(org_id=link.org_id, kind=link.kind, kompass_id=link.kompass_id).first()
    said = record.typed() if record is not None else None
    if isinstance(said, Invoice) and said.type is InvoiceType.CREDIT_NOTE:
        entity = "CreditMemo"
    conditions = [equals("Id", qbo_id), *([equals("Job", True)] if entity == "Customer" else [])]
    rows = Company(configuration.realm_id or "").ask(query(select(entity, *conditions, at_most=1))).rows(entity)
    if not rows:
        return None
    found = _customer(rows[0])
    name = found.name or str(rows[0].get("DocNumber") or qbo_id)
    return Existing(entity, found.id, name, found.currency or home_currency(configuration))


def link_to_existing(link: Link, there: Existing, *, by: str) -> None:
    """Let the link of a project or invoice stand for what was there before. The pipeline reads it before it ever writes.

    Raises
    ------
    CannotLink
    """
    retrying(engine(), lambda db: link_existing(db, link.pk, there, by=by))


def home_currency(configuration: Configuration) -> str:
    with engine().begin() as db:
        facts = read_facts(db, [configuration.realm_id or ""]).get(configuration.realm_id or "")
    return facts.home_currency if facts is not None else ""


def holders(configuration: Configuration, qbo_id: str) -> list[Link]:
    """Give the links that stand for a QBO customer already."""
    return list(Link.objects.filter(realm_id=configuration.realm_id, qbo_id=qbo_id, entity="Customer"))


def link_by_hand(configuration: Configuration, *, kompass_id: str, customer: QboCustomer, by: str) -> Link:
    """Let a Client's link stand for a customer that was there before. The pipeline reads it before it ever writes.

    Raises
    ------
    CannotLink
    """
    record = Record.objects.filter(org_id=configuration.org_id, kind="client", kompass_id=kompass_id).first()
    if record is None:
        raise CannotLink("This Client has not been seen in events of the Org yet.")
    client = KnownClient(configuration.org_id, kompass_id, record.reference, record.event_created_at)
    there = Customer(customer.id, customer.name, customer.currency or home_currency(configuration))
    link_id = retrying(engine(), lambda db: link_customer(db, client, configuration.realm_id or "", there, by=by))
    return Link.objects.get(pk=link_id)


def unlink(link: Link, *, by: str) -> None:
    """Take a link made by hand back: Kompass makes a customer of its own, as if none had been there.

    Raises
    ------
    CannotLink
    """
    retrying(engine(), lambda db: unlink_customer(db, link.pk, by=by))


def unlinked_clients(configuration: Configuration) -> list[Record]:
    """Give the Org's clients that have nothing in the company yet."""
    linked = Link.objects.filter(realm_id=configuration.realm_id, kind="client", qbo_id__isnull=False)
    return list(
        Record.objects.filter(org_id=configuration.org_id, kind="client", deleted=False)
        .exclude(kompass_id__in=linked.values("kompass_id"))
        .order_by("reference")
    )


def matches(configuration: Configuration) -> list[Match]:
    """Match clients without a link with all customers of the company, by exact name and currency (a metered read per 1,000).

    A name that stands twice on either side is left to a person.

    Raises
    ------
    CompanyTrouble
    """
    company = Company(configuration.realm_id or "")
    home = home_currency(configuration) or company.facts().home_currency
    by_name: dict[tuple[str, str], list[QboCustomer]] = {}
    try:
        for row in iterate(company.send, "Customer", equals("Job", False)):
            customer = _customer(row)
            by_name.setdefault((customer.name, customer.currency or home), []).append(customer)
    except ReadFailed as error:
        raise trouble_of(error.outcome) from error
    org = Org.objects.get(pk=configuration.org_id)
    taken = {
        link.qbo_id: link.reference or link.name
        for link in Link.objects.filter(realm_id=configuration.realm_id, entity="Customer", qbo_id__isnull=False)
    }
    wanted: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for record in unlinked_clients(configuration):
        client = record.typed()
        assert isinstance(client, Client)
        currency = client.currency or home
        for name in {client.name, _template_name(configuration, client, org)}:
            wanted.setdefault((name, currency), []).append((record.kompass_id, client.name))
    found = []
    seen: set[str] = set()
    for key, clients in sorted(wanted.items()):
        customers = by_name.get(key, [])
        if len(customers) == 1 and len(clients) == 1 and clients[0][0] not in seen:
            seen.add(clients[0][0])
            customer = customers[0]
            found.append(Match(clients[0][0], clients[0][1], customer, taken.get(customer.id, "")))
    return [match for match in found if not match.taken_by]


def _template_name(configuration: Configuration, client: Client, org: Org) -> str:
    try:
        return render(
            configuration.client_name_template,
            values_for(client, OrgRef(org.id, org.name)),
            field=KINDS["client_name_template"].label,
        )
    except TemplateProblem:
        return client.name


def link_all(configuration: Configuration, chosen: Iterable[Match], *, by: str) -> tuple[int, list[str]]:
    """Link the confirmed matches; gives how many, and what could not be done."""
    count = 0
    problems = []
    for match in chosen:
        try:
            link_by_hand(configuration, kompass_id=match.kompass_id, customer=match.customer, by=by)
        except CannotLink as problem:
            problems.append(str(problem))
        else:
            count += 1
    return count, problems
