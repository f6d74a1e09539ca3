"""The three Orgs of the sample events, as their admins set them up."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from demo.rules import OrgRules
from demo.samples import catalogue as kompass

# What each new company of the simulator has (simulator/seeds.py), as its bookkeeper would see it.
_ITEMS: Final = {
    kompass.LIDAR.name: "Surveying",
    kompass.POINT_CLOUD.name: "Engineering",
    kompass.TOPO.name: "Surveying",
    kompass.BOUNDARY.name: "Surveying",
    kompass.DRONE.name: "Surveying",
    kompass.STRUCTURAL.name: "Site supervision",
    kompass.VIBRATION.name: "Site supervision",
}
_CLASSES: Final = {kompass.SCANNING.name: "Architecture", kompass.MONITORING.name: "Structures"}
_ITEM_CLASSES: Final = {kompass.POINT_CLOUD.name: "Interiors"}
_TAKEN: Final = frozenset({"Harbour Printing", "Northern Surveys", "Tall Crane Hire", "Emily Platt", "John Johnson"})
_ORDER_FIELD: Final = ("Order confirmation", "{{ (project.order_confirmation or '') if project else '' }}")

COMPANIES: Final = Path(__file__).with_name("companies.json")
"""The Orgs' companies in the simulator, under the names that the Orgs have."""

DEMO_ORGS: Final[tuple[OrgRules, ...]] = (
    OrgRules(
        org_id=kompass.US.id,
        realm_id="9130347000000000001",
        company=kompass.US.name,
        locale="USA",
        home_currency="USD",
        multicurrency=False,
        default_item="Consulting",
        items=_ITEMS,
        classes=_CLASSES,
        taken_names=_TAKEN,
    ),
    OrgRules(
        org_id=kompass.UK.id,
        realm_id="9130347000000000002",
        company=kompass.UK.name,
        locale="EU",
        home_currency="GBP",
        default_item="Consulting",
        default_class="Planning",
        items=_ITEMS,
        item_classes=_ITEM_CLASSES,
        classes=_CLASSES,
        # VAT 21 % is left out on purpose: its invoices fail until a person maps it.
        tax_codes={
            kompass.UK_STANDARD.id: "20.0% S",
            kompass.UK_REDUCED.id: "5.0% R",
            kompass.UK_ZERO.id: "0.0% Z",
            "": "No VAT",
        },
        order_field="3",
        custom_fields={"3": _ORDER_FIELD},
        taken_names=_TAKEN,
    ),
    OrgRules(
        org_id=kompass.CA.id,
        realm_id="9130347000000000003",
        company=kompass.CA.name,
        locale="Canada",
        home_currency="CAD",
        default_item="Consulting",
        items=_ITEMS,
        item_classes=_ITEM_CLASSES,
        classes=_CLASSES,
        tax_codes={kompass.CA_GST.id: "GST", kompass.CA_HST.id: "HST ON", "": "Out of Scope"},
        taken_names=_TAKEN,
    ),
)
