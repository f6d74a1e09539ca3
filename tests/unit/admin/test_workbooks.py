"""Excel's own files: what their cells say, what is too much, and that no file ends in anything but words."""

from __future__ import annotations

import datetime as dt
import io
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from admin.quickbooks_online.sheets import BadSheet, read_sheet
from admin.quickbooks_online.workbooks import (
    LARGEST,
    ROWS_AT_MOST,
    BadWorkbook,
    cell_text,
    read_workbook,
    write_workbook,
)


def book_of(*rows: tuple[object, ...], first_empty: bool = False) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    if first_empty:
        sheet = book.create_sheet("Second")
    for row in rows:
        sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_the_first_sheet_with_rows_is_read_with_its_row_numbers() -> None:
    content = book_of(("Org", "Service", "Item "), (None, None), ("org-uk", 7, " Design"), first_empty=True)
    sheet = read_sheet(content, ("org", "service", "item"))
    assert sheet.headings == ("org", "service", "item")
    assert [(row.line, dict(row.values)) for row in sheet.rows] == [
        (3, {"org": "org-uk", "service": "7", "item": "Design"})
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, "7"),
        (7.0, "7"),
        (7.5, "7.5"),
        (5e18, "5e+18"),
        (5_000_000_000_000_000_001, "5.00000000000000E+18"),
        (True, "TRUE"),
        (
            dt.datetime(2026, 3, 1),  # noqa: DTZ001 - as Excel has it
            "2026-03-01",
        ),
        (" x\xa0y ", "x y"),
        (None, ""),
    ],
)
def test_cells_say_what_a_csv_would_say(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_what_is_written_is_text_and_comes_back() -> None:
    rows = [("5000000000000000001", "=1+1", "-x", "a\x00b", "")]
    content = write_workbook(("class_id", "a", "b", "c", "d"), rows)
    sheet = load_workbook(io.BytesIO(content)).active
    assert sheet is not None
    assert [(cell.value, cell.data_type) for cell in sheet[2][:4]] == [
        ("5000000000000000001", "s"),
        ("=1+1", "s"),
        ("-x", "s"),
        ("ab", "s"),
    ]
    assert read_workbook(content)[1] == (2, ["5000000000000000001", "=1+1", "-x", "ab"])


def test_too_much_is_refused_in_words() -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as parts:
        parts.writestr("xl/worksheets/sheet1.xml", b"0" * (LARGEST + 1))
    assert len(bomb.getvalue()) < 100_000
    with pytest.raises(BadSheet, match="too large"):
        read_sheet(bomb.getvalue(), ("org",))
    with pytest.raises(BadWorkbook, match="more than 20,000 rows"):
        read_workbook(write_workbook(("org",), [("x",)] * ROWS_AT_MOST))


WHOLE = book_of(("org", "item"), ("org-uk", "Design"))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_damage_ends_in_anything_but_words(data: st.DataObject) -> None:
    content = bytearray(WHOLE)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(4, len(content) - 1))] = data.draw(st.integers(0, 255))
    with suppress(BadSheet):
        read_sheet(bytes(content[: data.draw(st.integers(4, len(content)))]), ("org", "item"))
