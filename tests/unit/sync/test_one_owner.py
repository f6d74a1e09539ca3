"""One module writes the state of links, one decides, and no state is a quoted word: read in the source of all product rooms."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.link_state import LinkState
from sync.link import OWNED

ROOT = Path(__file__).parents[3]
ROOMS = ("schemas", "mapping", "qbo_client", "store", "sync", "consumers", "admin", "demo")
OWNERS = {"sync/link.py", "store/due.py"}
# States of their own, with words of their own: mails wait and fail too.
OTHER_STATES = {
    "store/mails.py", "consumers/notifier/notifier.py", "admin/quickbooks_online/models/mails.py", "schemas/link_state.py",
}  # fmt: skip

_WRITE = re.compile(
    r"UPDATE\s+\"?qbo_link\"?\b.*?\bSET\b(?P<set>.*?)(?=\bFROM\b|\bWHERE\b|\bRETURNING\b|$)"
    r"|INSERT\s+INTO\s+\"?qbo_link\"?\s*\((?P<into>.*?)\)",
    re.S | re.I,
)
_MODELS = {"Link", "Customer", "Project", "Invoice"}
_ORM_WRITES = {"create", "update", "bulk_create", "bulk_update", "update_or_create", "get_or_create"}
_STATES = "|".join(LinkState)


def sources() -> Iterator[tuple[str, str]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path.relative_to(ROOT).as_posix(), path.read_text("utf-8")


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every string of a module, those that are put together of parts as one; ``{}`` stands for what is computed."""
    within: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            within |= {id(part) for part in ast.walk(node) if part is not node}
            yield (
                node.lineno,
                "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values),
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in within:
            yield node.lineno, node.value


def written_in_sql(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each column of a link's state that a statement in this source writes; ``{}`` for what is unknown."""
    for line, statement in texts(ast.parse(source)):
        for found in _WRITE.finditer(statement):
            if found["set"] is not None:
                names = re.findall(r"(?:^|,)\s*(?:l\.|t\.)?\"?(\w+|\{\})\"?\s*(?:=|$|,)", found["set"])
            else:
                names = [name.strip() for name in found["into"].split(",")]
            yield from ((line, name) for name in names if name in OWNED or "{}" in name)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def written_in_python(source: str) -> Iterator[tuple[int, str]]:
    """Line and words of each write by SQLAlchemy's tables or Django's models."""
    tree = ast.parse(source)
    tables = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "store.tables"
        for alias in node.names
        if alias.name == "link"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (
                (node.lineno, one.attr)
                for one in targets
                if isinstance(one, ast.Attribute) and one.attr in OWNED and getattr(one.value, "id", "") != "self"
            )
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        of_links = any(isinstance(one, ast.Name) and one.id in tables for one in node.args)
        if name in ("update_rows", "insert_rows", "insert", "plain_insert") and of_links:
            yield node.lineno, f"{name} of links"
        keywords = {one.arg for one in node.keywords}
        if name == "values" and _updates(node, tables) and (keywords & OWNED or None in keywords or node.args):
            yield node.lineno, "values of links"
        if name in _ORM_WRITES and _root(node.func) in _MODELS:
            yield node.lineno, f"{_root(node.func)}.{name}"


def _updates(node: ast.AST, tables: set[str]) -> bool:
    return any(
        isinstance(one, ast.Call)
        and getattr(one.func, "id", "") == "update"
        and any(isinstance(table, ast.Name) and table.id in tables for table in one.args)
        for one in ast.walk(node)
    )


def quoted_states(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each state of a link that stands there as a quoted word."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        sides: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
        elif isinstance(node, ast.keyword) and node.arg in ("state", "state__in"):
            sides = [ast.Attribute(attr="state"), node.value]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            sides = [ast.Attribute(attr=node.target.id), node.value]
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "state":
                    sides = [ast.Attribute(attr="state"), value]
        if any(getattr(side, "attr", getattr(side, "id", "")) == "state" for side in sides):
            words = [one for side in sides for one in ast.walk(side) if isinstance(one, ast.Constant)]
            yield from ((node.lineno, str(one.value)) for one in words if one.value in list(LinkState))
    for line, text in texts(tree):
        if re.search(rf"\bstate\s*(=|<>|!=|IN\s*\()\s*'({_STATES})'", text):
            yield line, text


@pytest.mark.parametrize("find", [written_in_sql, written_in_python])
def test_only_the_owner_writes_the_state_of_links(find: object) -> None:
    found = [
        f"{name}:{line} {what}"
        for name, source in sources()
        if name not in OWNERS
        for line, what in find(source)  # type: ignore[operator]
    ]
    assert found == []


def test_the_statements_that_make_links_due_are_run_by_the_owner_alone() -> None:
    users = {
        name
        for name, source in sources()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        and (node.module == "store.due" or (node.module == "store" and any(one.name == "due" for one in node.names)))
    }
    assert users == {"sync/link.py"}


def test_no_state_is_a_quoted_word() -> None:
    found = [
        f"{name}:{line} {what}"
        for name, source in sources()
        if name not in OTHER_STATES
        for line, what in quoted_states(source)
    ]
    assert found == []


def test_the_decision_is_asked_for_in_one_place() -> None:
    """All who want to know what is to be done about a record ask `sync.decide`, which alone asks the mapping.

    What the holder of a wanted name will do is part of the same decision, in a file of its own.
    """
    users = {
        name
        for name, source in sources()
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mapping.decide"))
        or (isinstance(node, ast.Import) and any(one.name.startswith("mapping.decide") for one in node.names))
        or (
            isinstance(node, ast.ImportFrom)
            and node.module == "mapping"
            and any(one.name == "decide" for one in node.names)
        )
    }
    assert users == {"sync/decide.py", "sync/giving_way.py"}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("'UPDATE qbo_link SET due_at = now(), name = x WHERE id = 1'", ["due_at"]),
        ("'UPDATE qbo_link l SET name = 1, ' 'again = true FROM x'", ["again"]),
        ("f\"UPDATE qbo_link SET {', '.join(x)} WHERE id = 1\"", ["{}"]),
        ("'INSERT INTO qbo_link (org_id, due_at) VALUES (1, now())'", ["due_at"]),
        ("'UPDATE qbo_link SET lanes = lanes | 1 WHERE state = 2'", []),
        ("'UPDATE qbo_failure SET state = 1'", []),
    ],
)
def test_a_write_in_sql_is_found(source: str, names: list[str]) -> None:
    assert [name for _, name in written_in_sql(source)] == names


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("link.due_at = None", 1),
        ("from store.tables import link as t\nupdate(t).where(1).values(state='x')", 1),
        ("from store.tables import link\nupdate(link).where(1).values(name='x')", 0),
        ("from store.tables import link\nupdate_rows(db, link, rows)", 1),
        ("Link.objects.filter(pk=1).update(reason='')", 1),
        ("Configuration.objects.filter(pk=1).update(enabled=True)", 0),
    ],
)
def test_a_write_in_python_is_found(source: str, count: int) -> None:
    assert len(list(written_in_python(source))) == count


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ("link.state == 'failed'", 1),
        ("one.state in ('synced', '')", 1),
        ("Q(state__in=('waiting', 'failed'))", 2),
        ("put(state='synced')", 1),
        ("{'state': 'failed'}", 1),
        ("\"SELECT 1 WHERE l.state = 'waiting'\"", 1),
        ("f\"SELECT 1 WHERE l.state = '{LinkState.WAITING}'\"", 0),
        ("connection.state == 'connected'", 0),
    ],
)
def test_a_quoted_state_is_found(source: str, count: int) -> None:
    assert len(list(quoted_states(source))) == count
