"""The tax rates and codes of the seeded companies: the UK, Ireland, Canada, and the USA with and without automation."""

from __future__ import annotations

from collections.abc import Sequence

# Rates: (name, [(percent, from, until)], special type). Codes: (name, description, taxable, [(rate name, compound?)]).
FOREVER = "2000-01-01"
Rates = Sequence[tuple[str, Sequence[tuple[str, str, str | None]], str]]
Codes = Sequence[tuple[str, str, bool, Sequence[tuple[str, bool]]]]

UK_RATES: Rates = (
    (
        "20% S",
        (("20", "2011-01-04", None), ("17.5", "2010-01-01", "2011-01-03"), ("15", FOREVER, "2009-12-31")),
        "NONE",
    ),
    ("5% R", (("5", FOREVER, None),), "NONE"),
    ("0% Z", (("0", FOREVER, None),), "ZERO_RATE"),
    ("Exempt", (("0", FOREVER, None),), "NONE"),
    ("20% RC", (("0", FOREVER, None),), "REVERSE_CHARGE"),
    ("No VAT", (("0", FOREVER, None),), "NONE"),
)
UK_CODES: Codes = (
    ("20.0% S", "20% standard", True, (("20% S", False),)),
    ("5.0% R", "5% reduced", True, (("5% R", False),)),
    ("0.0% Z", "Zero-rated", True, (("0% Z", False),)),
    ("Exempt", "Exempt", True, (("Exempt", False),)),
    ("20.0% RC SG", "Reverse charge, services", True, (("20% RC", False),)),
    ("No VAT", "Outside the scope of VAT", False, (("No VAT", False),)),
)
EU_RATES: Rates = (
    ("23% S", (("23", "2021-03-01", None), ("21", "2020-09-01", "2021-02-28"), ("23", FOREVER, "2020-08-31")), "NONE"),
    ("13.5% R", (("13.5", FOREVER, None),), "NONE"),
    ("9% R", (("9", FOREVER, None),), "NONE"),
    ("0% Z", (("0", FOREVER, None),), "ZERO_RATE"),
    ("Exempt", (("0", FOREVER, None),), "NONE"),
    ("0% EC", (("0", FOREVER, None),), "REVERSE_CHARGE"),
)
EU_CODES: Codes = (
    ("23.0% S", "Standard", True, (("23% S", False),)),
    ("13.5% R", "Reduced", True, (("13.5% R", False),)),
    ("9.0% R", "Second reduced", True, (("9% R", False),)),
    ("0.0% Z", "Zero-rated", True, (("0% Z", False),)),
    ("Exempt", "Exempt", True, (("Exempt", False),)),
    ("0.0% ECS", "Reverse charge, services in the EU", True, (("0% EC", False),)),
)
CANADA_RATES: Rates = (
    ("GST", (("5", FOREVER, None),), "NONE"),
    ("HST ON", (("13", "2010-07-01", None),), "NONE"),
    ("HST NS", (("14", "2025-04-01", None), ("15", "2010-07-01", "2025-03-31")), "NONE"),
    ("PST BC", (("7", FOREVER, None),), "NONE"),
    ("QST", (("9.975", "2013-01-01", None),), "NONE"),
    ("QST 9.5", (("9.5", FOREVER, None),), "NONE"),
    ("Zero-rated", (("0", FOREVER, None),), "ZERO_RATE"),
    ("Exempt", (("0", FOREVER, None),), "NONE"),
    ("Out of scope", (("0", FOREVER, None),), "NONE"),
)
CANADA_CODES: Codes = (
    ("GST", "GST 5%", True, (("GST", False),)),
    ("HST ON", "HST Ontario 13%", True, (("HST ON", False),)),
    ("HST NS", "HST Nova Scotia", True, (("HST NS", False),)),
    ("GST/PST BC", "GST 5% and PST 7%", True, (("GST", False), ("PST BC", False))),
    ("GST/QST QC - 9.975", "GST 5% and QST 9.975%", True, (("GST", False), ("QST", False))),
    ("GST/QST QC - 9.5", "GST 5% and QST on top of it, as before 2013", True, (("GST", False), ("QST 9.5", True))),
    ("Zero-rated", "Zero-rated", True, (("Zero-rated", False),)),
    ("Exempt", "Exempt", True, (("Exempt", False),)),
    ("Out of Scope", "Out of scope", False, (("Out of scope", False),)),
)
USA_RATES: Rates = (
    ("California", (("8", FOREVER, None),), "NONE"),
    ("Tucson City", (("2", FOREVER, None),), "NONE"),
    ("AZ State tax", (("7.1", FOREVER, None),), "NONE"),
)
USA_CODES: Codes = (
    ("California", "California", True, (("California", False),)),
    ("Tucson", "Tucson and Arizona", True, (("Tucson City", False), ("AZ State tax", False))),
)
AUTOMATED_RATES: Rates = (
    ("California Sales Tax", (("8.25", FOREVER, None),), "NONE"),
    ("New York Sales Tax", (("8.875", FOREVER, None),), "NONE"),
    ("Texas Sales Tax", (("6.25", FOREVER, None),), "NONE"),
)
AUTOMATED_CODES: Codes = (("Automated Sales Tax", "Found from the address", True, (("California Sales Tax", False),)),)
