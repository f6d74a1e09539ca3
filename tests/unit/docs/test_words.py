"""The docs are written in the words of docs/glossary.md, in sentences that a newcomer reads once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import textstat

from tests.unit.docs.code_prose import prose, sources
from tests.unit.docs.prose import ROOT, sentences, without_code, words

GLOSSARY = ROOT / "docs" / "glossary.md"
EVERYWHERE, _, ON_PAGES = (ROOT / "docs" / "words-to-avoid.txt").read_text("utf-8").partition("pages:\n")


def _any_of(lists: str) -> re.Pattern[str]:
    patterns = [line for line in lists.splitlines() if not line.startswith("#")]
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b", re.IGNORECASE)


AVOID = _any_of(EVERYWHERE)
AVOID_ON_PAGES = _any_of(EVERYWHERE + ON_PAGES)
_EVERY = [*ROOT.glob("*.md"), ROOT / "tests" / "README.md", *ROOT.glob("docs/**/*.md")]
PAGES = sorted(str(path.relative_to(ROOT)) for path in _EVERY if path != GLOSSARY)
_QUOTED = re.compile(r'"[^"\n]*"')
EASY = ("README.md", "docs/tutorial.md")


def avoided_words(page: str) -> list[str]:
    """Where the page has such a word; what is quoted is another's."""
    text = _QUOTED.sub("", without_code(page))
    return [f"line {text.count(chr(10), 0, found.start()) + 1}: {found[0]}" for found in AVOID_ON_PAGES.finditer(text)]


def test_the_words_are_found_in_any_form_but_not_in_code() -> None:
    assert avoided_words('It is\nMended anew. `told` newsletter "told"\n') == ["line 2: Mended", "line 2: anew"]
    assert avoided_words("The records are held by a party.") == ["line 1: records are held", "line 1: party"]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_uses_the_words_of_the_glossary(page: str) -> None:
    assert avoided_words((ROOT / page).read_text("utf-8")) == []


ROOMS = sorted({path.parent.name for path in ROOT.glob("*/__init__.py")} | {"deploy", "docs", ".ci"})


def test_the_prose_of_code_is_its_comments_and_texts(tmp_path: Path) -> None:
    source = tmp_path / "example.py"
    source.write_text('told = f("told")  # It is told\nx = f"""One {told}\n`told` and told"""\n', "utf-8")
    assert [number for number, text in prose(source) if AVOID.search(text)] == [1, 3]


@pytest.mark.parametrize("room", ROOMS)
def test_comments_texts_and_templates_use_the_words_of_the_glossary(room: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {word[0]}"
        for path in sources(room)
        if path != Path(__file__)
        for line, text in prose(path)
        for word in (AVOID if path.suffix == ".py" else AVOID_ON_PAGES).finditer(text)
    ]
    assert found == []


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
    page_prose = sentences((ROOT / page).read_text("utf-8"))
    assert len(page_prose) > 20
    # Flesch: 100 is very easy, 60 plain English, 30 hard.
    assert textstat.flesch_reading_ease(" ".join(one.rstrip(".:") + "." for one in page_prose)) >= 60


@pytest.mark.parametrize("page", EASY)
def test_no_sentence_is_longer_than_30_words(page: str) -> None:
    page_prose = sentences((ROOT / page).read_text("utf-8"))
    assert [one for one in page_prose if words(one) > 30] == []


def test_sentences_leave_out_what_is_no_prose() -> None:
    page = "# A head\n\n![picture](x.png)\nOne `kompass-qbo why` here. Two\nthere.\n\n```\nno\n```\n\n- An item\n- Another\n\n| a | b |\n"
    assert sentences(page) == ["One code here.", "Two there.", "An item", "Another"]
    assert words("One's own code-word here.") == 4
