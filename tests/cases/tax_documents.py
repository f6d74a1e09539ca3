"""Documents whose tax was computed by hand, for eight companies; the arithmetic is beside each.

``lines`` are "net row tax" as Kompass billed them, ``3× net row tax`` is three such lines. ``by_line`` and ``by_sum`` are the
tax of each rate as QuickBooks books it under either way of rounding. A document with ``refused`` is never sent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Row:
    """A Kompass VAT rate and the tax code it goes to, as a row of Tax Code VAT Rates."""

    percent: str
    code: str
    rates: tuple[str, ...]
    """The names of the code's rates."""


@dataclass(frozen=True, slots=True)
class Company:
    key: str
    currency: str
    locale: str
    rows: dict[str, Row]


@dataclass(frozen=True, slots=True)
class Document:
    id: str
    company: Company
    lines: str
    by_line: str
    by_sum: str
    why: str
    date: dt.date = dt.date(2026, 3, 1)
    currency: str = ""
    refused: str = ""
    """The VAT rate that is named in the refusal."""
    home: str = ""
    """Of a document in a foreign currency: its gross in the home currency, at the rate of `RATES`."""

    def line_items(self) -> Iterator[tuple[Decimal, str, Decimal]]:
        for part in self.lines.split(";"):
            count, _, rest = part.strip().rpartition("× ")
            net, row, tax = rest.split()
            for _ in range(int(count or 1)):
                yield Decimal(net.replace(",", "")), row, Decimal(tax.replace(",", ""))

    def taxes(self, *, by_line: bool) -> dict[str, Decimal]:
        """Rate name → tax."""
        found = (
            one.strip().rpartition(" ") for one in (self.by_line if by_line else self.by_sum or self.by_line).split(";")
        )
        return {name: Decimal(tax.replace(",", "")) for name, _, tax in found}

    @property
    def credit(self) -> bool:
        return sum(net for net, _, _ in self.line_items()) < 0


UK = Company(
    "uk", "GBP", "EU",
    {
        "s": Row("20", "20.0% S", ("20% S",)),
        "r": Row("5", "5.0% R", ("5% R",)),
        "z": Row("0", "0.0% Z", ("0% Z",)),
        "rc": Row("0", "20.0% RC SG", ("20% RC",)),
        "old": Row("17.5", "20.0% S", ("20% S",)),
        "slip": Row("20", "5.0% R", ("5% R",)),
    },
)  # fmt: skip
IRELAND = Company(
    "ie", "EUR", "EU",
    {
        "s": Row("23", "23.0% S", ("23% S",)),
        "r": Row("13.5", "13.5% R", ("13.5% R",)),
        "t": Row("9", "9.0% R", ("9% R",)),
        "ec": Row("0", "0.0% ECS", ("0% EC",)),
        "covid": Row("21", "23.0% S", ("23% S",)),
    },
)  # fmt: skip
NETHERLANDS = Company(
    "nl", "EUR", "EU",
    {
        "s": Row("21", "21% hoog", ("21% hoog",)),
        "r": Row("9", "9% laag", ("9% laag",)),
        "z": Row("0", "0% export", ("0% export",)),
        "low6": Row("6", "9% laag", ("9% laag",)),
    },
)  # fmt: skip
ONTARIO = Company(
    "on", "CAD", "Canada",
    {
        "hst": Row("13", "HST ON", ("HST ON",)),
        "ns15": Row("15", "HST NS", ("HST NS",)),
        "ns14": Row("14", "HST NS", ("HST NS",)),
        "e": Row("0", "Exempt", ("Exempt",)),
        "z": Row("0", "Zero-rated", ("Zero-rated",)),
    },
)  # fmt: skip
QUEBEC = Company(
    "qc", "CAD", "Canada",
    {
        "qc": Row("14.975", "GST/QST QC - 9.975", ("GST", "QST")),
        "gst": Row("5", "GST/QST QC - 9.975", ("GST", "QST")),
        "old": Row("14.975", "GST/QST QC - 9.5", ("GST", "QST 9.5")),
    },
)  # fmt: skip
BRITISH_COLUMBIA = Company(
    "bc", "CAD", "Canada",
    {
        "gp": Row("12", "GST/PST BC", ("GST", "PST BC")),
        "g": Row("5", "GST", ("GST",)),
        "slip": Row("5", "GST/PST BC", ("GST", "PST BC")),
    },
)  # fmt: skip
COMPANIES = (UK, IRELAND, NETHERLANDS, ONTARIO, QUEBEC, BRITISH_COLUMBIA)

D = Document
DOCUMENTS = (
    # United Kingdom
    D("uk-01", UK, "100.00 s 20.00", "20% S 20.00", "", "100.00 × 20 % = 20.00"),
    D("uk-02", UK, "1,250.00 s 250.00; 80.00 r 4.00; 45.50 z 0.00", "20% S 250.00; 5% R 4.00; 0% Z 0.00", "",
      "1,250.00 × 20 % = 250.00; 80.00 × 5 % = 4.00"),
    D("uk-03", UK, "3× 0.13 s 0.03", "20% S 0.09", "20% S 0.08", "line 0.026 → 0.03, × 3 = 0.09; sum 0.39 × 20 % = 0.078 → 0.08"),
    D("uk-04", UK, "29× 1.59 s 0.32; 2× 17.49 s 3.50", "20% S 16.28", "20% S 16.22",
      "lines 0.318 → 0.32 × 29 = 9.28, 3.498 → 3.50 × 2 = 7.00: 16.28; sum 46.11 + 34.98 = 81.09 × 20 % = 16.218 → 16.22"),
    D("uk-05", UK, "0.10 r 0.00", "5% R 0.01", "", "0.005 is a tie: QuickBooks 0.01, and 0.00 half to even: rounding"),
    D("uk-06", UK, "30.50 r 1.52", "5% R 1.53", "", "1.525 is a tie: 1.53, and 1.52 half to even: rounding"),
    D("uk-07", UK, "10,000.00 s 2,000.00; -500.00 s -100.00", "20% S 1900.00", "", "retention: (10,000 - 500) × 20 % = 1,900.00"),
    D("uk-08", UK, "99.99 s 20.00; -33.33 s -6.67", "20% S 13.33", "",
      "lines 19.998 → 20.00, -6.666 → -6.67: 13.33; sum 66.66 × 20 % = 13.332 → 13.33"),
    D("uk-09", UK, "3× -0.33 s -0.07", "20% S 0.21", "20% S 0.20",
      "a credit note, above zero there: line 0.066 → 0.07, × 3 = 0.21; sum 0.99 × 20 % = 0.198 → 0.20"),
    D("uk-10", UK, "3,500.00 s 700.00", "20% S 700.00", "", "35 % of 9,999.99 = 3,499.9965 → 3,500.00, × 20 % = 700.00"),
    D("uk-11", UK, "200.00 old 35.00", "20% S 35.00", "", "17.5 % was in force on 2010-06-01: 200.00 × 17.5 % = 35.00",
      date=dt.date(2010, 6, 1)),
    D("uk-12", UK, "200.00 s 40.00", "20% S 35.00", "", "17.5 % was in force on 2010-06-01, not 20 %: 35.00 for 40.00",
      date=dt.date(2010, 6, 1), refused="s"),
    D("uk-13", UK, "10,000.00 slip 2,000.00", "5% R 500.00", "", "the row goes to 5 %: 500.00 for 2,000.00", refused="slip"),
    D("uk-14", UK, "1,000.00 s 175.00", "20% S 200.00", "", "billed at 17.5 % under a rate of 20 %: 200.00 for 175.00", refused="s"),
    D("uk-15", UK, "5,000.00 rc 0.00", "20% RC 0.00", "", "reverse charge: the client accounts for it"),
    D("uk-16", UK, "100.00 s 20.00; -100.00 s -20.00", "20% S 0.00", "", "comes to nothing"),
    D("uk-17", UK, "5,000.00 z 0.00", "0% Z 0.00", "", "zero-rated, abroad; 5,000.00 × 0.7931 = 3,965.50", currency="USD", home="3965.50"),
    D("uk-18", UK, "1,000,000 z 0", "0% Z 0", "", "zero-rated, a currency without cents; 1,000,000 × 0.0049 = 4,900.00",
      currency="JPY", home="4900.00"),
    D("uk-19", UK, "1,015 s 203", "20% S 203", "", "1,015 × 20 % = 203 exactly, without cents; 1,218 × 0.0049 = 5.9682 → 5.97",
      currency="JPY", home="5.97"),
    D("uk-20", UK, "2× 0.33 s 0.07; 2× 0.10 r 0.01", "20% S 0.14; 5% R 0.02", "20% S 0.13; 5% R 0.01",
      "lines 0.066 → 0.07 × 2, 0.005 → 0.01 × 2: 0.16; sums 0.66 × 20 % = 0.132 → 0.13, 0.20 × 5 % = 0.01: 0.14"),
    D("uk-21", UK, "0.39 s 0.07", "20% S 0.08", "", "0.078 with its fraction dropped, as HMRC allows, is 0.07: rounding"),
    D("uk-22", UK, "3× 0.13 s 0.04", "20% S 0.09", "20% S 0.08", "0.12 is more than any way of rounding 3 × 0.026", refused="s"),
    # Ireland
    D("ie-01", IRELAND, "100.00 s 23.00", "23% S 23.00", "", "100.00 × 23 % = 23.00"),
    D("ie-02", IRELAND, "3× 0.50 s 0.12", "23% S 0.36", "23% S 0.35", "line 0.115 → 0.12, × 3 = 0.36; sum 1.50 × 23 % = 0.345 → 0.35"),
    D("ie-03", IRELAND, "1,000.00 s 230.00; 200.00 r 27.00; 333.33 t 30.00", "23% S 230.00; 13.5% R 27.00; 9% R 30.00", "",
      "230.00; 200.00 × 13.5 % = 27.00; 333.33 × 9 % = 29.9997 → 30.00"),
    D("ie-04", IRELAND, "2× 1.00 r 0.14", "13.5% R 0.28", "13.5% R 0.27", "line 0.135 → 0.14, × 2 = 0.28; sum 2.00 × 13.5 % = 0.27"),
    D("ie-05", IRELAND, "1,000.00 covid 210.00", "23% S 210.00", "", "21 % was in force on 2020-12-15",
      date=dt.date(2020, 12, 15)),
    D("ie-06", IRELAND, "1,000.00 s 230.00", "23% S 210.00", "", "21 % was in force on 2020-12-15: 210.00 for 230.00",
      date=dt.date(2020, 12, 15), refused="s"),
    D("ie-07", IRELAND, "-250.55 s -57.63", "23% S 57.63", "", "a credit note: 250.55 × 23 % = 57.6265 → 57.63"),
    D("ie-08", IRELAND, "4,800.00 ec 0.00", "0% EC 0.00", "", "reverse charge within the EU"),
    D("ie-09", IRELAND, "750.00 ec 0.00", "0% EC 0.00", "", "abroad; 750.00 × 1.1587 = 869.025, a tie: 869.03",
      currency="GBP", home="869.03"),
    # Netherlands
    D("nl-01", NETHERLANDS, "1,234.56 s 259.26", "21% hoog 259.26", "", "1,234.56 × 21 % = 259.2576 → 259.26"),
    D("nl-02", NETHERLANDS, "99.95 r 9.00", "9% laag 9.00", "", "99.95 × 9 % = 8.9955 → 9.00"),
    D("nl-03", NETHERLANDS, "3× 33.33 s 7.00", "21% hoog 21.00", "", "line 6.9993 → 7.00, × 3 = 21.00; sum 99.99 × 21 % = 20.9979 → 21.00"),
    D("nl-04", NETHERLANDS, "5× 0.07 s 0.01", "21% hoog 0.05", "21% hoog 0.07",
      "line 0.0147 → 0.01, × 5 = 0.05; sum 0.35 × 21 % = 0.0735 → 0.07"),
    D("nl-05", NETHERLANDS, "100.00 low6 6.00", "9% laag 6.00", "", "6 % was in force on 2018-12-31", date=dt.date(2018, 12, 31)),
    D("nl-06", NETHERLANDS, "100.00 low6 6.00", "9% laag 9.00", "", "9 % was in force on 2019-01-01: 9.00 for 6.00",
      date=dt.date(2019, 1, 1), refused="low6"),
    D("nl-07", NETHERLANDS, "8,000.00 s 1,680.00; -400.00 s -84.00; 120.00 r 10.80", "21% hoog 1596.00; 9% laag 10.80", "",
      "(8,000 - 400) × 21 % = 1,596.00; 120.00 × 9 % = 10.80"),
    D("nl-08", NETHERLANDS, "2,500.00 z 0.00", "0% export 0.00", "", "an export"),
    D("nl-09", NETHERLANDS, "3× 33.33 s 7.00", "21% hoog 21.00", "", "as nl-03; 120.99 × 0.9213 = 111.468087 → 111.47",
      currency="USD", home="111.47"),
    # Ontario
    D("on-01", ONTARIO, "1,000.00 hst 130.00", "HST ON 130.00", "", "1,000.00 × 13 % = 130.00"),
    D("on-02", ONTARIO, "3× 0.35 hst 0.05", "HST ON 0.15", "HST ON 0.14",
      "line 0.0455 → 0.05, × 3 = 0.15; sum 1.05 × 13 % = 0.1365 → 0.14"),
    D("on-03", ONTARIO, "500.00 e 0.00; 250.25 hst 32.53", "Exempt 0.00; HST ON 32.53", "", "250.25 × 13 % = 32.5325 → 32.53"),
    D("on-04", ONTARIO, "1,000.00 ns15 150.00", "HST NS 150.00", "", "Nova Scotia 15 % until 2025-03-31", date=dt.date(2025, 3, 31)),
    D("on-05", ONTARIO, "1,000.00 ns14 140.00", "HST NS 140.00", "", "Nova Scotia 14 % from 2025-04-01", date=dt.date(2025, 4, 1)),
    D("on-06", ONTARIO, "1,000.00 ns15 150.00", "HST NS 140.00", "", "14 % from 2025-04-01: 140.00 for 150.00",
      date=dt.date(2025, 4, 1), refused="ns15"),
    D("on-07", ONTARIO, "-19.99 hst -2.60", "HST ON 2.60", "", "a credit note: 19.99 × 13 % = 2.5987 → 2.60"),
    D("on-08", ONTARIO, "1,200.00 z 0.00", "Zero-rated 0.00", "", "zero-rated, abroad; 1,200.00 × 1.3652 = 1,638.24",
      currency="USD", home="1638.24"),
    # Quebec
    D("qc-01", QUEBEC, "10.10 qc 1.52", "GST 0.51; QST 1.01", "", "GST 0.505 → 0.51, QST 1.007475 → 1.01: 1.52"),
    D("qc-02", QUEBEC, "10.10 qc 1.51", "GST 0.51; QST 1.01", "", "in one step 10.10 × 14.975 % = 1.512475 → 1.51: rounding of 1.52"),
    D("qc-03", QUEBEC, "1,000.00 qc 149.75", "GST 50.00; QST 99.75", "", "50.00 + 99.75 = 149.75"),
    D("qc-04", QUEBEC, "3× 10.10 qc 1.51", "GST 1.53; QST 3.03", "GST 1.52; QST 3.02",
      "lines 0.51 × 3, 1.01 × 3: 4.56; sums 1.515 → 1.52, 3.022425 → 3.02: 4.54; billed in one step 3 × 1.51 = 4.53"),
    D("qc-05", QUEBEC, "199.99 qc 29.95", "GST 10.00; QST 19.95", "", "9.9995 → 10.00, 19.9490025 → 19.95: 29.95"),
    D("qc-06", QUEBEC, "1,000.00 gst 50.00", "GST 50.00; QST 99.75", "", "the row goes to GST with QST: 149.75 for 50.00", refused="gst"),
    D("qc-07", QUEBEC, "-10.10 qc -1.52", "GST 0.51; QST 1.01", "", "a credit note of qc-01"),
    D("qc-08", QUEBEC, "100.00 old 14.98", "GST 5.00; QST 9.5 9.98", "", "before 2013 on net and GST: 105.00 × 9.5 % = 9.975 → 9.98",
      date=dt.date(2012, 6, 1)),
    D("qc-09", QUEBEC, "800.00 qc 119.80", "GST 40.00; QST 79.80", "", "40.00 + 79.80 = 119.80; 919.80 × 1.3652 = 1,255.71096 → 1,255.71",
      currency="USD", home="1255.71"),
    # British Columbia
    D("bc-01", BRITISH_COLUMBIA, "100.00 gp 12.00", "GST 5.00; PST BC 7.00", "", "5.00 + 7.00 = 12.00"),
    D("bc-02", BRITISH_COLUMBIA, "0.10 gp 0.01", "GST 0.01; PST BC 0.01", "",
      "GST 0.005 → 0.01, PST 0.007 → 0.01: 0.02; in one step 0.012 → 0.01: rounding"),
    D("bc-03", BRITISH_COLUMBIA, "3× 0.10 gp 0.01", "GST 0.03; PST BC 0.03", "GST 0.02; PST BC 0.02",
      "lines 0.01 × 3 each: 0.06; sums 0.015 → 0.02, 0.021 → 0.02: 0.04; billed in one step 3 × 0.01 = 0.03"),
    D("bc-04", BRITISH_COLUMBIA, "400.00 g 20.00; 50.00 gp 6.00", "GST 22.50; PST BC 3.50", "",
      "GST of both codes 20.00 + 2.50 = 22.50; PST 50.00 × 7 % = 3.50"),
    D("bc-05", BRITISH_COLUMBIA, "33.35 gp 4.00", "GST 1.67; PST BC 2.33", "", "1.6675 → 1.67, 2.3345 → 2.33: 4.00"),
    D("bc-06", BRITISH_COLUMBIA, "0.10 g 0.01; 0.10 gp 0.01", "GST 0.02; PST BC 0.01", "GST 0.01; PST BC 0.01",
      "lines GST 0.01 + 0.01; sum of GST 0.20 × 5 % = 0.01; PST 0.007 → 0.01"),
    D("bc-07", BRITISH_COLUMBIA, "1,000.00 slip 50.00", "GST 50.00; PST BC 70.00", "", "the row goes to GST with PST: 120.00 for 50.00",
      refused="slip"),
    D("bc-08", BRITISH_COLUMBIA, "-33.35 gp -4.00", "GST 1.67; PST BC 2.33", "", "a credit note of bc-05"),
    D("bc-09", BRITISH_COLUMBIA, "-333.33 gp -40.00", "GST 16.67; PST BC 23.33", "",
      "a credit note: 16.6665 → 16.67, 23.3331 → 23.33; 373.33 × 1.3652 = 509.670116 → 509.67", currency="USD", home="509.67"),
)  # fmt: skip

RATES = {
    ("uk", "USD"): "0.7931", ("uk", "JPY"): "0.0049", ("ie", "GBP"): "1.1587", ("nl", "USD"): "0.9213",
    **{(province, "USD"): "1.3652" for province in ("on", "qc", "bc")}, ("us", "CAD"): "0.7319", ("ua", "EUR"): "1.0901",
}  # fmt: skip
"""(company, currency) → home units for one on the day of the documents."""


@dataclass(frozen=True, slots=True)
class American:
    """A document of a company in the USA, where no tax codes are sent."""

    id: str
    company: str
    """``manual`` or ``automated`` sales tax; the latter ships to California, 8.25 %."""
    answer: str
    """What the Configuration does with billed tax."""
    lines: str
    """"net tax" as billed."""
    total: str
    """Empty: refused."""
    why: str
    differs: bool = False
    currency: str = "USD"
    home: str = ""
    """Of a document in a foreign currency: its gross in USD."""

    def line_items(self) -> Iterator[tuple[Decimal, Decimal]]:
        for part in self.lines.split(";"):
            count, _, rest = part.strip().rpartition("× ")
            net, tax = rest.split()
            for _ in range(int(count or 1)):
                yield Decimal(net.replace(",", "")), Decimal(tax.replace(",", ""))


A = American
AMERICAN = (
    A("us-01", "manual", "item-line", "1,000.00 82.50", "1082.50", "1,000.00 and a line of 82.50"),
    A("us-02", "manual", "item-line", "333.33 27.50; 666.67 55.00", "1082.50",
      "333.33 + 666.67 = 1,000.00 and a line of 27.50 + 55.00 = 82.50"),
    A("us-03", "manual", "item-line", "500.00 0.00", "500.00", "nothing is taxed: no line"),
    A("us-04", "manual", "item-line", "-200.00 -16.50", "216.50", "a credit note, above zero there: 200.00 and a line of 16.50"),
    A("us-05", "manual", "item-line", "3× 0.10 0.01", "0.33", "0.30 and a line of 3 × 0.01"),
    A("us-06", "manual", "refuse", "1,000.00 82.50", "", "82.50 would not be booked"),
    A("us-07", "manual", "refuse", "450.00 0.00", "450.00", "nothing is taxed"),
    A("us-08", "manual", "item-line", "1,000.00 50.00", "1050.00",
      "1,000.00 and a line of 50.00; 1,050.00 × 0.7319 = 768.495, a tie: 768.50", currency="CAD", home="768.50"),
    A("ua-01", "automated", "automated", "1,000.00 82.50", "1082.50", "1,000.00 × 8.25 % = 82.50, as billed"),
    A("ua-02", "automated", "automated", "1,000.00 60.00", "1082.50", "QuickBooks computes 82.50, billed were 60.00", differs=True),
    A("ua-03", "automated", "automated", "99.99 8.25", "108.24", "99.99 × 8.25 % = 8.249175 → 8.25"),
    A("ua-04", "automated", "automated", "3× 0.50 0.04", "1.62", "line 0.04125 → 0.04, × 3 = 0.12; sum 1.50 × 8.25 % = 0.12375 → 0.12"),
    A("ua-05", "automated", "automated", "-100.00 -8.25", "108.25", "a credit note: 100.00 × 8.25 % = 8.25"),
    A("ua-06", "automated", "automated", "200.00 16.50", "216.50", "200.00 × 8.25 % = 16.50; 216.50 × 1.0901 = 236.00665 → 236.01",
      currency="EUR", home="236.01"),
)  # fmt: skip
