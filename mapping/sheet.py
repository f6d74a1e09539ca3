"""The agreement sheet of a month: its lines, its sums, and the one verdict that the page, the file, the words and the exit code share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

_ZERO, _CENT = Decimal(0), Decimal("0.01")


class Standing(StrEnum):
    """What is said of one document, in the order of the blocks."""

    MISSING = "missing"
    """It belongs in the month and is not in QuickBooks: failed, waiting, retrying, or deleted there."""
    NOT_ARRIVED = "not-arrived"
    """Kompass's own list has it, and no event of it arrived; or another total, or the other way round."""
    DIFFERS = "differs"
    OTHER_MONTH = "other-month"
    """The two sides date it in different months."""
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    """It carries our mark, and is not the document that we know of."""
    TWICE = "perhaps-twice"
    """It was typed by hand, and is perhaps the same as one of ours: it has no number of its own."""
    LEFT = "left"
    """It differs, and a person chose to leave it in QuickBooks as it is."""
    ROUNDING = "rounding"
    """Its tax differs by rounding alone."""
    OTHERWISE = "otherwise"
    """Its number, its due date, its day in the month or a rate that we did not send is another one in QuickBooks."""
    RESEMBLES = "resembles"
    """It was typed by hand and resembles one of ours, but under a number of its own, or in nothing but the number."""
    HAND_TYPED = "only-in-quickbooks"
    NOT_SENT = "not-sent"
    """Not meant for QuickBooks: a draft, Synchronize off, a journal."""
    AGREES = "agrees"


TITLES: Mapping[Standing, str] = {
    Standing.MISSING: "Belongs in the month, but is not in QuickBooks",
    Standing.NOT_ARRIVED: "Kompass's list and the events disagree",
    Standing.DIFFERS: "Differs",
    Standing.OTHER_MONTH: "Dated in another month on the other side",
    Standing.WITHDRAWN: "Taken back in Kompass, still in QuickBooks",
    Standing.UNKNOWN: "In QuickBooks with Kompass's mark, but not the document that was sent",
    Standing.TWICE: "Perhaps booked twice: typed by hand, like a document of Kompass",
    Standing.LEFT: "Left as QuickBooks has it, as a person chose",
    Standing.ROUNDING: "Tax rounded differently",
    Standing.OTHERWISE: "Booked, with another number, day, due date or exchange rate",
    Standing.RESEMBLES: "Typed by hand, resembles a document of Kompass",
    Standing.HAND_TYPED: "Only in QuickBooks, typed by hand or by another program",
    Standing.NOT_SENT: "Not meant for QuickBooks",
    Standing.AGREES: "Agrees",
}
PREVENTING = frozenset(
    {
        Standing.MISSING,
        Standing.NOT_ARRIVED,
        Standing.DIFFERS,
        Standing.OTHER_MONTH,
        Standing.WITHDRAWN,
        Standing.UNKNOWN,
        Standing.TWICE,
    }
)
TYPED = frozenset({Standing.TWICE, Standing.RESEMBLES, Standing.HAND_TYPED})
"""Only QuickBooks has them, and they carry no mark of ours."""
_APART = TYPED | {Standing.NOT_SENT}
"""What is in no sum."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Signed as in Kompass: a credit note is below zero."""

    net: Decimal
    tax: Decimal
    gross: Decimal

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.net + other.net, self.tax + other.tax, self.gross + other.gross)

    def __sub__(self, other: Amounts) -> Amounts:
        return Amounts(self.net - other.net, self.tax - other.tax, self.gross - other.gross)


NOTHING = Amounts(_ZERO, _ZERO, _ZERO)


@dataclass(frozen=True, slots=True)
class CodeAmount:
    """What a document has under one tax code."""

    code: str
    """By name."""
    net: Decimal
    tax: Decimal
    id: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """A document as one of the two sides has it, as far as it counts in this month."""

    amounts: Amounts
    home: Decimal | None = None
    """Gross in the home currency; None when no rate is known."""
    codes: tuple[CodeAmount, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    standing: Standing
    reference: str
    date: dt.date
    what: str
    """invoice | credit note | journal"""
    currency: str
    remark: str
    client: str = ""
    state: str = ""
    """Of the sync, where the newest version is not in QuickBooks: failed, waiting, retrying, pending."""
    cause: str = ""
    kompass_id: str = ""
    qbo_id: str = ""
    ours: Side | None = None
    theirs: Side | None = None
    client_id: str = ""
    """Kompass's id of the client; two clients may have one name."""
    ours_counts: bool = True
    """Whether Kompass dates it in this month, and bills it."""
    theirs_counts: bool = True
    """Whether QuickBooks dates it in this month."""
    booked_as: tuple[str, ...] = ()
    """Number, date, due date, customer and customer's Id in QuickBooks; empty where it has no document."""

    @property
    def kompass(self) -> Amounts | None:
        return None if self.ours is None else self.ours.amounts

    @property
    def quickbooks(self) -> Amounts | None:
        return None if self.theirs is None else self.theirs.amounts

    @property
    def difference(self) -> Decimal:
        """QuickBooks less Kompass in this month, gross."""
        theirs = self.quickbooks if self.theirs_counts else None
        ours = self.kompass if self.ours_counts else None
        return ((theirs or NOTHING) - (ours or NOTHING)).gross


Sums = dict[str, tuple[Amounts, Amounts]]
"""What → Kompass's and QuickBooks' sums."""


@dataclass(frozen=True, slots=True)
class Sheet:
    org_name: str
    company_name: str
    month: str
    made_at: dt.datetime
    reads: int
    """Metered calls that it took."""
    lines: tuple[Line, ...]
    home_currency: str = ""
    control: str = ""
    """What Kompass's own list was compared with, in words; empty without one."""
    filed: str = ""
    """Who filed the month and when, in words; empty while nobody did."""
    hidden: int = 0
    """Documents of the month that QuickBooks gives to nobody: an email address was typed in them wrongly by hand."""
    changes: tuple[str, ...] = ()
    """What is different since the month was filed."""

    @property
    def agrees(self) -> bool:
        """Whether everything that belongs in the month is in QuickBooks, and nothing of ours besides."""
        return not self.hidden and not any(line.standing in PREVENTING for line in self.lines)

    @property
    def empty(self) -> bool:
        return not self.lines and not self.hidden

    def of(self, standing: Standing) -> list[Line]:
        return [line for line in self.lines if line.standing is standing]

    @property
    def verdict(self) -> str:
        """One sentence: the same on the page, in the file and in the words."""
        if self.empty:
            return "The month is empty: neither Kompass nor QuickBooks has a document of it."
        if not self.agrees:
            counted = [(standing, self.of(standing)) for standing in TITLES if standing in PREVENTING]
            parts = [f"{TITLES[standing]}: {len(lines)} ({_spread(lines)})." for standing, lines in counted if lines]
            if self.hidden:
                parts.append(
                    f"Not given by QuickBooks: {self.hidden}. A document typed by hand has a wrong email address; correct it there."
                )
            return " ".join(("The month does not agree.", *parts))
        apart = [
            f"{words}: {len(lines)} ({_spread(lines, difference=True)})"
            for words, lines in (
                ("what a person left as QuickBooks has it", self.of(Standing.LEFT)),
                ("rounding of tax", self.of(Standing.ROUNDING)),
            )
            if lines
        ]
        agrees = f"The month agrees but for {' and '.join(apart)}." if apart else "The month agrees to the cent."
        looked_at = [(one, self.of(one)) for one in (Standing.OTHERWISE, Standing.RESEMBLES)]
        look = " ".join(f"{TITLES[one]}: {len(lines)} ({_spread(lines)})." for one, lines in looked_at if lines)
        return f"{agrees} Look at this first: {look}" if look else agrees

    def _sums(self, key: Callable[[Line], str]) -> Sums:
        found: Sums = {}
        for line in self.lines:
            if line.standing in _APART or not line.currency:
                # Of what only Kompass's own list has, no event says a currency.
                continue
            ours, theirs = found.get(key(line), (NOTHING, NOTHING))
            found[key(line)] = (
                ours + ((line.kompass or NOTHING) if line.ours_counts else NOTHING),
                theirs + ((line.quickbooks or NOTHING) if line.theirs_counts else NOTHING),
            )
        return dict(sorted(found.items()))

    def totals(self) -> Sums:
        """Both sides' sums of what belongs in the month, by currency. Hand-typed documents are apart."""
        return self._sums(lambda line: line.currency)

    def by_client(self) -> Sums:
        """Both sides' sums by client and currency; clients of one name apart, by their ids."""
        ids: dict[str, set[str]] = {}
        for line in self.lines:
            ids.setdefault(line.client, set()).add(line.client_id)
        shared = {name for name, its in ids.items() if len(its - {""}) > 1}

        def name_of(line: Line) -> str:
            name = line.client or "no client"
            return (
                f"{name} ({line.client_id}), {line.currency}" if line.client in shared else f"{name}, {line.currency}"
            )

        return self._sums(name_of)

    def by_tax_code(self) -> Sums:
        """By tax code and currency: net, tax and both together."""
        found: Sums = {}
        for line in self.lines:
            if line.standing in _APART:
                continue
            for side, place, counts in ((line.ours, 0, line.ours_counts), (line.theirs, 1, line.theirs_counts)):
                for one in side.codes if side is not None and counts else ():
                    key = f"{one.code or 'no tax code'}, {line.currency}"
                    both = list(found.get(key, (NOTHING, NOTHING)))
                    both[place] += Amounts(one.net, one.tax, one.net + one.tax)
                    found[key] = (both[0], both[1])
        return dict(sorted(found.items()))

    def home(self) -> tuple[Decimal, Decimal]:
        """Both sides' gross in the home currency; what has no rate counts as nothing."""
        counted = [line for line in self.lines if line.standing not in _APART]
        return (
            sum((line.ours.home or _ZERO for line in counted if line.ours is not None and line.ours_counts), _ZERO),
            sum(
                (line.theirs.home or _ZERO for line in counted if line.theirs is not None and line.theirs_counts), _ZERO
            ),
        )

    def without_rate(self) -> dict[str, Decimal]:
        """Kompass's gross that `home` is without, because no rate is known, by currency."""
        found: dict[str, Decimal] = {}
        for line in self.lines:
            if line.standing in _APART | {Standing.NOT_ARRIVED} or not line.ours_counts:
                continue
            if line.ours is not None and line.ours.home is None and line.ours.amounts.gross:
                found[line.currency] = found.get(line.currency, _ZERO) + line.ours.amounts.gross
        return dict(sorted(found.items()))

    def hand_typed(self) -> dict[str, Amounts]:
        """What only QuickBooks has, by currency."""
        found: dict[str, Amounts] = {}
        for line in (one for one in self.lines if one.standing in TYPED):
            found[line.currency] = found.get(line.currency, NOTHING) + (line.quickbooks or NOTHING)
        return dict(sorted(found.items()))


def _spread(lines: Iterable[Line], *, difference: bool = False) -> str:
    """``120.00 GBP, 50.00 EUR``"""
    sums: dict[str, Decimal] = {}
    for line in lines:
        # What one side has nothing of, the other one may still have.
        amounts = next((one for one in (line.kompass, line.quickbooks) if one is not None and one.gross), NOTHING)
        amount = line.difference if difference else amounts.gross
        sums[line.currency] = sums.get(line.currency, _ZERO) + amount
    # As the rows above are rounded: half a cent up.
    cents = {currency: amount.quantize(_CENT, ROUND_HALF_UP) for currency, amount in sums.items()}
    return ", ".join(f"{amount:,} {currency}".rstrip() for currency, amount in sorted(cents.items()))


def blocks(sheet: Sheet) -> Iterator[tuple[str, list[Line]]]:
    """Give the titles with their lines, what prevents agreement first; empty ones are left out."""
    for standing, title in TITLES.items():
        if lines := sheet.of(standing):
            yield title, lines
