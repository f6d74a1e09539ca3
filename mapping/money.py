"""Amounts as QuickBooks Online keeps them: decimals, never floats; half-up to the cent."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from functools import cache

CENT = Decimal("0.01")
QBO_DECIMALS = 2
"""QBO keeps every currency to two decimals, also those that have three."""
INTEGER_DIGITS = 10
FRACTION_DIGITS = 5
"""QBO's numbers have 15 digits in the form 10.5 (Intuit's Invoice page, Line.Amount)."""

NO_MINOR_UNIT = frozenset(
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split()  # noqa: SIM905
)
"""ISO 4217 currencies without a minor unit; every other one has at least two decimals."""


@cache
def decimals(currency: str) -> int:
    """How many decimals an amount in ``currency`` may have to be kept by QBO as it is."""
    return 0 if currency in NO_MINOR_UNIT else QBO_DECIMALS


def fits(value: Decimal, fraction_digits: int) -> bool:
    """Whether ``value`` has at most so many decimals; zeros at the end do not count."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and (exponent >= -fraction_digits or used_decimals(value) <= fraction_digits)


def used_decimals(value: Decimal) -> int:
    """How many decimals a finite ``value`` has; zeros at the end do not count. Exact at any length."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int) or exponent >= 0 or not value:
        return 0
    zeros = next(count for count, digit in enumerate(reversed(digits)) if digit)
    return max(0, -exponent - zeros)


def is_too_large(value: Decimal) -> bool:
    return value != 0 and value.adjusted() >= INTEGER_DIGITS


def half_up(value: Decimal) -> Decimal:
    """To the cent, ties away from zero."""
    return value.quantize(CENT, rounding=ROUND_HALF_UP)


def cents(value: Decimal) -> Decimal:
    """The one form of an amount that QBO can keep: two decimals, and no negative zero; any other stays as it is."""
    if is_too_large(value) or not fits(value, QBO_DECIMALS):
        return value
    return value.quantize(CENT) + 0


def plain(value: Decimal) -> Decimal:
    """The one form of a quantity or price: no needless zeros, no exponent, no negative zero."""
    normal = value.normalize() + 0
    exponent = normal.as_tuple().exponent
    return normal.quantize(Decimal(1)) if isinstance(exponent, int) and exponent > 0 else normal


def distinct(percentages: Iterable[Decimal]) -> tuple[Decimal, ...]:
    """Each percentage once, in its one form, without the zeros, which charge nothing."""
    return tuple(sorted({plain(one) for one in percentages if one}))
