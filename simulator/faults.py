"""Intuit's faults: their codes, their words and their shapes.

Two shapes exist: the service's (upper-case `Fault`, a code in a string, one or more errors) and the gateway's
(lower-case `fault`, for 401, 403 and 429). A domain function raises :class:`ApiFault`; only the edge turns it into bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.localised import translate

MESSAGES = {
    "100": "General Authentication Error",
    "110": "OAuth Error",
    "120": "Authorization Failure",
    "130": "Wrong cluster",
    "140": "Company locked out",
    "150": "Company under maintenance",
    "500": "Unsupported Operation",
    "600": "Duplicate Request ID",
    "610": "Object Not Found",
    "620": "Transaction cannot be linked",
    "630": "Duplicate object",
    "700": "Parent reference is invalid",
    "800": "Cannot delete",
    "900": "Object cannot be its own parent",
    "1040": "Batch size exceeds the limit",
    "2010": "Request has invalid or unsupported property",
    "2020": "Required param missing, need to supply the required value for the API",
    "2030": "Invalid ID",
    "2040": "Invalid String. The String may contain unsupported or illegal chars",
    "2050": "String length is either shorter or longer than supported by specification",
    "2060": "Invalid Date",
    "2070": "Invalid Date",
    "2090": "Invalid Number",
    "2100": "Invalid Decimal",
    "2110": "Invalid Decimal",
    "2130": "Invalid Request Id Format",
    "2140": "Invalid Amount",
    "2160": "Invalid Quantity",
    "2170": "Invalid Enumeration",
    "2200": "Invalid Web Address",
    "2210": "Invalid Email Address",
    "2220": "Invalid Currency",
    "2290": "Negative Amount",
    "2310": "Error parsing object",
    "2390": "There is no income account associated with the item",
    "2500": "Invalid Reference Id",
    "2600": "Conflict",
    "3000": "Invalid Custom Field",
    "4000": "Error parsing query",
    "4001": "Invalid query",
    "4002": "Error processing query",
    "5010": "Stale Object Error",
    "5020": "Permission Denied Error",
    "5030": "Feature Not Supported Error",
    "6000": "A business validation error has occurred while processing your request",
    "6070": "Amount calculation incorrect in the request",
    "6080": "No name provided",
    "6100": "Invalid line TaxCode",
    "6130": "Cannot change who the customer bills with",
    "6140": "Duplicate Document Number Error",
    "6150": "ParentRef is required for a job",
    "6160": "Invalid TaxCodeRef",
    "6170": "TxnTaxDetail is not allowed when GlobalTaxCalculation is NotApplicable",
    "6180": "The sub-level limit has been exceeded",
    "6190": "Invalid Company Status",
    "6200": "Account Period Closed",
    "6210": "Account Period Closed, Cannot Update Through Services API",
    "6220": "Customer has a balance",
    "6230": "TaxCodeRef is required",
    "6240": "Duplicate Name Exists Error",
    "6250": "Invalid sales customer",
    "6270": "Transaction date is prior to start date for inventory item",
    "6280": "Customer has unbilled charges",
    "6420": "Email address is required for delivery",
    "6450": "Void of a settled transaction failed",
    "6520": "Missing Inventory Item Quantity",
    "6540": "Transaction has been deposited",
    "10000": "An application error has occurred while processing your request",
    "10100": "The result is too big",
    "10200": "The company was reset",
}
SYSTEM_CODES = {"10000", "10100", "10200"}
# In these `element` is absent in the recorded faults; in those of 610 and 5010 it is there and empty.
WITHOUT_ELEMENT = {"500", "2010", "4000", "4001", "6240"}
AUTHORISATION_CODES = {"100", "110", "120", "130", "140", "150"}

INACTIVE_SENTENCE = (
    "Something you're trying to use has been made inactive. "
    "Check the fields with accounts, customers, items, vendors or employees."
)
DELETED_SENTENCE = "Another user has deleted this transaction."
CLOSED_SENTENCE = (
    "The account period has closed and the account books cannot be updated through through the QBO Services API. "
    "Please use the QBO website to make these changes."
)
SUBSCRIPTION_SENTENCE = (
    "Subscription period has ended or canceled or there was a billing problem : You can't add data to QuickBooks Online "
    "Plus because your trial or subscription period ended, you cancelled your subscription, or there was a billing problem."
)


@dataclass(frozen=True, slots=True)
class FaultError:
    """One error of a fault. `element` None leaves the member out, as Intuit does at times."""

    code: str
    message: str
    detail: str
    element: str | None = ""

    def as_wire(self, language: str) -> dict[str, str]:
        wire = {
            "Message": translate(self.message, language),
            "Detail": translate(self.detail, language),
            "code": self.code,
        }
        if self.element is not None:
            wire["element"] = self.element
        return wire


class ApiFault(Exception):
    """A request that QuickBooks refuses, with everything it says about it."""

    def __init__(self, *errors: FaultError, status: int = 400, kind: str | None = None, timed: bool = True) -> None:
        super().__init__("; ".join(f"{error.code} {error.detail}" for error in errors))
        self.errors = errors
        self.status = status
        self.kind = kind or _kind(errors[0].code)
        self.timed = timed

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(error.code for error in self.errors)

    def as_wire(self, language: str = "en") -> dict[str, Any]:
        """The `Fault` member of a service fault."""
        return {"Error": [error.as_wire(language) for error in self.errors], "type": self.kind}


def _kind(code: str) -> str:
    if code in SYSTEM_CODES:
        return "SystemFault"
    return "AuthorizationFault" if code in AUTHORISATION_CODES else "ValidationFault"


def error(code: str, detail: str, element: str | None = "") -> FaultError:
    return FaultError(code, MESSAGES[code], detail, None if code in WITHOUT_ELEMENT else element)


def fault(code: str, detail: str, element: str | None = "") -> ApiFault:
    """The fault with Intuit's own message for `code`."""
    return ApiFault(
        error(code, detail, element),
        status=500 if code in SYSTEM_CODES else 400,
        timed=code not in {"2030", "4000"},
    )


def business(detail: str) -> ApiFault:
    return fault("6000", f"Business Validation Error: {detail}")


def invalid_string(name: str, value: str) -> ApiFault:
    """2040 in the words of an answer of July 2026 to a customer whose name has a colon."""
    return fault("2040", f"Element contains invalid characters. {value}", name)


def missing(name: str) -> FaultError:
    return error("2020", f"Required parameter {name} is missing in the request", name)


def too_long(name: str, length: int, limit: int) -> FaultError:
    return error(
        "2050",
        f"String length specified does not match the supported length. "
        f"Min:0 Max:{limit:,} supported. Supplied length:{length:,}",
        name,
    )


def not_found(what: str, identifier: str) -> ApiFault:
    """2500, in Intuit's words for each list: Names, Item, Accounts, Klasses."""
    return fault("2500", f"Invalid Reference Id : {what} element id {identifier} not found", "Reference Id")


def unsupported(path: str) -> ApiFault:
    full = f"https://c50.qbo.intuit.com/qbo50{path}"
    return fault(
        "500", f"Operation Could not find resource for relative : {path} of full path: {full} is not supported."
    )


def in_lower_case(body: dict[str, Any], milliseconds: int) -> dict[str, Any]:
    """A service fault in the other form that QuickBooks gives it at times (quickbooks-ruby PR 612, June 2024)."""
    said = body["Fault"]
    errors = [{name.lower(): value for name, value in one.items()} for one in said["Error"]]
    return {
        "fault": {"error": errors, "type": said["type"]},
        "batchItemResponse": [],
        "attachableResponse": [],
        "time": milliseconds,
        "cdcresponse": [],
    }


def gateway_fault(
    code: str, message: str, detail: str | None, kind: str, status: int, milliseconds: int
) -> dict[str, Any]:
    """The gateway's body (recorded response, 401): lower case, with every other member of the envelope empty."""
    return {
        "warnings": None,
        "intuitObject": None,
        "fault": {
            "error": [
                {
                    "message": f"message={message}; errorCode={int(code):06d}; statusCode={status}",
                    "detail": detail,
                    "code": code,
                    "element": None,
                }
            ],
            "type": kind,
        },
        "report": None,
        "queryResponse": None,
        "batchItemResponse": [],
        "attachableResponse": [],
        "syncErrorResponse": None,
        "requestId": None,
        "time": milliseconds,
        "status": None,
        "cdcresponse": [],
    }
