"""References show the name that their object has now: what a rename changes in the documents that hold them."""

from __future__ import annotations

from simulator.members import Object

REFERRING = {
    "Customer": "CustomerRef",
    "Item": "ItemRef",
    "Class": "ClassRef",
    "Department": "DepartmentRef",
    "Term": "SalesTermRef",
}


def with_reference(members: Object, name: str, fresh: Object) -> Object:
    """`members` with every reference `name` to that object, in its lines too, replaced; the same object if there is none."""
    changed: Object = {}
    if (members.get(name) or {}).get("value") == fresh["value"]:
        changed[name] = fresh
    if "Line" in members:
        lines = [with_reference(line, name, fresh) for line in members["Line"]]
        if any(new is not old for new, old in zip(lines, members["Line"], strict=True)):
            changed["Line"] = lines
    detail = members.get("SalesItemLineDetail")
    if detail is not None:
        new = with_reference(detail, name, fresh)
        if new is not detail:
            changed["SalesItemLineDetail"] = new
    return {**members, **changed} if changed else members
