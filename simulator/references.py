"""References between objects: they must exist and be active, and come back with the name they have now."""

from __future__ import annotations

from simulator.company import PEOPLE, Company, reference_name
from simulator.faults import INACTIVE_SENTENCE, ApiFault, fault, not_found
from simulator.members import Object

# What Intuit calls each list in "… element id 583 not found".
ELEMENTS = {
    "Customer": "Names",
    "Vendor": "Names",
    "Employee": "Names",
    "Item": "Item",
    "Account": "Accounts",
    "Class": "Klasses",
    "Department": "Departments",
    "Term": "Terms",
    "TaxCode": "TaxCode",
    "TaxRate": "TaxRate",
}


def value_of(reference: Object | None) -> str | None:
    """The id a reference holds, or None when there is no reference."""
    found = (reference or {}).get("value")
    return str(found) if found else None


def resolve(company: Company, entity: str, identifier: str, *, kept: str | None = None, path: str = "") -> Object:
    """The active object of that id.

    :param kept: the id this very reference had before; an update may keep one that has been made inactive since.
    :param path: the member that holds the reference, where the fault may name that instead of the id.
    :raises ApiFault: 2500 when it does not exist, 610 (or as switched) when it is inactive.
    """
    found = company.get(entity, identifier)
    if found is None and path and company.settings.missing_item_detail == "path":
        raise fault("2500", f"Invalid Reference Id : {path}", path)
    if found is None:
        raise not_found(ELEMENTS[entity], identifier)
    if found.get("Active") is False and identifier != kept:
        raise inactive(company, entity)
    return found


def inactive(company: Company, entity: str) -> ApiFault:
    settings = company.settings
    code = settings.inactive_customer_code if entity in PEOPLE else settings.inactive_reference_code
    title = {"610": "Object Not Found", "2500": "Invalid Reference Id", "6250": "Invalid sales customer"}[code]
    return fault(code, f"{title} : {INACTIVE_SENTENCE}")


def reference(entity: str, found: Object) -> Object:
    """The reference as responses show it."""
    name = reference_name(entity, found)
    return {"value": found["Id"], "name": name} if name else {"value": found["Id"]}


def put_reference(company: Company, members: Object, name: str, entity: str, *, old: Object | None = None) -> None:
    """Check the reference `name` among `members`, if it is there, and give it its present name."""
    identifier = value_of(members.get(name))
    if identifier is None:
        members.pop(name, None)
        return
    found = resolve(company, entity, identifier, kept=value_of((old or {}).get(name)))
    members[name] = reference(entity, found)
