"""Tables in every form that spreadsheets save, and other files that a person may upload."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from admin.quickbooks_online.sheets import (
    BadSheet,
    harmless,
    read_sheet,
    rounded_by_a_spreadsheet,
    write_sheet,
)

KNOWN = ("org", "service_id", "service", "item")
ROWS = [("org-uk", "s1", "Vermessung Süd €", "5"), ("org-ca", "s2", "Levé, topo", "6")]


def saved(separator: str, end: str) -> str:
    def cell(text: str) -> str:
        return f'"{text}"' if separator in text else text

    lines = [separator.join(("Org", "Service ID", "SERVICE", " item "))]
    lines += [separator.join(map(cell, row)) for row in ROWS]
    return end.join(lines) + end


@pytest.mark.parametrize(
    ("separator", "end", "encoding"),
    list(
        itertools.product(
            (",", ";", "\t"),
            ("\n", "\r\n", "\r"),
            ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"),
        )
    ),
)
def test_what_spreadsheets_save_is_read(separator: str, end: str, encoding: str) -> None:
    sheet = read_sheet(saved(separator, end).encode(encoding), KNOWN)
    assert sheet.headings == KNOWN
    assert [tuple(row.values.values()) for row in sheet.rows] == ROWS
    assert [row.line for row in sheet.rows] == [2, 3]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("trail", ["", ";;;", '"'])
def test_a_line_that_names_the_separator_is_heeded(separator: str, trail: str) -> None:
    quote = '"' if trail == '"' else ""
    sheet = read_sheet(f"{quote}sep={separator}{trail}\n{saved(separator, chr(10))}".encode(), KNOWN)
    assert [tuple(row.values.values()) for row in sheet.rows] == ROWS
    assert [row.line for row in sheet.rows] == [3, 4]


def test_empty_rows_and_columns_at_the_end_are_left_out() -> None:
    text = "\n\norg,service_id,service,item,,\norg-uk,s1,Survey,5,,\n,,,,,\norg-uk,s2,Design,6\n\n,,,,,,,\n"
    sheet = read_sheet(text.encode(), KNOWN)
    assert [(row.line, row.values["service_id"]) for row in sheet.rows] == [(4, "s1"), (6, "s2")]


def test_the_line_is_the_one_that_an_editor_shows() -> None:
    text = 'org,item\norg-uk,"two\nlines"\norg-ca,5\n'
    assert [(row.line, row.values["item"]) for row in read_sheet(text.encode(), KNOWN).rows] == [
        (2, "two\nlines"),
        (4, "5"),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"\xff\xfe\x00", "neither text nor"),
        (b"PK\x03\x04\x14\x00\x06\x00", "The workbook cannot be read"),
        (b"org,org,item\n", "column org more than once"),
        (b"org,item\na,b,c\n", "Line 2 has more cells"),
        (b'org,item\na,"' + b"x" * 200_000, "cannot be read as a table"),
    ],
)
def test_what_is_no_table_is_said_in_words(content: bytes, problem: str) -> None:
    with pytest.raises(BadSheet, match=problem):
        read_sheet(content, KNOWN)


def test_a_cell_with_an_apostrophe_keeps_it() -> None:
    rows = [("=1+1", "'t Hof", "-5", "plain")]
    assert [harmless(cell) for cell in rows[0]] == ["'=1+1", "'t Hof", "'-5", "plain"]
    (row,) = read_sheet(write_sheet(KNOWN, rows), KNOWN).rows
    assert tuple(row.values.values()) == rows[0]


@pytest.mark.parametrize("identifier", ["5E+18", "5,00E+18", "5.00e18", "5000000000000000000"])
def test_ids_that_a_spreadsheet_rounded(identifier: str) -> None:
    assert rounded_by_a_spreadsheet(identifier)


@pytest.mark.parametrize("identifier", ["5000000000000000001", "5", "E5", "", "500"])
def test_ids_that_are_whole(identifier: str) -> None:
    assert not rounded_by_a_spreadsheet(identifier)


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-16", "surrogatepass")))
def test_bytes_are_read_or_refused_in_words(content: bytes) -> None:
    for above in (b"", b"org,service_id,item\n", b"sep="):
        try:
            sheet = read_sheet(above + content, KNOWN)
        except BadSheet:
            continue
        assert all(set(row.values) == set(KNOWN) for row in sheet.rows)


@given(
    st.lists(
        st.tuples(*[st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)] * len(KNOWN)),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_exported_comes_back(rows: list[tuple[str, ...]]) -> None:
    read = read_sheet(write_sheet(KNOWN, rows), KNOWN)
    assert [tuple(row.values.values()) for row in read.rows] == [
        found for row in rows if any(found := tuple(cell.replace("\xa0", " ").strip() for cell in row))
    ]
