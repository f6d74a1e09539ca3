from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qbo_client.errors import BodyInvalid
from qbo_client.transport import decode, encode

STEADY = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def test_decimals_are_written_digit_for_digit() -> None:
    body = {
        "a": Decimal("1200.00"),
        "b": [Decimal("0.1"), Decimal("1E+3")],
        "c": MappingProxyType({"d": Decimal("-7")}),
    }
    assert encode(body) == b'{"a":1200.00,"b":[0.1,1000],"c":{"d":-7}}'


@STEADY
@given(st.decimals(allow_nan=False, allow_infinity=False, places=5, min_value=-(10**15), max_value=10**15))
def test_decimals_survive_the_way_there_and_back(value: Decimal) -> None:
    decoded = decode(encode({"v": value}))
    assert isinstance(decoded, dict)
    assert decoded["v"] == value
    assert not isinstance(decoded["v"], float)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), object(), {1, 2}, "\ud800"])
def test_what_json_has_no_form_for_is_refused(value: object) -> None:
    with pytest.raises(BodyInvalid, match="cannot be written as JSON"):
        encode({"v": value})


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"<html>",
        b'{"a": NaN}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"9" * 5000,
        b"1e999",
        b"1e-999",
        b"1e" + b"9" * 40,
    ],
)
def test_what_is_not_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'{"\ud800": ["\udc00"]}', {"\ufffd": ["\ufffd"]}),
        (rb'"\ud83d\ude00 \u00e9"', "\U0001f600 é"),
        (b'"\xed\xa0\x80"', "\ufffd" * 3),
        (b'\xef\xbb\xbf"x"', "x"),
    ],
)
def test_what_no_database_keeps_is_replaced(text: bytes, expected: object) -> None:
    assert decode(text) == expected


def test_a_whole_number_of_any_length_is_written_as_it_was_read() -> None:
    text = b'{"v":' + b"9" * 40 + b"}"
    assert encode(decode(text)) == text  # type: ignore[arg-type]
    assert type(decode(b"42")) is int
