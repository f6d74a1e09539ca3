"""Tables as spreadsheets save them: workbooks, and text in every encoding, separator and line end of Excel, Numbers and LibreOffice.

Pure: bytes in, rows out, or a problem in words. The line of a row is the one that a text editor shows.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from admin.quickbooks_online.workbooks import MARK, BadWorkbook, read_workbook
from mapping.texts import FORMULA, harmless

SEPARATORS = (",", ";", "\t")
_OLD_WORKBOOK = b"\xd0\xcf\x11\xe0"
_NOT_TEXT = "The file is neither text nor an Excel workbook. Save it as .xlsx or as CSV UTF-8."


class BadSheet(Exception):
    """The file is no table with the headings that are needed; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    values: Mapping[str, str]
    """Heading → cell, without the spaces around it."""


@dataclass(frozen=True, slots=True)
class Sheet:
    headings: tuple[str, ...]
    rows: tuple[Row, ...]


def read_sheet(content: bytes, known: Collection[str]) -> Sheet:
    """Read a table whose first line names columns; those that are not ``known`` are left out, and so are empty rows.

    Raises
    ------
    BadSheet
    """
    lines = _of_workbook(content) if content.startswith(MARK) else _of_text(content, known)
    if not lines:
        raise BadSheet("The file is empty.")
    headings = [heading(cell) for cell in lines[0][1]]
    twice = [name for name in known if headings.count(name) > 1]
    if twice:
        raise BadSheet(f"The first line names the column {twice[0]} more than once.")
    rows = []
    for line, cells in lines[1:]:
        if not any(cells):
            continue
        beyond = [cell for cell in cells[len(headings) :] if cell]
        if beyond:
            raise BadSheet(f"Line {line} has more cells than the first line has headings: {beyond[0][:40]!r}.")
        named = {name: cell for name, cell in zip(headings, cells, strict=False) if name in known}
        rows.append(Row(line, {**dict.fromkeys(known, ""), **named}))
    return Sheet(tuple(name for name in headings if name in known), tuple(rows))


def _of_workbook(content: bytes) -> list[tuple[int, list[str]]]:
    try:
        return [(number, [_unquoted(cell) for cell in cells]) for number, cells in read_workbook(content)]
    except BadWorkbook as problem:
        raise BadSheet(str(problem)) from None


def _of_text(content: bytes, known: Collection[str]) -> list[tuple[int, list[str]]]:
    text = _decoded(content).replace("\r\n", "\n").replace("\r", "\n")
    separator, text, before = _separated(text, known)
    try:
        return list(_lines(text, separator, before))
    except csv.Error as error:
        raise BadSheet(f"The file cannot be read as a table ({error}). Save it as CSV UTF-8.") from None


def _decoded(content: bytes) -> str:
    text = None
    if content.startswith(_OLD_WORKBOOK):
        raise BadSheet(_NOT_TEXT)
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            text = _try(content, encoding)
            break
    else:
        # Without a mark, UTF-16 shows by the zero bytes of its commas and letters.
        even, odd = content[0:400:2].count(0), content[1:400:2].count(0)
        guesses = ["utf-16-le"] if odd > even else ["utf-16-be"] if even > odd else ["utf-8", "cp1252"]
        for encoding in guesses:
            if (text := _try(content, encoding)) is not None:
                break
    if text is None or "\0" in text:
        raise BadSheet(_NOT_TEXT)
    return text.removeprefix("\ufeff")


def _try(content: bytes, encoding: str) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError:
        return None


def _separated(text: str, known: Collection[str]) -> tuple[str, str, int]:
    """Give the separator, the text from the headings on, and how many lines stand above it."""
    lines = text.split("\n")
    # Empty lines above the headings count, too.
    before = next((number for number, line in enumerate(lines) if line.strip(" ,;\t")), 0)
    first = lines[before]
    said = re.fullmatch(r'"?sep=([,;\t|])"?[\s,;|]*', first, re.IGNORECASE)
    if said:
        return said[1], "\n".join(lines[before + 1 :]), before + 1

    def score(separator: str) -> int:
        return len({heading(cell) for cell in first.split(separator)} & set(known))

    return max(SEPARATORS, key=score), "\n".join(lines[before:]), before


def _lines(text: str, separator: str, before: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    line = before + 1
    for cells in reader:
        yield line, [_unquoted(cell.replace("\xa0", " ").strip()) for cell in cells]
        line = before + reader.line_num + 1


def heading(cell: str) -> str:
    """Give a heading as we write it: ``Service ID`` is ``service_id``."""
    return re.sub(r"[\s_-]+", "_", cell.strip().strip('"').strip().casefold())


def _unquoted(value: str) -> str:
    """Take away the apostrophe of `harmless`, and no other."""
    return value[1:] if value.startswith("'") and value[1:].startswith(FORMULA) else value


def rounded_by_a_spreadsheet(identifier: str) -> bool:
    """Whether a spreadsheet took an id for a number and lost its last digits: ``5E+18``, or more than 15 digits and then zeros."""
    return bool(re.fullmatch(r"\d+([.,]\d+)?[eE]\+?\d+", identifier) or re.fullmatch(r"\d{15}0+", identifier))


def write_sheet(headings: Sequence[str], rows: Collection[Sequence[str]]) -> bytes:
    """Give a table as CSV that every spreadsheet opens: UTF-8 with its mark, and commas."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(headings)
    writer.writerows([harmless(value) for value in row] for row in rows)
    return codecs.BOM_UTF8 + out.getvalue().encode("utf-8", "replace")
