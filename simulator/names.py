"""Names: what characters they may hold, and that customers, vendors and employees cannot share one."""

from __future__ import annotations

from simulator.company import DELETED_SUFFIX, PEOPLE, Company
from simulator.faults import ApiFault, business, fault, invalid_string
from simulator.members import Object

NAME_PARTS = ("Title", "GivenName", "MiddleName", "FamilyName", "Suffix")
_FORBIDDEN = ":\t\n\r"


def check_characters(company: Company, members: Object, names: tuple[str, ...]) -> None:
    """:raises ApiFault: 2040 (or as switched) for a colon, tab or line end in a name."""
    for name in names:
        value = members.get(name)
        if isinstance(value, str) and any(character in value for character in _FORBIDDEN):
            if company.settings.forbidden_character_code == "2040":
                raise invalid_string(name, value)
            raise business(f"The {name} cannot contain a colon, a tab or a new line. Supplied value:{value[:100]}")


def check_unique(company: Company, entity: str, name: str, *, own: str | None) -> None:
    """:raises ApiFault: 6240 when another object holds `name`; for people any of customers, vendors and employees."""
    holders = [company.name_holder(entity, name)]
    if not company.settings.inactive_name_is_free:
        holders.append(company.name_holder(entity, name + DELETED_SUFFIX))
    for holder in holders:
        if holder is not None and holder != (entity, own):
            raise _duplicate(company, entity, holder[1])


def _duplicate(company: Company, entity: str, identifier: str) -> ApiFault:
    match company.settings.duplicate_name_detail:
        case "null":
            return fault("6240", "The name supplied already exists. : null")
        case "sentence" if entity in PEOPLE:
            return fault(
                "6240",
                "The name supplied already exists. : Another customer, vendor or employee is already using this name. "
                "Please use a different name.",
            )
        case _:
            return fault("6240", f"The name supplied already exists. : Id={identifier}")


def free_inactive_name(company: Company, entity: str, name: str, own: str) -> str:
    """`name (deleted)`, or `name (deleted) 2` … when that is taken."""
    if DELETED_SUFFIX in name and company.name_holder(entity, name) == (entity, own):
        return name
    wanted = made_active(name) + DELETED_SUFFIX
    candidate, count = wanted, 1
    while (holder := company.name_holder(entity, candidate)) is not None and holder != (entity, own):
        count += 1
        candidate = f"{wanted} {count}"
    return candidate


def made_active(name: str) -> str:
    return name.partition(DELETED_SUFFIX)[0]
