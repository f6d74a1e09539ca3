"""Kompass's own list, as spreadsheets and programs write it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from mapping.control import ControlError, Listed, read_list

ONE = [Listed("i1", "INV-1", Decimal("1234.56"))]


@pytest.mark.parametrize(
    "text",
    [
        "id,reference,total\ni1,INV-1,1234.56\n",
        "\ufeffid,reference,total\r\ni1,INV-1,1234.56\r\n,,\r\n",
        "id;reference;total\ni1;INV-1;1234,56\n",
        "ID;Reference;Total;Note\ni1;INV-1;1.234,56;paid, twice\n",
        "id\treference\ttotal\ni1\tINV-1\t1 234,56\n",
        'id,reference,total\ni1,INV-1,"1,234.56"\n',
        "id;reference;total\ni1;INV-1;1'234.56\n",
        '{"id": "i1", "reference": "INV-1", "total": 1234.56}\n',
        '\ufeff{"id": "i1", "reference": "INV-1", "total": "1234.56"}\n',
    ],
)
def test_one_list_in_many_hands(text: str) -> None:
    assert read_list(text.splitlines(keepends=True)) == ONE


@pytest.mark.parametrize(
    ("said", "read"),
    [("1,234", "1234"), ("-120,5", "-120.5"), ("60000,00", "60000.00"), ("5", "5"), ("-1.234.567,00", "-1234567.00")],
)
def test_the_comma_is_read_by_what_is_behind_it(said: str, read: str) -> None:
    (one,) = read_list(["id;reference;total\n", f"i1;INV-1;{said}\n"])
    assert one.total == Decimal(read)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id,reference,total\ni1,INV-1,NaN\n", "row 1 of the list: the total 'NaN' is no amount; write it as 1234.56"),
        ("id,reference,total\ni1,INV-1,Infinity\n", "is no amount"),
        ("id;reference;total\ni1;INV-1;1.23.4\n", "is no amount"),
        ("id,reference,total\ni1,INV-1,1\ni2,INV-2,2\ni1,INV-1,1\n", "the list has i1 twice"),
        ("id;reference;total\ni1;INV-1;1.234\n", "the total '1.234' may be read in two ways; write it as 1234.00"),
        ("id,total\ni1,1\n", "row 1 of the list has no reference"),
        ('{"id": "i1", "reference": "INV-1", "total": 1}\n7\n', "row 2 of the list is no JSON object"),
        ('{"id": "i1"\n', "row 1 of the list is no JSON"),
    ],
)
def test_what_cannot_be_read_is_said_with_its_row(text: str, words: str) -> None:
    with pytest.raises(ControlError, match=words.replace("(", "\\(")):
        read_list(text.splitlines(keepends=True))
