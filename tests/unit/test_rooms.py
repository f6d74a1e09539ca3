"""The arrows between the rooms point one way (docs/architecture.md): who may import whom, lazy imports included."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAY_IMPORT: dict[str, set[str]] = {
    "schemas": set(),
    "mapping": {"schemas"},
    "qbo_client": set(),
    "store": {"schemas"},
    "sync": {"schemas", "mapping", "qbo_client", "store"},
    "consumers": {"schemas", "mapping", "qbo_client", "store", "sync"},
    "admin": {"schemas", "mapping", "qbo_client", "store", "sync"},
    "simulator": set(),
    "demo": {"schemas", "mapping", "qbo_client", "store", "consumers", "admin", "sync", "simulator"},
}
ROOMS = set(MAY_IMPORT) | {"tests"}
# What mapping may not use either: it is pure.
IMPURE = {
    "os",
    "io",
    "socket",
    "subprocess",
    "requests",
    "sqlalchemy",
    "psycopg",
    "django",
    "confluent_kafka",
    "random",
    "time",
}


def room_of(module: str) -> str:
    return module.partition(".")[0]


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything imported anywhere in a module of `package`, relative imports resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and _is_dynamic_import(node):
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield node.lineno, first.value


def _is_dynamic_import(call: ast.Call) -> bool:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in ("import_module", "__import__")


def offences(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """Every import of a module that its room may not have."""
    home = room_of(module)
    package = module if is_package else module.rpartition(".")[0]
    found = []
    for line, name in imports(source, package):
        target = room_of(name)
        if target.partition(".")[0] not in ROOMS or target == home:
            continue
        if target not in MAY_IMPORT[home]:
            found.append(
                f"{module}:{line} imports {name}, and {home} may import {sorted(MAY_IMPORT[home]) or 'nothing of ours'}"
            )
    return found


def modules() -> Iterator[tuple[str, Path]]:
    for room in sorted(MAY_IMPORT):
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_it_may(room: str) -> None:
    seen = [(module, path) for module, path in modules() if room_of(module) == room]

    assert seen, f"there is no {room}"
    found = [
        offence
        for module, path in seen
        for offence in offences(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")
    ]
    assert found == []


def test_the_mapping_is_pure() -> None:
    found = [
        f"{module}:{line} imports {name}"
        for module, path in modules()
        if room_of(module) == "mapping"
        for line, name in imports(path.read_text("utf-8"), module.rpartition(".")[0])
        if name.partition(".")[0] in IMPURE
    ]

    assert found == []


def test_the_mapping_does_not_know_what_time_it_is() -> None:
    found = [
        f"{module}:{node.lineno} asks for {node.attr}"
        for module, path in modules()
        if room_of(module) == "mapping"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today", "monotonic", "perf_counter")
    ]

    assert found == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mapping.client", "import store.links"),
        ("mapping.client", "def lazily():\n    from store import links"),
        ("admin.views", "from consumers.process import Parts"),
        ("sync.settings", "from consumers.errors import ExitCode"),
        ("consumers.process", "import admin.quickbooks_online"),
        ("qbo_client.transport", "from simulator.runner import Simulator"),
        ("schemas.codec", "from demo.samples import DEMO_FILE"),
        ("consumers.process", "import demo.command"),
        ("simulator.server", "from qbo_client.errors import CallInvalid"),
        ("store.engine", "import importlib\nimportlib.import_module('qbo_client')"),
        ("schemas.codec", "from tests import conftest"),
    ],
)
def test_what_must_not_be_is_found(module: str, source: str) -> None:
    assert offences(source, module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("consumers.process", "from store import links\nfrom qbo_client.transport import Transport"),
        ("simulator.server", "from .world import World\nfrom simulator.seeds import USA"),
        ("mapping.client", "import decimal\nfrom mapping import problems\nfrom schemas.events import Client"),
    ],
)
def test_what_may_be_is_let_through(module: str, source: str) -> None:
    assert offences(source, module) == []
