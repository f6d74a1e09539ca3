"""What the documents that a mail is about come to, by currency."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal

from sqlalchemy import Connection, text

from schemas.link_state import LinkState
from store.notices import UNTOLD


def of_causes(db: Connection, org_id: str, causes: Collection[str]) -> dict[str, dict[str, Decimal]]:
    """Sum by currency what the failed documents of each cause and those that wait behind them come to."""
    rows = db.execute(
        text(
            "WITH RECURSIVE behind(cause, id) AS ("
            " SELECT f.cause, f.link_id FROM qbo_failure f"
            f" WHERE f.org_id = :org AND f.cause = ANY(CAST(:causes AS text[])) AND f.link_id IS NOT NULL AND {UNTOLD}"
            " UNION SELECT behind.cause, l.id FROM behind JOIN qbo_link l ON l.depends_on = behind.id"
            f" AND l.state = '{LinkState.WAITING}'"
            ") SELECT behind.cause, r.body ->> 'currency' AS currency, sum(CAST(r.body ->> 'amount_gross' AS numeric)) AS total"
            " FROM behind JOIN qbo_link l ON l.id = behind.id JOIN qbo_record r USING (org_id, kind, kompass_id)"
            " WHERE l.kind = 'invoice' GROUP BY 1, 2 ORDER BY 3 DESC"
        ),
        {"org": org_id, "causes": sorted(causes)},
    )
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        found.setdefault(row.cause, {})[row.currency] = row.total
    return found


def cut_off(db: Connection, org_id: str) -> dict[str, Decimal]:
    """Sum by currency what waits because the Org's connection is lost."""
    rows = db.execute(
        text(
            "SELECT r.body ->> 'currency' AS currency, sum(CAST(r.body ->> 'amount_gross' AS numeric)) AS total"
            " FROM qbo_configuration c JOIN qbo_link l ON l.realm_id = c.realm_id AND l.org_id = c.org_id"
            " JOIN qbo_record r ON r.org_id = l.org_id AND r.kind = l.kind AND r.kompass_id = l.kompass_id"
            f" WHERE c.org_id = :org AND l.state = '{LinkState.WAITING}' AND l.cause = 'disconnected' AND l.kind = 'invoice'"
            " GROUP BY 1 ORDER BY 2 DESC"
        ),
        {"org": org_id},
    )
    return {row.currency: row.total for row in rows}
