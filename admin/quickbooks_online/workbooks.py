"""Excel's own files, read and written as the rows that a CSV would give. Pure: bytes in, rows out, or a problem in words."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Collection, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

MARK = b"PK\x03\x04"
LARGEST = 40_000_000
"""Bytes of a workbook once it is unpacked. A small file may unpack to more than a process has."""
ROWS_AT_MOST = 20_000
COLUMNS_AT_MOST = 100
_LONGEST = 32_767
"""Characters that Excel takes in a cell."""


class BadWorkbook(Exception):
    """The file is no workbook that can be read; the text says what to do."""


def read_workbook(content: bytes) -> list[tuple[int, list[str]]]:
    """Give the first sheet with anything in it, row by row with Excel's row numbers.

    Raises
    ------
    BadWorkbook
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as parts:
            if sum(part.file_size for part in parts.infolist()) > LARGEST:
                raise BadWorkbook("The workbook is too large. Import it in parts.")
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        try:
            for sheet in book.worksheets:
                # What a file says of its own size may be wrong.
                sheet.reset_dimensions()
                if rows := list(_rows(sheet.iter_rows(values_only=True, max_col=COLUMNS_AT_MOST))):
                    return rows
        finally:
            book.close()
    except BadWorkbook:
        raise
    # A damaged or hostile file ends openpyxl in any of its parsers, and each has errors of its own.
    except Exception as error:  # noqa: BLE001 - said in words, with its kind
        raise BadWorkbook(
            f"The workbook cannot be read ({type(error).__name__}). Open it in Excel and save it again as .xlsx or as CSV UTF-8."
        ) from None
    return []


def _rows(rows: Iterator[tuple[object, ...]]) -> Iterator[tuple[int, list[str]]]:
    for number, cells in enumerate(rows, start=1):
        if number > ROWS_AT_MOST:
            raise BadWorkbook(f"The sheet has more than {ROWS_AT_MOST:,} rows. Import it in parts.")
        texts = [cell_text(value) for value in cells]
        while texts and not texts[-1]:
            texts.pop()
        if texts:
            yield number, texts


def cell_text(value: object) -> str:
    """Give a cell as a CSV would have it: a whole number without a fraction, and one that Excel rounded as it shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        # Excel keeps 15 digits of a number.
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{Decimal(repr(value)):g}"
    if isinstance(value, int) and abs(value) >= 10**15:
        return f"{Decimal(value):.14E}"
    if isinstance(value, datetime):
        return value.date().isoformat() if not (value.hour or value.minute or value.second) else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value).replace("\xa0", " ").strip()


def write_workbook(headings: Sequence[str], rows: Collection[Sequence[str]]) -> bytes:
    """Give a table as a workbook. Every cell is text, so that Excel rounds no id and runs no formula."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Mappings")
    sheet.freeze_panes = "A2"
    for row in (headings, *rows):
        sheet.append([_text_cell(sheet, value) for value in row])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _text_cell(sheet: Any, value: str) -> Any:
    cell: Any = WriteOnlyCell(sheet)
    text = ILLEGAL_CHARACTERS_RE.sub("", value)[:_LONGEST]
    cell.value = text or None
    if text:
        cell.data_type = "s"
        cell.number_format = "@"
    return cell
