"""The lists: items, classes, departments and terms."""

from __future__ import annotations

from simulator import items, limits
from simulator.company import Company
from simulator.faults import ApiFault, fault, missing
from simulator.members import Object
from simulator.names import check_characters, check_unique, free_inactive_name, made_active
from simulator.references import resolve, value_of

_SUB = {"Item": "SubItem", "Class": "SubClass", "Department": "SubDepartment"}
MAXIMUM_LEVEL = 4


def save(company: Company, entity: str, wanted: Object, old: Object | None) -> Object:
    """Create or update an entry of a list from the members it is to have.

    :raises ApiFault: what QuickBooks refuses.
    """
    members = dict(wanted)
    if old is not None:
        members.setdefault("Name", old["Name"])
    members["Name"] = members.get("Name", "").strip()
    if not members["Name"]:
        raise ApiFault(missing("Name"))
    errors = limits.check(entity, members)
    if errors:
        raise ApiFault(*errors)
    check_characters(company, members, ("Name",))
    if entity == "Item":
        items.complete(company, members, old)
    elif entity == "Term":
        _term(members)
    members.setdefault("Active", True)
    if old is None:
        members["Active"] = True
    elif not members["Active"]:
        members["Name"] = free_inactive_name(company, entity, members["Name"], old["Id"])
    elif not old.get("Active", True):
        members["Name"] = made_active(members["Name"])
    if entity in _SUB:
        _place(company, entity, members, old)
    full = members.get("FullyQualifiedName", members["Name"])
    check_unique(company, entity, full, own=None if old is None else old["Id"])
    if old is None:
        return company.insert(entity, members)
    return company.replace(entity, old, members)


def _place(company: Company, entity: str, members: Object, old: Object | None) -> None:
    parent_id = value_of(members.get("ParentRef"))
    flag = _SUB[entity]
    if parent_id is None:
        if members.get(flag):
            raise ApiFault(missing("ParentRef"))
        members.pop("ParentRef", None)
        members.pop("Level", None)
        members["FullyQualifiedName"] = members["Name"]
        if entity != "Item":
            members[flag] = False
        else:
            members.pop(flag, None)
        return
    if old is not None and parent_id == old["Id"]:
        raise fault("900", "Object cannot be its own parent", "ParentRef")
    parent = resolve(company, entity, parent_id, kept=value_of((old or {}).get("ParentRef")))
    level, step = 1, value_of(parent.get("ParentRef"))
    while step is not None:
        if old is not None and step == old["Id"]:
            raise fault("700", "Parent reference is invalid", "ParentRef")
        above = company.get(entity, step) or {}
        level, step = level + 1, value_of(above.get("ParentRef"))
    if level > MAXIMUM_LEVEL:
        raise fault("6180", "The sub-level limit has been exceeded", "ParentRef")
    members[flag] = True
    members["ParentRef"] = {"value": parent_id, "name": parent["FullyQualifiedName"]}
    members["FullyQualifiedName"] = f"{parent['FullyQualifiedName']}:{members['Name']}"
    if entity == "Item":
        members["Level"] = level


def _term(members: Object) -> None:
    if "DayOfMonthDue" in members:
        members["Type"] = "DATE_DRIVEN"
        return
    if "DueDays" not in members:
        raise ApiFault(missing("DueDays"))
    if not 0 <= members["DueDays"] <= 999:
        raise fault("2090", f"Invalid Number : {members['DueDays']}", "DueDays")
    members["Type"] = "STANDARD"
