"""What an admin set up for an Org, in the words of people: names of items, classes and tax codes, never ids."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class OrgRules:
    """One Org's set-up, as the proof of the result needs it.

    `items` and `item_classes` go from the name of a Kompass Service to the name of a QBO Item and Class, `classes` from the
    name of a Department to that of a Class, `tax_codes` from the id of a VAT rate to the name of a tax code (the empty id:
    lines without a VAT rate).
    """

    org_id: str
    realm_id: str
    company: str
    locale: str
    """``USA``, ``EU`` or ``Canada``."""
    home_currency: str
    default_item: str
    multicurrency: bool = True
    project_customers: bool = True
    start_date: dt.date | None = None
    default_class: str | None = None
    items: Mapping[str, str] = field(default_factory=dict)
    item_classes: Mapping[str, str] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)
    tax_codes: Mapping[str, str] = field(default_factory=dict)
    custom_fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Definition id → name and template."""
    order_field: str | None = None
    """The definition id of the custom field that shows the project's order confirmation."""
    taken_names: frozenset[str] = frozenset()
    """Names that vendors and employees of the company have: no customer can have them."""
