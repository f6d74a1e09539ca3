"""Intuit's faults, read from every shape in which they come.

The Accounting API answers `{"Fault": {"Error": [{"Message", "Detail", "code", "element"}], "type"}}`; the gateway in
front of it says the same in lower case (`fault`, `error`, `message`, …) and sometimes in XML. Messages come in the
company's language, so nothing here or anywhere else decides by them: codes do, and the ids within details.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class FaultCode:
    """The codes that a push can meet (Intuit's page "Handling common errors"), as `Fault.code` spells them."""

    AUTHENTICATION: Final = "100"
    OAUTH: Final = "110"
    AUTHORIZATION_FAILURE: Final = "120"
    WRONG_CLUSTER: Final = "130"
    COMPANY_LOCKED_OUT: Final = "140"
    COMPANY_UNDER_MAINTENANCE: Final = "150"
    UNSUPPORTED_OPERATION: Final = "500"
    DUPLICATE_REQUEST_ID: Final = "600"
    OBJECT_NOT_FOUND: Final = "610"
    CANNOT_LINK: Final = "620"
    DUPLICATE_OBJECT: Final = "630"
    PARENT_INVALID: Final = "700"
    CANNOT_DELETE: Final = "800"
    PARENT_IS_CHILD: Final = "900"
    BATCH_TOO_LARGE: Final = "1040"
    UNSUPPORTED_PROPERTY: Final = "2010"
    PARAMETER_MISSING: Final = "2020"
    ID_INVALID: Final = "2030"
    STRING_INVALID: Final = "2040"
    STRING_LENGTH: Final = "2050"
    DATE_INVALID: Final = "2060"
    DATE_FORMAT: Final = "2070"
    NUMBER_INVALID: Final = "2090"
    DECIMAL_INVALID: Final = "2100"
    DECIMAL_FORMAT: Final = "2110"
    REQUEST_ID_FORMAT: Final = "2130"
    AMOUNT_INVALID: Final = "2140"
    QUANTITY_INVALID: Final = "2160"
    ENUM_INVALID: Final = "2170"
    WEB_ADDRESS_INVALID: Final = "2200"
    EMAIL_INVALID: Final = "2210"
    CURRENCY_INVALID: Final = "2220"
    NEGATIVE_AMOUNT: Final = "2290"
    REFERENCE_INVALID: Final = "2500"
    CONFLICT: Final = "2600"
    CUSTOM_FIELD_INVALID: Final = "3000"
    THROTTLE_EXCEEDED: Final = "3001"
    APPLICATION_NOT_AUTHORIZED: Final = "3100"
    TOKEN_REFUSED: Final = "3200"  # noqa: S105 - a fault code
    TOKEN_INVALID: Final = "3202"  # noqa: S105 - a fault code
    QUERY_BROKEN: Final = "4002"
    STALE_OBJECT: Final = "5010"
    PERMISSION_DENIED: Final = "5020"
    FEATURE_NOT_SUPPORTED: Final = "5030"
    BUSINESS_VALIDATION: Final = "6000"
    AMOUNT_CALCULATION: Final = "6070"
    NAME_MISSING: Final = "6080"
    LINE_TAX_CODE_INVALID: Final = "6100"
    BILLING_CUSTOMER_FIXED: Final = "6130"
    DUPLICATE_DOCUMENT_NUMBER: Final = "6140"
    PARENT_REQUIRED: Final = "6150"
    TAX_CODE_REQUIRED: Final = "6160"
    TAX_DETAIL_NOT_APPLICABLE: Final = "6170"
    TOO_MANY_LEVELS: Final = "6180"
    SUBSCRIPTION_ENDED: Final = "6190"
    ACCOUNT_PERIOD_CLOSED: Final = "6200"
    BOOKS_CLOSED: Final = "6210"
    HAS_BALANCE: Final = "6220"
    TAX_CODE_INVALID: Final = "6230"
    DUPLICATE_NAME: Final = "6240"
    CUSTOMER_INVALID: Final = "6250"
    UNBILLED_CHARGES: Final = "6280"
    DELIVERY_EMAIL_REQUIRED: Final = "6420"
    DELIVERY_REFUSED: Final = "6440"
    VOID_OF_SETTLED: Final = "6450"
    SETTLED: Final = "6470"
    STOCK_NOT_COUNTED_YET: Final = "6270"
    STOCK_WITHOUT_QUANTITY: Final = "6520"
    ALREADY_DEPOSITED: Final = "6540"
    SYSTEM_FAILURE: Final = "10000"
    COMPANY_RESET: Final = "10200"


@dataclass(frozen=True, slots=True)
class Fault:
    """One error of an answer. `code` has no leading zeros; `message` and `detail` are for people, in any language."""

    code: str
    message: str
    detail: str
    element: str | None


@dataclass(frozen=True, slots=True)
class FaultReport:
    """All errors of an answer, and Intuit's word for their kind (`ValidationFault`, `AUTHENTICATION`, `SERVICE`, …)."""

    type: str
    faults: tuple[Fault, ...]

    @property
    def codes(self) -> frozenset[str]:
        """The distinct codes."""
        return frozenset(fault.code for fault in self.faults)


@dataclass(frozen=True, slots=True)
class CollidingDocument:
    """The document that already holds a number (6140): its Id, and its type as Intuit names it (`Invoice`)."""

    txn_id: str
    txn_type: str | None


def normalise_code(code: object) -> str:
    """`"003001"`, `3001` and `" 3001 "` are the same code: `"3001"`."""
    text = "" if code is None else str(code).strip()
    return text.lstrip("0") or ("0" if text else "")


def report_in(body: Mapping[str, object]) -> FaultReport | None:
    """The faults of a decoded JSON answer or of one item of a batch answer; None if it holds none.

    A `Fault` that cannot be understood is still a fault: it becomes one with an empty code.
    """
    fault = body.get("Fault") or body.get("fault")
    if not fault:
        return None
    if not isinstance(fault, Mapping):
        return FaultReport(type="", faults=(_unreadable(fault),))
    errors = _either(fault, "Error", "error")
    if isinstance(errors, Mapping):
        errors = [errors]
    if not isinstance(errors, list) or not errors:
        return FaultReport(type=_text(_either(fault, "type", "Type")), faults=(_unreadable(fault),))
    return FaultReport(type=_text(_either(fault, "type", "Type")), faults=tuple(_fault(error) for error in errors))


def report_in_xml(text: str) -> FaultReport | None:
    """The faults of an XML answer, which the gateway gives to a throttled call even when JSON was asked for.

    None when the text is no such answer (HTML, broken XML). Documents with a DTD are not read: Intuit sends none.
    """
    if "<Fault" not in text or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - without a DTD there are no entities to expand
    except (ElementTree.ParseError, ValueError):
        return None
    fault = next((node for node in root.iter() if _local(node) == "Fault"), None)
    if fault is None:
        return None
    faults = tuple(_fault_of_xml(node) for node in fault if _local(node) == "Error")
    return FaultReport(type=fault.get("type", ""), faults=faults or (_unreadable(text),))


_SYSTEM_CODE: Final = re.compile(r"errorCode=0*(\d+)")


def _fault(error: object) -> Fault:
    if not isinstance(error, Mapping):
        return _unreadable(error)
    message = _text(_either(error, "Message", "message"))
    code = normalise_code(_either(error, "code", "Code"))
    return Fault(
        code=code or _code_in(message),
        message=message,
        detail=_text(_either(error, "Detail", "detail")),
        element=_text(_either(error, "element", "Element")) or None,
    )


def _fault_of_xml(error: ElementTree.Element) -> Fault:
    parts = {_local(child): (child.text or "").strip() for child in error}
    message = parts.get("Message", "")
    return Fault(
        code=normalise_code(error.get("code")) or _code_in(message),
        message=message,
        detail=parts.get("Detail", ""),
        element=error.get("element") or None,
    )


def _code_in(message: str) -> str:
    """The gateway's messages are a machine's, not a language's: `message=…; errorCode=003001; statusCode=429`."""
    match = _SYSTEM_CODE.search(message)
    return match[1] if match else ""


def _unreadable(found: object) -> Fault:
    return Fault(code="", message="a fault that cannot be read", detail=str(found)[:500], element=None)


def _either(mapping: Mapping[str, object], first: str, second: str) -> object:
    value = mapping.get(first)
    return mapping.get(second) if value is None else value


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _local(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2]


# The ids are ASCII digits in every language; Intuit writes "Id=123" and, in some locales, "Id = 123".
_NAME_ID: Final = re.compile(r"\bId\s*=\s*([0-9]+)", re.ASCII)
_TXN_ID: Final = re.compile(r"\bTxnId\s*=\s*([0-9]+)", re.ASCII)
_TXN_TYPE: Final = re.compile(r"\bTxnType\s*=\s*([A-Za-z]+)", re.ASCII)


def colliding_id(fault: Fault) -> str | None:
    """The Id of the name that is in the way (6240), which may be a vendor's or an employee's; None if unknown."""
    if fault.code != FaultCode.DUPLICATE_NAME:
        return None
    match = _NAME_ID.search(fault.detail)
    return match[1] if match else None


def colliding_document(fault: Fault) -> CollidingDocument | None:
    """The document that holds the number already (6140); None if the detail does not tell."""
    if fault.code != FaultCode.DUPLICATE_DOCUMENT_NUMBER:
        return None
    match = _TXN_ID.search(fault.detail)
    if match is None:
        return None
    kind = _TXN_TYPE.search(fault.detail)
    return CollidingDocument(txn_id=match[1], txn_type=kind[1] if kind else None)
