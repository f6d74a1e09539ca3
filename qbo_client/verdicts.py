"""What a refusal proves: the table of fault codes, each with its source.

A refusal is final for this very content only if its code is listed here as final: the same request will be refused again, and nothing was
done. Everything else is passing: QuickBooks may take the same request later, and it may even have done what it refused. The words of a
fault decide nothing, for they come in the company's language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from qbo_client.calls import Operation
from qbo_client.faults import FaultCode
from qbo_client.outcomes import Refused


class Verdict(StrEnum):
    """What an answer that is no success says of the request."""

    FINAL = "final"
    """Nothing was done, and this very content will be refused again."""
    PASSING = "passing"
    """It may be taken later. A create that was refused so may be in QuickBooks all the same: look before it is sent again."""
    UNKNOWN = "unknown"
    """It may have been done, or may still be: keep the request as it was written."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What fault codes say, and how that is known."""

    codes: tuple[str, ...]
    verdict: Verdict
    source: str


_ERRORS_PAGE: Final = "Intuit, Handling common errors"

TABLE: Final = (
    Rule(
        (
            FaultCode.UNSUPPORTED_PROPERTY, FaultCode.PARAMETER_MISSING, FaultCode.ID_INVALID, FaultCode.STRING_INVALID,
            FaultCode.STRING_LENGTH, FaultCode.DATE_INVALID, FaultCode.DATE_FORMAT, FaultCode.NUMBER_INVALID,
            FaultCode.DECIMAL_INVALID, FaultCode.DECIMAL_FORMAT, FaultCode.REQUEST_ID_FORMAT, FaultCode.AMOUNT_INVALID,
            FaultCode.QUANTITY_INVALID, FaultCode.ENUM_INVALID, FaultCode.WEB_ADDRESS_INVALID, FaultCode.EMAIL_INVALID,
            FaultCode.CURRENCY_INVALID, FaultCode.NEGATIVE_AMOUNT, FaultCode.CUSTOM_FIELD_INVALID, FaultCode.AMOUNT_CALCULATION,
            FaultCode.NAME_MISSING, FaultCode.BATCH_TOO_LARGE,
        ),
        Verdict.FINAL, f"{_ERRORS_PAGE}: validation of the request itself, before anything is written",
    ),
    Rule(
        (FaultCode.LINE_TAX_CODE_INVALID, FaultCode.TAX_CODE_REQUIRED, FaultCode.TAX_DETAIL_NOT_APPLICABLE, FaultCode.TAX_CODE_INVALID),
        Verdict.FINAL, f"{_ERRORS_PAGE}: the tax members of the request",
    ),
    Rule(
        (
            FaultCode.OBJECT_NOT_FOUND, FaultCode.REFERENCE_INVALID, FaultCode.CUSTOMER_INVALID, FaultCode.PARENT_INVALID,
            FaultCode.PARENT_IS_CHILD, FaultCode.PARENT_REQUIRED, FaultCode.BILLING_CUSTOMER_FIXED, FaultCode.TOO_MANY_LEVELS,
        ),
        Verdict.FINAL, f"{_ERRORS_PAGE}; recorded by minimul/qbo_api: what it refers to is not there, and a person has to change that",
    ),
    Rule(
        (FaultCode.DUPLICATE_NAME, FaultCode.DUPLICATE_DOCUMENT_NUMBER, FaultCode.DUPLICATE_OBJECT, FaultCode.CONFLICT),
        Verdict.FINAL, f"{_ERRORS_PAGE}; recorded with the Id of what is in the way: it is there until a person changes it",
    ),
    Rule(
        (
            FaultCode.ACCOUNT_PERIOD_CLOSED, FaultCode.BOOKS_CLOSED, FaultCode.HAS_BALANCE, FaultCode.UNBILLED_CHARGES,
            FaultCode.CANNOT_LINK, FaultCode.CANNOT_DELETE, FaultCode.VOID_OF_SETTLED, FaultCode.ALREADY_DEPOSITED, FaultCode.SETTLED,
        ),
        Verdict.FINAL, f"{_ERRORS_PAGE}; recorded by fyle: the books forbid it until a person changes them",
    ),
    Rule(
        (FaultCode.STOCK_WITHOUT_QUANTITY, FaultCode.STOCK_NOT_COUNTED_YET),
        Verdict.FINAL, f"{_ERRORS_PAGE}; n8n 12956: the line of an item of type Inventory, until its quantity, date or item is another",
    ),
    Rule(
        (
            FaultCode.PERMISSION_DENIED, FaultCode.FEATURE_NOT_SUPPORTED, FaultCode.DELIVERY_EMAIL_REQUIRED,
            FaultCode.DELIVERY_REFUSED, FaultCode.COMPANY_RESET,
        ),
        Verdict.FINAL, f"{_ERRORS_PAGE}: a setting of the company or of its user",
    ),
    Rule(
        (FaultCode.STALE_OBJECT,),
        Verdict.FINAL, "Intuit, Basic field definitions; recorded: the SyncToken of the request is not the object's. The object is read."
        " Of a create it is passing: there is no SyncToken that could be old (python-quickbooks 208, for closed periods)",
    ),
    Rule(
        (FaultCode.BUSINESS_VALIDATION,),
        Verdict.PASSING,
        "qbo_api PR 88 (one name at a time), quickbooks-ruby PR 344 (try again, also with an internal code, also for a request id that"
        " was used), an Intuit forum title cited by fo_qbo (and the object was saved); also rules of the company, which do not pass",
    ),
    Rule(
        (FaultCode.UNSUPPORTED_OPERATION,),
        Verdict.PASSING, "qbo_api 81: valid paths answered so for hours (outage of 2018-04-03)",
    ),
    Rule(
        (FaultCode.QUERY_BROKEN,),
        Verdict.PASSING, ".NET SDK 81 and 111, Java SDK 47, PHP SDK 216: one bad document breaks every query that returns it",
    ),
    Rule(
        (FaultCode.THROTTLE_EXCEEDED, FaultCode.WRONG_CLUSTER, FaultCode.COMPANY_UNDER_MAINTENANCE),
        Verdict.PASSING, "recorded by quickbooks-ruby; Intuit, Limits and throttles: not done, later it is",
    ),
    Rule(
        (FaultCode.SYSTEM_FAILURE, FaultCode.DUPLICATE_REQUEST_ID),
        Verdict.UNKNOWN, f"{_ERRORS_PAGE}: Intuit does not know, or the first call is under way",
    ),
)  # fmt: skip

BY_CODE: Final[Mapping[str, Rule]] = {code: rule for rule in TABLE for code in rule.codes}


def verdict(refused: Refused, operation: Operation) -> Verdict:
    """Give what a refusal says of its request. One final code is enough: the content has to change in any case.

    A refusal without a code (404 with HTML, any 4xx without a fault: ruckus/quickbooks-ruby 363), or with one that is not in the table,
    proves nothing; nor does one of a query, which asks and changes nothing.
    """
    if operation is Operation.QUERY:
        return Verdict.PASSING
    codes = refused.codes - {FaultCode.STALE_OBJECT} if operation is Operation.CREATE else refused.codes
    rules = [BY_CODE[code] for code in codes if code in BY_CODE]
    return Verdict.FINAL if any(rule.verdict is Verdict.FINAL for rule in rules) else Verdict.PASSING
