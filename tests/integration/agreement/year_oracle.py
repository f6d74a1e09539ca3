"""An oracle of agreement: it reads QuickBooks' state and Kompass's newest word, and nothing of the product."""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from schemas.events import Invoice, Step
from tests.pipeline import Pipeline

MARK: Final = re.compile(r"Kompass invoice (\S+) \(")
CODES: Final = {"vat-20": "20.0% S", "vat-5": "5.0% R", "vat-0": "0.0% Z"}

Said = dict[str, Invoice]
Rates = Callable[[int], Mapping[str, str]]


@dataclass(frozen=True)
class Books:
    """A company as the simulator holds it."""

    documents: tuple[dict[str, Any], ...]
    customers: dict[str, dict[str, Any]]
    """By DisplayName."""
    codes: dict[str, str]
    """Id → name of the tax codes."""


def books_of(pipeline: Pipeline) -> Books:
    return Books(
        tuple(one for entity in ("Invoice", "CreditMemo") for one in pipeline.objects(entity)),
        {one["DisplayName"]: one for one in pipeline.objects("Customer")},
        {one["Id"]: one["Name"] for one in pipeline.objects("TaxCode")},
    )


def documents_by_kompass_id(books: Books) -> dict[str, list[dict[str, Any]]]:
    """Kompass id → its documents, oldest first: by our mark, or by our number where a bookkeeper wrote over the mark."""
    typed = {one["Id"] for name, one in books.customers.items() if name.startswith("Typed in")}
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for one in sorted(books.documents, key=lambda each: int(each["Id"])):
        mark = MARK.search(one.get("PrivateNote") or "")
        number = str(one.get("DocNumber", ""))
        if mark is not None:
            found[mark[1]].append(one)
        elif number.startswith("INV-n") and one["CustomerRef"]["value"] not in typed:
            found[number.removeprefix("INV-")].append(one)
    return found


def preventing(said: Said, deleted: Collection[str], books: Books, rates: Rates) -> dict[int, set[str]]:
    """Month → the Kompass ids that prevent its agreement."""
    named: dict[int, set[str]] = defaultdict(set)
    there = documents_by_kompass_id(books)
    for kompass_id, one in said.items():
        documents = there.get(kompass_id, [])
        standing = [each for each in documents if Decimal(str(each["TotalAmt"]))]
        wanted = one.step in (Step.APPROVED, Step.POSTED) and one.synchronize and kompass_id not in deleted
        if not wanted:
            for each in standing:
                named[_month(each)].add(kompass_id)
            # Kompass's month misses what the link follows: the newest document that is no copy of a bookkeeper's.
            followed = [each for each in documents if each.get("DocNumber") != f"C{kompass_id}"]
            if followed and followed[-1] in standing:
                named[one.date.month].add(kompass_id)
            continue
        right = [each for each in standing if _right(one, each, books, rates)]
        if not right:
            named[one.date.month].add(kompass_id)
        for each in standing:
            if each is not (right or [None])[0]:
                named[_month(each)].add(kompass_id)
    return named


def _month(document: Mapping[str, Any]) -> int:
    return dt.date.fromisoformat(document["TxnDate"]).month


def _right(one: Invoice, found: Mapping[str, Any], books: Books, rates: Rates) -> bool:
    """Whether a document is in the books as Kompass says: month, customer, currency, net and tax by code, rate, home amount."""
    assert one.project is not None
    foreign = one.currency != "GBP"
    name = f"{one.project.reference} {one.project.name}" + (f" ({one.currency})" if foreign else "")
    customer = books.customers.get(name)
    if (
        found["TxnDate"][:7] != one.date.isoformat()[:7]
        or found["DocNumber"] == f"C{one.id}"
        or customer is None
        or found["CustomerRef"]["value"] != customer["Id"]
        or found["CurrencyRef"]["value"] != one.currency
    ):
        return False
    if ("RemainingCredit" in found) != (one.amount_gross < 0) or not _taxes_right(one, found, books):
        return False
    if not foreign:
        return True
    rate, gross = Decimal(rates(one.date.month)[one.currency]), Decimal(str(found["TotalAmt"]))
    home = (gross * rate).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return (Decimal(str(found["ExchangeRate"])), Decimal(str(found["HomeTotalAmt"]))) == (rate, home)


def _taxes_right(one: Invoice, found: Mapping[str, Any], books: Books) -> bool:
    """Whether net and tax of each code are Kompass's, the tax rounded by line or by sum."""
    unit = Decimal(1) if one.currency == "JPY" else Decimal("0.01")
    nets: dict[str, Decimal] = defaultdict(Decimal)
    for line in found["Line"]:
        if line["DetailType"] == "SalesItemLineDetail":
            nets[books.codes[line["SalesItemLineDetail"]["TaxCodeRef"]["value"]]] += Decimal(str(line["Amount"]))
    wanted: dict[str, Decimal] = defaultdict(Decimal)
    by_line, by_sum = Decimal(0), Decimal(0)
    percents: dict[str, Decimal] = {}
    for each in one.lines:
        if each.vat_rate is None or each.vat_rate.id not in CODES:
            return False
        code = CODES[each.vat_rate.id]
        wanted[code] += abs(each.amount_net)
        percents[code] = each.vat_rate.rate
        by_line += (abs(each.amount_net) * each.vat_rate.rate / 100).quantize(unit, ROUND_HALF_UP)
    for code, net in wanted.items():
        by_sum += (net * percents[code] / 100).quantize(unit, ROUND_HALF_UP)
    tax = Decimal(str(found["TxnTaxDetail"]["TotalTax"]))
    total = Decimal(str(found["TotalAmt"]))
    return nets == wanted and tax in (by_line, by_sum) and total == abs(one.amount_net) + tax


# --- What changed since a month was filed

States = dict[str, tuple[Any, list[Any]]]
"""Number of a document → what Kompass says of it, and what the books have of it."""


def states(said: Said, deleted: Collection[str], books: Books) -> States:
    """Each document as both sides have it, without what only a text says."""
    there = documents_by_kompass_id(books)
    found: States = {
        f"INV-{kompass_id}": (
            (
                one.date, one.currency, one.project and one.project.billing_client.id, one.amount_net, one.amount_vat,
                one.step in (Step.APPROVED, Step.POSTED) and one.synchronize and kompass_id not in deleted,
                one.step is Step.VOIDED and kompass_id in there,
            ),
            [],
        )
        for kompass_id, one in said.items()
    }  # fmt: skip
    ours = {each["Id"]: kompass_id for kompass_id, some in there.items() for each in some}
    for each in books.documents:
        number = str(each.get("DocNumber", ""))
        name = number if number[:1] in ("C", "H") or each["Id"] not in ours else f"INV-{ours[each['Id']]}"
        codes = [
            (line["SalesItemLineDetail"]["TaxCodeRef"]["value"], Decimal(str(line["Amount"])))
            for line in each["Line"]
            if line["DetailType"] == "SalesItemLineDetail"
        ]
        kept = ("TxnDate", "DocNumber", "DueDate", "TotalAmt", "ExchangeRate", "HomeTotalAmt")
        found.setdefault(name, (None, []))[1].append(
            (
                [str(each.get(member)) for member in kept],
                each["CustomerRef"]["value"],
                str(each["TxnTaxDetail"]["TotalTax"]),
                codes,
            )
        )
    return found


def billed(found: States) -> States:
    """What Kompass bills alone: of a draft, a void or what was taken back there is nothing."""
    return {name: (kompass if kompass is not None and kompass[5] else None, []) for name, (kompass, _) in found.items()}


def _months(state: tuple[Any, list[Any]]) -> set[int]:
    kompass, theirs = state
    booked = {int(one[0][0][5:7]) for one in theirs if Decimal(one[0][3])}
    return booked | ({kompass[0].month} if kompass is not None else set())


def changed_since(before: States, now: States) -> dict[int, set[str]]:
    """Month → the numbers of the documents that changed, by either side."""
    found: dict[int, set[str]] = defaultdict(set)
    nothing: tuple[Any, list[Any]] = (None, [])
    for name in before.keys() | now.keys():
        former, newer = before.get(name, nothing), now.get(name, nothing)
        if former != newer:
            for month in _months(former) | _months(newer):
                found[month].add(name)
    return found
