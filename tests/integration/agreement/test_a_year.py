"""A year with every deed of a bookkeeper in it: each month's sheet agrees exactly when an oracle that reads QuickBooks' state says so.

`YEAR_DOCUMENTS=3000` has so many documents in the year; by default it is 120, with three seeds.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import re
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from mapping.sheet import PREVENTING
from schemas.events import Invoice, Step, VatRate
from simulator import bookkeeper
from simulator.seeds import UK
from store import companies
from sync.agreement import read_sheet
from tests.builders import STANDARD, client, event, invoice, line, project
from tests.pipeline import Pipeline

A_MONTH = int(os.environ.get("YEAR_DOCUMENTS", "120")) // 12
SEEDS = [20260301, 20260302, 20260303] if A_MONTH <= 10 else [20260301]
UNMAPPED = VatRate("vat-unmapped", "Nobody mapped it", Decimal(20))
MARK = re.compile(r"Kompass invoice (\S+) \(")
ONE = {"Qty": 1, "UnitPrice": 1}
DEEDS = ("void", "delete", "month", "day", "customer", "tax", "amount", "copy", "hand", "text", "pay")


def document(number: int, month: int, rng: random.Random) -> Invoice:
    who = client(f"c{number % 5}")
    sign = "-" if number % 7 == 3 else ""
    lines = tuple(
        line(
            f"{sign}{rng.randint(1, 900_00) / 100:.2f}",
            vat=UNMAPPED if number % 13 == 5 and month < 11 else STANDARD,
            position=place,
        )
        for place in range(1, rng.randint(2, 4))
    )
    step = {0: Step.DRAFT, 1: Step.SUBMITTED}.get(number % 11, Step.APPROVED)
    return invoice(
        f"n{number}",
        of=project(f"p{number % 5}", of=who),
        lines=lines,
        step=step,
        date=dt.date(2026, month, rng.randint(1, 28)),
    )


def marked(books: Any) -> dict[str, list[dict[str, Any]]]:
    """Kompass id → the documents in QuickBooks that carry its mark."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for entity in ("Invoice", "CreditMemo"):
        for one in books(entity):
            mark = MARK.search(one.get("PrivateNote") or "")
            if mark is not None:
                found[mark[1]].append(one)
    return found


def do(pipeline: Pipeline, deed: str, number: int, books: dict[str, list[dict[str, Any]]], others: list[str]) -> None:
    """One deed of a bookkeeper, on the document of an invoice."""
    (found,) = books[f"n{number}"]
    entity = "CreditMemo" if "RemainingCredit" in found else "Invoice"
    sales = [dict(one) for one in found["Line"] if one["DetailType"] == "SalesItemLineDetail"]
    first = dt.date.fromisoformat(found["TxnDate"])
    plain = [{key: value for key, value in one.items() if key != "Id"} for one in sales]
    copied = {name: found[name] for name in ("CustomerRef", "CurrencyRef", "TxnDate", "GlobalTaxCalculation")}
    members: dict[str, dict[str, Any]] = {
        "month": {"TxnDate": (first + dt.timedelta(days=31)).isoformat()},
        "day": {"TxnDate": first.replace(day=1 if first.day > 1 else 2).isoformat()},
        "customer": {"CustomerRef": {"value": next(one for one in others if one != found["CustomerRef"]["value"])}},
        "amount": {"Line": [{**sales[0], "Amount": 1, "SalesItemLineDetail": {**sales[0]["SalesItemLineDetail"], **ONE}}]},
        "text": {"CustomerMemo": {"value": "Thank you"}},
    }  # fmt: skip
    wanted: dict[str, Any] = {"action": "update", "entity": entity, "id": found["Id"], "members": members.get(deed, {})}
    if deed == "copy":
        made = {**copied, "DocNumber": f"C{number}", "Line": plain, "PrivateNote": found["PrivateNote"]}
        wanted = {"action": "create", "entity": entity, "members": made}
    elif deed == "hand":
        wanted = {"action": "create", "entity": entity, "members": {**copied, "DocNumber": f"H{number}", "Line": plain}}
    elif deed == "tax":
        wanted = {**wanted, "action": "override_tax", "tax": "0.77"}
    elif deed == "pay":
        wanted = {"action": "pay", "entity": entity, "id": found["Id"]}
    elif deed in ("void", "delete"):
        wanted["action"] = "delete" if entity == "CreditMemo" else deed
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))


def type_in(pipeline: Pipeline, number: str) -> None:
    """A bookkeeper has typed in an invoice of that number: QuickBooks refuses ours."""
    item, code = pipeline.object_id(UK, "Item", "Surveying"), pipeline.object_id(UK, "TaxCode", "20.0% S")
    detail = {"ItemRef": {"value": item}, "TaxCodeRef": {"value": code}}
    line_there = {"DetailType": "SalesItemLineDetail", "Amount": 5, "SalesItemLineDetail": detail}
    typed = [one for one in pipeline.objects("Customer") if one["DisplayName"] == "Typed in"]
    if not typed:
        new = {"DisplayName": "Typed in", "CurrencyRef": {"value": "GBP"}}
        wanted = {"action": "create", "entity": "Customer", "members": new}
        typed = pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
    members = {
        "DocNumber": number, "CustomerRef": {"value": typed[0]["Id"]}, "CurrencyRef": {"value": "GBP"}, "TxnDate": "2026-06-15",
        "GlobalTaxCalculation": "TaxExcluded", "Line": [line_there],
    }  # fmt: skip
    wanted = {"action": "create", "entity": "Invoice", "members": members}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))


def oracle(
    newest: dict[str, Invoice], books: dict[str, list[dict[str, Any]]], jobs: dict[str, str]
) -> dict[int, set[str]]:
    """Month → the Kompass ids that prevent its agreement, from QuickBooks' state and Kompass's newest word alone."""
    named: dict[int, set[str]] = defaultdict(set)
    for kompass_id, one in newest.items():
        there = books.get(kompass_id, [])
        standing = [found for found in there if Decimal(str(found["TotalAmt"]))]
        wanted = one.step in (Step.APPROVED, Step.POSTED)
        months = {dt.date.fromisoformat(found["TxnDate"]).month for found in standing}
        if not wanted:
            for month in months:
                named[month].add(kompass_id)
            if months:
                named[one.date.month].add(kompass_id)
            continue
        gross, tax = abs(one.amount_gross), abs(one.amount_vat)
        right = [
            found
            for found in standing
            if Decimal(str(found["TotalAmt"])) == gross
            and Decimal(str(found["TxnTaxDetail"]["TotalTax"])) == tax
            and dt.date.fromisoformat(found["TxnDate"]).month == one.date.month
            and found["CustomerRef"]["value"] == jobs[one.project.id if one.project else ""]
        ]
        if len(right) != 1 or len(standing) != 1:
            if not right or len(standing) > len(right):
                named[one.date.month].add(kompass_id)
            for month in months:
                named[month].add(kompass_id)
    return named


@pytest.mark.parametrize("seed", SEEDS)
def test_each_month_agrees_exactly_when_the_oracle_says_so(pipeline: Pipeline, seed: int) -> None:
    rng = random.Random(seed)
    pipeline.simulator.call(
        lambda world: world.change_settings({"tax_rounding": "per_line", "sparse_line_needs": "nothing"})
    )
    newest: dict[str, Invoice] = {}
    for month in range(1, 13):
        for number in range(month * 1000, month * 1000 + A_MONTH):
            newest[f"n{number}"] = document(number, month, rng)
    for one in newest.values():
        if int(one.id[1:]) % 19 == 4 and one.date.month < 11 and one.amount_gross > 0:
            type_in(pipeline, one.reference)
    pipeline.ingest(*(event(one) for one in newest.values()))
    pipeline.drive()
    jobs = {row.kompass_id: row.qbo_id for row in pipeline.links(kind="project")}
    # Each deed is about one document, so that the others are still as they were.
    books = marked(pipeline.objects)
    for number in (int(one[1:]) for one in list(newest)):
        # The last months stay as they are, so that some agree.
        if f"n{number}" in books and number < 10_000 and rng.random() < 0.5:
            deed = rng.choice(DEEDS)
            if deed == "pay" and newest[f"n{number}"].amount_gross < 0:
                deed = "text"
            do(pipeline, deed, number, books, sorted(jobs.values()))
            if deed == "pay":
                # Kompass bills more: that is not written over a payment, so the month does not agree.
                again = document(number, number // 1000, random.Random(number))
                newest[f"n{number}"] = replace(again, sequence=2, step=newest[f"n{number}"].step)
                pipeline.ingest(event(newest[f"n{number}"]))
        elif f"n{number}" in books and number < 11_000 and rng.random() < 0.2:
            taken_back = replace(newest[f"n{number}"], step=rng.choice((Step.REJECTED, Step.VOIDED)), sequence=2)
            newest[f"n{number}"] = taken_back
            pipeline.ingest(event(taken_back))
    pipeline.drive()
    named = oracle(newest, marked(pipeline.objects), jobs)
    with pipeline.engine.begin() as db:
        configuration = companies.read_configuration(db, "org-uk")
        facts = companies.read_facts(db, [UK])[UK]
    assert configuration is not None
    token = pipeline.simulator.authorize(UK)["access_token"]
    verdicts = set()
    for month in range(1, 13):
        sheet = read_sheet(
            pipeline.engine,
            lambda call: pipeline.transport.send(UK, token, call, deadline=10.0),
            configuration,
            facts,
            dt.date(2026, month, 1),
        )
        said = {one.kompass_id for one in sheet.lines if one.standing in PREVENTING}
        assert said == named[month], (
            month,
            seed,
            [one for one in sheet.lines if one.kompass_id in said ^ named[month]],
        )
        assert sheet.agrees == (not named[month])
        verdicts.add(sheet.agrees)
    assert verdicts == {True, False}
