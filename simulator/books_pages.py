"""A company's books as a bookkeeper would look at them: customers with balances, a document, and who changed what.

Read-only. Nothing here asks for a sign-in: the simulator keeps nobody's real books.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from aiohttp import web

from simulator.amounts import ZERO, cents, dec
from simulator.audit import Entry
from simulator.company import SALES, TRANSACTIONS, Company
from simulator.lines import DESCRIPTION, DISCOUNT, SALES_LINE
from simulator.members import Object
from simulator.pages import page
from simulator.world import World

PREFIX = "/books/"
_SHOWN = 200
_CUSTOMERS_SHOWN = 1_000
_NO_DECIMALS = {"JPY", "KRW", "CLP", "VND"}


@dataclass(frozen=True, slots=True)
class CustomerRow:
    """A customer or a sub-customer with what it owes. `depth` counts the customers above it."""

    shown: Object
    depth: int
    currency: str


def answer(world: World, path: str, query: Mapping[str, str]) -> web.Response:
    """The page at `/books/<realm>[/<entity>/<id> | /audit]`, or 404."""
    parts = [part for part in path.removeprefix(PREFIX).split("/") if part]
    company = world.companies.get(parts[0]) if parts else None
    if company is None:
        return _not_found("There is no company of that realm.")
    match parts[1:]:
        case []:
            return _books(company)
        case ["audit"]:
            return _audit(company, query)
        case ["customer", identifier]:
            return _customer(company, identifier)
        case [entity, identifier] if entity in _DOCUMENTS:
            return _document(company, _DOCUMENTS[entity], identifier)
    return _not_found(f"The books have no page {'/'.join(parts[1:])}.")


_DOCUMENTS = {entity.lower(): entity for entity in TRANSACTIONS}


def _books(company: Company) -> web.Response:
    everybody = company.tables["Customer"].values()
    owed: dict[str, Decimal] = {}
    for one in everybody:
        currency = one["CurrencyRef"]["value"]
        owed[currency] = owed.get(currency, ZERO) + company.balance(one["Id"])
    return page(
        "books.html",
        title=company.profile.name,
        company=company,
        customers=list(islice(customers(company), _CUSTOMERS_SHOWN)),
        count=len(everybody),
        owed=sorted(owed.items()),
        documents=[_listed(kind, one) for kind, one in _newest(company)],
        money=money,
    )


def customers(company: Company) -> Iterator[CustomerRow]:
    """Customers in the order of their names, each followed by its sub-customers."""
    top = [one for one in company.tables["Customer"].values() if not one.get("ParentRef")]
    waiting = [(one, 0) for one in reversed(_by_name(top))]
    while waiting:
        one, depth = waiting.pop()
        yield CustomerRow(company.render("Customer", one), depth, one["CurrencyRef"]["value"])
        waiting += [(child, depth + 1) for child in reversed(_by_name(company.children(one["Id"])))]


def _by_name(people: Iterable[Object]) -> list[Object]:
    return sorted(people, key=lambda one: str(one["DisplayName"]).casefold())


def _newest(company: Company, customer: str | None = None) -> list[tuple[str, Object]]:
    found = [
        (kind, one)
        for kind in TRANSACTIONS
        for one in company.tables[kind].values()
        if customer in (None, one["CustomerRef"]["value"])
    ]
    found.sort(key=lambda pair: (pair[1]["TxnDate"], int(pair[1]["Id"])), reverse=True)
    return found[:_SHOWN]


def _listed(kind: str, one: Object) -> Object:
    """What a row of a list of documents shows."""
    return {
        "kind": kind,
        "path": kind.lower(),
        "id": one["Id"],
        "number": one.get("DocNumber") or one.get("PaymentRefNum") or one["Id"],
        "date": one["TxnDate"],
        "due": one.get("DueDate", ""),
        "customer": one["CustomerRef"],
        "currency": one["CurrencyRef"]["value"],
        "total": one["TotalAmt"],
        "balance": one.get("UnappliedAmt") if kind == "Payment" else one.get("Balance"),
        "status": _status(kind, one),
    }


def _status(kind: str, one: Object) -> str:
    if str(one.get("PrivateNote", "")).startswith("Voided") and not one["TotalAmt"]:
        return "Voided"
    if kind == "Payment":
        return "Unapplied" if one.get("UnappliedAmt") else "Applied"
    if not one["Balance"]:
        return "Paid" if kind == "Invoice" else "Applied"
    return "Open" if one["Balance"] == one["TotalAmt"] else "Partly paid" if kind == "Invoice" else "Partly applied"


def _customer(company: Company, identifier: str) -> web.Response:
    found = company.get("Customer", identifier)
    if found is None:
        return _not_found(f"{company.profile.name} has no customer {identifier}.")
    below = [
        CustomerRow(company.render("Customer", one), 0, one["CurrencyRef"]["value"])
        for one in _by_name(company.children(identifier))
    ]
    return page(
        "customer.html",
        title=found["FullyQualifiedName"],
        company=company,
        customer=company.render("Customer", found),
        currency=found["CurrencyRef"]["value"],
        below=below,
        documents=[_listed(kind, one) for kind, one in _newest(company, identifier)],
        trail=[_entry(company, entry) for entry in company.trail.newest(entity="Customer", identifier=identifier)],
        money=money,
    )


def _document(company: Company, kind: str, identifier: str) -> web.Response:
    found = company.get(kind, identifier)
    trail = [_entry(company, entry) for entry in company.trail.newest(entity=kind, identifier=identifier)]
    if found is None and identifier not in company.deleted[kind]:
        return _not_found(f"{company.profile.name} has no {kind} {identifier}.")
    number = (found or {}).get("DocNumber") or identifier
    return page(
        "document.html",
        title=f"{_SPOKEN[kind]} {number}",
        company=company,
        kind=kind,
        document=found,
        listed=None if found is None else _listed(kind, found),
        lines=[] if found is None else [_line(company, line) for line in found.get("Line", [])],
        taxes=[] if found is None or kind not in SALES else list(_taxes(company, found)),
        links=[] if found is None else list(_links(company, kind, found)),
        trail=trail,
        money=money,
    )


_SPOKEN = {"Invoice": "Invoice", "CreditMemo": "Credit memo", "Payment": "Payment"}


def _line(company: Company, line: Object) -> Object:
    """A line as a form shows it. `kind` is item, text, discount, subtotal or payment."""
    detail = line.get(SALES_LINE, {})
    code = str(detail.get("TaxCodeRef", {}).get("value", ""))
    kinds = {SALES_LINE: "item", DESCRIPTION: "text", DISCOUNT: "discount", "SubTotalLineDetail": "subtotal"}
    return {
        "kind": kinds.get(str(line.get("DetailType")), "payment"),
        "number": line.get("LineNum", ""),
        "item": detail.get("ItemRef", {}).get("name", ""),
        "class": detail.get("ClassRef", {}).get("name", ""),
        "description": line.get("Description", ""),
        "quantity": detail.get("Qty", ""),
        "rate": detail.get("UnitPrice", ""),
        "tax": (company.get("TaxCode", code) or {}).get("Name", code),
        "amount": line.get("Amount"),
    }


def _taxes(company: Company, document: Object) -> Iterator[Object]:
    for line in document.get("TxnTaxDetail", {}).get("TaxLine", []):
        detail = line.get("TaxLineDetail", {})
        rate = company.get("TaxRate", str(detail.get("TaxRateRef", {}).get("value", ""))) or {}
        yield {
            "name": rate.get("Name", ""),
            "percent": detail.get("TaxPercent", ""),
            "net": detail.get("NetAmountTaxable"),
            "amount": line.get("Amount"),
        }


def _links(company: Company, kind: str, document: Object) -> Iterator[Object]:
    """The documents that are applied to this one, or that this payment is applied to."""
    links = [*document.get("LinkedTxn", [])]
    if kind == "Payment":
        links += [link for line in document.get("Line", []) for link in line.get("LinkedTxn", [])]
    for link in links:
        other = company.get(link["TxnType"], link["TxnId"]) if link["TxnType"] in TRANSACTIONS else None
        if other is not None:
            yield _listed(link["TxnType"], other)


def _audit(company: Company, query: Mapping[str, str]) -> web.Response:
    entries = company.trail.newest(entity=query.get("entity") or None, identifier=query.get("id") or None)
    return page(
        "audit.html",
        title=f"Audit trail of {company.profile.name}",
        company=company,
        trail=[_entry(company, entry) for entry in entries],
    )


def _entry(company: Company, entry: Entry) -> Object:
    """An entry of the trail as a row: what it is about, and each member with what it was and is."""
    now = company.get(entry.entity, entry.id) or {}
    holder = {**now, **entry.before, **entry.after}
    name = (
        holder.get("FullyQualifiedName") or holder.get("DisplayName") or holder.get("DocNumber") or holder.get("Name")
    )
    path = "customer" if entry.entity == "Customer" else _LINKED.get(entry.entity)
    members = [] if entry.action != "changed" else sorted({*entry.before, *entry.after})
    return {
        "at": entry.at,
        "who": entry.who,
        "action": entry.action,
        "entity": entry.entity,
        "id": entry.id,
        "name": name or "",
        "version": entry.version,
        "path": path,
        "changes": [(one, _short(entry.before.get(one)), _short(entry.after.get(one))) for one in members],
    }


_LINKED = {entity: entity.lower() for entity in TRANSACTIONS}


def _short(value: Any) -> str:
    """A value of a member in a few words: a reference by its name, a list by its length."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return f"{len(value)} {'entry' if len(value) == 1 else 'entries'}"
    if isinstance(value, dict):
        shown = value.get("name") or value.get("value") or value.get("Address") or value.get("FreeFormNumber")
        shown = shown or ", ".join(
            str(one) for key, one in value.items() if key != "Id" and not isinstance(one, dict | list)
        )
        return str(shown)[:120]
    return str(value)[:120]


def money(amount: Any, currency: str) -> str:
    """`1,234.50 EUR`; without decimals in a currency that has none."""
    if amount is None or amount == "":
        return ""
    value = cents(dec(amount))
    return f"{value:,.0f} {currency}" if currency in _NO_DECIMALS else f"{value:,.2f} {currency}"


def _not_found(problem: str) -> web.Response:
    return page("refused.html", 404, title="Not found", problem=problem)
