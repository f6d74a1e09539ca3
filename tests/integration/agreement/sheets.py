"""The agreement sheet of March as the command writes it, and what a bookkeeper does to a document."""

from __future__ import annotations

from typing import Any

from simulator import bookkeeper
from simulator.seeds import UK
from store.sql import loads
from tests.pipeline import Pipeline


def sheet(run: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the sheet as JSON."""
    result = run("--json", *arguments)
    return result.return_value, loads(result.stdout)


def standings(found: dict[str, Any]) -> dict[str, str]:
    return {one["reference"]: one["standing"] for one in found["lines"]}


def edit(pipeline: Pipeline, number: str, action: str = "edit", **wanted: Any) -> None:
    """Change a document in QuickBooks by hand."""
    (document,) = [one for one in pipeline.objects("Invoice") if one["DocNumber"] == number]
    wanted = {"action": action, "entity": "Invoice", "id": document["Id"], **wanted}
    pipeline.simulator.call(lambda world: bookkeeper.edit(world.companies[UK], wanted))
