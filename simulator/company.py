"""One QuickBooks company: its objects, their indexes, and how a change is committed to them.

Objects are held in wire form (JSON-native dictionaries). A stored object is never changed in place: a change makes a new
one and commits it, so a refused request leaves nothing behind.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simulator.amounts import ZERO, dec, number
from simulator.audit import SYSTEM, Trail, acting_as
from simulator.clock import Clock
from simulator.members import Object
from simulator.renaming import REFERRING, with_reference
from simulator.settings import Settings

PEOPLE = ("Customer", "Vendor", "Employee")
SALES = ("Invoice", "CreditMemo")
TRANSACTIONS = ("Invoice", "CreditMemo", "Payment")
NAMED_LISTS = ("Item", "Class", "Department", "Term")
TAX_LISTS = ("TaxCode", "TaxRate", "TaxAgency")
NAME_LISTS = (*PEOPLE, *NAMED_LISTS, "Account", *TAX_LISTS)
SINGLETONS = ("CompanyInfo", "Preferences")
ENTITIES = (*NAME_LISTS, *TRANSACTIONS, *SINGLETONS)
BY_PATH = {name.lower(): name for name in ENTITIES}

DELETED_SUFFIX = " (deleted)"


@dataclass(slots=True)
class Profile:
    """What a company is, beyond what its own API says of it."""

    realm: str
    name: str
    country: str
    locale: str
    """`US`, `UK`, `CA` or `EU`: which tax rules apply."""
    home_currency: str
    language: str = "en"
    status: str = "active"
    """`active`, `subscription_ended`, `locked`, `maintenance` or `no_access`."""
    warn_duplicate_numbers: bool = True
    """The company's own setting; the API does not show it."""
    last_number: int = 1000
    """The last document number that QuickBooks gave."""
    user: str = "Olivia Owner"
    exchange_rates: dict[str, str] = field(default_factory=dict)
    """Currency → home units for one of it."""
    dated_rates: dict[str, dict[str, str]] = field(default_factory=dict)
    """Currency → first day (ISO) → home units for one of it from that day on."""
    sales_tax_by_state: dict[str, str] = field(default_factory=dict)
    """State of the ship-to address → id of the TaxRate that the automated sales tax engine charges there."""


class Company:
    """The books of one realm."""

    def __init__(self, profile: Profile, *, clock: Clock, settings: Settings) -> None:
        self.profile = profile
        self.clock = clock
        self.settings = settings
        self.tables: dict[str, dict[str, Object]] = {entity: {} for entity in ENTITIES}
        self.deleted: dict[str, dict[str, Object]] = {entity: {} for entity in TRANSACTIONS}
        self.counters: dict[str, int] = {}
        self.line_counters: dict[str, int] = {}
        self.trail = Trail()
        self._names: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
        self._documents: dict[str, dict[str, list[str]]] = {entity: {} for entity in SALES}
        self._children: dict[str, list[str]] = defaultdict(list)
        self._balances: dict[str, Decimal] = defaultdict(lambda: ZERO)

    # --- what the company is

    @property
    def preferences(self) -> Object:
        return self.tables["Preferences"]["1"]

    def preference(self, group: str, name: str) -> Any:
        found = self.tables["Preferences"]["1"].get(group)
        return None if found is None else found.get(name)

    @property
    def multicurrency(self) -> bool:
        return bool(self.preference("CurrencyPrefs", "MultiCurrencyEnabled"))

    @property
    def using_tax(self) -> bool:
        return bool(self.preference("TaxPrefs", "UsingSalesTax"))

    @property
    def american(self) -> bool:
        return self.profile.locale == "US"

    @property
    def custom_numbers(self) -> bool:
        return bool(self.preference("SalesFormsPrefs", "CustomTxnNumbers"))

    @property
    def close_date(self) -> str | None:
        found = self.preference("AccountingInfoPrefs", "BookCloseDate")
        return str(found) if found else None

    # --- finding

    def get(self, entity: str, identifier: str) -> Object | None:
        return self.tables[entity].get(identifier)

    def name_holder(self, entity: str, name: str) -> tuple[str, str] | None:
        """(entity, Id) of the object that holds `name`, compared as Intuit does: not by case."""
        return self._names[_name_space(entity)].get(self._name_key(name))

    def _name_key(self, name: str) -> str:
        return (" ".join(name.split()) if self.settings.inner_spaces == "folded" else name).casefold()

    def documents(self, entity: str, number: str) -> list[str]:
        """Ids of the documents of that type with that DocNumber, without regard to case."""
        return self._documents[entity].get(number.casefold(), [])

    def children(self, customer: str) -> list[Object]:
        return [self.tables["Customer"][child] for child in self._children.get(customer, ())]

    def has_transactions(self, customer: str) -> bool:
        return any(
            document.get("CustomerRef", {}).get("value") == customer
            for entity in TRANSACTIONS
            for document in self.tables[entity].values()
        )

    def balance(self, customer: str) -> Decimal:
        return self._balances.get(customer, ZERO)

    def balance_with_jobs(self, customer: str) -> Decimal:
        total = self.balance(customer)
        for child in self._children.get(customer, ()):
            total += self.balance_with_jobs(child)
        return total

    # --- changing

    def next_id(self, sequence: str) -> str:
        self.counters[sequence] = self.counters.get(sequence, 0) + 1
        return str(self.counters[sequence])

    def next_line_id(self, document: str) -> str:
        self.line_counters[document] = self.line_counters.get(document, 0) + 1
        return str(self.line_counters[document])

    def sequence(self, entity: str) -> str:
        """People share one run of ids, transactions another; every other list has its own."""
        if entity in PEOPLE:
            return "Name"
        return "Transaction" if entity in TRANSACTIONS else entity

    def insert(self, entity: str, members: Object, *, identifier: str | None = None) -> Object:
        """Store a new object, with Id, SyncToken and MetaData of the server's making."""
        now = self.clock.stamp()
        stored = {
            **members,
            "domain": "QBO",
            "sparse": False,
            "Id": identifier or self.next_id(self.sequence(entity)),
            "SyncToken": "0",
            "MetaData": {"CreateTime": now, "LastUpdatedTime": now},
        }
        self._put(entity, stored)
        self.trail.created(entity, stored)
        self._touch_customers(entity, None, stored)
        return stored

    def replace(self, entity: str, old: Object, members: Object) -> Object:
        """Store the next version of `old`. When nothing would change, `old` stays as it is, SyncToken and all."""
        stored = {
            **{key: value for key, value in members.items() if value is not None},
            "domain": "QBO",
            "sparse": False,
            "Id": old["Id"],
            "SyncToken": old["SyncToken"],
            "MetaData": old["MetaData"],
        }
        if stored == old:
            return old
        stored["SyncToken"] = str(int(old["SyncToken"]) + 1)
        stored["MetaData"] = {**old["MetaData"], "LastUpdatedTime": self.clock.stamp()}
        self._drop_from_indexes(entity, old)
        self._put(entity, stored)
        self.trail.changed(entity, old, stored)
        self._touch_customers(entity, old, stored)
        if reference_name(entity, stored) != reference_name(entity, old):
            self._rename_references(entity, stored)
        return stored

    def replace_quietly(self, entity: str, old: Object, members: Object) -> Object:
        """Store what the server changes on its own (a FullyQualifiedName below a renamed parent): no new SyncToken."""
        stored = {**old, **members}
        self._drop_from_indexes(entity, old)
        self._put(entity, stored)
        with acting_as(SYSTEM):
            self.trail.changed(entity, old, stored)
        return stored

    def _touch_customers(self, entity: str, old: Object | None, new: Object | None) -> None:
        """A changed balance moves the customer's LastUpdatedTime, without a new SyncToken (recorded: all/customers)."""
        if entity not in TRANSACTIONS:
            return
        owed_before, owed_now = (
            {} if one is None else {one["CustomerRef"]["value"]: owed(entity, one)} for one in (old, new)
        )
        for identifier in {*owed_before, *owed_now}:
            if owed_before.get(identifier, ZERO) != owed_now.get(identifier, ZERO):
                customer = self.tables["Customer"][identifier]
                moved = {**customer["MetaData"], "LastUpdatedTime": self.clock.stamp()}
                self.tables["Customer"][identifier] = {**customer, "MetaData": moved}

    def _rename_references(self, entity: str, stored: Object) -> None:
        """References show the name their object has now, so a rename reaches into the documents that hold them."""
        member = REFERRING.get(entity)
        if member is None:
            return
        fresh = {"value": stored["Id"], "name": reference_name(entity, stored)}
        for kind in TRANSACTIONS:
            table = self.tables[kind]
            for identifier, document in table.items():
                table[identifier] = with_reference(document, member, fresh)

    def remove(self, entity: str, old: Object) -> None:
        self._drop_from_indexes(entity, old)
        del self.tables[entity][old["Id"]]
        self.trail.deleted(entity, old, self.clock.stamp())
        self._touch_customers(entity, old, None)
        self.deleted[entity][old["Id"]] = {
            "domain": "QBO",
            "status": "Deleted",
            "Id": old["Id"],
            "MetaData": {"LastUpdatedTime": self.clock.stamp()},
        }

    def vanish(self, entity: str, old: Object) -> None:
        """Take an object out of the books as a merge does: nothing but the audit trail remembers it."""
        self._drop_from_indexes(entity, old)
        del self.tables[entity][old["Id"]]
        self.trail.deleted(entity, old, self.clock.stamp())

    def reindex(self) -> None:
        """Rebuild every index from the tables, after an import."""
        self._names.clear()
        self._documents = {entity: {} for entity in SALES}
        self._children.clear()
        self._balances.clear()
        for entity in ENTITIES:
            for stored in list(self.tables[entity].values()):
                self._put(entity, stored)

    # --- rendering

    def render(self, entity: str, stored: Object) -> Object:
        """What a response shows: the stored object, with what is computed when it is asked for."""
        if entity == "Customer":
            identifier = stored["Id"]
            shown = {
                **stored,
                "Balance": number(self.balance(identifier)),
                "BalanceWithJobs": number(self.balance_with_jobs(identifier)),
            }
            for masked in ("PrimaryTaxIdentifier", "SecondaryTaxIdentifier"):
                if masked in shown:
                    shown[masked] = mask(shown[masked])
            return shown
        if entity == "Item" and stored.get("Type") == "Inventory":
            return {**stored, "QtyOnHand": self._on_hand(stored)}
        if entity == "Vendor" and "TaxIdentifier" in stored:
            return {**stored, "TaxIdentifier": mask(stored["TaxIdentifier"])}
        return stored

    def _on_hand(self, item: Object) -> int | float:
        """What was counted of an inventory item, less what was sold, plus what was credited."""
        left = dec(item.get("QtyOnHand"))
        for kind, sign in (("Invoice", -1), ("CreditMemo", 1)):
            for document in self.tables[kind].values():
                details = (line.get("SalesItemLineDetail", {}) for line in document["Line"])
                sold = (dec(one.get("Qty")) for one in details if one.get("ItemRef", {}).get("value") == item["Id"])
                left += sign * sum(sold, ZERO)
        return number(left)

    # --- indexes

    def _put(self, entity: str, stored: Object) -> None:
        identifier = stored["Id"]
        self.tables[entity][identifier] = stored
        name = display_name(entity, stored)
        if name is not None:
            self._names[_name_space(entity)].setdefault(self._name_key(name), (entity, identifier))
        if entity in SALES and stored.get("DocNumber"):
            self._documents[entity].setdefault(stored["DocNumber"].casefold(), []).append(identifier)
        if entity == "Customer" and stored.get("ParentRef"):
            self._children[stored["ParentRef"]["value"]].append(identifier)
        if entity in TRANSACTIONS:
            self._balances[stored["CustomerRef"]["value"]] += owed(entity, stored)

    def _drop_from_indexes(self, entity: str, stored: Object) -> None:
        identifier = stored["Id"]
        name = display_name(entity, stored)
        names = self._names[_name_space(entity)]
        if name is not None and names.get(self._name_key(name)) == (entity, identifier):
            del names[self._name_key(name)]
        if entity in SALES and stored.get("DocNumber"):
            self._documents[entity][stored["DocNumber"].casefold()].remove(identifier)
        if entity == "Customer" and stored.get("ParentRef"):
            self._children[stored["ParentRef"]["value"]].remove(identifier)
        if entity in TRANSACTIONS:
            self._balances[stored["CustomerRef"]["value"]] -= owed(entity, stored)


def owed(entity: str, stored: Object) -> Decimal:
    """What a transaction adds to its customer's balance."""
    if entity == "Invoice":
        return dec(stored.get("Balance"))
    if entity == "CreditMemo":
        return -dec(stored.get("RemainingCredit"))
    return -dec(stored.get("UnappliedAmt"))


def display_name(entity: str, stored: Object) -> str | None:
    """The name that has to be unique in its list. People are unique by DisplayName, lists by their full name."""
    if entity in PEOPLE:
        return str(stored["DisplayName"])
    if entity in ("Item", "Class", "Department"):
        return str(stored.get("FullyQualifiedName") or stored["Name"])
    return str(stored["Name"]) if entity == "Term" else None


def reference_name(entity: str, stored: Object) -> str | None:
    """The name that references to the object show."""
    if entity in PEOPLE:
        return str(stored["DisplayName"])
    found = stored.get("FullyQualifiedName") or stored.get("Name")
    return None if found is None else str(found)


def mask(identifier: str) -> str:
    """A tax identifier as responses show it: `XXXXXX56789`."""
    return "X" * max(len(identifier) - 5, 0) + identifier[-5:]


def _name_space(entity: str) -> str:
    return "People" if entity in PEOPLE else entity
