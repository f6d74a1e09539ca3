"""What the admin measures: its calls to Intuit, of which the metered ones count into the month's budget like the consumers'.

Each of gunicorn's workers writes to files that all of them read (`PROMETHEUS_MULTIPROC_DIR`, which `admin.serving` sets), so that
a scrape tells the same whichever worker answers it. In a site that sets no such directory the numbers are this process's own.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from django.conf import settings
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from sqlalchemy import text

from admin.dependencies import DatabaseWatch
from admin.quickbooks_online.runtime import engine
from qbo_client.calls import Call
from qbo_client.outcomes import Done, Outcome, status_of
from schemas.metric_declarations import DECLARATIONS, PREFIX, Declaration
from store import presence, quota

# A second series for every counter, which no dashboard of ours reads.
disable_created_metrics()  # type: ignore[no-untyped-call]

_REGISTRY = CollectorRegistry()
_DATABASE = DatabaseWatch(lambda: presence.ask(engine()))
_REGISTRY.register(_DATABASE)
_DECLARED = {declaration.name: declaration for declaration in DECLARATIONS}


def _named(name: str) -> tuple[Declaration, str, str, list[str]]:
    declared = _DECLARED[name]
    return declared, PREFIX + name, declared.help, [label for label, _ in declared.labels]


def _counter(name: str) -> Counter:
    _, full, words, labels = _named(name)
    return Counter(full, words, labels, registry=_REGISTRY)


def _histogram(name: str) -> Histogram:
    declared, full, words, labels = _named(name)
    return Histogram(full, words, labels, registry=_REGISTRY, buckets=tuple(declared.buckets))


def _build_info() -> Gauge:
    _, full, words, labels = _named("build_info")
    gauge = Gauge(full, words, labels, registry=_REGISTRY, multiprocess_mode="max")
    gauge.labels(version=version("kompass-qbo"), python=platform.python_version()).set(1)
    return gauge


_CALLS = _counter("qbo_calls")
_CALL_SECONDS = _histogram("qbo_call_seconds")
_REFRESHES = _counter("token_refreshes")
_LOGINS = _counter("admin_logins")
for _outcome in ("ok", "failed", "locked-out"):
    _LOGINS.labels(outcome=_outcome)
_BUILD = _build_info()


def observe_call(realm_id: str, call: Call, outcome: Outcome) -> None:
    """Count and time a call to a company; a metered one that succeeded counts into the month's budget."""
    with engine().begin() as db:
        if call.metered and isinstance(outcome, Done):
            quota.count_metered(db, 1)
        org_id = db.execute(
            text("SELECT org_id FROM qbo_configuration WHERE realm_id = :realm"), {"realm": realm_id}
        ).scalar()
    with_org = settings.QUICKBOOKS_ONLINE.get("METRICS_ORG_LABEL", "on") != "off"
    codes = sorted(getattr(outcome, "codes", ()))
    _CALLS.labels(
        operation=call.operation.value,
        entity=call.entity,
        status=status_of(outcome),
        fault=codes[0] if codes else "",
        metering="coreplus" if call.metered else "core",
        org=(org_id or "") if with_org else "",
    ).inc()
    _CALL_SECONDS.labels(operation=call.operation.value).observe(outcome.duration)


def observe_refresh(outcome: str) -> None:
    """Count a call to Intuit's token endpoint: ``refreshed``, ``refused``, ``unavailable`` or ``lost-race``."""
    _REFRESHES.labels(outcome=outcome).inc()


def observe_login(outcome: str) -> None:
    """Count a login: ``ok``, ``failed``, or ``locked-out``: the last of too many failed ones, and each after it."""
    _LOGINS.labels(outcome=outcome).inc()


def exposition() -> bytes:
    """What Prometheus scrapes."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(_REGISTRY)
    everybody = CollectorRegistry()
    MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]
    everybody.register(_DATABASE)
    return generate_latest(everybody)
