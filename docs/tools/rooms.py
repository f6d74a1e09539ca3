"""docs/rooms.md: every file of every room in one line, from the first line of its docstring: ``python docs/tools/rooms.py``."""

from __future__ import annotations

import ast
import runpy
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "rooms.md"

ROOMS: dict[str, tuple[str, str]] = {
    "schemas": (
        "The event contract: Avro schemas, typed events, codec and registry; and small types that several rooms share.",
        "SQL, QuickBooks payloads, settings.",
    ),
    "mapping": (
        "Pure functions: record, Configuration and facts become a payload, with the reason for each choice.",
        "I/O, clocks, randomness, the database.",
    ),
    "qbo_client": (
        "Intuit's API: authorisation, transport, faults, quota, queries, and what each answer proves.",
        "Records, links, mappings: it knows nothing of Kompass.",
    ),
    "store": ("The SQL, one module for each table or question.", "Decisions, calls, words for people."),
    "sync": (
        "The core that pipeline and admin share: the life of a link, the one decision, an attempt, a company's permission to call.",
        "Threads, commands, pages, SQL that `store/` could have.",
    ),
    "consumers": (
        "The processes and the commands: ingest, the runner's threads, outbox, notifier.",
        "Decisions about a link: `sync/` has them.",
    ),
    "admin": (
        "The Django Admin site; its app owns the database schema.",
        "Decisions about a link, a second way to call Intuit. It never imports `consumers/`.",
    ),
    "simulator": (
        "A stand-in for Intuit, a package of its own.",
        "Any import of ours. Production does not install it.",
    ),
    "demo": (
        "What `make demo` adds: embedded PostgreSQL, broker and mail, sample events, the comparison.",
        "What production needs.",
    ),
}
"""Room → what belongs there, and what does not."""

_TABLES = runpy.run_path(str(Path(__file__).with_name("tasks.py")))

_LEFT_OUT = ("/migrations/", "/formats/", "/build/")


def modules(room: str) -> list[Path]:
    """The room's Python files in their order."""
    found = sorted(path for path in (ROOT / room).rglob("*.py"))
    return [path for path in found if not any(part in path.as_posix() for part in _LEFT_OUT)]


def first_line(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    return docstring.partition("\n")[0].replace("``", "`").replace("|", "\\|")


def _rows(room: str) -> Iterator[str]:
    for path in modules(room):
        says = first_line(path)
        name = path.relative_to(ROOT / room)
        if says and not (name.name == "__init__.py" and len(name.parts) == 1):
            yield f"| `{name}` | {says} |"


def _table(head: tuple[str, str], rows: Iterable[tuple[str, str]]) -> list[str]:
    return [f"| {head[0]} | {head[1]} |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows), ""]


def documentation() -> str:
    """The text of docs/rooms.md."""
    lines = [
        "# A map of the rooms",
        "",
        "This page is made from the first line of each module: `python docs/tools/rooms.py`. Change the module, not the page.",
        "The arrows between the rooms are in [architecture.md](architecture.md); Django's migrations are left out here.",
        "",
        "## Where to change what",
        "",
    ]
    for part, rows in _TABLES["TASKS"].items():
        lines += [f"### {part}", "", *_table(("to change", "look in"), rows)]
    lines += ["## What happens when", "", *_table(("when", "what happens, and where"), _TABLES["WHEN"])]
    lines += ["## What not to touch", "", *_table(("leave alone", "why, or what holds it"), _TABLES["NEVER"])]
    for room, (belongs, does_not) in ROOMS.items():
        lines += [f"## {room}/", "", f"**Belongs here:** {belongs}", "", f"**Does not:** {does_not}", ""]
        lines += ["| file | what it is |", "|---|---|", *_rows(room), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(documentation(), "utf-8")
