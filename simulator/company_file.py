"""Companies from a JSON file: which company each is like, its settings, and the objects of its first day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson

from simulator import seeds
from simulator.audit import acting_as
from simulator.clock import Clock
from simulator.company import BY_PATH, Company
from simulator.faults import ApiFault
from simulator.members import Object, catalogue
from simulator.operations import WRITABLE, Write, write
from simulator.settings import Settings

LIKE = {
    "USA": seeds.USA,
    "UK": seeds.UK,
    "CANADA": seeds.CANADA,
    "IRELAND": seeds.IRELAND,
    "USA_AUTOMATED_TAX": seeds.USA_AUTOMATED_TAX,
    "SELF_NUMBERED": seeds.SELF_NUMBERED,
}
_LABEL = "@"
_FILE = {"companies", "only"}
_COMPANY = {"realm", "name", "like", "profile", "preferences", "objects"}
_OBJECT = {"entity", "as", "members"}


class CompanyFileError(ValueError):
    """A file of companies that cannot be used; the text names the company, the place and the remedy."""


@dataclass(frozen=True, slots=True)
class CompanyFile:
    """What a file says. `only` leaves out the companies that the simulator starts with otherwise."""

    companies: tuple[Mapping[str, Any], ...]
    only: bool = False

    def build(self, clock: Clock, settings: Settings) -> dict[str, Company]:
        """Realm → company, on its first day.

        :raises CompanyFileError: for a company or an object that cannot be made.
        """
        return {str(one["realm"]): _build(one, clock, settings) for one in self.companies}


def read(path: Path) -> CompanyFile:
    """Read a file of companies; see simulator/README.md for its form.

    :raises CompanyFileError: when it is not one.
    """
    try:
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise CompanyFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except orjson.JSONDecodeError as error:
        raise CompanyFileError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("companies"), list):
        raise CompanyFileError(f'{path} must hold an object with "companies", a list')
    _known(str(path), found, _FILE)
    seen: set[str] = set()
    for place, one in enumerate(found["companies"], start=1):
        where = f"company {place} of {path}"
        if not isinstance(one, dict):
            raise CompanyFileError(f"{where} must be an object")
        _known(where, one, _COMPANY)
        realm = str(one.get("realm", ""))
        if not realm.isdecimal() or realm in seen:
            raise CompanyFileError(f'{where}: "realm" is {realm!r}; give digits that no other company has')
        seen.add(realm)
        if one.get("like", "USA") not in LIKE:
            raise CompanyFileError(f'{where}: "like" is {one["like"]!r}; give one of {", ".join(LIKE)}')
    return CompanyFile(tuple(found["companies"]), only=found.get("only") is True)


def _known(where: str, found: Mapping[str, Any], names: set[str]) -> None:
    unknown = sorted(set(found) - names)
    if unknown:
        raise CompanyFileError(f"{where} has no {', '.join(unknown)}; it can have {', '.join(sorted(names))}")


def _build(one: Mapping[str, Any], clock: Clock, settings: Settings) -> Company:
    realm, like = str(one["realm"]), LIKE[one.get("like", "USA")]
    name = str(one.get("name", f"Company {realm}"))
    where = f"company {name} ({realm})"
    company = seeds.new_company(clock, settings, realm=realm, name=name, like=like)
    profile = one.get("profile", {})
    _known(f"the profile of {where}", profile, set(asdict(company.profile)) - {"realm", "name"})
    for member, value in profile.items():
        setattr(company.profile, member, value)
    _set_preferences(company, one.get("preferences", {}), where)
    labels: dict[str, str] = {}
    with acting_as("The file of companies"):
        for place, wanted in enumerate(one.get("objects", []), start=1):
            _create(company, wanted, labels, f"object {place} of {where}")
    return company


def _set_preferences(company: Company, wanted: Mapping[str, Any], where: str) -> None:
    kept = company.preferences
    known = catalogue()["Preferences"]
    for group, members in wanted.items():
        reference = known.get(group, {}).get("ref")
        if reference is None or not isinstance(members, dict):
            raise CompanyFileError(f"the preferences of {where} have no group {group}")
        _known(f"{group} of {where}", members, set(catalogue()[reference]))
        kept = {**kept, group: {**kept.get(group, {}), **members}}
    company.replace("Preferences", company.preferences, kept)


def _create(company: Company, wanted: Any, labels: dict[str, str], where: str) -> None:
    if not isinstance(wanted, dict):
        raise CompanyFileError(f"{where} must be an object")
    _known(where, wanted, _OBJECT)
    entity = BY_PATH.get(str(wanted.get("entity", "")).lower())
    if entity not in WRITABLE:
        raise CompanyFileError(f'{where}: "entity" is {wanted.get("entity")!r}; give one of {", ".join(WRITABLE)}')
    members = _resolved(wanted.get("members", {}), labels, where)
    try:
        made: Object = write(company, Write(entity=entity, operation="create", payload=members))
    except ApiFault as refused:
        raise CompanyFileError(f"{where}: QuickBooks refuses this {entity}: {refused}") from refused
    if "as" in wanted:
        labels[str(wanted["as"])] = made["Id"]


def _resolved(value: Any, labels: Mapping[str, str], where: str) -> Any:
    """`value` with every `@label` in the place of an Id replaced by the Id of the object of that label."""
    if isinstance(value, list):
        return [_resolved(one, labels, where) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _resolved(one, labels, where) for key, one in value.items()}
    for key in ("value", "TxnId"):
        label = found.get(key)
        if isinstance(label, str) and label.startswith(_LABEL):
            if label[1:] not in labels:
                raise CompanyFileError(f'{where}: no object before it has "as": {label[1:]!r}')
            found[key] = labels[label[1:]]
    return found
