"""What an operator watches, counted in the database: links, failures, connections, the outbox, the metered budget.

Seven statements, each grouped by the server, so that a row comes back for each combination of labels and not for each record. The one
over the links reads the whole table; how often it may is for the caller to decide (`consumers.gauges`).

An Org has something to say when one of its links is not at rest or was synced within a day, and its connection when it is not
connected, was used within the hour or ends within a month. All others are counted together, under an empty Org: of 100,000 Orgs most
are idle.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, text

from store import differences, quota, stretches
from store.tables import configuration, failure, history, outbox
from store.tidying import DETAIL

_AT_REST = "'synced', 'skipped', 'withdrawn'"

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
    """One connection; with an empty Org the worst of all that have nothing to say."""

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
    history_age: float
    """Seconds since the oldest decision in the history; 0 without any."""
    metered: int
    """Successful metered calls of this calendar month (UTC), over all companies and processes."""


def keep(db: Connection, owner: str, *, seconds: float) -> bool:
    """Whether this process is the one that counts for all, now and for so long; another takes over when it has not asked for as long."""
    taken = db.execute(
        text(
            "INSERT INTO qbo_gauge_keeper (id, owner, until) VALUES (1, :owner, now() + make_interval(secs => :seconds))"
            " ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, until = excluded.until"
            " WHERE qbo_gauge_keeper.owner = excluded.owner OR qbo_gauge_keeper.until < now() RETURNING owner"
        ),
        {"owner": owner, "seconds": seconds},
    )
    return taken.first() is not None


def leave(db: Connection, owner: str) -> None:
    """Let another process count at once."""
    db.execute(text("DELETE FROM qbo_gauge_keeper WHERE owner = :owner"), {"owner": owner})


def orgs_of(db: Connection, realm_ids: Collection[str]) -> dict[str, str]:
    """Give realm → Org."""
    rows = db.execute(
        select(configuration.c.realm_id, configuration.c.org_id).where(configuration.c.realm_id.in_(realm_ids))
    )
    return {row.realm_id: row.org_id for row in rows}


def read_gauges(db: Connection) -> Gauges:
    """Count everything, in one transaction."""
    return Gauges(
        links=_links(db),
        failures=_failures(db),
        differences=tuple(differences.counts(db)),
        connections=_connections(db),
        gaps=tuple(stretches.recent_gaps(db)),
        outbox_age=_outbox_age(db),
        history_age=_history_age(db),
        metered=quota.metered_this_month(db),
    )


def _links(db: Connection) -> tuple[LinkCount, ...]:
    rows = db.execute(
        text(
            # A colon would be a parameter to SQLAlchemy.
            "WITH counted AS (SELECT kind, state, split_part(cause, chr(58), 1) AS cause, org_id, count(*) AS n,"
            " count(*) FILTER (WHERE due_at <= now()) AS due, max(synced_at) AS synced_at,"
            " min(coalesce(due_since, due_at)) FILTER (WHERE due_at <= now()) AS due_since,"
            " min(coalesce(first_failed_at, event_created_at, created_at)) AS since FROM qbo_link GROUP BY 1, 2, 3, 4),"
            " speaking AS (SELECT org_id FROM counted GROUP BY org_id HAVING max(synced_at) > now() - interval '1 day'"
            f" OR bool_or(due > 0 OR state NOT IN ({_AT_REST})))"
            " SELECT kind, state, cause, coalesce(s.org_id, '') AS org_id, CAST(sum(n) AS bigint) AS n, CAST(sum(due) AS bigint) AS due,"
            " extract(epoch FROM now() - min(due_since)) AS due_age, extract(epoch FROM now() - min(since)) AS age"
            " FROM counted LEFT JOIN speaking s USING (org_id) GROUP BY 1, 2, 3, 4"
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
    # least() passes over nulls: a grant without a hard limit ends when it was not used for too long.
    rows = db.execute(
        text(
            "WITH one AS (SELECT f.org_id, c.realm_id, c.state = 'connected' AS connected, c.refreshed_at,"
            " least(coalesce(c.refresh_expires_at, c.refreshed_at + make_interval(days => :days)),"
            " c.refresh_hard_expires_at) AS ends_at FROM qbo_connection c JOIN qbo_configuration f ON f.id = c.configuration_id),"
            " known AS (SELECT *, NOT connected OR refreshed_at > now() - interval '1 hour'"
            " OR coalesce(ends_at < now() + interval '30 days', false) AS speaks FROM one)"
            " SELECT CASE WHEN speaks THEN org_id ELSE '' END AS org_id, CASE WHEN speaks THEN realm_id ELSE '' END AS realm_id,"
            " bool_and(connected) AS connected, extract(epoch FROM now() - min(refreshed_at)) AS token_age,"
            " extract(epoch FROM min(ends_at) - now()) AS expires_in FROM known GROUP BY 1, 2"
        ),
        {"days": _REFRESH_TOKEN_DAYS},
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


def _history_age(db: Connection) -> float:
    oldest = select(func.extract("epoch", func.now() - func.min(history.c.at))).where(text(DETAIL))
    seconds = db.execute(oldest).scalar()
    return 0.0 if seconds is None else max(float(seconds), 0.0)
