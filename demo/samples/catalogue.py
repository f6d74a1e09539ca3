"""What the three Orgs are and sell: currencies, VAT rates, departments and services, the people who work there."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from schemas.events import Department, OrgRef, Person, Service, VatRate

US: Final = OrgRef("org-us", "Northstar Surveys Inc")
UK: Final = OrgRef("org-uk", "Meridian Geomatics Ltd")
CA: Final = OrgRef("org-ca", "Borealis Mapping Inc")
CURRENCY: Final = {US.id: "USD", UK.id: "GBP", CA.id: "CAD"}
PAYMENT_DAYS: Final = {US.id: 30, UK.id: 28, CA.id: 30}

UK_STANDARD: Final = VatRate("vat-uk-20", "Standard 20 %", Decimal("20"))
UK_REDUCED: Final = VatRate("vat-uk-5", "Reduced 5 %", Decimal("5"))
UK_ZERO: Final = VatRate("vat-uk-0", "Zero 0 %", Decimal("0"))
UK_UNMAPPED: Final = VatRate("vat-uk-21", "VAT 21 %", Decimal("21"))
CA_GST: Final = VatRate("vat-ca-gst", "GST 5 %", Decimal("5"))
CA_HST: Final = VatRate("vat-ca-hst-on", "HST ON 13 %", Decimal("13"))
US_SALES_TAX: Final = VatRate("vat-us-825", "Sales tax 8.25 %", Decimal("8.25"))

SCANNING: Final = Department("dep-1", "Scanning")
TOPOGRAPHIC: Final = Department("dep-2", "Topographic")
MONITORING: Final = Department("dep-3", "Monitoring")

LIDAR: Final = Service("svc-1", "LiDAR", SCANNING)
POINT_CLOUD: Final = Service("svc-2", "Point Cloud processing", SCANNING)
TOPO: Final = Service("svc-3", "Topographic survey", TOPOGRAPHIC)
BOUNDARY: Final = Service("svc-4", "Boundary survey", TOPOGRAPHIC)
DRONE: Final = Service("svc-5", "Drone survey", TOPOGRAPHIC)
STRUCTURAL: Final = Service("svc-6", "Structural monitoring", MONITORING)
VIBRATION: Final = Service("svc-7", "Vibration monitoring", MONITORING)
TRAVEL: Final = Service("svc-8", "Travel and expenses")
"""Belongs to no department, and no Org has an item of its own for it."""
SERVICES: Final = (LIDAR, POINT_CLOUD, TOPO, BOUNDARY, DRONE, STRUCTURAL, VIBRATION)

PEOPLE: Final = {
    US.id: (Person("e-101", "Dana Whitfield", "dana@northstar.example"), Person("e-102", "Luis Ortega")),
    UK.id: (Person("e-201", "Siân Rhys-Evans", "sian@meridian.example"), Person("e-202", "Tom Ackroyd")),
    CA.id: (Person("e-301", "Geneviève Côté", "genevieve@borealis.example"), Person("e-302", "Raj Sandhu")),
}
