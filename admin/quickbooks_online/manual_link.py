"""Linking one Kompass Client to a customer that was in QuickBooks before. Many at once: `first_link_up`."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.db.models import Exists, OuterRef

from admin.quickbooks_online.companies import Company
from admin.quickbooks_online.models import Configuration, Link, Record
from admin.quickbooks_online.runtime import engine
from mapping.texts import folded
from qbo_client.calls import query
from qbo_client.queries import compare, equals, select
from schemas.events import Invoice, InvoiceType
from schemas.link_state import LinkState
from schemas.observed import reference
from store.companies import read_facts
from store.engine import retrying
from sync import by_hand
from sync.by_hand import CannotLink, Customer, Existing, KnownClient, link_customer, link_existing

FOUND_AT_MOST = 20
_CUSTOMER_REFUSED = ("customer-inactive", "inactive-or-deleted", "invalid-reference")
"""Causes of a document or sub-customer whose customer was merged or made inactive."""


@dataclass(frozen=True, slots=True)
class QboCustomer:
    id: str
    name: str
    currency: str
    active: bool = True

    @property
    def label(self) -> str:
        return f"{self.name} ({self.currency})" if self.currency else self.name


def search(configuration: Configuration, words: str, *, jobs: bool = False) -> list[QboCustomer]:
    """Find customers, or sub-customers and projects, whose DisplayName holds the words (one metered read).

    Raises
    ------
    CompanyError
    """
    text = select(
        "Customer",
        compare("DisplayName", "LIKE", f"%{words.replace('%', '')}%"),
        equals("Job", jobs),
        at_most=FOUND_AT_MOST,
    )
    answer = Company(configuration.realm_id or "").ask(query(text))
    found = [_customer(row) for row in answer.rows("Customer")]
    # A sub-customer is named with its parents.
    whole = [str(row.get("FullyQualifiedName") or "") for row in answer.rows("Customer")]
    if jobs:
        found = [replace(one, name=name or one.name) for one, name in zip(found, whole, strict=True)]
    # A query for words that are not ASCII finds others too.
    return found if words.isascii() else [one for one in found if folded(words) in folded(one.name)]


def customer_by_id(configuration: Configuration, qbo_id: str) -> QboCustomer | None:
    """Read one customer (one metered read); None when there is none, or it is a sub-customer.

    Raises
    ------
    CompanyError
    """
    text = select("Customer", equals("Id", qbo_id), at_most=1)
    rows = Company(configuration.realm_id or "").ask(query(text)).rows("Customer")
    return None if not rows or rows[0].get("Job") else _customer(rows[0])


def _customer(row: dict[str, object]) -> QboCustomer:
    code = reference(row, "CurrencyRef")
    return QboCustomer(str(row.get("Id")), str(row.get("DisplayName") or ""), code, bool(row.get("Active", True)))


def existing_by_id(configuration: Configuration, link: Link, qbo_id: str) -> Existing | None:
    """Read what a project or invoice may be in QuickBooks (one metered read); None when there is nothing of that Id.

    Raises
    ------
    CompanyError
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
    gone = _gone(configuration, kompass_id, there)
    link_id = retrying(
        engine(), lambda db: link_customer(db, client, configuration.realm_id or "", there, by=by, gone=gone)
    )
    return Link.objects.get(pk=link_id)


def unlink(link: Link, *, by: str) -> None:
    """Take a link made by hand back: Kompass makes a customer of its own, as if none had been there.

    Raises
    ------
    CannotLink
    """
    retrying(engine(), lambda db: by_hand.unlink(db, link.pk, by=by))


def unlinked_clients(configuration: Configuration) -> list[Record]:
    """Give the Org's clients that have nothing in the company yet, or whose customer is gone there by what it refused."""
    linked = Link.objects.filter(realm_id=configuration.realm_id, kind="client", qbo_id__isnull=False)
    refused = Link.objects.filter(depends_on=OuterRef("pk"), state=LinkState.FAILED.value, cause__in=_CUSTOMER_REFUSED)
    linked = linked.exclude(Exists(refused)).exclude(state=LinkState.FAILED.value, cause="deleted-in-qbo")
    return list(
        Record.objects.filter(org_id=configuration.org_id, kind="client", deleted=False)
        .exclude(kompass_id__in=linked.values("kompass_id"))
        .order_by("reference")
    )


def _gone(configuration: Configuration, kompass_id: str, there: Customer) -> str | None:
    """Give the Id of the customer that a Client stands for, where it was merged or made inactive (one metered read)."""
    linked = Link.objects.filter(
        realm_id=configuration.realm_id, kind="client", kompass_id=kompass_id, currency__in=("", there.currency)
    )
    former = linked.exclude(qbo_id=None).exclude(qbo_id=there.id).values_list("qbo_id", flat=True).first()
    if former is None:
        return None
    found = customer_by_id(configuration, former)
    return former if found is None or not found.active else None
