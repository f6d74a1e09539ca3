"""Members that QuickBooks puts into an object although nobody sent them, as recorded answers have them."""

from __future__ import annotations

from simulator.company import Company
from simulator.members import Object

# Recorded: minimul/qbo_api create/invoice and void/invoice; all/sales_receipts for PrintStatus.
_ONLINE_PAYMENT = (
    "AllowIPNPayment",
    "AllowOnlinePayment",
    "AllowOnlineCreditCardPayment",
    "AllowOnlineACHPayment",
)
_ADDRESSES = ("BillAddr", "ShipAddr", "ShipFromAddr")


def fill_document(entity: str, members: Object) -> None:
    """What an invoice or a credit memo has whether it was sent or not."""
    if entity == "Invoice":
        for name in _ONLINE_PAYMENT:
            members.setdefault(name, False)
    members.setdefault("ApplyTaxAfterDiscount", False)
    members.setdefault("EmailStatus", "NotSet")
    members.setdefault("PrintStatus", "NeedToPrint")


def fill_customer(company: Company, members: Object) -> None:
    """The tax code of a taxable customer of the USA: its number, without a name (recorded: create/customer, get/id)."""
    default = company.preference("TaxPrefs", "TaxGroupCodeRef")
    found = members.get("DefaultTaxCodeRef") or (default if company.american and members["Taxable"] else None)
    if found:
        members["DefaultTaxCodeRef"] = {"value": found["value"]}


def fill_vendor(members: Object) -> None:
    members["Balance"] = 0
    members.setdefault("Vendor1099", False)


def number_addresses(company: Company, members: Object, old: Object | None, *, customer: Object | None = None) -> None:
    """Each address has an Id; two that say the same share one, a document with its customer too (recorded: create/invoice)."""
    sent = [name for name in _ADDRESSES if members.get(name)]
    if not sent:
        return
    shared = _addresses(customer)
    known = [*shared, *_addresses(old)]
    for name in sent:
        bare = members[name]
        if "Id" in bare:
            bare = {key: value for key, value in bare.items() if key != "Id"}
        if not bare:
            del members[name]
            continue
        same = own = None
        if known:
            same = next((one["Id"] for one in known if one == {**bare, "Id": one["Id"]}), None)
            own = (old or {}).get(name, {}).get("Id")
            if own in {one["Id"] for one in shared}:
                own = None
        members[name] = {"Id": same or own or company.next_id("Address"), **bare}
        known.append(members[name])


def _addresses(holder: Object | None) -> list[Object]:
    return [holder[name] for name in _ADDRESSES if name in holder] if holder else []
