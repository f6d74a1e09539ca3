"""A year with every deed of a bookkeeper and lost answers in it: a month agrees exactly when an oracle says so that reads the books.

By default it is 120 documents with five seeds. `YEAR_DOCUMENTS=3000` has so many in the year of one seed, and
`YEAR_SEEDS=7,8` takes other seeds.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterator

import pytest

from mapping.sheet import PREVENTING
from simulator import Simulator
from simulator.seeds import UK
from store import companies
from sync.agreement import read_sheet
from sync.filed_months import changed_since_filed
from tests.integration.agreement.test_month_end import sheet_of
from tests.integration.agreement.year import Year, rates_of
from tests.integration.agreement.year_oracle import (
    States,
    billed,
    books_of,
    changed_since,
    documents_by_kompass_id,
    preventing,
    states,
)
from tests.pipeline import Pipeline, open_pipeline

A_MONTH = int(os.environ.get("YEAR_DOCUMENTS", "120")) // 12
SEEDS = [int(one) for one in os.environ.get("YEAR_SEEDS", "1,2,3,4,5" if A_MONTH <= 10 else "1").split(",")]


@pytest.fixture
def pipeline(migrated_database: str, simulator: Simulator) -> Iterator[Pipeline]:
    """Nothing waits for a lease, so that a call without an answer is looked for in the next round."""
    opened = open_pipeline(migrated_database, simulator, lease=0.0, server_timeout=0.0)
    opened.link()
    opened.map_vat_rate("vat-20", "20.0% S")
    yield opened
    opened.close()
    opened.engine.dispose()


@pytest.mark.parametrize("seed", SEEDS)
def test_each_month_agrees_exactly_when_the_oracle_says_so(pipeline: Pipeline, seed: int) -> None:
    year = Year(pipeline, seed, A_MONTH)
    filed: States = {}

    def file() -> None:
        filed.update(states(year.said, year.deleted, books_of(pipeline)))
        for month in range(1, 13):
            sheet_of(pipeline, month, file_by="ada")

    year.live(file)
    books = books_of(pipeline)
    newer = states(year.said, year.deleted, books)
    changed, by_kompass = changed_since(filed, newer), changed_since(billed(filed), billed(newer))
    assert sum(map(len, by_kompass.values())) > 5
    with pipeline.engine.begin() as db:
        mailed = {(int(one.document.month[5:]), one.document.reference): one for one in changed_since_filed(db)}
    for month in range(1, 13):
        in_month = {name: one for (of, name), one in mailed.items() if of == month}
        assert by_kompass[month] <= in_month.keys(), (month, seed)
        assert {name for name, one in in_month.items() if not one.document.operations} <= by_kompass[month], (
            month,
            seed,
        )
    named = preventing(year.said, year.deleted, books, rates_of)
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
            [documents_by_kompass_id(books)[one] for one in said ^ named[month]],
        )
        assert sheet.agrees == (not named[month])
        verdicts.add(sheet.agrees)
        listed = {re.match(r"[^ :]+", one)[0] for one in sheet.changes}
        assert listed == changed[month], (
            month,
            seed,
            [one for one in sheet.changes if re.match(r"[^ :]+", one)[0] not in changed[month]],
        )
    assert verdicts == {True, False}
