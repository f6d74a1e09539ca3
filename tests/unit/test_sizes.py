"""Files, functions and classes stay of a size that one reader takes in. What is larger today is listed here, and the lists only shrink."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("schemas", "mapping", "qbo_client", "store", "sync", "consumers", "admin", "simulator", "demo")

LINES, PARAMETERS, ATTRIBUTES = 350, 6, 12

LARGER_FILES = {
    "admin/quickbooks_online/forms.py": 370,
    "admin/quickbooks_online/linking.py": 380,
    "admin/quickbooks_online/pages/configurations.py": 410,
    "admin/quickbooks_online/pages/links.py": 400,
    "admin/quickbooks_online/pages/mappings.py": 390,
    "consumers/notifier/notifier.py": 400,
    "mapping/causes/ours.py": 430,
    "mapping/template_functions.py": 420,
    "mapping/templates.py": 370,
    "simulator/seeds.py": 400,
    "store/companies.py": 380,
    "store/tables.py": 680,
    "sync/claim.py": 435,
}
"""With the lines that each may have. The tables and the words of the causes are lists: they grow with what they list."""

MORE_PARAMETERS = {
    "consumers/backfill/reading.py Backfill.__init__",
    "consumers/dead_letter_tools/commands.py replay_command",
    "consumers/dead_letter_tools/from_topic.py replay_from_topic",
    "consumers/dead_letter_tools/replay.py replay",
    "consumers/gauges.py GaugeKeeper.__init__",
    "consumers/ingest/loop.py IngestLoop.__init__",
    "consumers/notifier/digest.py _subject",
    "consumers/notifier/digest.py gather",
    "consumers/notifier/notifier.py Notifier._digest",
    "consumers/notifier/notifier.py Notifier._write",
    "demo/linking.py _map",
    "demo/linking.py set_up",
    "demo/samples/world.py World.units",
    "mapping/client.py map_client",
    "mapping/project.py map_job",
    "simulator/identity.py answer",
    "simulator/seeds.py _company",
    "store/mails.py mark",
    "sync/patience.py weigh",
}

MORE_ATTRIBUTES = {
    "consumers/ingest/loop.py IngestLoop",
    "consumers/runner.py Reconciler",
    "sync/claim.py _Transaction",
}

ROWS_AND_SETTINGS = {
    "consumers/inquiry/forecast.py Forecast",
    "consumers/notifier/digest.py Section",
    "demo/rules.py OrgRules",
    "mapping/booked.py Booked",
    "mapping/sheet.py Line",
    "qbo_client/faults.py FaultCode",
    "schemas/company.py CompanyFacts",
    "schemas/company.py Configuration",
    "schemas/company.py Standing",
    "schemas/events.py Client",
    "schemas/events.py Invoice",
    "schemas/events.py Project",
    "simulator/company.py Profile",
    "simulator/journal.py Request",
    "store/filing.py Touched",
    "simulator/oauth.py Grant",
    "simulator/settings.py Settings",
    "simulator/trouble.py Rule",
    "store/attempts.py KeptAttempt",
    "store/failures.py Failure",
    "store/links.py Link",
    "store/records.py SeenRecord",
    "sync/settings/settings.py SharedSettings",
}
"""Rows of a table, of a sheet, of a page or a mail; records of Kompass and of Intuit; settings."""


@cache
def modules() -> tuple[tuple[str, int, ast.Module], ...]:
    """Each file with its lines and what it says."""
    found = []
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        if "migrations" not in path.parts:
            source = path.read_text(encoding="utf-8")
            found.append((path.relative_to(ROOT).as_posix(), source.count("\n"), ast.parse(source)))
    return tuple(found)


def functions(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Every function with its class's name before it, and how many parameters a caller sees."""

    def within(node: ast.AST, prefix: str) -> Iterator[tuple[str, int]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                given = [one.arg for one in (*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs)]
                yield f"{prefix}{child.name}", len(given) - (given[:1] in (["self"], ["cls"]))
                yield from within(child, prefix)
            else:
                yield from within(child, f"{child.name}." if isinstance(child, ast.ClassDef) else prefix)

    return within(module, "")


def classes(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Every class, and how many attributes it declares or sets on itself."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            yield node.name, len(set(_attributes(node)))


def _attributes(made: ast.ClassDef) -> Iterator[str]:
    for node in made.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        if isinstance(node, ast.FunctionDef):
            for inner in ast.walk(node):
                for target in _targets(inner):
                    if (
                        isinstance(target, ast.Attribute)
                        and isinstance(target.value, ast.Name)
                        and target.value.id == "self"
                    ):
                        yield target.attr


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        yield node.target
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from target.elts if isinstance(target, ast.Tuple) else [target]


def test_no_file_grows_beyond_what_a_reader_takes_in() -> None:
    lines = {file: n for file, n, _ in modules()}
    assert {file: n for file, n in lines.items() if n > LARGER_FILES.get(file, LINES)} == {}
    assert {file for file in LARGER_FILES if lines.get(file, 0) <= LINES} == set(), "off the list with them"


def test_no_function_takes_more_than_six_parameters() -> None:
    found = {f"{file} {name}" for file, _, module in modules() for name, n in functions(module) if n > PARAMETERS}
    assert found == MORE_PARAMETERS


def test_no_class_has_more_than_twelve_attributes_but_rows_and_settings() -> None:
    found = {f"{file} {name}" for file, _, module in modules() for name, n in classes(module) if n > ATTRIBUTES}
    assert found == MORE_ATTRIBUTES | ROWS_AND_SETTINGS


def test_the_rules_find_what_breaks_them() -> None:
    module = ast.parse(
        "class Many:\n"
        f"    {'; '.join(f'a{n}: int' for n in range(6))}\n"
        "    def fill(self, a, b, c, *, d, e, f, g):\n"
        f"        self.x, self.y = a, b; {'; '.join(f'self.b{n} = {n}' for n in range(6))}\n"
    )
    assert dict(functions(module)) == {"Many.fill": 7}
    assert dict(classes(module)) == {"Many": 14}
