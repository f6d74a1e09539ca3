"""Pages that are made from the code are up to date, and what pages point to exists."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from tests.unit.docs.prose import ROOT

DECISIONS = ROOT / "docs" / "decisions"


def _tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "tools" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_map_of_the_rooms_is_made_from_the_modules() -> None:
    rooms = _tool("rooms")
    assert rooms.PAGE.read_text("utf-8") == rooms.documentation(), "run: python docs/tools/rooms.py"


_PLACE = re.compile(r"`([\w./-]+/[\w./-]*)`")
_NAME_IN = re.compile(r"`([\w.]+)` in `([\w./-]+\.py)`")


def test_the_tables_of_tasks_name_what_exists() -> None:
    page = _tool("rooms").documentation().partition("\n## schemas/")[0]
    missing = [place for place in _PLACE.findall(page) if not (ROOT / place).exists() and not place.startswith("/")]
    unknown = [
        f"{name} in {place}"
        for name, place in _NAME_IN.findall(page)
        if not re.search(rf"\b{name.rpartition('.')[2].rstrip('_')}", (ROOT / place).read_text("utf-8"))
    ]
    assert (missing, unknown) == ([], [])


@pytest.mark.parametrize("room", ["schemas", "mapping", "qbo_client", "store", "sync", "consumers", "admin"])
def test_a_room_says_how_it_is_used(room: str) -> None:
    says = (ROOT / room / "__init__.py").read_text("utf-8")
    assert [part for part in ("Interface:", "Units:", "Errors:", "Source:") if part not in says] == []


def test_every_module_says_in_one_line_what_it_is() -> None:
    rooms = _tool("rooms")
    silent = [
        str(path.relative_to(ROOT))
        for room in rooms.ROOMS
        for path in rooms.modules(room)
        if path.name != "__init__.py" and not rooms.first_line(path)
    ]
    assert silent == []


def test_every_room_of_the_product_is_on_the_map() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert set(_tool("rooms").ROOMS) == packages


def test_decisions_are_numbered_without_a_gap_and_all_listed() -> None:
    numbered = sorted(path.name for path in DECISIONS.glob("0*.md"))
    assert [name[:3] for name in numbered] == [f"{number:03}" for number in range(1, len(numbered) + 1)]
    assert re.findall(r"\]\((\d\d\d-[^)]*)\)", (DECISIONS / "README.md").read_text("utf-8")) == numbered


@pytest.mark.parametrize("path", sorted(DECISIONS.glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_is_a_page_and_says_what_was_weighed(path: object) -> None:
    text = DECISIONS.joinpath(str(path)).read_text("utf-8")
    assert len(text.split()) <= 520
    assert re.search(r"weighed", text, re.IGNORECASE)


@pytest.mark.parametrize(
    "page",
    [*sorted(ROOT.glob("docs/how-to/*.md")), ROOT / "CONTRIBUTING.md", ROOT / "tests" / "README.md"],
    ids=lambda path: path.stem,
)
def test_a_guide_names_only_what_exists(page: object) -> None:
    text = DECISIONS.joinpath(str(page)).read_text("utf-8")
    named = re.findall(
        r"`((?:admin|consumers|demo|deploy|docs|mapping|qbo_client|schemas|store|sync|tests)/[\w./-]+)`", text
    )
    assert [name for name in named if not (ROOT / name).exists()] == []
