"""Products and services: what each type of item needs, and what its sale needs."""

from __future__ import annotations

from simulator.amounts import dec
from simulator.company import Company
from simulator.faults import ApiFault, business, fault, missing
from simulator.members import Object
from simulator.references import put_reference, value_of

# QuickBooks' own pages make the other types; its API takes these.
_CREATABLE = ("Service", "NonInventory", "Inventory", "Category")
_INVENTORY_NEEDS = ("QtyOnHand", "InvStartDate", "AssetAccountRef", "ExpenseAccountRef")
_ACCOUNTS = ("IncomeAccountRef", "ExpenseAccountRef", "AssetAccountRef")


def complete(company: Company, members: Object, old: Object | None) -> None:
    """Check and fill in what an item of its type has.

    :raises ApiFault: 2020 for an account or a quantity that is missing, 5030 for a type the API does not make, 6000.
    """
    kind = members.setdefault("Type", "Service" if old is None else old["Type"])
    if old is not None and kind != old["Type"]:
        raise business("The type of an item cannot be changed this way.")
    if old is None and kind not in _CREATABLE:
        raise fault("5030", f"Feature Not Supported Error : Items of type {kind} cannot be created through the API")
    if kind in ("Category", "Group"):
        return
    needed = ["IncomeAccountRef"] if old is None or "IncomeAccountRef" in old else []
    if kind == "Inventory":
        if not members.get("TrackQtyOnHand"):
            raise business(
                "When you create an item, if Track quantity on hand is turned off, the item cannot be of type Inventory."
            )
        needed += _INVENTORY_NEEDS if old is None else ()
    absent = [missing(name) for name in needed if not _given(members, name)]
    if absent:
        raise ApiFault(*absent)
    for name in _ACCOUNTS:
        put_reference(company, members, name, "Account", old=old)
    put_reference(company, members, "SalesTaxCodeRef", "TaxCode", old=old)
    members.setdefault("UnitPrice", 0)
    members.setdefault("PurchaseCost", 0)
    members.setdefault("Taxable", False)
    members["TrackQtyOnHand"] = kind == "Inventory"


def _given(members: Object, name: str) -> bool:
    return value_of(members.get(name)) is not None if name.endswith("Ref") else name in members


def check_sale(item: Object, detail: Object, day: str) -> None:
    """What a line that sells the item has to hold.

    :raises ApiFault: 2500 for a category, 6520 for stock without a quantity, 6270 for a day before the stock was counted,
        6000 for a group, 2390 for an item that has no account for its income.
    """
    kind = item["Type"]
    if kind == "Category":
        sentence = "An item in this transaction is set up as a category instead of a product or service."
        raise fault("2500", f"Invalid Reference Id : {sentence}", "Reference Id")
    if kind == "Group":
        raise business("A group of items needs a line of type GroupLineDetail.")
    if kind == "Inventory":
        if not dec(detail.get("Qty")):
            raise fault("6520", "Quantity required for inventory item")
        if day < item.get("InvStartDate", ""):
            sentence = "cant be dated earlier than the Inventory Start Date for the product"
            raise fault("6270", f"Transactions with inventory (QOH) products {sentence}")
    if "IncomeAccountRef" not in item:
        sentence = "There is no income account associated with the item"
        raise fault("2390", f'{sentence} : {sentence} "{item["Name"]}".')
