"""What a process measures: the declared metrics in a registry of their own, and what each call to Intuit leaves in them and in the log."""

from __future__ import annotations

import logging
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.process_collector import ProcessCollector

from qbo_client.calls import Call
from qbo_client.outcomes import Outcome, status_of
from schemas.metric_declarations import DECLARATIONS, PREFIX

log = logging.getLogger(__name__)

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

        for declaration in DECLARATIONS:
            if declaration.measured:
                self.forget(declaration.name)

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
        """Drop every value of a gauge: what is not known any more is not shown. One without labels becomes NaN, which no alert meets."""
        if _BY_NAME[name].labels:
            self._metrics[name].clear()
        else:
            self.set(name, float("nan"))

    def remove(self, name: str, **labels: str) -> None:
        """Drop one labelled value of a gauge, such as the lag of a partition that another process has now."""
        metric = self._metrics[name]
        values = self._values(name, labels)
        if values:
            metric.remove(*values)
        else:
            # A gauge without labels is always shown; NaN meets no alert.
            self.set(name, float("nan"))

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


def observe_call(metrics: Metrics, org_id: str, call: Call, outcome: Outcome, *, about: str = "") -> None:
    """Count and time a call, and log it in one line."""
    codes = sorted(getattr(outcome, "codes", ()))
    status = status_of(outcome)
    metrics.count(
        "qbo_calls",
        operation=call.operation.value,
        entity=call.entity,
        status=status,
        fault=codes[0] if codes else "",
        metering="coreplus" if call.metered else "core",
        org=org_id,
    )
    metrics.observe("qbo_call_seconds", outcome.duration, operation=call.operation.value)
    log.info(
        "%s %s %s: %s",
        call.operation.value,
        call.entity or "query",
        about,
        type(outcome).__name__,
        extra={
            "org": org_id,
            "operation": call.operation.value,
            "entity": call.entity,
            "record": about,
            "status": status,
            "faults": codes,
            "request_id": call.request_id,
            "intuit_tid": getattr(outcome, "intuit_tid", None),
            "seconds": round(outcome.duration, 3),
        },
    )
