from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.money import cents, decimals, fits, half_up, is_too_large, plain, used_decimals

D = Decimal


@pytest.mark.parametrize(("value", "rounded"), [("1861.075", "1861.08"), ("-0.005", "-0.01"), ("0.0049", "0.00")])
def test_half_up(value: str, rounded: str) -> None:
    assert str(half_up(D(value))) == rounded


@pytest.mark.parametrize(
    ("value", "count"), [("1", 0), ("1.10", 1), ("1.000", 0), ("0.00001", 5), ("0.000", 0), ("1e5", 0), ("-2.50", 1)]
)
def test_used_decimals(value: str, count: int) -> None:
    assert used_decimals(D(value)) == count


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(0, 6))
def test_what_fits_is_not_changed_by_rounding(value: Decimal, digits: int) -> None:
    scaled = value.as_tuple()
    assert isinstance(scaled.exponent, int)
    if abs(scaled.exponent) > 20 or len(scaled.digits) > 20:
        return
    assert fits(value, digits) == (value == round(value, digits))


@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False, places=3))
def test_cents_never_change_an_amount(value: Decimal) -> None:
    made = cents(value)
    assert made == value
    if fits(value, 2) and not is_too_large(value):
        assert made.as_tuple().exponent == -2
        assert not (made == 0 and made.is_signed())


@given(st.decimals(min_value=-(10**12), max_value=10**12, allow_nan=False))
def test_plain_has_one_form(value: Decimal) -> None:
    made = plain(value)
    if len(value.as_tuple().digits) <= 28:
        assert made == value
        assert str(plain(made)) == str(made)
        assert "E+" not in str(made)


@pytest.mark.parametrize("zero", ["0", "-0", "-0.00", "0E+3"])
def test_there_is_one_zero(zero: str) -> None:
    assert (str(cents(D(zero))), str(plain(D(zero)))) == ("0.00", "0")


def test_currencies() -> None:
    assert [decimals(currency) for currency in ("GBP", "JPY", "KWD", "ISK", "USD")] == [2, 0, 2, 0, 2]
    assert is_too_large(D("10000000000"))
    assert not is_too_large(D("-9999999999.99"))
    assert not is_too_large(D(0))
