"""The clients and what is done for them, as plain tables."""

from __future__ import annotations

from typing import Final, NamedTuple

from demo.samples.catalogue import CA, UK, US
from schemas.events import OrgRef


class SampleClient(NamedTuple):
    name: str
    org: OrgRef
    line1: str
    town: str
    county: str | None
    postcode: str
    country: str
    currency: str | None = None
    """None: the Org's own."""


CLIENTS: Final = (
    SampleClient(
        "Arkwright & Sons Ltd", UK, "14 Spinners Row", "Halifax", "West Yorkshire", "HX1 2AB", "United Kingdom"
    ),
    SampleClient("O'Donnell Construction Ltd", UK, "Unit 3, Canal Wharf", "Leeds", None, "LS11 5PS", "United Kingdom"),
    SampleClient(
        "Calder Vale Council", UK, "Town Hall", "Hebden Bridge", "West Yorkshire", "HX7 8AD", "United Kingdom"
    ),
    SampleClient("Brigantia Rail Ltd", UK, "2 Station Approach", "York", None, "YO24 1AB", "United Kingdom"),
    SampleClient("St Cuthbert's NHS Trust", UK, "Infirmary Lane", "Durham", None, "DH1 5TW", "United Kingdom"),
    SampleClient("Moorside Energy plc", UK, "Moor House", "Carlisle", "Cumbria", "CA1 1RS", "United Kingdom"),
    SampleClient("Tyne & Wear Harbours", UK, "Quayside 8", "Newcastle upon Tyne", None, "NE1 3DX", "United Kingdom"),
    SampleClient("Llanfair Chwareli Cyf", UK, "Heol y Graig 5", "Bethesda", "Gwynedd", "LL57 4YN", "United Kingdom"),
    SampleClient("Fenwick, Hale & Partners LLP", UK, "21 Chancery Yard", "London", None, "WC2A 1QR", "United Kingdom"),
    SampleClient("Kingsmead Homes Ltd", UK, "The Granary", "Bath", "Somerset", "BA1 1LZ", "United Kingdom"),
    SampleClient("Ardgour Estates", UK, "Estate Office", "Fort William", None, "PH33 7AH", "United Kingdom"),
    SampleClient("Ravensbourne Academy Trust", UK, "School Lane", "Bromley", "Kent", "BR1 1AA", "United Kingdom"),
    SampleClient("Whitlock Façades Ltd", UK, "9 Glazier Street", "Birmingham", None, "B1 1TT", "United Kingdom"),
    SampleClient("Bögl & Krüger GmbH", UK, "Hafenstraße 12", "Hamburg", None, "20457", "Germany", "EUR"),
    SampleClient("Société des Tunnels du Midi", UK, "8 rue de l'Écluse", "Toulouse", None, "31000", "France", "EUR"),
    SampleClient(
        "Ó Briain Innealtóirí Teo", UK, "Sráid na Mainistreach 4", "Galway", None, "H91 K3TN", "Ireland", "EUR"
    ),
    SampleClient("Cedar Ridge Developers LLC", US, "1200 Cedar Ridge Rd", "Boulder", "CO", "80302", "USA"),
    SampleClient("Maricopa Water District", US, "77 Canal Blvd", "Phoenix", "AZ", "85004", "USA"),
    SampleClient("O'Hara & Lee Architects", US, "450 Market St Suite 900", "San Francisco", "CA", "94105", "USA"),
    SampleClient("Bluestem Wind Partners LP", US, "3 Prairie Way", "Salina", "KS", "67401", "USA"),
    SampleClient("Port of Alder Bay", US, "1 Marine Terminal", "Astoria", "OR", "97103", "USA"),
    SampleClient("Hudson Valley Rail Authority", US, "88 Depot Plaza", "Poughkeepsie", "NY", "12601", "USA"),
    SampleClient("García Brothers Paving", US, "2901 Alameda Ave", "El Paso", "TX", "79905", "USA"),
    SampleClient("St. Brendan's Hospital", US, "600 Mercy Dr", "Dubuque", "IA", "52001", "USA"),
    SampleClient("Twin Forks Mining Co", US, "5 Smelter Rd", "Butte", "MT", "59701", "USA"),
    SampleClient("Lakeshore Unified School District", US, "10 Schoolhouse Ln", "Erie", "PA", "16501", "USA"),
    SampleClient("Redwood & Vine Homes", US, "31 Vineyard Ct", "Santa Rosa", "CA", "95401", "USA"),
    SampleClient("Piedmont Bridge Constructors JV", US, "900 Trade St", "Charlotte", "NC", "28202", "USA"),
    SampleClient("Gulf Coast Terminals Inc", US, "44 Channel View", "Mobile", "AL", "36602", "USA"),
    SampleClient("Franklin County Engineer", US, "970 Dublin Rd", "Columbus", "OH", "43215", "USA"),
    SampleClient("Travaux Beaupré Inc", CA, "55 rue Saint-Paul", "Québec", "QC", "G1K 3V8", "Canada"),
    SampleClient(
        "Ville de Rivière-Noire", CA, "1 place de l'Hôtel-de-Ville", "Rivière-Noire", "QC", "J0T 1A0", "Canada"
    ),
    SampleClient("Lakehead Pulp & Paper", CA, "200 Mill Rd", "Thunder Bay", "ON", "P7B 5E1", "Canada"),
    SampleClient("D'Arcy Hydro Ltd", CA, "18 Dam Site Rd", "Kenora", "ON", "P9N 3X4", "Canada"),
    SampleClient("Rideau Heritage Conservancy", CA, "73 Canal Lane", "Ottawa", "ON", "K1P 5J2", "Canada"),
    SampleClient("Prairie Sky Solar Corp", CA, "1010 Range Rd", "Lethbridge", "AB", "T1J 0N9", "Canada"),
    SampleClient("Squamish Aggregates Ltd", CA, "4 Gravel Pit Rd", "Squamish", "BC", "V8B 0A1", "Canada"),
    SampleClient("Halton Regional Transit", CA, "2500 Bronte Creek Way", "Oakville", "ON", "L6M 0X9", "Canada"),
    SampleClient("Nunavik Airstrips Society", CA, "Box 12", "Kuujjuaq", "QC", "J0M 1C0", "Canada"),
    SampleClient("McTavish, Roy & Associés", CA, "1500 rue Peel", "Montréal", "QC", "H3A 1S9", "Canada"),
    SampleClient("Great Lakes Dredging Corp", CA, "700 Harbor Dr", "Duluth", "MN", "55802", "USA", "USD"),
    SampleClient("Adirondack Timber LLC", CA, "19 Sawmill Rd", "Plattsburgh", "NY", "12901", "USA", "USD"),
)

WORKS: Final = (
    "Canal Bridge",
    "Station Roof",
    "Quarry Volumes",
    "Ward Block C",
    "Quay Wall",
    "Access Road",
    "Reservoir Dam",
    "Mill Conversion",
    "North Tunnel",
    "Wind Farm Phase 2",
    "Boundary Dispute",
    "Sports Hall",
    "Façade Record",
    "Slip Road",
    "Tailings Pond",
    "Terminal Yard",
    "Town Centre",
    "Retaining Wall",
    "Flood Model",
    "Heritage Church",
)
"""What projects are called, in turn."""
