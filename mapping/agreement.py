"""The agreement sheet of a month: one line for each document that either side has, and what it comes to."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from mapping import cents
from mapping.causes.table import words_of
from mapping.problems import money
from schemas.documents import SentDocument
from schemas.events import InvoiceType, Step

Key = tuple[str, str]
"""(entity, QBO id)"""

Standing = Literal["agrees", "differs", "withdrawn", "missing", "not-sent", "only-in-quickbooks"]

ORDER: Mapping[str, str] = {
    "differs": "Differs",
    "missing": "Sent, but not found in QuickBooks",
    "withdrawn": "Taken back in Kompass, still in QuickBooks",
    "only-in-quickbooks": "Only in QuickBooks",
    "not-sent": "Not in QuickBooks",
    "agrees": "Agrees",
}
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Amounts:
    """Signed as in Kompass: a credit note is below zero."""

    net: Decimal
    tax: Decimal
    gross: Decimal

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(self.net + other.net, self.tax + other.tax, self.gross + other.gross)


NOTHING = Amounts(_ZERO, _ZERO, _ZERO)


@dataclass(frozen=True, slots=True)
class Theirs:
    """A document as QuickBooks has it."""

    entity: str
    id: str
    number: str
    date: dt.date
    currency: str
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Line:
    standing: Standing
    reference: str
    date: dt.date
    what: str
    """invoice | credit note | journal"""
    currency: str
    kompass: Amounts | None
    quickbooks: Amounts | None
    remark: str
    qbo_id: str

    @property
    def difference(self) -> Decimal:
        """QuickBooks less Kompass, gross."""
        return (self.quickbooks or NOTHING).gross - (self.kompass or NOTHING).gross


@dataclass(frozen=True, slots=True)
class Sheet:
    org_name: str
    company_name: str
    month: str
    made_at: dt.datetime
    reads: int
    """Metered calls that it took."""
    lines: tuple[Line, ...]

    @property
    def agrees(self) -> bool:
        """Whether everything that should be in QuickBooks is, to the cent, and nothing else."""
        return all(line.standing in ("agrees", "not-sent") for line in self.lines)

    def totals(self) -> dict[str, tuple[Amounts, Amounts]]:
        """Kompass's and QuickBooks' sums of what both have, by currency."""
        found: dict[str, tuple[Amounts, Amounts]] = {}
        for line in self.lines:
            if line.kompass is not None and line.quickbooks is not None and line.standing in ("agrees", "differs"):
                ours, observed = found.get(line.currency, (NOTHING, NOTHING))
                found[line.currency] = (ours + line.kompass, observed + line.quickbooks)
        return dict(sorted(found.items()))


def month_after(first: dt.date) -> dt.date:
    """Give the first day of the next month."""
    return (first + dt.timedelta(days=32)).replace(day=1)


def unread(ours: Iterable[SentDocument], observed: Mapping[Key, Theirs]) -> set[Key]:
    """What of ours QuickBooks dates in another month, or has no more: still to be asked for."""
    return {(one.entity, one.qbo_id) for one in ours if one.qbo_id} - observed.keys()


def unknown(ours: Iterable[SentDocument], observed: Mapping[Key, Theirs]) -> set[str]:
    """The Ids of QuickBooks' documents that may be ours, dated in another month by Kompass."""
    return {qbo_id for _, qbo_id in observed.keys() - {(one.entity, one.qbo_id) for one in ours}}


def lines_of(
    ours: Iterable[SentDocument],
    observed: Mapping[Key, Theirs],
    *,
    first: dt.date,
    automated_tax: bool,
) -> tuple[Line, ...]:
    """Compare both sides of the month that begins with ``first``, by the Id under which each was sent; the worst first."""
    known: set[Key] = set()
    lines = []
    for one in ours:
        found = observed.get((one.entity, one.qbo_id)) if one.qbo_id else None
        if found is None and not first <= one.invoice.date < month_after(first):
            continue
        if one.qbo_id:
            known.add((one.entity, one.qbo_id))
        lines.append(_line(one, found, automated_tax=automated_tax))
    lines += [_only_theirs(one) for key, one in observed.items() if key not in known]
    rank = {standing: number for number, standing in enumerate(ORDER)}
    return tuple(sorted(lines, key=lambda line: (rank[line.standing], line.date, line.reference)))


COLUMNS = (
    "standing", "reference", "date", "what", "currency", "kompass_net", "kompass_tax", "kompass_gross", "quickbooks_net",
    "quickbooks_tax", "quickbooks_gross", "difference", "qbo_id", "remark",
)  # fmt: skip


def cells(line: Line) -> dict[str, object]:
    """Give a line's values by `COLUMNS`."""
    values: dict[str, object] = {
        "standing": line.standing, "reference": line.reference, "date": line.date.isoformat(), "what": line.what,
        "currency": line.currency, "difference": line.difference, "qbo_id": line.qbo_id, "remark": line.remark,
    }  # fmt: skip
    for side, amounts in (("kompass", line.kompass), ("quickbooks", line.quickbooks)):
        for name in ("net", "tax", "gross"):
            values[f"{side}_{name}"] = None if amounts is None else getattr(amounts, name)
    return {name: values[name] for name in COLUMNS}


def as_csv(sheet: Sheet) -> str:
    """The sheet as CSV. A text that a spreadsheet would take for a formula gets an apostrophe."""
    written: list[str] = []
    writer = csv.writer(_Lines(written), lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in sheet.lines:
        writer.writerow([_guarded(value) for value in cells(line).values()])
    return "".join(written)


class _Lines:
    """What `csv` writes to."""

    def __init__(self, written: list[str]) -> None:
        self.write = written.append


def _guarded(value: object) -> object:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return "" if value is None else f"{value:f}"


def _line(one: SentDocument, found: Theirs | None, *, automated_tax: bool) -> Line:
    invoice = one.invoice
    voided = invoice.step is Step.VOIDED
    amounts = NOTHING if voided else Amounts(invoice.amount_net, invoice.amount_vat, invoice.amount_gross)
    standing, remark = _judge(one, amounts, found, automated_tax=automated_tax)
    if voided:
        remark = f"voided in Kompass{'; ' + remark if remark else ''}"
    return Line(
        standing=standing,
        reference=invoice.reference,
        date=invoice.date,
        what={InvoiceType.CREDIT_NOTE: "credit note", InvoiceType.JOURNAL: "journal"}.get(invoice.type, "invoice"),
        currency=invoice.currency,
        kompass=amounts,
        quickbooks=found.amounts if found is not None else None,
        remark=remark,
        qbo_id=one.qbo_id,
    )


def _judge(one: SentDocument, amounts: Amounts, found: Theirs | None, *, automated_tax: bool) -> tuple[Standing, str]:
    if not one.qbo_id:
        return "not-sent", one.reason or one.state or "no link to the QuickBooks company"
    if found is None:
        return "missing", f"{one.entity} {one.qbo_id} is not in QuickBooks any more: somebody deleted it"
    if one.state == "withdrawn":
        return "withdrawn", one.reason
    if found.amounts == amounts:
        dated = "" if found.date == one.invoice.date else f"dated {found.date} in QuickBooks"
        return "agrees", dated or ("" if one.state in ("synced", "") else f"{one.state}: {one.reason}")
    return "differs", "; ".join(_reasons(one, amounts, found, automated_tax=automated_tax))


def _reasons(one: SentDocument, ours: Amounts, observed: Theirs, *, automated_tax: bool) -> Iterator[str]:
    if one.state not in ("synced", ""):
        yield f"its newest state is not in QuickBooks yet ({one.state}: {one.reason})"
    else:
        yield words_of(_cause(one, ours, observed, automated_tax=automated_tax)).headline
    yield f"QuickBooks {money(observed.amounts.gross)} against {money(ours.gross)}"


def _cause(one: SentDocument, ours: Amounts, observed: Theirs, *, automated_tax: bool) -> str:
    if observed.amounts.net != ours.net:
        return cents.NET
    if automated_tax:
        return cents.AUTOMATED
    lines = one.invoice.lines
    rates = {line.vat_rate.id for line in lines if line.vat_rate is not None}
    tax = observed.amounts.tax - ours.tax
    return cents.ROUNDING if cents.is_rounding(tax, lines=len(lines), rates=len(rates)) else cents.RATE


def _only_theirs(one: Theirs) -> Line:
    return Line(
        standing="only-in-quickbooks",
        reference=one.number or one.id,
        date=one.date,
        what="credit note" if one.entity == "CreditMemo" else "invoice",
        currency=one.currency,
        kompass=None,
        quickbooks=one.amounts,
        remark="typed in by hand, or made by another program",
        qbo_id=one.id,
    )


def theirs_by_key(documents: Iterable[tuple[str, Mapping[str, object]]], *, home_currency: str) -> dict[Key, Theirs]:
    """Read QuickBooks' documents, each with its entity."""
    read = (theirs_of(entity, document, home_currency=home_currency) for entity, document in documents)
    return {(one.entity, one.id): one for one in read}


def theirs_of(entity: str, document: Mapping[str, object], *, home_currency: str) -> Theirs:
    """Read a document of QuickBooks'."""
    sign = -1 if entity == "CreditMemo" else 1
    gross = _decimal(document.get("TotalAmt"))
    tax = document.get("TxnTaxDetail")
    tax_amount = _decimal(tax.get("TotalTax")) if isinstance(tax, Mapping) else _ZERO
    currency = document.get("CurrencyRef")
    return Theirs(
        entity=entity,
        id=str(document["Id"]),
        number=str(document.get("DocNumber") or ""),
        date=dt.date.fromisoformat(str(document["TxnDate"])),
        currency=str(currency.get("value")) if isinstance(currency, Mapping) else home_currency,
        amounts=Amounts(sign * (gross - tax_amount), sign * tax_amount, sign * gross),
    )


def _decimal(value: object) -> Decimal:
    return Decimal(value) if isinstance(value, int | Decimal) else _ZERO
