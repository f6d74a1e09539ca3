"""What a call to Intuit leaves behind for the operator: metrics, and one log line with its ids."""

from __future__ import annotations

import logging

from qbo_client.calls import Call
from qbo_client.outcomes import Outcome, status_of
from sync.metrics import Metrics

log = logging.getLogger(__name__)


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
