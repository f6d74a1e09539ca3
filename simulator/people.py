"""Customers (with their jobs) and vendors."""

from __future__ import annotations

from simulator import limits
from simulator.company import Company
from simulator.currencies import CURRENCIES, currency_reference
from simulator.faults import ApiFault, business, fault
from simulator.members import Object
from simulator.names import (
    NAME_PARTS,
    check_characters,
    check_unique,
    free_inactive_name,
    made_active,
)
from simulator.references import inactive, put_reference, reference, resolve, value_of
from simulator.shapes import fill_customer, fill_vendor, number_addresses

MAXIMUM_LEVEL = 4


def save(company: Company, entity: str, wanted: Object, old: Object | None) -> Object:
    """Create or update a customer or a vendor from the members it is to have.

    :raises ApiFault: what QuickBooks refuses.
    """
    members = dict(wanted)
    errors = limits.check(entity, members)
    if errors:
        raise ApiFault(*errors)
    _name(company, entity, members, old)
    _currency(company, members, old)
    if entity == "Customer":
        _place(company, members, old)
        _defaults(company, members, old)
    else:
        put_reference(company, members, "TermRef", "Term", old=old)
        fill_vendor(members)
    number_addresses(company, members, old)
    _activity(company, entity, members, old)
    check_unique(company, entity, members["DisplayName"], own=None if old is None else old["Id"])
    if entity == "Customer":
        _qualify(company, members)
    members.setdefault("PrintOnCheckName", members["DisplayName"][:110])
    if old is None:
        return company.insert(entity, members)
    stored = company.replace(entity, old, members)
    if entity == "Customer" and stored is not old:
        _requalify_children(company, stored)
    return stored


def _name(company: Company, entity: str, members: Object, old: Object | None) -> None:
    for name in (*NAME_PARTS, "DisplayName", "PrintOnCheckName", "CompanyName"):
        if isinstance(members.get(name), str):
            members[name] = members[name].strip()
            if not members[name]:
                del members[name]
    check_characters(company, members, (*NAME_PARTS, "DisplayName", "PrintOnCheckName"))
    if "DisplayName" not in members:
        # A sparse update cannot take these two away; a full one falls back on the parts of the name.
        parts = " ".join(members[name] for name in NAME_PARTS if name in members)
        if parts:
            members["DisplayName"] = parts
        elif old is not None:
            members["DisplayName"] = made_active(old["DisplayName"])
        else:
            raise fault("6080", "No name provided : At least one of DisplayName and the parts of a name is required")
    if old is not None and members["DisplayName"] != old["DisplayName"]:
        if members.get("PrintOnCheckName") == old.get("PrintOnCheckName"):
            # A rename also changed PrintOnCheckName in the recorded response.
            members["PrintOnCheckName"] = made_active(members["DisplayName"])[:110]
    elif old is not None:
        members.setdefault("PrintOnCheckName", old.get("PrintOnCheckName", members["DisplayName"][:110]))


def _currency(company: Company, members: Object, old: Object | None) -> None:
    home = company.profile.home_currency
    sent = value_of(members.get("CurrencyRef"))
    before = None if old is None else old["CurrencyRef"]["value"]
    code = sent or before or home
    if code not in CURRENCIES:
        raise fault("2220", f"Invalid Currency : {code[:30]}", "CurrencyRef")
    if before is not None and code != before:
        raise business("The currency of a customer or vendor cannot be changed.")
    if code != home and not company.multicurrency:
        raise business("Multicurrency must be turned on to use a currency other than the home currency.")
    members["CurrencyRef"] = currency_reference(code)


def _place(company: Company, members: Object, old: Object | None) -> None:
    """Where a customer stands: at the top, or as a job below its parent."""
    parent_id = value_of(members.get("ParentRef"))
    if not members.get("Job"):
        if old is not None and old.get("IsProject"):
            raise business("A project must belong to a customer.")
        members["Job"] = False
        members["BillWithParent"] = False
        members.pop("ParentRef", None)
        members.pop("Level", None)
        if old is not None and any(True for _ in company.children(old["Id"])):
            _check_depth(company, 0, old)
        return
    if parent_id is None:
        raise fault("6150", "ParentRef is required : A job must name its parent customer", "ParentRef")
    own = None if old is None else old["Id"]
    if parent_id == own:
        raise fault("900", "Object cannot be its own parent", "ParentRef")
    parent = resolve(company, "Customer", parent_id, kept=value_of((old or {}).get("ParentRef")))
    if parent.get("IsProject"):
        raise business("A project cannot contain subcustomers.")
    step: Object | None = parent
    while step is not None:
        if step["Id"] == own:
            raise fault("700", "Parent reference is invalid : The parent is a job of this customer", "ParentRef")
        above = value_of(step.get("ParentRef"))
        step = None if above is None else company.get("Customer", above)
    if parent["CurrencyRef"]["value"] != members["CurrencyRef"]["value"]:
        raise business("A sub-customer must have the currency of its parent.")
    level = int(parent.get("Level", 0)) + 1
    _check_depth(company, level, old)
    members["Level"] = level
    members["ParentRef"] = {"value": parent_id}
    members["BillWithParent"] = bool(members.get("BillWithParent", False))
    if (
        old is not None
        and members["BillWithParent"] != old.get("BillWithParent")
        and company.has_transactions(old["Id"])
    ):
        raise fault(
            "6130", "Cannot change who the customer bills with : The customer has transactions", "BillWithParent"
        )


def _check_depth(company: Company, level: int, old: Object | None) -> None:
    if level + (0 if old is None else _depth_below(company, old["Id"])) > MAXIMUM_LEVEL:
        raise fault("6180", "The sub-level limit has been exceeded : A customer can have at most 5 levels", "ParentRef")


def _depth_below(company: Company, identifier: str) -> int:
    return max((1 + _depth_below(company, child["Id"]) for child in company.children(identifier)), default=0)


def _defaults(company: Company, members: Object, old: Object | None) -> None:
    put_reference(company, members, "SalesTermRef", "Term", old=old)
    put_reference(company, members, "DefaultTaxCodeRef", "TaxCode", old=old)
    for name in ("PaymentMethodRef", "CustomerTypeRef", "PriceLevelRef", "SalesRepRef"):
        identifier = value_of(members.get(name))
        if identifier is not None:
            raise fault("2500", f"Invalid Reference Id : {name} element id {identifier} not found", "Reference Id")
        members.pop(name, None)
    put_reference(company, members, "ARAccountRef", "Account", old=old)
    members.setdefault("Taxable", company.american)
    members.setdefault("PreferredDeliveryMethod", "Print")
    fill_customer(company, members)
    members["IsProject"] = bool((old or {}).get("IsProject"))


def _activity(company: Company, entity: str, members: Object, old: Object | None) -> None:
    active = members.setdefault("Active", True)
    if old is None:
        if not active:
            # QuickBooks makes a new object active in any case.
            members["Active"] = True
        return
    if active:
        if not old.get("Active", True):
            members["DisplayName"] = made_active(members["DisplayName"])
            members["PrintOnCheckName"] = made_active(str(members.get("PrintOnCheckName", members["DisplayName"])))
        return
    if old.get("Active", True):
        if entity == "Customer" and company.balance_with_jobs(old["Id"]):
            raise fault("6220", "Customer has a balance : It cannot be made inactive while money is owed")
        if any(child.get("Active") for child in (company.children(old["Id"]) if entity == "Customer" else ())):
            raise business("Make the sub-customers inactive before their parent.")
    members["DisplayName"] = free_inactive_name(company, entity, members["DisplayName"], old["Id"])


def _qualify(company: Company, members: Object) -> None:
    parent_id = value_of(members.get("ParentRef"))
    parent = None if parent_id is None else company.get("Customer", parent_id)
    above = "" if parent is None else f"{parent['FullyQualifiedName']}:"
    members["FullyQualifiedName"] = above + members["DisplayName"]


def _requalify_children(company: Company, parent: Object) -> None:
    for child in company.children(parent["Id"]):
        full = f"{parent['FullyQualifiedName']}:{child['DisplayName']}"
        level = int(parent.get("Level", 0)) + 1
        if child["FullyQualifiedName"] != full or child["Level"] != level:
            changed = company.replace_quietly("Customer", child, {"FullyQualifiedName": full, "Level": level})
            _requalify_children(company, changed)


def customer_reference(company: Company, identifier: str, *, kept: str | None) -> tuple[Object, Object]:
    """A customer that a transaction names, and the reference to it."""
    found = resolve(company, "Customer", identifier, kept=kept)
    if found.get("Active") is False and kept is None:
        raise inactive(company, "Customer")
    return found, reference("Customer", found)
