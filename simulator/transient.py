"""Transient faults: answers that QuickBooks gives for a while to requests it takes a moment later.

Each is a kind of rule (`simulator.trouble`) and can be drawn at random in the background. A rule that answers for one write
strikes each item of a batch on its own, as the batch endpoint answers each item on its own.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from simulator.faults import MESSAGES, ApiFault, FaultError, business, fault

OfAnItem = Literal["name_lock", "try_again", "saved_anyway", "requestid_used", "bad_email", "period_closed"]
OfARequest = Literal["unsupported", "not_found_page", "server_error", "country_code", "lower_case"]
ITEM_KINDS: tuple[str, ...] = get_args(OfAnItem)
REQUEST_KINDS: tuple[str, ...] = get_args(OfARequest)
TRANSIENT_KINDS = (*ITEM_KINDS, *REQUEST_KINDS)

NAME_LISTS: Mapping[str, str] = {
    "Customer": "name",
    "Vendor": "name",
    "Employee": "name",
    "Item": "product or service",
}
"""Entity → the list that QuickBooks locks while one of them is being written, in its own words."""
DOCUMENTS = ("Invoice", "CreditMemo", "Payment")
_ADDRESSED = ("Customer", "Vendor", "Invoice", "CreditMemo")
_WRITES = ("create", "update", "void", "delete")
_UNEXPECTED = (
    "An unexpected error occurred while accessing or saving your data. Please wait a few minutes and try again."
)
_INTERNAL = ("-30000", "-30035", "-30003", "-10600")
NOT_FOUND_PAGE = (
    "<!doctype html><html lang='en'><head><title>HTTP Status 404 – Not Found</title></head>"
    "<body><h1>HTTP Status 404 – Not Found</h1></body></html>"
)
PERIOD_CLOSED = "Account Period Closed : The account period has closed and the account books cannot be updated."


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a rule can see of a call, or of an item of a batch (`batched`)."""

    realm: str = ""
    entity: str = ""
    operation: str = ""
    path: str = ""
    requestid: str = ""
    body: bytes = b""
    batched: bool = False
    repeated: bool = False
    """Whether its request id has been answered before."""


def can_strike(kind: str, call: Call) -> bool:
    """Whether QuickBooks could answer this call with a fault of that kind; a rule passes any other call by, uncounted."""
    writes = call.operation in _WRITES
    match kind:
        case "name_lock":
            return writes and call.entity in NAME_LISTS
        case "try_again" | "saved_anyway":
            return writes
        case "requestid_used":
            return call.repeated
        case "bad_email":
            return call.operation == "query" and call.entity in ("Invoice", "CreditMemo")
        case "period_closed":
            return writes and call.entity in DOCUMENTS
        case "country_code":
            return call.entity in _ADDRESSED or call.operation in ("batch", "cdc")
        case _:
            return True


def locked(entity: str) -> ApiFault:
    """6000 while another write of the same list is in flight."""
    return business(f"You can only add or edit one {NAME_LISTS.get(entity, 'name')} at a time. Please try again.")


def bad_email() -> ApiFault:
    """4002: a query that returns a document with an e-mail address that was typed wrongly by hand."""
    return fault("4002", "QueryProcessingError: To email address entered is invalid", None)


def period_closed() -> ApiFault:
    """5010 for a closed period. The SyncToken that is read afterwards is the same."""
    return fault("5010", PERIOD_CLOSED)


def requestid_used() -> ApiFault:
    """6000 for a request id that was answered before, instead of its first answer; nothing says why (quickbooks-ruby PR 344)."""
    return business(f"{_UNEXPECTED}  If the problem persists, contact customer support.")


def fault_of(kind: str, call: Call, draw: random.Random) -> ApiFault:
    """The fault of a rule that answers with one.

    :param draw: chooses which of the internal codes a "try again" carries.
    """
    match kind:
        case "name_lock":
            return locked(call.entity)
        case "requestid_used":
            return requestid_used()
        case "bad_email":
            return bad_email()
        case "period_closed":
            return period_closed()
        case "unsupported":
            sentence = f"Operation Could not find resource for relative : {call.path} is not supported."
            return ApiFault(FaultError("500", MESSAGES["500"], sentence))
        case _:
            return business(f"{_UNEXPECTED} ({draw.choice(_INTERNAL)})")


def with_country_codes(value: Any) -> Any:
    """`value` with each `Country` inside it in the form of ISO 3166-1 alpha-3, where the name is known."""
    if isinstance(value, dict):
        return {
            name: country_code(one) if name == "Country" and isinstance(one, str) else with_country_codes(one)
            for name, one in value.items()
        }
    if isinstance(value, list):
        return [with_country_codes(one) for one in value]
    return value


def country_code(name: str) -> str:
    return _COUNTRIES.get(name.strip().casefold(), name)


_COUNTRIES = {
    spelt: code
    for code, spellings in {
        "USA": ("us", "usa", "u.s.a.", "united states", "united states of america"),
        "GBR": ("gb", "uk", "united kingdom", "great britain", "england", "scotland", "wales"),
        "CAN": ("ca", "canada"),
        "IRL": ("ie", "ireland", "republic of ireland"),
        "FRA": ("fr", "france"),
        "DEU": ("de", "germany", "deutschland"),
        "ESP": ("es", "spain"),
        "ITA": ("it", "italy"),
        "NLD": ("nl", "netherlands", "the netherlands"),
        "BEL": ("be", "belgium"),
        "CHE": ("ch", "switzerland"),
        "JPN": ("jp", "japan"),
        "AUS": ("au", "australia"),
    }.items()
    for spelt in spellings
}
