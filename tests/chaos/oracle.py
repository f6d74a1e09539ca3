"""What must be in each company, worked out from the newest records alone, and how what is there differs from it.

Nothing here is shared with the pipeline. A voided document and an absent one count the same, and ids do not matter.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from schemas.events import Client, Event, Invoice, Project, Step
from simulator.journal import Request

HOME = "GBP"
_MARK = re.compile(r"Kompass invoice (\S+) \(")


@dataclass(slots=True)
class Newest:
    """The newest state of each record, whether it came alone or inside another."""

    clients: dict[str, Client] = field(default_factory=dict)
    projects: dict[str, Project] = field(default_factory=dict)
    invoices: dict[str, Invoice] = field(default_factory=dict)

    def take(self, record: Client | Project | Invoice) -> None:
        if isinstance(record, Client):
            _keep(self.clients, record)
            return
        self.take(record.client)
        if isinstance(record, Project):
            self.take(record.billing_client)
            _keep(self.projects, record)
            return
        if record.project is not None:
            self.take(record.project)
        _keep(self.invoices, record)


def _keep(known: dict[str, Any], record: Any) -> None:
    if record.id not in known or known[record.id].sequence < record.sequence:
        known[record.id] = record


Name = str
Content = tuple[object, ...]


@dataclass(slots=True)
class Company:
    """What has to be there. Customers by name, documents by the id of the Kompass record."""

    customers: dict[Name, Content] = field(default_factory=dict)
    may_be: dict[Name, Content] = field(default_factory=dict)
    """Made for a document that has been voided, or was in another state, by the time: may be there or not."""
    documents: dict[str, Content] = field(default_factory=dict)


def expected(events: Iterable[Event], realms: Mapping[str, str]) -> dict[str, Company]:
    """Realm → what it must hold after these events; ``realms`` goes from Org to realm."""
    newest = Newest()
    for one in events:
        newest.take(one.object)
    companies = {realm: Company() for realm in realms.values()}
    for client in newest.clients.values():
        for org in client.orgs:
            _customer(companies[realms[org.id]].customers, client, HOME)
            _customer(companies[realms[org.id]].may_be, client, "EUR")
    for project in newest.projects.values():
        company = companies[realms[project.org.id]]
        _job(company.customers, newest, project, HOME)
        _job(company.may_be, newest, project, "EUR")
    for invoice in newest.invoices.values():
        if invoice.step not in (Step.APPROVED, Step.POSTED):
            continue
        company = companies[realms[invoice.org.id]]
        if invoice.project is not None:
            customer = _job(company.customers, newest, newest.projects[invoice.project.id], invoice.currency)
        else:
            customer = _customer(company.customers, newest.clients[invoice.client.id], invoice.currency)
        credit = invoice.amount_gross < 0
        sign = -1 if credit else 1
        company.documents[invoice.id] = (
            "CreditMemo" if credit else "Invoice",
            invoice.reference,
            customer,
            invoice.currency,
            sign * invoice.amount_gross,
            invoice.details,
            tuple(sign * line.amount_net for line in invoice.lines),
        )
    return companies


def _named(name: str, currency: str) -> str:
    return name if currency == HOME else f"{name} ({currency})"


def _customer(where: dict[Name, Content], client: Client, currency: str) -> Name:
    name = _named(client.name, currency)
    where[name] = (currency, None, client.email, client.phone, client.notes)
    return name


def _job(where: dict[Name, Content], newest: Newest, project: Project, currency: str) -> Name:
    parent = _customer(where, newest.clients[project.client.id], currency)
    name = _named(f"{project.reference} {project.name}", currency)
    where[name] = (currency, parent, None, None, None)
    return name


def differences(company: Company, objects: Mapping[str, list[dict[str, Any]]]) -> list[str]:
    """Tell how a company's objects differ from what they must be; empty when they do not."""
    found: list[str] = []
    customers = objects.get("Customer", [])
    names = {one["Id"]: one["DisplayName"] for one in customers}
    found += [
        f"customer {name!r} is there {count} times" for name, count in Counter(names.values()).items() if count > 1
    ]
    present = {
        one["DisplayName"]: (
            one["CurrencyRef"]["value"],
            names.get(one.get("ParentRef", {}).get("value")),
            one.get("PrimaryEmailAddr", {}).get("Address") or None,
            one.get("PrimaryPhone", {}).get("FreeFormNumber") or None,
            one.get("Notes") or None,
        )
        for one in customers
    }
    for name, content in company.customers.items():
        if present.get(name) != content:
            found.append(f"customer {name!r} should be {content}, is {present.get(name)}")
    for name, content in present.items():
        if name not in company.customers and company.may_be.get(name) != content:
            found.append(f"customer {name!r} should not be there as {content}")
    return found + _documents(company, objects, names)


def _documents(company: Company, objects: Mapping[str, list[dict[str, Any]]], names: Mapping[str, str]) -> list[str]:
    found: list[str] = []
    live: dict[str, list[Content]] = defaultdict(list)
    every: Counter[str] = Counter()
    for entity in ("Invoice", "CreditMemo"):
        for one in objects.get(entity, []):
            mark = _MARK.search(one.get("PrivateNote", ""))
            if mark is None:
                found.append(f"{entity} {one.get('DocNumber')} is nobody's")
                continue
            every[mark[1]] += 1
            total = Decimal(str(one["TotalAmt"]))
            if total == 0:
                continue
            live[mark[1]].append(
                (
                    entity,
                    one.get("DocNumber"),
                    names.get(one["CustomerRef"]["value"]),
                    one["CurrencyRef"]["value"],
                    total,
                    one.get("CustomerMemo", {}).get("value") or None,
                    tuple(
                        Decimal(str(line["Amount"]))
                        for line in one["Line"]
                        if line["DetailType"] == "SalesItemLineDetail"
                    ),
                )
            )
    found += [f"invoice {mark} is there {count} times" for mark, count in every.items() if count > 1]
    for mark, content in company.documents.items():
        if live.get(mark) != [content]:
            found.append(f"invoice {mark} should be {content}, is {live.get(mark)}")
    found += [
        f"invoice {mark} should not be there as {content}"
        for mark, content in live.items()
        if mark not in company.documents
    ]
    return found


def overlapping_writes(journal: Iterable[Request]) -> list[str]:
    """Tell of writes to one object, under different request ids, that Intuit worked on at the same time."""
    by_object: dict[tuple[str, str, str], list[Request]] = defaultdict(list)
    for request in journal:
        if not request.realm:
            continue
        for entity, creates, body in _writes(request):
            key = body.get("DocNumber") or body.get("DisplayName") if creates else f"Id {body['Id']}"
            by_object[request.realm, entity, str(key)].append(request)
    found = []
    for key, requests in by_object.items():
        until, by = 0.0, ""
        for request in sorted(requests, key=lambda one: one.received):
            if request.received < until and request.requestid != by:
                found.append(f"{key}: {request.requestid} came while {by} was under way")
            if request.worked > until:
                until, by = request.worked, request.requestid
    return found


def made_twice(journal: Iterable[Request]) -> list[str]:
    """Tell of the calls that made a document whose mark another call had put into QuickBooks before."""
    makers: dict[tuple[str, str], list[Request]] = defaultdict(list)
    for request in journal:
        if request.operation == "create" and request.committed and not request.replayed:
            mark = _MARK.search(request.request_body.decode())
            if mark is not None:
                makers[request.realm, mark[1]].append(request)
    return [
        f"{realm}: invoice {mark} was made by "
        + ", ".join(
            f"{one.requestid} ({one.received:.3f} to {one.finished:.3f}, {one.trouble or one.status})" for one in calls
        )
        for (realm, mark), calls in makers.items()
        if len(calls) > 1
    ]


def _writes(request: Request) -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """Give (entity, whether it is created, members) of each object that a request writes."""
    if request.operation in ("create", "update", "void"):
        yield request.entity, request.operation == "create", orjson.loads(request.request_body)
    elif request.operation == "batch":
        for item in orjson.loads(request.request_body)["BatchItemRequest"]:
            (entity,) = item.keys() - {"bId", "operation", "optionsData"}
            yield entity, item["operation"] == "create", item[entity]
