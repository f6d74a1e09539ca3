"""Kompass's own list of a month's documents, compared with the events that arrived: completeness that does not rest on the events."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from mapping.case import billing_client
from mapping.problems import money
from mapping.sheet import Amounts, Line, Side, Standing
from schemas.counting import counted, form_of
from schemas.documents import SentDocument
from schemas.events import InvoiceType, Step

_SEPARATORS: Final = (",", ";", "\t")


class ControlError(ValueError):
    """A row of the list cannot be read."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A row of Kompass's list."""

    id: str
    reference: str
    total: Decimal
    """Gross; a credit note is below zero."""


def read_list(lines: Iterable[str]) -> list[Listed]:
    """Read CSV with the columns ``id``, ``reference``, ``total``, or one JSON object of these a line. Raises `ControlError`.

    Spreadsheets of half of Europe separate with semicolons and write 1.234,56. A total that may be read in two ways is refused.
    """
    kept = [line for line in lines if line.strip(" ,;\t\r\n\ufeff")]
    if kept:
        kept[0] = kept[0].removeprefix("\ufeff")
    if kept and kept[0].lstrip().startswith("{"):
        listed = [_row(number, row) for number, row in enumerate(_objects(kept), start=1)]
    else:
        separator = max(_SEPARATORS, key=kept[0].count) if kept else ","
        rows = csv.DictReader(kept, delimiter=separator)
        listed = [_row(number, row) for number, row in enumerate(rows, start=1)]
    twice = [one for one, many in Counter(each.id for each in listed).items() if many > 1]
    if twice:
        raise ControlError(f"the list has {twice[0]} twice; give each document once, with its newest total")
    return listed


def _objects(lines: Iterable[str]) -> Iterator[Mapping[str, object]]:
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line, parse_float=Decimal)
        except json.JSONDecodeError as error:
            raise ControlError(f"row {number} of the list is no JSON: {error}") from error
        if not isinstance(row, dict):
            raise ControlError(f"row {number} of the list is no JSON object")
        yield row


def _row(number: int, row: Mapping[str, object]) -> Listed:
    found = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
    for name in ("id", "reference", "total"):
        if found.get(name) in (None, ""):
            raise ControlError(f"row {number} of the list has no {name}; give the columns id, reference and total")
    return Listed(str(found["id"]).strip(), str(found["reference"]).strip(), _amount(number, str(found["total"])))


def _amount(number: int, said: str) -> Decimal:
    """Read ``1,234.56``, ``1.234,56`` or ``1234.56``, with spaces and apostrophes between the thousands, too."""
    text = re.sub(r"[\s\u00a0\u202f'’]", "", said)
    if re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+", text):
        # A thousand and more, or one and a fraction of three places: no tool writes money of three places in this form.
        text = text.replace(",", "")
    elif re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+,\d{1,2}", text) or re.fullmatch(r"[+-]?\d+,\d{1,2}", text):
        text = text.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"[+-]?\d{1,3}(,\d{3})+\.\d+", text):
        text = text.replace(",", "")
    elif re.fullmatch(r"[+-]?\d{1,3}(\.\d{3})+", text):
        raise ControlError(
            f"row {number} of the list: the total {said.strip()!r} may be read in two ways; write it as 1234.00"
        )
    if not re.fullmatch(r"[+-]?\d+(\.\d+)?", text):
        raise ControlError(f"row {number} of the list: the total {said.strip()!r} is no amount; write it as 1234.56")
    return Decimal(text)


def held_against(
    listed: Sequence[Listed], arrived: Mapping[str, SentDocument], belonging: Mapping[str, Line], first: dt.date
) -> tuple[Line, ...]:
    """Give a line for each document in which the list and the events disagree.

    :param arrived: the documents of the list that came in an event, by Kompass id.
    :param belonging: the lines of the sheet that belong in the month, by Kompass id.
    :param first: the first day of the month, for what has no date of its own.
    """
    found = []
    for one in listed:
        document = arrived.get(one.id)
        if document is None:
            found.append(_unknown(one, first))
        elif said := "; ".join(_disagreeing(one, document, first)):
            found.append(_of(document, one.total, said))
    known = {one.id for one in listed}
    for kompass_id, line in belonging.items():
        if kompass_id not in known:
            found.append(
                Line(
                    Standing.NOT_ARRIVED, line.reference, line.date, line.what, line.currency,
                    "an event of it arrived, and Kompass's list does not have it",
                    client=line.client, kompass_id=kompass_id, theirs=line.theirs, ours_counts=False, theirs_counts=False,
                )
            )  # fmt: skip
    return tuple(found)


def _disagreeing(one: Listed, document: SentDocument, first: dt.date) -> Iterator[str]:
    """What the newest event says that the list does not."""
    invoice = document.invoice
    if document.deleted:
        yield "Kompass's list has it, and the newest event here deletes it"
    if one.total != invoice.amount_gross and not (one.total == 0 and invoice.step is Step.VOIDED):
        yield f"Kompass's list says {money(one.total)}, the newest event here {money(invoice.amount_gross)}"
    if invoice.reference != one.reference:
        yield f"Kompass's list calls it {one.reference}, the newest event here {invoice.reference}"
    if (invoice.date.year, invoice.date.month) != (first.year, first.month):
        yield f"Kompass's list of {first:%Y-%m} has it, and the newest event here dates it {invoice.date}"


def _unknown(one: Listed, first: dt.date) -> Line:
    return Line(
        Standing.NOT_ARRIVED,
        one.reference,
        first,
        "invoice" if one.total >= 0 else "credit note",
        "",
        f"no event of {one.id} arrived: have Kompass send it again",
        kompass_id=one.id,
        ours=Side(Amounts(one.total, Decimal(0), one.total)),
    )


def _of(document: SentDocument, total: Decimal, remark: str) -> Line:
    invoice = document.invoice
    return Line(
        Standing.NOT_ARRIVED,
        invoice.reference,
        invoice.date,
        "credit note" if invoice.type is InvoiceType.CREDIT_NOTE else "invoice",
        invoice.currency,
        remark,
        client=billing_client(invoice).name,
        kompass_id=invoice.id,
        qbo_id=document.qbo_id,
        ours=Side(Amounts(total, Decimal(0), total)),
        ours_counts=False,
    )


def in_words(listed: Sequence[Listed], lines: Sequence[Line]) -> str:
    wrong = len(lines)
    said = (
        "each arrived with its total"
        if not wrong
        else f"{wrong:,} {form_of(wrong, 'does', 'do')} not agree with what arrived"
    )
    return f"Kompass's list: {counted(len(listed), 'document')}, {money(sum((one.total for one in listed), Decimal(0)))}; {said}."
