"""The docs are written in the words of docs/glossary.md, in sentences that a newcomer reads once."""

from __future__ import annotations

import re

import pytest
import textstat

from tests.unit.docs.prose import ROOT, sentences, without_code, words

GLOSSARY = ROOT / "docs" / "glossary.md"
AVOIDED = [
    line for line in (ROOT / "docs" / "words-to-avoid.txt").read_text("utf-8").splitlines() if not line.startswith("#")
]
AVOID = re.compile(rf"\b(?:{'|'.join(AVOIDED)})\b", re.IGNORECASE)
NOT_YET = frozenset({
    "CHANGELOG.md",
    "docs/benchmarks.md",
    "docs/events.md",
    "docs/metrics.md",
    "docs/peers.md",
    "docs/rooms.md",
    "docs/simulator.md",
})  # fmt: skip
"""Pages that were written before the glossary, and pages made from code. It only shrinks: a page without these words leaves it."""

PAGES = sorted(
    str(path.relative_to(ROOT)) for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")] if path != GLOSSARY
)
EASY = ("README.md", "docs/tutorial.md")


def avoided_words(page: str) -> list[str]:
    text = without_code(page)
    return [f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]}" for found in AVOID.finditer(text)]


def test_the_words_are_found_in_any_form_but_not_in_code() -> None:
    assert avoided_words("It is\nMended anew. `told` newsletter\n") == ["line 2: Mended", "line 2: anew"]


@pytest.mark.parametrize("page", [page for page in PAGES if page not in NOT_YET])
def test_a_page_uses_the_words_of_the_glossary(page: str) -> None:
    assert avoided_words((ROOT / page).read_text("utf-8")) == []


def test_the_list_of_pages_to_rewrite_only_shrinks() -> None:
    done = [page for page in NOT_YET if not avoided_words((ROOT / page).read_text("utf-8"))]
    assert done == [], "take them out of NOT_YET"


def _rows(section: str) -> list[list[str]]:
    text = GLOSSARY.read_text("utf-8").partition(f"## {section}\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_the_pipeline_has_25_concepts_at_most() -> None:
    rows = _rows("The pipeline")
    assert 10 < len(rows) <= 25
    assert len({row[0] for row in rows}) == len(rows)


def test_a_concept_is_where_the_glossary_says() -> None:
    places = [re.findall(r"`([^`]*/[^`]*)`", row[2]) for row in _rows("The pipeline")]
    missing = [place for row in places for place in row if not (ROOT / place).exists()]
    assert missing == []


def test_no_concept_is_another_ones_word_to_avoid() -> None:
    rows = _rows("The pipeline") + _rows("The states of a link")
    ours = {name for row in rows for name in re.split(", ", row[0])}
    theirs = {word for row in rows for word in re.split(", ", row[-1])}
    assert ours & theirs == set()


def test_the_states_are_those_of_the_code() -> None:
    from schemas.link_state import LinkState

    assert {row[0] for row in _rows("The states of a link")} == {state.value for state in LinkState}


@pytest.mark.parametrize("page", EASY)
def test_a_newcomer_reads_it_once(page: str) -> None:
    prose = sentences((ROOT / page).read_text("utf-8"))
    assert len(prose) > 20
    # Flesch: 100 is very easy, 60 plain English, 30 hard.
    assert textstat.flesch_reading_ease(" ".join(one.rstrip(".:") + "." for one in prose)) >= 60


@pytest.mark.parametrize("page", EASY)
def test_no_sentence_is_longer_than_30_words(page: str) -> None:
    prose = sentences((ROOT / page).read_text("utf-8"))
    assert [one for one in prose if words(one) > 30] == []


def test_sentences_leave_out_what_is_no_prose() -> None:
    page = "# A head\n\n![picture](x.png)\nOne `kompass-qbo why` here. Two\nthere.\n\n```\nno\n```\n\n- An item\n- Another\n\n| a | b |\n"
    assert sentences(page) == ["One code here.", "Two there.", "An item", "Another"]
    assert words("One's own code-word here.") == 4
