"""How many records a cause concerns of which people are notified, and what their documents come to."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from schemas.link_state import LinkState
from store.notices import UNTOLD


@dataclass(frozen=True, slots=True)
class Concerned:
    own: dict[str, int] = field(default_factory=dict)
    """The records that failed or wait, by kind."""
    behind: dict[str, int] = field(default_factory=dict)
    """Those that wait behind them, however many steps behind, by kind."""
    amounts: dict[str, Decimal] = field(default_factory=dict)
    """What the documents of both come to, by currency, the largest first."""


def of_causes(db: Connection, org_id: str, causes: Collection[str]) -> dict[str, Concerned]:
    """Give what the failures of each cause concern of which nobody was notified."""
    rows = db.execute(
        text(
            "WITH RECURSIVE failed AS ("
            " SELECT f.cause, f.kind, f.link_id FROM qbo_failure f"
            f" WHERE f.org_id = :org AND f.cause = ANY(CAST(:causes AS text[])) AND {UNTOLD}"
            "), behind(cause, kind, link_id) AS ("
            " SELECT failed.cause, l.kind, l.id FROM failed JOIN qbo_link l ON l.depends_on = failed.link_id"
            f" AND l.state = '{LinkState.WAITING}'"
            " UNION SELECT behind.cause, l.kind, l.id FROM behind JOIN qbo_link l ON l.depends_on = behind.link_id"
            f" AND l.state = '{LinkState.WAITING}'"
            "), concerned AS (SELECT *, false AS behind FROM failed UNION ALL SELECT *, true FROM behind)"
            f" SELECT c.cause, c.behind, c.kind, {_SUMMED} FROM concerned c LEFT JOIN qbo_link l ON l.id = c.link_id"
            f" {_DOCUMENTS} GROUP BY 1, 2, 3, 4"
        ),
        {"org": org_id, "causes": sorted(causes)},
    ).all()
    return {cause: _concerned(row for row in rows if row.cause == cause) for cause in causes}


def cut_off(db: Connection, org_id: str) -> Concerned:
    """Give what waits because the Org's connection is lost."""
    return _concerned(
        db.execute(
            text(
                f"SELECT false AS behind, l.kind, {_SUMMED}"
                " FROM qbo_configuration c JOIN qbo_link l ON l.realm_id = c.realm_id AND l.org_id = c.org_id"
                f" {_DOCUMENTS}"
                f" WHERE c.org_id = :org AND l.state = '{LinkState.WAITING}' AND l.cause = 'disconnected' GROUP BY 2, 3"
            ),
            {"org": org_id},
        )
    )


_SUMMED = (
    "r.body ->> 'currency' AS currency, count(*) AS number, sum(CAST(r.body ->> 'amount_gross' AS numeric)) AS total"
)
_DOCUMENTS = "LEFT JOIN qbo_record r ON l.kind = 'invoice' AND r.org_id = l.org_id AND r.kind = l.kind AND r.kompass_id = l.kompass_id"


def _concerned(rows: Iterable[Any]) -> Concerned:
    found, amounts = Concerned(), dict[str, Decimal]()
    for row in rows:
        counts = found.behind if row.behind else found.own
        counts[row.kind] = counts.get(row.kind, 0) + row.number
        if row.currency is not None:
            amounts[row.currency] = amounts.get(row.currency, Decimal(0)) + row.total
    found.amounts.update(sorted(amounts.items(), key=lambda one: -one[1]))
    return found
