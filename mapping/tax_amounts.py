"""The tax that QuickBooks would compute for a document, under each known way of rounding, and what still counts as rounding.

Known ways (Intuit's community, 306952 and 150365; Intuit states none): each line alone, or each rate on the sum of its
lines. A code of several rates rounds each of them alone: 10.10 in Quebec is GST 0.505 → 0.51 and QST 1.007475 → 1.01,
together 1.52, where one rate of 14.975 % would come to 1.51. All amounts here are signed as in QuickBooks.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_DOWN, ROUND_HALF_UP, Decimal
from enum import Enum
from functools import cache, lru_cache

from mapping.money import CENT, decimals
from schemas.company import TaxCodeFact

_ZERO = Decimal(0)
_HUNDRED = Decimal(100)


class Rounding(Enum):
    """How QuickBooks rounds the tax of a document."""

    BY_LINE = "by line"
    BY_SUM = "by sum"


@dataclass(frozen=True, slots=True)
class Piece:
    """What one rate charges on one line, not rounded."""

    line: int
    row: str
    """The id of the line's Kompass VAT rate: the row of Tax Code VAT Rates; empty for none."""
    code: str
    rate: str
    """The id of the rate in QuickBooks."""
    percent: Decimal
    base: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Interval:
    """From ``low`` to ``high``, both included."""

    low: Decimal
    high: Decimal

    def __contains__(self, amount: Decimal) -> bool:
        return self.low <= amount <= self.high

    def __or__(self, other: Interval) -> Interval:
        return Interval(min(self.low, other.low), max(self.high, other.high))

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def widened(self, by: Decimal) -> Interval:
        return Interval(self.low - by, self.high + by)


def pieces_of_line(line: int, row: str, code: TaxCodeFact, net: Decimal, day: dt.date) -> list[Piece] | None:
    """Give what each rate of ``code`` charges on ``net`` on ``day``; None when a rate is not known for that day."""
    rates = code.charged()
    if not rates:
        return None
    made: list[Piece] = []
    before = _ZERO
    for rate in rates:
        percent = rate.on(day)
        if percent is None:
            return None
        base = rate.base.share(net, before)
        tax = base * percent / _HUNDRED
        before += tax
        made.append(Piece(line, row, code.id, rate.id, percent, base, tax))
    return made


@cache
def units(currency: str) -> tuple[Decimal, ...]:
    """Give what tax may be rounded to. In a currency without cents Intuit does not say: whole units, or cents all the same."""
    return (CENT,) if decimals(currency) else (Decimal(1), CENT)


def rounded(amount: Decimal, unit: Decimal, mode: str = ROUND_HALF_UP) -> Decimal:
    return amount.quantize(unit, rounding=mode) + 0


def tax_by_rate(pieces: Iterable[Piece], rounding: Rounding, unit: Decimal = CENT) -> dict[str, Decimal]:
    """Give the tax of each rate as QuickBooks would book it, half-up, by the rate's id."""
    made: dict[str, Decimal] = {}
    for piece in pieces:
        tax = rounded(piece.tax, unit) if rounding is Rounding.BY_LINE else piece.tax
        made[piece.rate] = made.get(piece.rate, _ZERO) + tax
    return {rate: rounded(tax, unit) for rate, tax in made.items()}


def predictions(pieces: Sequence[Piece], currency: str) -> Interval:
    """Give the least and the most that QuickBooks may come to."""
    found = [sum(tax_by_rate(pieces, way, unit).values(), _ZERO) for unit in units(currency) for way in Rounding]
    return Interval(min(found), max(found))


_Key = Callable[[Piece], Hashable]
_SUMS: tuple[_Key, ...] = (
    lambda piece: piece.rate,
    lambda piece: piece.row,
    lambda piece: (piece.code, piece.rate),
    lambda piece: None,
)
_LINES: tuple[_Key, ...] = (lambda piece: (piece.line, piece.rate), lambda piece: piece.line)


def accepted(pieces: Sequence[Piece], currency: str) -> Interval:
    """Give the taxes that differ from one another by rounding alone.

    One sum for each way in which an invoice may be computed: by line or by sum, each rate or all rates of a code at once, a tie
    up or down; a sum may also lose its fraction (HMRC's notice 700, 17.5.1), and a line's tax may be what its gross has over its
    net, which is off by up to half a unit of the net times the rate besides.
    """
    return _accepted(tuple(pieces), currency) if pieces else Interval(_ZERO, _ZERO)


@lru_cache(maxsize=64)
def _accepted(pieces: tuple[Piece, ...], currency: str) -> Interval:
    """Asked five times for an invoice, of the same pieces."""
    return _hull(way for unit in units(currency) for way in _ways(pieces, unit))


def _ways(pieces: Sequence[Piece], unit: Decimal) -> Iterator[Interval]:
    for key in _LINES:
        yield _rounded_by(pieces, key, unit, (ROUND_HALF_UP, ROUND_HALF_DOWN))
    for key in _SUMS:
        yield _rounded_by(pieces, key, unit, (ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_DOWN))
    low = high = _ZERO
    for tax, percent in _lines(pieces).values():
        slack = unit / 2 * (1 + percent / _HUNDRED)
        low += rounded(tax - slack, unit, ROUND_CEILING)
        high += rounded(tax + slack, unit, ROUND_FLOOR)
    yield Interval(low, high)


def _lines(pieces: Iterable[Piece]) -> dict[int, tuple[Decimal, Decimal]]:
    """Each line's tax and percent, all rates together."""
    made: dict[int, tuple[Decimal, Decimal]] = {}
    for piece in pieces:
        tax, percent = made.get(piece.line, (_ZERO, _ZERO))
        made[piece.line] = (tax + piece.tax, percent + piece.percent)
    return made


def _rounded_by(pieces: Iterable[Piece], key: _Key, unit: Decimal, modes: Sequence[str]) -> Interval:
    sums: dict[Hashable, Decimal] = {}
    for piece in pieces:
        sums[key(piece)] = sums.get(key(piece), _ZERO) + piece.tax
    low = high = _ZERO
    for tax in sums.values():
        nearest = rounded(tax, unit)
        # Most taxes have no fraction of a unit: then every way comes to the same.
        ways = [nearest] if nearest == tax else [rounded(tax, unit, mode) for mode in modes]
        low, high = low + min(ways), high + max(ways)
    return Interval(low, high)


def _hull(intervals: Iterable[Interval]) -> Interval:
    first, *others = intervals
    for one in others:
        first |= one
    return first


@dataclass(frozen=True, slots=True)
class RateTax:
    """What a document has under one rate."""

    rate: str
    percent: Decimal
    net: Decimal
    tax: Decimal


def billed_by_rate(pieces: Sequence[Piece], billed: Mapping[str, Decimal]) -> list[RateTax]:
    """Share out what Kompass billed for each VAT rate among the rates of its tax code, the last one taking what is left.

    A rate that several codes charge comes once, as Intuit wants it.
    """
    made: dict[str, RateTax] = {}
    for row, of_row in _by_row(pieces).items():
        shares = tax_by_rate(of_row, Rounding.BY_SUM)
        *_, last = shares
        shares[last] = billed[row] - sum((tax for rate, tax in shares.items() if rate != last), _ZERO)
        for piece in of_row:
            before = made.get(piece.rate, RateTax(piece.rate, piece.percent, _ZERO, _ZERO))
            made[piece.rate] = replace(before, net=before.net + piece.base)
        for rate, tax in shares.items():
            made[rate] = replace(made[rate], tax=made[rate].tax + tax)
    return list(made.values())


@dataclass(frozen=True, slots=True)
class RowTax:
    """The tax of the lines of one Kompass VAT rate: what Kompass billed, and what QuickBooks would book."""

    row: str
    code: str
    billed: Decimal
    predicted: Interval


def accepted_together(pieces: Sequence[Piece], currency: str) -> Interval:
    """Give the taxes of a whole document that rounding allows, each of its VAT rates rounded in a way of its own."""
    together = Interval(_ZERO, _ZERO)
    for of_row in _by_row(pieces).values():
        together += accepted(of_row, currency)
    return accepted(pieces, currency) | together


def _by_row(pieces: Iterable[Piece]) -> dict[str, list[Piece]]:
    rows: dict[str, list[Piece]] = {}
    for piece in pieces:
        rows.setdefault(piece.row, []).append(piece)
    return rows


def beyond_rounding(pieces: Sequence[Piece], billed: Mapping[str, Decimal], currency: str) -> list[RowTax]:
    """Give the VAT rates whose billed tax is not what QuickBooks would book, rounding aside; empty when all agree.

    :param pieces: at least one for each VAT rate in ``billed``.
    :param billed: the tax that Kompass billed, by VAT rate id (``Piece.row``), signed as in QuickBooks.

    Where the whole agrees, one unit may have gone from one rate to another: a program that rounds the whole and shares it out.
    """
    agrees = sum(billed.values(), _ZERO) in accepted_together(pieces, currency)
    slack = max(units(currency)) if agrees else _ZERO
    return [
        RowTax(row, of_row[0].code, billed[row], predictions(of_row, currency))
        for row, of_row in _by_row(pieces).items()
        if billed[row] not in accepted(of_row, currency).widened(slack)
    ]
