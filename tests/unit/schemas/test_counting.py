"""A number and its noun agree, wherever people read them; no source writes a plural behind a number that may be 1."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from schemas.counting import counted, form_of

ROOT = Path(__file__).parents[3]
PRODUCT = ("admin", "consumers", "demo", "mapping", "store", "sync")

_NOUNS = (
    "events|records|invoices|documents|companies|calls|clients|projects|rows|mails|partitions|groups|links|lines|brokers|times|"
    "days|hours|minutes|failures|mappings|classes|customers|objects|reads|causes|attempts|keys|connections|others|ones"
)
# A limit and a number of seconds are never 1: "more than {LIMIT:,} rows", "after {_STALLED_S} s".
_PLURAL = re.compile(rf"(?<!than )\{{(?![A-Z_]+(?::,)?\}})[^{{}}'\"]+\}}(?: (?!of\b)[a-z]+)? (?:{_NOUNS})\b")
_IN_TEMPLATE = re.compile(rf"\{{\{{[^{{}}]+\}}\}}(?: (?!of\b)[a-z]+)? (?:{_NOUNS})\b")
_FILTER = re.compile(r"\|\s*pluralize|== 1 else \"s\"")


def test_a_number_and_its_noun_agree() -> None:
    assert [counted(number, "invoice") for number in (0, 1, 2, 1_200)] == [
        "0 invoices", "1 invoice", "2 invoices", "1,200 invoices",
    ]  # fmt: skip
    assert [counted(number, "company is", "companies are") for number in (1, 2)] == ["1 company is", "2 companies are"]
    assert [form_of(number, "is", "are") for number in (0, 1, 2)] == ["are", "is", "are"]


@pytest.mark.parametrize("room", PRODUCT)
def test_nobody_writes_a_plural_behind_a_number(room: str) -> None:
    found = []
    for path in sorted((ROOT / room).rglob("*")):
        if path.suffix not in {".py", ".html", ".j2"} or "/migrations/" in path.as_posix():
            continue
        pattern = _PLURAL if path.suffix == ".py" else _IN_TEMPLATE
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if path.suffix != ".py" and _FILTER.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: use the filter `counted`")
            if wrong := pattern.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {wrong[0]}")
    assert found == []
