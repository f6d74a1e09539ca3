"""Kompass's own list of a month's documents, compared with the events that arrived: completeness that does not rest on the events."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from mapping.case import billing_client
from mapping.problems import money
from mapping.sheet import Amounts, Line, Side, Standing
from schemas.documents import SentDocument
from schemas.events import InvoiceType


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
    """Read CSV with the columns ``id``, ``reference``, ``total``, or one JSON object of these a line. Raises `ControlError`."""
    kept = [line for line in lines if line.strip()]
    if kept and kept[0].lstrip("\ufeff").lstrip().startswith("{"):
        try:
            rows: list[Mapping[str, object]] = [json.loads(line.lstrip("\ufeff"), parse_float=Decimal) for line in kept]
        except json.JSONDecodeError as error:
            raise ControlError(f"the list is not JSON lines: {error}") from error
    else:
        rows = list(csv.DictReader(line.lstrip("\ufeff") for line in kept))
    return [_row(number, row) for number, row in enumerate(rows, start=1)]


def _row(number: int, row: Mapping[str, object]) -> Listed:
    found = {str(name).strip().lower(): value for name, value in row.items() if name is not None}
    for name in ("id", "reference", "total"):
        if found.get(name) in (None, ""):
            raise ControlError(f"row {number} of the list has no {name}; give the columns id, reference and total")
    text = str(found["total"]).strip().replace(",", "")
    try:
        total = Decimal(text)
    except InvalidOperation:
        raise ControlError(f"row {number} of the list: the total {text!r} is no amount") from None
    return Listed(str(found["id"]).strip(), str(found["reference"]).strip(), total)


def held_against(
    listed: Sequence[Listed], arrived: Mapping[str, SentDocument], belonging: Mapping[str, Line], first: dt.date
) -> tuple[Line, ...]:
    """Give a line for each document in which the list and the events disagree.

    :param arrived: the documents of the list that came in an event, by Kompass id.
    :param belonging: the lines of the sheet that belong into the month, by Kompass id.
    :param first: the first day of the month, for what has no date of its own.
    """
    found = []
    for one in listed:
        document = arrived.get(one.id)
        if document is None:
            found.append(_unknown(one, first))
        elif document.invoice.amount_gross != one.total:
            gross = document.invoice.amount_gross
            found.append(
                _of(
                    document, one.total, f"Kompass's list says {money(one.total)}, the newest event here {money(gross)}"
                )
            )
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
    said = "each arrived with its total" if not wrong else f"{wrong:,} do not agree with what arrived"
    return (
        f"Kompass's list: {len(listed):,} documents, {money(sum((one.total for one in listed), Decimal(0)))}; {said}."
    )
