"""What the Accounting API can do with one object: create, read, update, void, delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator import document_tax, lists, payments, people, sales
from simulator.amounts import dec
from simulator.changes import check_sparse_lines, checked_id, existing, object_not_found, wanted_members
from simulator.company import SALES, TRANSACTIONS, Company
from simulator.faults import SUBSCRIPTION_SENTENCE, ApiFault, business, fault, invalid_string, missing, unsupported
from simulator.members import Object, clean

WRITABLE = ("Customer", "Vendor", "Item", "Class", "Department", "Term", "Invoice", "CreditMemo", "Payment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A request to change one object. `operation` is create, update, void or delete."""

    entity: str
    operation: str
    payload: Any
    allow_duplicate_number: bool = False


def write(company: Company, request: Write) -> Object:
    """Do it, and return the object as the response shows it.

    :raises ApiFault: what QuickBooks refuses. Nothing has changed then.
    """
    check_company(company)
    entity, payload = request.entity, request.payload
    if entity not in WRITABLE:
        raise unsupported(f"/v3/company/{company.profile.realm}/{entity.lower()}")
    if not isinstance(payload, dict):
        clean(entity, payload)
    if company.american and company.settings.usa_characters == "latin-1":
        _check_characters(payload)
    if request.operation in ("void", "delete"):
        clean(entity, payload)
        if payload.get("Id") in (None, ""):
            raise ApiFault(missing("Id"))
        return _void(company, request) if request.operation == "void" else _delete(company, request)
    old = None
    if payload.get("Id") not in (None, ""):
        clean(entity, payload)
        old = existing(company, entity, payload)
        check_sparse_lines(company, entity, payload)
    elif payload.get("sparse") is True or request.operation == "update":
        clean(entity, payload)
        raise ApiFault(missing("Id"))
    wanted = wanted_members(company, entity, payload, old)
    return company.render(entity, _save(company, request, wanted, old))


def _check_characters(value: Any, name: str = "") -> None:
    """:raises ApiFault: 2040 for a character outside ISO-8859-1, which is all that is documented for the USA."""
    if isinstance(value, dict | list):
        for key, one in value.items() if isinstance(value, dict) else ((name, one) for one in value):
            _check_characters(one, key)
    elif isinstance(value, str) and any(ord(character) > 0xFF for character in value):
        raise invalid_string(name, value)


def _save(company: Company, request: Write, wanted: Object, old: Object | None) -> Object:
    entity = request.entity
    if entity in SALES:
        if old is not None:
            document_tax.forget_stale_tax(wanted, request.payload)
        allow = request.allow_duplicate_number
        stored = sales.save(company, entity, wanted, old, allow_duplicate_number=allow)
        if old is None and company.preference("SalesFormsPrefs", "AutoApplyCredit"):
            return payments.apply_credit(company, entity, stored)
        return stored
    if entity == "Payment":
        return payments.save(company, wanted, old)
    if entity in ("Customer", "Vendor"):
        return people.save(company, entity, wanted, old)
    return lists.save(company, entity, wanted, old)


def read(company: Company, entity: str, identifier: str) -> Object:
    """:raises ApiFault: 610 when there is no such object (HTTP 400, not 404), 2030 for an id that is no number."""
    if company.american and entity == "TaxCode" and identifier in ("TAX", "NON"):
        found = company.get(entity, identifier)
    else:
        found = company.get(entity, checked_id(identifier))
    if found is None:
        raise object_not_found(entity)
    return company.render(entity, found)


def read_singleton(company: Company, entity: str) -> Object:
    (found,) = company.tables[entity].values()
    return found


def check_company(company: Company) -> None:
    """:raises ApiFault: 6190 when the subscription has ended: such a company can be read, not written."""
    if company.profile.status == "subscription_ended":
        raise fault("6190", SUBSCRIPTION_SENTENCE)


def _void(company: Company, request: Write) -> Object:
    entity = request.entity
    if entity not in ("Invoice", "Payment"):
        raise fault("500", f"Unsupported Operation : Operation void is not supported for {entity}.")
    old = existing(company, entity, request.payload)
    if entity == "Payment":
        return payments.void(company, old)
    sales.check_open(company, old["TxnDate"], old)
    return sales.void(company, entity, _freed(company, entity, old))


def _delete(company: Company, request: Write) -> Object:
    entity = request.entity
    if entity not in TRANSACTIONS:
        # Names are made inactive, never deleted.
        raise fault("500", f"Unsupported Operation : Operation delete is not supported for {entity}.")
    old = existing(company, entity, request.payload)
    sales.check_open(company, old["TxnDate"], old)
    if entity == "Payment":
        payments.release(company, old)
    elif entity == "CreditMemo" and dec(old["RemainingCredit"]) != dec(old["TotalAmt"]):
        raise business("A credit memo that has been applied cannot be deleted.")
    else:
        old = _freed(company, entity, old)
    company.remove(entity, old)
    return {"domain": "QBO", "status": "Deleted", "Id": old["Id"]}


def _freed(company: Company, entity: str, old: Object) -> Object:
    if not old.get("LinkedTxn"):
        return old
    if company.settings.paid_document == "refuse":
        raise business("A transaction with payments applied to it cannot be voided or deleted.")
    return payments.unlink(company, entity, old)
