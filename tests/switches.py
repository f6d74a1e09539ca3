"""Run the project's tests under other settings of what nobody outside Intuit knows: ``make switches``.

``make test`` runs under the simulator's defaults. Here every test that meets the simulator (but for the simulator's own, which name
the switches they are about) is run again under rows of settings. With ``--strength 1`` each value of each switch is in a row; with
2 each pair of values of two switches is, so that no setting hides what another would show.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any

import click

from simulator.settings import VARIABLE, Settings, unknowns

ROOT = Path(__file__).parents[1]
LOGS = ROOT / ".kompass-qbo" / "switches"
WHERE = ("tests/acceptance", "tests/chaos", "tests/integration")
# The simulator's own tests, those that turn the switches themselves, and those that never meet it.
NOT_HERE = (
    "tests/integration/simulator",
    "tests/acceptance/test_unknown_switches.py",
    "tests/integration/broker",
    "tests/integration/embedded",
    "tests/integration/schemas",
    "tests/integration/admin/test_commands.py",
    "tests/integration/admin/test_schema.py",
    "tests/integration/admin/test_triggers.py",
    "tests/integration/qbo_client/test_oauth_trouble.py",
    "tests/integration/qbo_client/test_transport_trouble.py",
    "tests/integration/test_doctor.py",
    "tests/integration/test_health.py",
    "tests/acceptance/test_demo_bad_settings.py",
    "tests/acceptance/test_mails.py",
)
_ATTEMPTS = 20

Row = dict[str, Any]


def covering(values: Mapping[str, tuple[Any, ...]], strength: int) -> Iterator[Row]:
    """Rows that hold, with the row of all defaults (not given), every combination of `strength` switches' values.

    Greedy, from the same seed each time: of some attempts at a row, the one with most combinations that are still missing.
    """
    draw = random.Random(0)
    missing = {
        frozenset(zip(names, some, strict=True)): None
        for names in combinations(values, strength)
        for some in product(*(values[name] for name in names))
    }
    used: Counter[tuple[str, Any]] = Counter()

    def added(row: Row, name: str, value: Any) -> int:
        return sum(frozenset({(name, value), *others}) in missing for others in combinations(row.items(), strength - 1))

    def attempt() -> Row:
        row = dict(next(iter(missing)))
        for name in draw.sample(list(values), len(values)):
            if name not in row:
                row[name] = max(values[name], key=lambda value: (added(row, name, value), -used[name, value]))
        return row

    def found(row: Row) -> set[frozenset[tuple[str, Any]]]:
        return {some for some in map(frozenset, combinations(row.items(), strength)) if some in missing}

    row = {name: some[0] for name, some in values.items()}
    while True:
        used.update(row.items())
        for some in found(row):
            del missing[some]
        if not missing:
            return
        row = max((attempt() for _ in range(_ATTEMPTS)), key=lambda row: len(found(row)))
        yield {name: row[name] for name in values}


def table(rows: Sequence[Row]) -> str:
    """Which values each row sets, a switch a line; a dot is the default."""
    defaults = Settings().as_mapping()
    lines = [("switch", "default", *(f"row {number}" for number, _ in enumerate(rows, start=1)))]
    for name, default in ((name, defaults[name]) for name in unknowns()):
        values = (row[name] for row in rows)
        lines.append((name, _text(default), *("·" if value == default else _text(value) for value in values)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def written(row: Row) -> str:
    """The row as the environment has it: what differs from the defaults."""
    defaults = Settings().as_mapping()
    return ",".join(f"{name}={_text(value)}" for name, value in row.items() if value != defaults[name])


@click.command(context_settings={"ignore_unknown_options": True})
@click.option(
    "--strength", type=click.IntRange(1, 2), default=1, show_default=True, help="Of how many switches together."
)
@click.option("--row", "only", type=int, multiple=True, help="Run these rows alone, counted from 1.")
@click.argument("pytest_arguments", nargs=-1)
def main(strength: int, only: tuple[int, ...], pytest_arguments: tuple[str, ...]) -> None:
    """Run the tests under each row of settings; PYTEST_ARGUMENTS (paths, -k, …) go to pytest."""
    LOGS.mkdir(parents=True, exist_ok=True)
    rows = list(covering(unknowns(), strength))
    click.echo(table(rows))
    failed = 0
    for number, row in enumerate(rows, start=1):
        if not only or number in only:
            click.echo(f'row {number} of {len(rows)}: {VARIABLE}="{written(row)}"')
            again = f"make switches STRENGTH={strength} ARGS='--row {number} %s'"
            failed += not _run(written(row), LOGS / f"{strength}-{number}.log", pytest_arguments, again)
    sys.exit(failed > 0)


def _run(settings: str, log: Path, arguments: tuple[str, ...], again: str) -> bool:
    named = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    # As many workers as make test has; none for what somebody names.
    where = () if named else ("-n", "2", *WHERE, *(f"--ignore={path}" for path in NOT_HERE))
    started = time.monotonic()
    with log.open("w") as output:
        command = [sys.executable, "-m", "pytest", "-q", "--no-header", *where, *arguments]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, VARIABLE: settings},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    lines = log.read_text().splitlines()
    click.echo(
        f"  {lines[-1] if lines else 'pytest said nothing'} ({time.monotonic() - started:.0f} s; {log.relative_to(ROOT)})"
    )
    for line in lines:
        outcome, _, test = line.partition(" ")
        if outcome in {"FAILED", "ERROR"} and test.startswith("tests/"):
            click.echo(f"  {line}")
            click.echo(f"    again: {again % json.dumps(test.partition(' - ')[0])}")
    return done.returncode == 0


if __name__ == "__main__":
    main()
