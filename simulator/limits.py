"""Lengths, e-mail and web addresses: what is checked of a member alone."""

from __future__ import annotations

import re
from typing import Any

from simulator.faults import FaultError, error, too_long
from simulator.members import Object

_ADDRESS = {
    **{f"Line{line}": 500 for line in range(1, 6)},
    "City": 255,
    "Country": 255,
    "CountrySubDivisionCode": 255,
    "PostalCode": 30,
}
_PHONE = {"FreeFormNumber": 30}
_EMAIL = {"Address": 100}
_PERSON: dict[str, Any] = {
    "DisplayName": 500,
    "Title": 16,
    "GivenName": 100,
    "MiddleName": 100,
    "FamilyName": 100,
    "Suffix": 16,
    "CompanyName": 100,
    "PrintOnCheckName": 110,
    "Notes": 2000,
    "ResaleNum": 16,
    "AcctNum": 100,
    "PrimaryPhone": _PHONE,
    "AlternatePhone": _PHONE,
    "Mobile": _PHONE,
    "Fax": _PHONE,
    "PrimaryEmailAddr": _EMAIL,
    "WebAddr": {"URI": 1000},
    "BillAddr": _ADDRESS,
    "ShipAddr": _ADDRESS,
}
_SALE: dict[str, Any] = {
    "DocNumber": 21,
    "PrivateNote": 4000,
    "CustomerMemo": {"value": 1000},
    "BillEmail": _EMAIL,
    "BillEmailCc": {"Address": 200},
    "BillEmailBcc": {"Address": 200},
    "BillAddr": _ADDRESS,
    "ShipAddr": _ADDRESS,
    "TrackingNum": 31,
}
LIMITS: dict[str, dict[str, Any]] = {
    "Customer": _PERSON,
    "Vendor": _PERSON,
    "Invoice": _SALE,
    "CreditMemo": _SALE,
    "Payment": {"PrivateNote": 4000, "PaymentRefNum": 21},
    "Item": {"Name": 100, "Sku": 100, "Description": 4000, "PurchaseDesc": 1000},
    "Class": {"Name": 100},
    "Department": {"Name": 100},
    "Term": {"Name": 31},
}
# Intuit's words for a member in a length fault, where they are known to differ from its name.
_SPOKEN = {"CustomerMemo.value": "Customer Memo"}
ADDRESS_TOTAL = 2000
# No part between two dots is empty, and no part of the domain starts or ends with a hyphen.
_LOCAL = r"[^@\s.]+(?:\.[^@\s.]+)*"
_LABEL = r"[^@\s.-](?:[^@\s.]*[^@\s.-])?"
_EMAIL_FORM = re.compile(rf"{_LOCAL}@{_LABEL}(?:\.{_LABEL})+")
_WEB_FORM = re.compile(r"\S+\.\S+|https?://\S+")


def check(entity: str, members: Object) -> list[FaultError]:
    """Every length and form that `members` breaks."""
    return _check(LIMITS.get(entity, {}), members, "")


def is_email(text: str) -> bool:
    """Whether QuickBooks takes it: one address, or several with commas or semicolons between them."""
    return all(_EMAIL_FORM.fullmatch(one.strip()) for one in re.split(r"[,;]", text))


def _check(limits: dict[str, Any], members: Object, path: str) -> list[FaultError]:
    errors: list[FaultError] = []
    for name, limit in limits.items():
        value = members.get(name)
        if value is None or value == "":
            continue
        full = f"{path}{name}"
        if isinstance(limit, dict):
            errors += _check(limit, value, f"{full}.")
            errors += _form(full, limit, value)
        elif len(value) > limit:
            errors.append(too_long(_SPOKEN.get(full, full), len(value), limit))
    return errors


def _form(name: str, limit: dict[str, Any], value: Object) -> list[FaultError]:
    if limit is _ADDRESS:
        length = sum(len(value.get(f"Line{line}", "")) for line in range(1, 6))
        return [too_long(name, length, ADDRESS_TOTAL)] if length > ADDRESS_TOTAL else []
    address = value.get("Address")
    if address:
        detail = "Email Address does not conform to the syntax rules of RFC 822. Supplied value:"
        return [] if is_email(address) else [error("2210", detail + address[:100], name)]
    uri = value.get("URI")
    if uri and not _WEB_FORM.fullmatch(uri):
        return [error("2200", f"Web address is invalid. Supplied value:{uri[:100]}", name)]
    return []
