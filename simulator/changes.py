"""From a request's members to the members an object is to have: create, full update or sparse update."""

from __future__ import annotations

from typing import Any

from simulator.company import SALES, TRANSACTIONS, Company
from simulator.custom_fields import in_use
from simulator.faults import DELETED_SENTENCE, INACTIVE_SENTENCE, ApiFault, fault, missing
from simulator.members import BLANK, Object, clean, without_blanks
from simulator.transient import country_code

_SERVER_MADE = ("Id", "SyncToken", "MetaData", "domain", "sparse", "status", "AttachableRef")
READ_ONLY: dict[str, tuple[str, ...]] = {
    "Customer": (
        "FullyQualifiedName",
        "Level",
        "IsProject",
        "Balance",
        "BalanceWithJobs",
        "OverDueBalance",
        "IntuitId",
    ),
    "Vendor": ("Balance", "IntuitId"),
    "Item": ("FullyQualifiedName", "Level", "AvgCost"),
    "Class": ("FullyQualifiedName",),
    "Department": ("FullyQualifiedName",),
    "Term": (),
    "Invoice": ("TotalAmt", "Balance", "HomeTotalAmt", "HomeBalance", "LinkedTxn", "InvoiceLink", "DeliveryInfo"),
    "CreditMemo": (
        "TotalAmt",
        "Balance",
        "HomeTotalAmt",
        "HomeBalance",
        "LinkedTxn",
        "RemainingCredit",
        "DeliveryInfo",
    ),
    "Payment": ("UnappliedAmt", "LinkedTxn"),
}


def wanted_members(company: Company, entity: str, payload: Any, old: Object | None) -> Object:
    """The members the object is to have, before the rules of its kind are applied. What the server makes is left out.

    A create or a full update holds what was sent. A sparse update lays it over `old`: a blank clears, null leaves alone
    (unless switched), an array replaces.
    """
    sent = clean(entity, payload, null_as_blank=old is not None and company.settings.sparse_null_clears)
    if company.settings.country_in_answers == "iso3":
        _put_country_codes(sent)
    sparse = old is not None and sent.get("sparse") is True
    for name in (*_SERVER_MADE, *READ_ONLY[entity]):
        sent.pop(name, None)
    if not sparse or old is None:
        return dict(without_blanks(sent))
    kept = {key: value for key, value in old.items() if key not in _SERVER_MADE and key not in READ_ONLY[entity]}
    if entity in SALES:
        kept["CustomField"] = in_use(company, kept.get("CustomField", []))
    return _overlay(company, kept, sent)


def _put_country_codes(sent: Object) -> None:
    """Addresses are members of the object itself, never of a line."""
    for name, value in sent.items():
        if isinstance(value, dict) and isinstance(value.get("Country"), str):
            sent[name] = {**value, "Country": country_code(value["Country"])}


def check_sparse_lines(company: Company, entity: str, payload: Object) -> None:
    """:raises ApiFault: 2020 for a sparse update that sends lines without the customer, where QuickBooks needs both."""
    needs = company.settings.sparse_line_needs
    strict = entity == "CreditMemo" if needs == "credit_memo" else entity in SALES and needs == "any"
    if strict and payload.get("sparse") is True and "Line" in payload and not payload.get("CustomerRef"):
        raise ApiFault(missing("CustomerRef"))


def _overlay(company: Company, kept: Object, sent: Object) -> Object:
    for name, value in sent.items():
        if value == BLANK:
            kept.pop(name, None)
        elif name == "CustomField" and company.settings.sparse_custom_fields == "merge":
            by_definition = {one.get("DefinitionId"): one for one in kept.get(name, [])}
            for one in value:
                by_definition[one.get("DefinitionId")] = without_blanks(one)
            kept[name] = list(by_definition.values())
        elif isinstance(value, dict):
            merges = company.settings.sparse_nested == "merge" and "value" not in value and name != "TxnTaxDetail"
            pruned = without_blanks(_overlay(company, dict(kept.get(name, {})), value) if merges else value)
            if pruned:
                kept[name] = pruned
            else:
                kept.pop(name, None)
        else:
            kept[name] = without_blanks(value)
    return kept


def existing(company: Company, entity: str, payload: Any) -> Object:
    """The object that an update, void or delete is about.

    :raises ApiFault: 2030, 610, 2020 without a SyncToken, 5010 with one that is not the present one.
    """
    identifier = checked_id(payload.get("Id"))
    found = company.get(entity, identifier)
    if found is None:
        raise object_not_found(entity)
    token = payload.get("SyncToken")
    if token is None or token == BLANK or isinstance(token, bool | dict | list):
        raise ApiFault(missing("SyncToken"))
    if str(token) != found["SyncToken"]:
        user = company.profile.user
        raise fault(
            "5010",
            f"Stale Object Error : You and {user} were working on this at the same time. "
            f"{user} finished before you did, so your work was not saved.",
        )
    return found


def checked_id(value: Any) -> str:
    text = str(value)
    # isdecimal alone takes digits of every script.
    if isinstance(value, bool | dict | list) or not (text.isascii() and text.isdecimal()):
        raise fault("2030", f"Id should be a valid number. Supplied value:{text[:100]}", "Id")
    return text


def object_not_found(entity: str) -> ApiFault:
    sentence = DELETED_SENTENCE if entity in TRANSACTIONS else INACTIVE_SENTENCE
    return fault("610", f"Object Not Found : {sentence}")
