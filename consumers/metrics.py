"""What this process measures: a registry of the declared metrics, and one line for each thing that is worth counting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.process_collector import ProcessCollector

from consumers.metric_declarations import DECLARATIONS, PREFIX
from qbo_client.calls import Call
from qbo_client.outcomes import Done, NotSent, Outcome, Unknown

if TYPE_CHECKING:
    from consumers.ingest.batch import BatchResult

_BY_NAME: Final = {declaration.name: declaration for declaration in DECLARATIONS}

# A second series for every counter, which no dashboard of ours reads.
disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The metrics of one process, in a registry of their own.

    ``metrics.count("events", kind="invoice", outcome="kept", org=org_id)``: a label that is left out is empty; a name or a
    label that is not declared is a KeyError or a ValueError, at the first use.
    """

    def __init__(self, *, org_label: bool = True) -> None:
        self.registry = CollectorRegistry()
        self.org_label = org_label
        # Named process_*, as everywhere.
        ProcessCollector(registry=self.registry)
        self._metrics: dict[str, MetricWrapperBase] = {}
        for declaration in DECLARATIONS:
            name, labels = PREFIX + declaration.name, [label for label, _ in declaration.labels]
            if declaration.kind == "counter":
                self._metrics[declaration.name] = Counter(name, declaration.help, labels, registry=self.registry)
            elif declaration.kind == "gauge":
                self._metrics[declaration.name] = Gauge(name, declaration.help, labels, registry=self.registry)
            else:
                self._metrics[declaration.name] = Histogram(
                    name, declaration.help, labels, registry=self.registry, buckets=tuple(declaration.buckets)
                )

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        metric = self._labelled(name, labels)
        assert isinstance(metric, Counter)
        metric.inc(amount)

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        metric = self._labelled(name, labels)
        assert isinstance(metric, Gauge)
        metric.set(value)

    def add(self, name: str, amount: float, **labels: str) -> None:
        """Move a gauge up or down."""
        metric = self._labelled(name, labels)
        assert isinstance(metric, Gauge)
        metric.inc(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Put a measurement into a histogram."""
        metric = self._labelled(name, labels)
        assert isinstance(metric, Histogram)
        metric.observe(value)

    def forget(self, name: str) -> None:
        """Drop every labelled value of a gauge: what is set anew from a query must not keep what the query lost."""
        self._metrics[name].clear()

    def remove(self, name: str, **labels: str) -> None:
        """Drop one labelled value of a gauge, such as the lag of a partition that another process has now."""
        metric = self._metrics[name]
        values = self._values(name, labels)
        metric.remove(*values)

    def _labelled(self, name: str, labels: dict[str, str]) -> MetricWrapperBase:
        metric = self._metrics[name]
        values = self._values(name, labels)
        return metric.labels(*values) if values else metric

    def _values(self, name: str, labels: dict[str, str]) -> list[str]:
        declared = [label for label, _ in _BY_NAME[name].labels]
        unknown = labels.keys() - set(declared)
        if unknown:
            raise ValueError(f"metric {name} has no label {sorted(unknown)[0]!r}; it has {declared}")
        values = []
        for label in declared:
            value = labels.get(label, "")
            if label == "org" and not self.org_label:
                value = ""
            elif label == "cause":
                value = value.partition(":")[0]
            values.append(value)
        return values


# --- This process

process: Metrics = Metrics()
"""The metrics of this process; what /metrics serves."""


def leave_out_orgs() -> None:
    """METRICS_ORG_LABEL=off: from now on the label ``org`` stays empty."""
    process.org_label = False


def ingested(kind: str, result: BatchResult) -> None:
    """A batch was made durable."""
    for outcome, number in (
        ("kept", result.newer),
        ("stale", result.stale),
        ("unconfigured", result.unconfigured),
        ("tombstone", result.tombstones),
    ):
        if number:
            process.count("events", number, kind=kind, outcome=outcome)
    for one in result.undecodable:
        process.count("events", kind=kind, outcome="undecodable", reason=one.cause)


def gap(kind: str, events: int) -> None:
    """Kafka had deleted events that were never read."""
    process.count("ingest_gaps", events, kind=kind)


def called(org_id: str, call: Call, outcome: Outcome) -> None:
    """A call to Intuit's Accounting API came to an end."""
    faults = getattr(outcome, "faults", ())
    process.count(
        "qbo_calls",
        operation=call.operation.value,
        entity=call.entity,
        status=_status(outcome),
        fault=faults[0].code if faults else "",
        metering="coreplus" if call.metered else "core",
        org=org_id,
    )
    process.observe("qbo_call_seconds", outcome.duration, operation=call.operation.value)


def _status(outcome: Outcome) -> str:
    if isinstance(outcome, Done):
        return "200"
    if isinstance(outcome, NotSent):
        return "not-sent"
    if isinstance(outcome, Unknown) and outcome.status is None:
        return "no-answer"
    return str(outcome.status)
