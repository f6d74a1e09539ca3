"""docs/commands.md: every command with its options, from the commands themselves: ``python docs/tools/commands.py``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from consumers.cli import NAME, commands
from consumers.errors import ExitCode

PAGE = Path(__file__).parents[1] / "commands.md"

_CODES = {
    ExitCode.OK: "done",
    ExitCode.FAILED: "a check found a problem, nothing was found, or something unexpected happened",
    ExitCode.USAGE: "the command line is wrong",
    ExitCode.BAD_SETTING: "a setting is missing or wrong",
    ExitCode.UNREACHABLE: "the database, the broker or another part does not answer",
    ExitCode.NOT_MIGRATED: "the database is not migrated",
    ExitCode.INTERRUPTED: "stopped by Ctrl-C",
}


def _sections(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}"
    yield ""
    yield "```text"
    with context.scope(cleanup=False):
        yield "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    yield "```"
    yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner
            yield from _sections(inner, _context(inner, name, context), min(level + 1, 3))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {"terminal_width": 110, "max_content_width": 110, **command.context_settings}
    return click.Context(command, info_name=name, parent=parent, **settings)


def documentation() -> str:
    """The text of docs/commands.md."""
    lines = [
        "# Commands",
        "",
        "This page is made from the commands: `python docs/tools/commands.py`. An error is one line on standard error; `--debug`",
        "adds the traceback.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        *(f"| {code.value} | {_CODES[code]} |" for code in ExitCode),
        "",
        *_sections(commands, _context(commands, NAME, None), 2),
    ]
    return "\n".join(lines).rstrip("\n") + "\n"


if __name__ == "__main__":
    PAGE.write_text(documentation(), "utf-8")
