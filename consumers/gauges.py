"""Fills the gauges that are read from the database, and counts metered calls into the month's budget.

One consumer process fills them for the whole installation; another takes over when it has stopped, or has not asked for three periods.
For a moment two may show them, so every expression in `deploy/` takes ``max without (instance, …)`` before it sums.
"""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from importlib.metadata import version

from sqlalchemy import Engine

from consumers.ingest.batch import UNSTORABLE
from consumers.ingest.group import topic_of
from consumers.waits import Wait
from mapping.cents import AUTOMATED, BY_DATE, BY_HAND, NET, RATE, ROUNDING
from schemas.errors import UndecodableEvent
from schemas.events import Kind
from schemas.link_state import LinkState
from schemas.metric_declarations import PREFIX
from store import gauges, quota
from store.engine import AWAY, retrying
from store.gauges import Gauges
from sync.metrics import Metrics

# Counting reads the table of links: it may take a twentieth of one connection's time, for a table of any size.
_SHARE = 20
_OPEN = 2.0
# Without a word for so many of them a process has stopped, or is stuck.
_PERIODS = 3

# Failed links are as old as their failures.
_AGED_STATES = (LinkState.WAITING, LinkState.RETRYING)

_UNDECODABLE = (*sorted(one.cause for one in UndecodableEvent.__subclasses__()), UNSTORABLE)

Labels = tuple[tuple[str, str], ...]
OpenBreakers = Callable[[], tuple[list[str], bool]]

_RECOVERIES = ("resent", "looked-up", "found", "abandoned", "asked", "tried", "resolved", "explained", "recreated")
# What a process may count, so that a first increment is seen as one: Prometheus sees no increase in a series that was not there.
_FROM_ZERO: Mapping[str, tuple[Mapping[str, str], ...]] = {
    "recoveries": tuple({"how": how} for how in _RECOVERIES),
    "fenced": tuple({"kind": kind.value} for kind in Kind),
    "ingest_rebalances": tuple({"what": what} for what in ("assigned", "revoked", "lost")),
    "dead_letters": tuple({"stage": stage} for stage in ("decode", "map", "push", "connect")),
    "quota_waits": tuple({"limit": limit} for limit in ("second", "minute", "in-flight", "throttled", "budget")),
    "differences_found": tuple(
        {"reason": cause.partition(":")[2]} for cause in (AUTOMATED, BY_HAND, NET, ROUNDING, BY_DATE, RATE)
    ),
    "token_refreshes": tuple({"outcome": outcome} for outcome in ("refreshed", "refused", "unavailable", "lost-race")),
}


class GaugeKeeper:
    """The gauges of one process, filled every ``period`` seconds (more seldom when counting takes long)."""

    def __init__(
        self,
        engine: Engine,
        metrics: Metrics,
        *,
        budget: int,
        period: float,
        retention: timedelta = timedelta(days=400),
        owner: str = "",
        open_breakers: OpenBreakers = lambda: ([], False),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._metrics = metrics
        self._budget = budget
        self._period = period
        self._retention = retention
        self._owner = owner
        self._open_breakers = open_breakers
        self._clock = clock
        self._wait = Wait("counting for the gauges")
        self._took = 0.0
        self._metered = 0
        self._shown: dict[str, set[Labels]] = {}

    def start_from_zero(self, kind: Kind) -> None:
        """Show what may be counted, before it is."""
        for name, series in _FROM_ZERO.items():
            for labels in series:
                self._metrics.count(name, 0, **labels)
        for outcome in ("kept", "stale", "tombstone", "unconfigured"):
            self._metrics.count("events", 0, kind=kind.value, outcome=outcome)
        for reason in _UNDECODABLE:
            self._metrics.count("events", 0, kind=kind.value, outcome="undecodable", reason=reason)
        self._metrics.set("build_info", 1, version=version("kompass-qbo"), python=platform.python_version())
        self._metrics.set("budget_limit_calls", self._budget)

    def run(self, stopping: threading.Event) -> None:
        """Fill them until stopped, and once more at the end for the calls that were made since."""
        while True:
            started = self._clock()
            last = stopping.is_set()
            try:
                if self._keeps():
                    self.fill()
                else:
                    self.fill_own()
                if last:
                    retrying(self._engine, lambda db: gauges.leave(db, self._owner))
                # Not a beat of /livez: gauges that stand still are no reason to restart a process that works.
                self._metrics.set("loop_last_turn_timestamp_seconds", time.time(), loop="gauges")
                self._wait.over()
            except AWAY as error:
                self._wait.goes_on(error)
                self.withdraw()
            if last:
                return
            self._took = self._clock() - started
            stopping.wait(max(self._period, self._took * _SHARE))

    def _keeps(self) -> bool:
        # Counting may take longer than a period: then the next turn is later, too.
        seconds = max(self._period, self._took * _SHARE) * _PERIODS
        return retrying(self._engine, lambda db: gauges.keep(db, self._owner, seconds=seconds))

    def fill_own(self) -> None:
        """Show what this process alone knows, and nothing of what another counts for all."""
        self._count_metered()
        for name in self._shown:
            self._show(name, [], max)
        self._breakers()

    def withdraw(self) -> None:
        """Drop what was read from the database: nobody knows whether it still is so, and `dependency_up` says why."""
        for name in self._shown:
            self._metrics.forget(name)
        self._shown.clear()

    def fill(self) -> None:
        """Fill them once."""
        self._count_metered()
        with self._engine.begin() as db:
            found = gauges.read_gauges(db)
        self._links(found)
        self._failures(found)
        self._differences(found)
        self._connections(found)
        self._show("ingest_gap_events", _gaps(found), sum)
        self._show("outbox_oldest_age_seconds", [({}, found.outbox_age)], max)
        self._show("budget_remaining_calls", [({}, max(self._budget - found.metered, 0))], max)
        self._breakers()
        overdue = max(found.history_age - self._retention.total_seconds(), 0.0)
        self._show("tidy_overdue_seconds", [({}, overdue)], max)
        self._metrics.set("budget_limit_calls", self._budget)

    def _count_metered(self) -> None:
        """Carry the metered calls that this process has counted into the month's; one that dies loses a period's at most."""
        total = sum(
            int(sample.value)
            for family in self._metrics.registry.collect()
            if family.name == f"{PREFIX}qbo_calls"
            for sample in family.samples
            if sample.name.endswith("_total")
            and sample.labels["metering"] == "coreplus"
            # Intuit counts those that succeeded.
            and sample.labels["status"] == "200"
        )
        new = total - self._metered
        if new > 0:
            retrying(self._engine, lambda db: quota.count_metered(db, new))
            self._metered = total

    def _links(self, found: Gauges) -> None:
        self._show(
            "links",
            (
                (_labels(kind=one.kind, state=one.state, cause=one.cause, org=one.org_id), one.count)
                for one in found.links
            ),
            sum,
        )
        # Every kind, so that the sum over the due is zero and not absent when nothing is due.
        none_due = [(_labels(kind=kind.value, org=""), 0.0) for kind in Kind]
        due = [(_labels(kind=one.kind, org=one.org_id), float(one.due)) for one in found.links if one.due]
        self._show("links_due", [*none_due, *due], sum)
        ages = [(_labels(kind=kind.value, state="due", cause="", org=""), 0.0) for kind in Kind]
        for one in found.links:
            if one.due_age is not None:
                ages.append((_labels(kind=one.kind, state="due", cause="", org=one.org_id), one.due_age))
            if one.state in _AGED_STATES:
                ages.append((_labels(kind=one.kind, state=one.state, cause=one.cause, org=one.org_id), one.age))
        for failure in found.failures:
            if failure.kind and failure.stage in ("map", "push"):
                labels = _labels(kind=failure.kind, state=LinkState.FAILED, cause=failure.cause, org=failure.org_id)
                ages.append((labels, failure.age))
        self._show("link_oldest_age_seconds", ages, max)

    def _failures(self, found: Gauges) -> None:
        none_open = [(_labels(stage=stage, cause="", org=""), 0.0) for stage in ("decode", "map", "push", "connect")]
        failures = [
            (_labels(stage=one.stage, cause=one.cause, org=one.org_id), float(one.count)) for one in found.failures
        ]
        self._show("failures_open", [*none_open, *failures], sum)

    def _differences(self, found: Gauges) -> None:
        none_open = [(_labels(reason="", org=""), 0.0)]
        counted = [
            (_labels(reason=cause.partition(":")[2], org=org), float(count)) for cause, org, count in found.differences
        ]
        self._show("differences_open", [*none_open, *counted], sum)

    def _connections(self, found: Gauges) -> None:
        self._show("connection_up", ((_labels(org=one.org_id), float(one.connected)) for one in found.connections), min)
        self._show(
            "token_age_seconds",
            ((_labels(org=one.org_id), one.token_age) for one in found.connections if one.token_age is not None),
            max,
        )
        self._show(
            "token_expires_in_seconds",
            ((_labels(org=one.org_id), one.expires_in) for one in found.connections if one.expires_in is not None),
            min,
        )

    def _breakers(self) -> None:
        realms, intuit = self._open_breakers()
        of_realm: dict[str, str] = {}
        if realms:
            with self._engine.begin() as db:
                of_realm = gauges.orgs_of(db, realms)
        breakers = [(_labels(scope="intuit", org=""), _OPEN if intuit else 0.0)]
        breakers += [(_labels(scope="company", org=of_realm.get(realm, "")), _OPEN) for realm in realms]
        self._show("breaker_state", breakers, max)

    def _show(
        self,
        name: str,
        values: Iterable[tuple[dict[str, str], float]],
        fold: Callable[[Iterable[float]], float],
    ) -> None:
        """Set a gauge's values, and drop those that are no more; what falls together without the Org is folded."""
        together: dict[Labels, list[float]] = {}
        for labels, value in values:
            if "org" in labels and not self._metrics.org_label:
                labels = {**labels, "org": ""}
            together.setdefault(tuple(sorted(labels.items())), []).append(value)
        for key, several in together.items():
            self._metrics.set(name, fold(several), **dict(key))
        for key in self._shown.get(name, set()) - together.keys():
            self._metrics.remove(name, **dict(key))
        self._shown[name] = set(together)


def _gaps(found: Gauges) -> list[tuple[dict[str, str], float]]:
    # A zero for each topic, so that the first gap is a change.
    none_missing = [(_labels(topic=topic_of(kind)), 0.0) for kind in Kind]
    return [*none_missing, *((_labels(topic=topic), float(count)) for topic, count in found.gaps)]


def _labels(**labels: str) -> dict[str, str]:
    return labels
