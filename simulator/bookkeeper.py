"""Edits that a bookkeeper makes in QuickBooks' own pages, behind the back of every app."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from simulator.amounts import ZERO, dec, number
from simulator.audit import acting_as
from simulator.company import ENTITIES, NAMED_LISTS, PEOPLE, TRANSACTIONS, Company, Profile
from simulator.company_settings import COMPANY_SETTINGS, SHOWN_BY, WARN_DUPLICATES
from simulator.faults import ApiFault
from simulator.members import Object
from simulator.names import free_inactive_name
from simulator.operations import Write, write
from simulator.references import reference


class BookkeeperError(ValueError):
    """An edit that cannot be made, in words."""


def edit(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """Make one edit: `{"action": …, …}`. Returns the objects it changed, as responses would show them.

    Actions: create, update (any members), type (members that the API refuses), rename, add_line, deactivate, reactivate,
    project, merge, pay, void, delete, override_tax, close_books, exchange_rate, setting, preferences, profile, deactivate_tax_code.

    :raises BookkeeperError: for an action or an object that does not exist, or an edit QuickBooks itself would refuse.
    """
    action = str(wanted.get("action", ""))
    made = ACTIONS.get(action)
    if made is None:
        raise BookkeeperError(f"action is {action!r}; it can be one of {', '.join(sorted(ACTIONS))}")
    try:
        with acting_as(f"{company.profile.user} (bookkeeper)"):
            return made(company, wanted)
    except ApiFault as refused:
        raise BookkeeperError(f"QuickBooks refuses this: {refused}") from refused
    except KeyError as absent:
        raise BookkeeperError(f"{action} needs {absent}") from absent


def _found(company: Company, entity: str, identifier: str) -> Object:
    found = company.get(entity, identifier) if entity in ENTITIES else None
    if found is None:
        raise BookkeeperError(f"there is no {entity} {identifier}")
    return found


def _write(company: Company, entity: str, operation: str, payload: Object) -> list[Object]:
    return [write(company, Write(entity=entity, operation=operation, payload=payload))]


def _change(company: Company, entity: str, identifier: str, members: Object) -> list[Object]:
    found = _found(company, entity, str(identifier))
    token = {"Id": found["Id"], "SyncToken": found["SyncToken"], "sparse": True}
    # QuickBooks' own pages send a document whole: its customer goes with the lines.
    whose = (
        {"CustomerRef": {"value": found["CustomerRef"]["value"]}}
        if "Line" in members and "CustomerRef" in found
        else {}
    )
    return _write(company, entity, "update", {**whose, **members, **token})


def _create(company: Company, wanted: dict[str, Any]) -> list[Object]:
    return _write(company, wanted["entity"], "create", wanted["members"])


def _update(company: Company, wanted: dict[str, Any]) -> list[Object]:
    return _change(company, wanted["entity"], wanted["id"], wanted["members"])


def _type(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """Put in what QuickBooks' own pages take and its API does not: a bad e-mail address, a group of items.

    With `id` the members of an object, without it a new object of a list.
    """
    entity, members = wanted["entity"], wanted["members"]
    if "id" in wanted:
        found = _found(company, entity, str(wanted["id"]))
        return [company.render(entity, company.replace(entity, found, {**found, **members}))]
    if entity not in NAMED_LISTS:
        raise BookkeeperError(f"type without an id makes one of {', '.join(NAMED_LISTS)}; entity is {entity!r}")
    named = {"Active": True, "FullyQualifiedName": members["Name"], **members}
    return [company.render(entity, company.insert(entity, named))]


def _project(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """A project of a customer, as QuickBooks' own pages make it: `{"name": …, "customer": …}`."""
    parent = _found(company, "Customer", str(wanted["customer"]))
    currency = {"value": parent["CurrencyRef"]["value"]}
    members = {
        "DisplayName": wanted["name"],
        "Job": True,
        "ParentRef": {"value": parent["Id"]},
        "CurrencyRef": currency,
    }
    (made,) = _write(company, "Customer", "create", {**members, "BillWithParent": True})
    stored = company.replace_quietly("Customer", company.tables["Customer"][made["Id"]], {"IsProject": True})
    return [company.render("Customer", stored)]


def _rename(company: Company, wanted: dict[str, Any]) -> list[Object]:
    member = "DisplayName" if wanted["entity"] in PEOPLE else "Name"
    return _change(company, wanted["entity"], wanted["id"], {member: wanted["name"]})


def _add_line(company: Company, wanted: dict[str, Any]) -> list[Object]:
    found = _found(company, wanted["entity"], str(wanted["id"]))
    return _change(company, wanted["entity"], wanted["id"], {"Line": [*found["Line"], wanted["line"]]})


def _deactivate(company: Company, wanted: dict[str, Any]) -> list[Object]:
    return _change(company, wanted["entity"], wanted["id"], {"Active": False})


def _reactivate(company: Company, wanted: dict[str, Any]) -> list[Object]:
    return _change(company, wanted["entity"], wanted["id"], {"Active": True})


def _deactivate_tax_code(company: Company, wanted: dict[str, Any]) -> list[Object]:
    found = _found(company, "TaxCode", str(wanted["id"]))
    return [company.replace("TaxCode", found, {**found, "Active": False})]


def _merge(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """`id` goes into `into`: its documents and jobs change hands, and it becomes inactive or is gone (switch).

    What goes into a project is gone, and nothing with jobs goes into one.
    """
    gone = _found(company, "Customer", str(wanted["id"]))
    stays = _found(company, "Customer", str(wanted["into"]))
    if gone["Id"] == stays["Id"] or gone["CurrencyRef"] != stays["CurrencyRef"]:
        raise BookkeeperError("two customers can be merged when they are two, of one currency")
    if stays.get("ParentRef", {}).get("value") == gone["Id"]:
        raise BookkeeperError("a customer cannot be merged into a sub-customer of its own")
    if stays.get("IsProject") and company.children(gone["Id"]):
        raise BookkeeperError("a project cannot contain subcustomers; merge those of the customer first")
    changed: list[Object] = []
    for entity in TRANSACTIONS:
        for document in list(company.tables[entity].values()):
            if document["CustomerRef"]["value"] == gone["Id"]:
                moved = company.replace(entity, document, {**document, "CustomerRef": reference("Customer", stays)})
                changed.append(moved)
    for child in company.children(gone["Id"]):
        full = f"{stays['FullyQualifiedName']}:{child['DisplayName']}"
        moved = {**child, "ParentRef": {"value": stays["Id"]}, "FullyQualifiedName": full}
        changed.append(company.replace("Customer", child, moved))
    gone = company.tables["Customer"][gone["Id"]]
    if stays.get("IsProject") or company.settings.merged_customer == "gone":
        company.vanish("Customer", gone)
        return changed
    name = free_inactive_name(company, "Customer", gone["DisplayName"], gone["Id"])
    renamed = {**gone, "Active": False, "DisplayName": name, "FullyQualifiedName": name}
    changed.append(company.replace("Customer", gone, renamed))
    return changed


def _pay(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """Pay an invoice, in full unless `amount` says less."""
    invoice = _found(company, "Invoice", str(wanted["id"]))
    amount = wanted.get("amount", invoice["Balance"])
    link = {"Amount": amount, "LinkedTxn": [{"TxnId": invoice["Id"], "TxnType": "Invoice"}]}
    payload = {"CustomerRef": {"value": invoice["CustomerRef"]["value"]}, "TotalAmt": amount, "Line": [link]}
    made = _write(company, "Payment", "create", payload)
    return [*made, company.tables["Invoice"][invoice["Id"]]]


def _override_tax(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """Put in by hand what a document's tax comes to (`tax`); the first rate takes what that adds or takes off."""
    found = _found(company, wanted["entity"], str(wanted["id"]))
    lines = [dict(line) for line in found.get("TxnTaxDetail", {}).get("TaxLine", [])]
    if not lines:
        raise BookkeeperError(f"{wanted['entity']} {wanted['id']} has no tax to put another in the place of")
    others = sum((dec(line["Amount"]) for line in lines[1:]), ZERO)
    lines[0]["Amount"] = number(dec(wanted["tax"]) - others)
    return _change(company, wanted["entity"], wanted["id"], {"TxnTaxDetail": {"TaxLine": lines}})


def _remove(company: Company, wanted: dict[str, Any]) -> list[Object]:
    found = _found(company, wanted["entity"], str(wanted["id"]))
    payload = {"Id": found["Id"], "SyncToken": found["SyncToken"]}
    return _write(company, wanted["entity"], str(wanted["action"]), payload)


def _close_books(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """`date` closes everything up to and with that day; none opens the books again."""
    return _preferences(company, {"group": "AccountingInfoPrefs", "members": {"BookCloseDate": wanted.get("date")}})


def _preferences(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """Change a group of Preferences: `{"group": "TaxPrefs", "members": {"UsingSalesTax": false}}`."""
    found = company.preferences
    group = {**found.get(wanted["group"], {}), **wanted["members"]}
    members = {**found, wanted["group"]: {name: value for name, value in group.items() if value is not None}}
    return [company.replace("Preferences", found, members)]


def _exchange_rate(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """The rate of a currency from a day on: `{"currency": "EUR", "date": "2026-04-01", "rate": "0.85"}`."""
    rates = company.profile.dated_rates.setdefault(str(wanted["currency"]), {})
    rates[str(wanted["date"])] = str(dec(wanted["rate"]))
    return []


def _setting(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """Turn a company setting on or off, as happens in living companies: `{"setting": "custom_numbers", "on": false}`.

    `"on": null` turns it over.
    """
    name, on = str(wanted["setting"]), wanted["on"]
    if not isinstance(on, bool | None):
        raise BookkeeperError(f"on is {on!r}; it must be true, false, or null to turn the setting over")
    if name == WARN_DUPLICATES:
        company.profile.warn_duplicate_numbers = not company.profile.warn_duplicate_numbers if on is None else on
        return []
    if name not in SHOWN_BY:
        raise BookkeeperError(f"setting is {name!r}; it can be one of {', '.join(COMPANY_SETTINGS)}")
    on = not company.preference(*SHOWN_BY[name]) if on is None else on
    if name == "automated_tax" and company.american and not company.profile.sales_tax_by_state:
        company.profile.sales_tax_by_state = {"CA": next(iter(company.tables["TaxRate"]))}
    group, member = SHOWN_BY[name]
    return _preferences(company, {"group": group, "members": {member: on}})


def _profile(company: Company, wanted: dict[str, Any]) -> list[Object]:
    """What the API does not show: `status`, `language`, `warn_duplicate_numbers`, `last_number` …"""
    known = {field.name for field in fields(Profile)} - {"realm"}
    members = wanted["members"]
    unknown = sorted(set(members) - known)
    if unknown:
        raise BookkeeperError(f"a profile has no {', '.join(unknown)}; it can have {', '.join(sorted(known))}")
    for name, value in members.items():
        setattr(company.profile, name, value)
    return []


ACTIONS: dict[str, Callable[[Company, dict[str, Any]], list[Object]]] = {
    "create": _create,
    "update": _update,
    "type": _type,
    "rename": _rename,
    "add_line": _add_line,
    "deactivate": _deactivate,
    "reactivate": _reactivate,
    "deactivate_tax_code": _deactivate_tax_code,
    "merge": _merge,
    "pay": _pay,
    "void": _remove,
    "delete": _remove,
    "override_tax": _override_tax,
    "close_books": _close_books,
    "project": _project,
    "exchange_rate": _exchange_rate,
    "setting": _setting,
    "preferences": _preferences,
    "profile": _profile,
}
