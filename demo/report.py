"""What the demo shows at its end: a table for each company, what failed in the words of the mail, and where to look."""

from __future__ import annotations

import json
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, text

from demo.rules import OrgRules
from schemas.counting import counted
from schemas.link_state import LinkState
from store.history import SENT

# Each record's own write, alone or in a batch with others.
_WRITES = (
    "SELECT kind, detail ->> 'operation' AS operation, count(*) AS number FROM qbo_history"
    f" WHERE realm_id = :realm AND what = 'called' AND outcome = 'done' AND {SENT.format(entry='qbo_history')} GROUP BY 1, 2"
)
_KINDS = (("Customers", "client"), ("Projects", "project"), ("Invoices", "invoice"))


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls that reached a company, beside those that wrote."""

    reads: int
    refused: int


def calls_by_realm(simulator: str) -> dict[str, Calls]:
    """Count what the simulator was asked, by company."""
    with urllib.request.urlopen(f"{simulator}/_simulator/requests?bodies=false", timeout=30) as answer:  # noqa: S310
        requests = json.loads(answer.read())["requests"]
    reads: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for one in requests:
        if one["realm"] and not one["committed"]:
            (reads if one["status"] == 200 else refused)[one["realm"]] += 1
    return {realm: Calls(reads[realm], refused[realm]) for realm in {*reads, *refused}}


def show_companies(console: Console, engine: Engine, rules: Iterable[OrgRules], calls: Mapping[str, Calls]) -> None:
    """Print one table for each company."""
    for one in rules:
        made = calls.get(one.realm_id, Calls(0, 0))
        table = Table(
            title=f"{one.company} ({one.locale}), QBO company {one.realm_id}",
            title_justify="left",
            box=SIMPLE_HEAD,
            padding=(0, 0, 0, 1),
        )
        for heading in ("", "in QBO", "created", "updated", "voided", "skipped", "failed", "waiting"):
            table.add_column(heading, justify="left" if not heading else "right", no_wrap=True)
        with engine.connect() as db:
            states = {
                (row.kind, row.state): row.number
                for row in db.execute(
                    text(
                        "SELECT kind, state, count(*) AS number FROM qbo_link WHERE realm_id = :realm GROUP BY kind, state"
                    ),
                    {"realm": one.realm_id},
                )
            }
            writes = {
                (row.kind, row.operation): row.number for row in db.execute(text(_WRITES), {"realm": one.realm_id})
            }
        for heading, kind in _KINDS:
            table.add_row(
                heading,
                str(states.get((kind, LinkState.SYNCED), 0)),
                *(str(writes.get((kind, operation), 0)) for operation in ("create", "update", "void")),
                *(
                    str(states.get((kind, state), 0))
                    for state in (LinkState.SKIPPED, LinkState.FAILED, LinkState.WAITING)
                ),
            )
        console.print(table)
        _show_reasons(console, engine, one.realm_id)
        console.print(
            f"  {counted(made.reads, 'metered read')}, {counted(made.refused, 'call')} refused\n", style="dim"
        )


def _show_reasons(console: Console, engine: Engine, realm_id: str) -> None:
    with engine.connect() as db:
        skipped = db.execute(
            text(
                "SELECT reason, count(*) AS number FROM qbo_link WHERE realm_id = :realm"
                f" AND state IN ('{LinkState.SKIPPED}', '{LinkState.WITHDRAWN}')"
                " GROUP BY reason ORDER BY number DESC, reason"
            ),
            {"realm": realm_id},
        ).all()
        failures = db.execute(
            text(
                "SELECT min(message) AS message, min(remedy) AS remedy, count(*) AS number FROM qbo_failure"
                " WHERE realm_id = :realm AND closed_at IS NULL GROUP BY cause ORDER BY number DESC, message"
            ),
            {"realm": realm_id},
        ).all()
    for row in skipped:
        console.print(f"  skipped {row.number:>3}  {row.reason}", highlight=False)
    for row in failures:
        console.print(f"  failed  {row.number:>3}  {row.message}", style="yellow", highlight=False)
        console.print(f"               {row.remedy}", style="dim", highlight=False)


def show_differences(console: Console, found: Mapping[str, Sequence[str]]) -> None:
    """Print every difference between what the events say and what QuickBooks has."""
    for company, lines in found.items():
        for line in lines:
            console.print(f"  {company}: {line}", style="red", highlight=False)
