"""What an operator watches, counted in the database: links, failures, connections, the outbox, the metered budget.

Seven statements, each grouped by the server, so that a row comes back for each combination of labels and not for each record. The one
over the links reads the whole table; how often it may is for the caller to decide (`consumers.gauges`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from store import differences, quota, stretches
from store.tables import configuration, failure, outbox
from store.tables import connection as connection_table

# Intuit's rolling life of a refresh token, for one that was stored without its end.
_REFRESH_TOKEN_DAYS = 100


@dataclass(frozen=True, slots=True)
class LinkCount:
    """Links of one kind, state, cause (without what follows its colon) and Org."""

    kind: str
    state: str
    cause: str
    org_id: str
    count: int
    due: int
    due_age: float | None
    """Seconds since the longest-waiting of the due ones is due; None when none is."""
    age: float
    """Seconds since the oldest one's first failure, or since its event."""


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Open failures of one stage, cause, kind and Org (empty: of no Org)."""

    stage: str
    cause: str
    kind: str
    org_id: str
    count: int
    age: float
    """Seconds since the first of them failed."""


@dataclass(frozen=True, slots=True)
class ConnectionAge:
    org_id: str
    realm_id: str
    connected: bool
    token_age: float | None
    """Seconds since the refresh token was last used; None when it never was."""
    expires_in: float | None
    """Seconds until it ends; None when nobody said."""


@dataclass(frozen=True, slots=True)
class Gauges:
    links: tuple[LinkCount, ...]
    failures: tuple[FailureCount, ...]
    differences: tuple[tuple[str, str, int], ...]
    """(cause, Org, documents) that QuickBooks totals otherwise than Kompass."""
    connections: tuple[ConnectionAge, ...]
    gaps: tuple[tuple[str, int], ...]
    """(topic, records) that Kafka deleted before they were read, as far as it was found lately."""
    outbox_age: float
    """Seconds for which the oldest dead letter has waited to be produced; 0 when none waits."""
    metered: int
    """Successful metered calls of this calendar month (UTC), over all companies and processes."""


def read_gauges(db: Connection) -> Gauges:
    """Count everything, in one transaction."""
    return Gauges(
        links=_links(db),
        failures=_failures(db),
        differences=tuple(differences.counts(db)),
        connections=_connections(db),
        gaps=tuple(stretches.recent_gaps(db)),
        outbox_age=_outbox_age(db),
        metered=quota.metered_this_month(db),
    )


def _links(db: Connection) -> tuple[LinkCount, ...]:
    rows = db.execute(
        text(
            # A colon would be a parameter to SQLAlchemy.
            "SELECT kind, state, split_part(cause, chr(58), 1) AS cause, org_id, count(*) AS n,"
            " count(*) FILTER (WHERE due_at <= now()) AS due,"
            " extract(epoch FROM now() - min(coalesce(due_since, due_at)) FILTER (WHERE due_at <= now())) AS due_age,"
            " extract(epoch FROM now() - min(coalesce(first_failed_at, event_created_at, created_at))) AS age"
            " FROM qbo_link GROUP BY 1, 2, 3, 4"
        )
    )
    return tuple(
        LinkCount(
            kind=row.kind,
            state=row.state,
            cause=row.cause,
            org_id=row.org_id,
            count=row.n,
            due=row.due,
            due_age=None if row.due_age is None else max(float(row.due_age), 0.0),
            age=max(float(row.age), 0.0),
        )
        for row in rows
    )


def _failures(db: Connection) -> tuple[FailureCount, ...]:
    cause = func.split_part(failure.c.cause, ":", 1)
    rows = db.execute(
        select(
            failure.c.stage,
            cause.label("cause"),
            failure.c.kind,
            failure.c.org_id,
            func.count().label("n"),
            func.extract("epoch", func.now() - func.min(failure.c.first_failed_at)).label("age"),
        )
        .where(failure.c.closed_at.is_(None))
        .group_by(failure.c.stage, cause, failure.c.kind, failure.c.org_id)
    )
    return tuple(
        FailureCount(row.stage, row.cause, row.kind, row.org_id, row.n, max(float(row.age), 0.0)) for row in rows
    )


def _connections(db: Connection) -> tuple[ConnectionAge, ...]:
    rolling = func.coalesce(
        connection_table.c.refresh_expires_at,
        connection_table.c.refreshed_at + text(f"interval '{_REFRESH_TOKEN_DAYS} days'"),
    )
    rows = db.execute(
        select(
            configuration.c.org_id,
            connection_table.c.realm_id,
            (connection_table.c.state == "connected").label("connected"),
            func.extract("epoch", func.now() - connection_table.c.refreshed_at).label("token_age"),
            # least() passes over nulls: a grant without a hard limit ends when it was not used for too long.
            func.extract("epoch", func.least(rolling, connection_table.c.refresh_hard_expires_at) - func.now()).label(
                "expires_in"
            ),
        ).join_from(connection_table, configuration, configuration.c.id == connection_table.c.configuration_id)
    )
    return tuple(
        ConnectionAge(
            org_id=row.org_id,
            realm_id=row.realm_id,
            connected=row.connected,
            token_age=None if row.token_age is None else max(float(row.token_age), 0.0),
            expires_in=None if row.expires_in is None else float(row.expires_in),
        )
        for row in rows
    )


def _outbox_age(db: Connection) -> float:
    seconds = db.execute(select(func.extract("epoch", func.now() - func.min(outbox.c.created_at)))).scalar()
    return 0.0 if seconds is None else max(float(seconds), 0.0)
