"""Each command line on a page can be typed: its command, options and number of arguments exist, its module, make target and files too."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from consumers.cli import NAME, commands
from tests.unit.docs.prose import ROOT

_FENCE = re.compile(r"^ *```.*?\n(.*?)^ *```[^\n]*$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4,}\S.*\n)+", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_OURS = re.compile(rf"(?:^|[\s=(-]){NAME} (?=[a-z-])")
_COMPOSED = re.compile(r"docker compose -f (\S+) (?:run|exec)(?: -\S+)* (\S+) ?(.*)")
# What a page writes in place of a value, several commands or the rest: `FILE|-`, `list\|show`, `<id>`, `…`.
_CUT = re.compile(r" (?:\||<|>|>>|&&|#)(?: .*|$)")
_IN_A_POD = re.compile(r"kubectl .*\bexec .*-- (\S+)")
_IN_THE_IMAGE = {NAME, "python", "sh"}
_CHANGES = "CHANGELOG.md"
"""It also names commands of before."""

MADE = ("docs/commands.md", _CHANGES)
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [*ROOT.glob("*.md"), ROOT / "tests" / "README.md", *ROOT.glob("docs/**/*.md")]
    if str(path.relative_to(ROOT)) not in MADE
)
_TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
_VARIABLES = set(re.findall(r"^([A-Z_]+) [?:]?=", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def lines_of(page: str) -> list[str]:
    """What stands in code on the page, a command to a line."""
    prose = _FENCE.sub("", page)
    blocks = [*_FENCE.findall(page), *_INDENTED.findall(prose)]
    found = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return found + [" ".join(code.split()).replace("\\|", "|") for code in _CODE.findall(prose)]


def wrong_with(line: str) -> str | None:
    """What is wrong with the command line, if it is one."""
    line = _CUT.sub("", line)
    if (inside := _IN_A_POD.search(line)) and inside[1] not in _IN_THE_IMAGE:
        return f"the image has no {inside[1]}"
    if (ours := _OURS.search(line)) and not re.search(
        "(?:buildah|kubectl) [^-]*-", line[: ours.end()].rpartition(" -- ")[2]
    ):
        return _command(line[ours.end() :])
    if composed := _COMPOSED.match(line):
        return _compose(*composed.groups())
    words = [word for word in line.split() if not re.fullmatch(r"[A-Z_]+=\S*", word)]
    if words[:1] == ["make"] and len(words) > 1 and re.fullmatch("[a-z-]+", words[1]):
        return _make(line.split()[1:])
    if re.fullmatch(r"(?:\S*/)?python3?", words[0] if words else "") and words[1:2] == ["-m"]:
        return _module(words[2:])
    return _files(words[1:]) if words[:1] == ["pytest"] else None


def _command(text: str) -> str | None:
    try:
        words = shlex.split(text.replace("'s", "s"))
    except ValueError as error:
        return f"{error}: {text}"
    # Several commands at once, as in the table of the rooms.
    if words and "|" in words[-1] and "-" not in words[-1]:
        return next(
            (wrong for one in words[-1].split("|") if (wrong := _command(shlex.join([*words[:-1], one])))), None
        )
    command: click.Command = commands
    context = click.Context(commands, info_name=NAME)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None:
            return f"{context.command_path} has no command {words[0]}"
        command, context = inner, click.Context(inner, info_name=words.pop(0), parent=context)
    bare = not words
    try:
        given, rest, _ = command.make_parser(context).parse_args(args=[word for word in words if word != "…"])
    except click.UsageError as error:
        # An option that is only named, `--cause`, takes its value where the page uses it.
        return (
            None
            if re.search("requires an argument", str(error)) and words[-1].startswith("--")
            else error.format_message()
        )
    if isinstance(command, click.Group) or bare or "…" in words or given.get("help"):
        return None
    missing = [
        one.name for one in command.params if one.required and not isinstance(given.get(one.name or ""), str | list)
    ]
    return f"{context.command_path}: {rest or missing}" if rest or missing else _values(command, given)


def _values(command: click.Command, given: dict[str, object]) -> str | None:
    for one in command.params:
        value = given.get(one.name or "")
        if isinstance(one.type, click.Choice) and isinstance(value, str) and re.fullmatch(r"[a-z|.-]+", value):
            unknown = [word for word in value.split("|") if word not in one.type.choices]
            if unknown:
                return f"{one.name} is one of {', '.join(one.type.choices)}, and not {unknown[0]}"
    return None


def _compose(file: str, service: str, rest: str) -> str | None:
    services = yaml.safe_load((ROOT / file).read_text("utf-8"))["services"]
    if service not in services:
        return f"{file} has no service {service}"
    return _module(rest.split()[2:]) if rest.startswith("python -m") else _command(rest) if rest else None


def _make(words: list[str]) -> str | None:
    unknown = [word for word in words if re.fullmatch("[a-z-]+", word) and word not in _TARGETS]
    unset = [
        word for word in words if (name := word.partition("=")[0]).isupper() and "=" in word and name not in _VARIABLES
    ]
    return f"the Makefile does not know {unknown or unset}" if unknown or unset else None


def _module(words: list[str]) -> str | None:
    name, *rest = words
    if importlib.util.find_spec(name) is None:
        return f"there is no module {name}"
    if name == "consumers" and rest:
        return _command(shlex.join(rest))
    return _files(rest) if name == "pytest" else None


def _files(words: list[str]) -> str | None:
    missing = [
        word for word in words if word.startswith("tests/") and not Path(ROOT / word.partition("::")[0]).exists()
    ]
    return f"there is no {missing[0]}" if missing else None


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("kompass-qbo why invoice INV-17", ""),
        ("kompass-qbo why", ""),
        ("kompass-qbo why invoice", "'ref'"),
        ("kompass-qbo why offer INV-17", "not offer"),
        ("kompass-qbo agrees", "no command agrees"),
        ("kompass-qbo dead-letters list --flat --sinse 1h", "--sinse"),
        ("kompass-qbo dead-letters list|show|replai", "no command replai"),
        ("kompass-qbo tidy NOW", "NOW"),
        ("kubectl -n a exec deployment/kompass-qbo-clients -- kompass-qbo doctr", "doctr"),
        ("docker compose -f deploy/compose.yaml run --rm clients doctr", "doctr"),
        ("docker compose -f deploy/compose.yaml exec client doctor", "no service client"),
        ("kubectl exec a -- curl http://localhost:9100/livez", "no curl"),
        ("make brokrs", "brokrs"),
        ("make fuzz INPUT=1", "INPUT"),
        ("LINK_UP=300 pytest tests/unit/nothing.py", "no tests/unit/nothing.py"),
        (".venv/bin/python -m consumers.nothing > docs/faults.md", "no module"),
        ("make demo finds them", "finds"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_typed_is_found(line: str, wrong: str) -> None:
    found = wrong_with(line)
    assert (found is None) == (not wrong), found
    assert wrong in (found or "")


@pytest.mark.parametrize("page", PAGES)
def test_every_command_line_of_a_page_exists(page: str) -> None:
    lines = lines_of((ROOT / page).read_text("utf-8"))
    assert [f"{line}: {wrong}" for line in lines if (wrong := wrong_with(line))] == []


_NAMED = re.compile(rf"{NAME}((?: (?:--)?[a-z][a-z-]*)+)")


def test_every_command_that_a_message_names_exists() -> None:
    found = [
        (path.relative_to(ROOT).as_posix(), words.split())
        for room in (
            "schemas",
            "mapping",
            "qbo_client",
            "store",
            "sync",
            "consumers",
            "admin",
            "simulator",
            "demo",
            "deploy",
        )
        for path in (ROOT / room).rglob("*")
        if path.suffix in {".py", ".html", ".j2", ".yml"} and "migrations" not in path.parts
        for words in _NAMED.findall(path.read_text("utf-8"))
    ]
    assert len(found) > 30
    assert [f"{path}: {NAME} {' '.join(words)}" for path, words in found if not _named(words)] == []


def _named(words: list[str]) -> bool:
    command: click.Command | None = commands
    context = click.Context(commands)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command, words = command.get_command(context, words[0]), words[1:]
    options = {name for one in command.params for name in one.opts} if command else set()
    return command is not None and {word for word in words if word.startswith("--")} <= {"--help", *options}
