"""What a loop logs while a part is away."""

from __future__ import annotations

import ast
import logging
from pathlib import Path

import pytest

import consumers
from consumers.waits import Wait

ROOM = Path(consumers.__file__).parent


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_hour_of_turns_is_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="consumers.waits")
    clock = Clock()
    wait = Wait("the sweep", clock=clock)
    wait.over()
    assert caplog.messages == []
    while clock.now < 3600:
        wait.goes_on(OSError("connection refused\nIs the server running?"))
        clock.now += 1.0
    wait.over()
    wait.over()
    first, second, *others, last = caplog.messages
    assert first == "the sweep waits: connection refused"
    assert second == "the sweep waits, for 60 s now: connection refused"
    assert len(others) == 58
    assert others[-1] == "the sweep waits, for 59 min now: connection refused"
    assert last == "the sweep goes on, after 60 min"
    caplog.clear()
    wait.goes_on(TimeoutError())
    assert caplog.messages == ["the sweep waits: TimeoutError"], "the next wait says at once that it begins"


def _is_away(handler: ast.ExceptHandler) -> bool:
    names = {node.id for node in ast.walk(handler.type) if isinstance(node, ast.Name)} if handler.type else set()
    return bool(names & {"AWAY", "_AWAY", "RegistryUnavailable", "BrokerUnreachable"})


def test_no_loop_logs_a_part_that_is_away_by_itself() -> None:
    """A line of its own in such a handler would be one for each turn."""
    found = [
        f"{path.relative_to(ROOM)}:{call.lineno}"
        for path in sorted(ROOM.rglob("*.py"))
        for handler in ast.walk(ast.parse(path.read_text()))
        if isinstance(handler, ast.ExceptHandler) and _is_away(handler)
        for call in ast.walk(handler)
        if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("log.")
    ]
    assert found == []
