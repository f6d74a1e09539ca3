"""Every Prometheus metric of every process, declared once. `docs/metrics.md` is made from here: ``python -m schemas.metric_declarations``.

The one label whose values grow with the customers is ``org``; ``METRICS_ORG_LABEL=off`` leaves it empty everywhere. Causes
carry what they are about after a colon (``no-tax-code:VAT-21``); the label has only what stands before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

PREFIX: Final = "kompass_qbo_"

_LATENCY_S: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0)
_CALL_S: Final = (0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 15.0, 30.0, 60.0, 125.0)
_WAIT_S: Final = (0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One metric: its name without prefix and unit suffix rules applied, what it says, and its labels' meanings."""

    kind: Literal["counter", "gauge", "histogram"]
    name: str
    help: str
    labels: Sequence[tuple[str, str]] = ()
    buckets: Sequence[float] = ()
    measured: bool = False
    """A gauge without labels that is NaN until it is measured: a zero would be an answer."""

    @property
    def exposed(self) -> str:
        """The name under which Prometheus knows it."""
        return PREFIX + self.name + ("_total" if self.kind == "counter" else "")


_ORG: Final = ("org", "Kompass Org id; empty when METRICS_ORG_LABEL is off")
_KIND: Final = ("kind", "client, project or invoice")
_CAUSE: Final = ("cause", "stable code, without what follows its colon")
_REASON: Final = ("reason", "tax-rounding, tax-rate-by-date, tax-rate, automated-tax, edited-in-qbo or net")

DECLARATIONS: Final[tuple[Declaration, ...]] = (
    # --- Ingest
    Declaration(
        "counter",
        "events",
        "Events read from Kafka, by what became of them.",
        (
            _KIND,
            ("outcome", "kept, stale (repeats too), tombstone, unconfigured or undecodable"),
            ("reason", "of an undecodable one: garbage, truncated, unknown-schema, …; else empty"),
        ),
    ),
    Declaration(
        "gauge",
        "ingest_lag_events",
        "Events in Kafka that this process has yet to make durable, over its assigned partitions.",
        (("topic", "Kafka topic"), ("partition", "Kafka partition")),
    ),
    Declaration(
        "gauge",
        "ingest_stalled_seconds",
        "For how long a partition with events to read has not moved, while others may.",
        (("topic", "Kafka topic"), ("partition", "Kafka partition")),
    ),
    Declaration("gauge", "ingest_last_commit_timestamp_seconds", "When offsets were last committed.", (_KIND,)),
    Declaration("gauge", "ingest_assigned_partitions", "Partitions assigned to this process.", (_KIND,)),
    Declaration(
        "counter", "ingest_rebalances", "Times that partitions came or went.", (("what", "assigned, revoked or lost"),)
    ),
    Declaration(
        "gauge",
        "ingest_gap_events",
        "Events that Kafka had deleted before they were read, of the gaps found in the last hour (retention shorter than the outage).",
        (("topic", "Kafka topic"),),
    ),
    Declaration("histogram", "ingest_batch_seconds", "One batch, from decoding to commit.", (_KIND,), _WAIT_S),
    # --- Links
    Declaration(
        "gauge",
        "links",
        "Things that companies should have in QuickBooks, by state.",
        (
            _KIND,
            ("state", "pending, synced, skipped, waiting, retrying, failed or withdrawn"),
            _CAUSE,
            _ORG,
        ),
    ),
    Declaration("gauge", "links_due", "Links with something to do now.", (_KIND, _ORG)),
    Declaration(
        "gauge",
        "link_oldest_age_seconds",
        "Age of the oldest link in that state: since it is due, since it first failed, else since its event.",
        (_KIND, ("state", "due, waiting, retrying or failed"), _CAUSE, _ORG),
    ),
    Declaration(
        "counter",
        "decisions",
        "What was decided of a claimed link.",
        (_KIND, ("decision", "create, update, void, nothing, skip, wait, retry, fail, withdraw"), _CAUSE, _ORG),
    ),
    Declaration(
        "histogram",
        "push_latency_seconds",
        "From the event's creation in Kompass until QuickBooks had its state.",
        (_KIND,),
        _LATENCY_S,
    ),
    Declaration(
        "counter",
        "recoveries",
        "What was recovered from: attempts without an owner or an answer, and causes that were fixed in QuickBooks.",
        (
            (
                "how",
                "an attempt: `resent`, `looked-up`, `found` (QuickBooks had it), `abandoned` (it had made nothing), "
                "`asked` (a person decides); a cause: `tried` (the daily retry of one record), `resolved` (the retry went through), "
                "`explained` (read once to say whose or what it is), `recreated` (it was deleted in QuickBooks)",
            ),
        ),
    ),
    Declaration("counter", "fenced", "Settlements refused because another process had moved on.", (_KIND,)),
    Declaration("gauge", "workers_busy", "Workers in a call or a transaction.", ()),
    # --- Calls to Intuit
    Declaration(
        "counter",
        "qbo_calls",
        "Calls to Intuit's Accounting API.",
        (
            ("operation", "create, update, void, delete, read, query or batch"),
            ("entity", "Customer, Invoice, CreditMemo, …; empty for a query"),
            ("status", "HTTP status; timeout when no answer came, network when nothing was sent"),
            ("fault", "Intuit's fault code; empty when there was none"),
            ("metering", "core (free) or coreplus (counted against the monthly budget)"),
            _ORG,
        ),
    ),
    Declaration(
        "histogram",
        "qbo_call_seconds",
        "Duration of calls to Intuit's Accounting API.",
        (("operation", "create, update, void, delete, read, query or batch"),),
        _CALL_S,
    ),
    Declaration("gauge", "qbo_calls_in_flight", "Calls to Intuit that this process waits for.", ()),
    Declaration(
        "gauge",
        "budget_remaining_calls",
        "Metered (CorePlus) calls left this month, over all companies.",
        measured=True,
    ),
    Declaration(
        "gauge", "budget_limit_calls", "Metered (CorePlus) calls that Intuit allows in a month.", measured=True
    ),
    Declaration(
        "counter",
        "quota_waits",
        "Times that a company's work was put off because its share of Intuit's limits was used up.",
        (("limit", "second, minute, in-flight, throttled or budget"), _ORG),
    ),
    Declaration(
        "histogram", "quota_wait_seconds", "How long such work was put off.", (("limit", "as above"),), _WAIT_S
    ),
    Declaration(
        "gauge",
        "breaker_state",
        "Circuit breakers: 0 closed, 1 half open, 2 open.",
        (("scope", "intuit, or company"), _ORG),
    ),
    # --- Connections
    Declaration(
        "gauge",
        "connection_up",
        "1 while Intuit takes our grant for the Org's company, 0 when it is disconnected.",
        (_ORG,),
    ),
    Declaration("gauge", "token_age_seconds", "Age of the refresh token: since it was last used or renewed.", (_ORG,)),
    Declaration(
        "gauge",
        "token_expires_in_seconds",
        "Until the refresh token ends: the rolling 100 days or the grant's hard limit, whichever comes first.",
        (_ORG,),
    ),
    Declaration(
        "counter",
        "token_refreshes",
        "Calls to Intuit's token endpoint.",
        (("outcome", "refreshed, refused, unavailable or lost-race"),),
    ),
    # --- Failures
    Declaration(
        "gauge",
        "failures_open",
        "Failures that wait for a person.",
        (("stage", "decode, map, push or connect"), _CAUSE, _ORG),
    ),
    Declaration(
        "gauge",
        "differences_open",
        "Documents that QuickBooks totals otherwise than Kompass, by the probable reason.",
        (_REASON, _ORG),
    ),
    Declaration(
        "counter",
        "differences_found",
        "Pushes after which QuickBooks' total was another than Kompass's.",
        (_REASON, _ORG),
    ),
    Declaration(
        "counter",
        "dead_letters",
        "Dead letters acknowledged by the broker.",
        (("stage", "decode, map, push or connect"),),
    ),
    Declaration("gauge", "outbox_oldest_age_seconds", "Age of the oldest dead letter not yet produced.", measured=True),
    Declaration("counter", "mails", "Mails handed to the mail server.", (("outcome", "sent or failed"), _ORG)),
    Declaration("gauge", "notifier_last_run_timestamp_seconds", "When the notifier last looked.", ()),
    Declaration(
        "gauge",
        "tidy_overdue_seconds",
        "By how much the oldest history is older than KOMPASS_QBO_RETENTION_DAYS; 0 while tidy runs.",
        (),
    ),
    # --- The admin site
    Declaration(
        "counter",
        "admin_logins",
        "Logins of the admin site.",
        (("outcome", "ok, failed, or locked-out: the last of too many failed ones, and each after it"),),
    ),
    # --- The process
    Declaration(
        "gauge",
        "dependency_up",
        "1 while a part that this process depends on is there, 0 while it is away or something waits for it.",
        (("what", "database, broker, registry, intuit or smtp"),),
    ),
    Declaration(
        "gauge",
        "clock_offset_seconds",
        "How far the database's clock is ahead of this machine's; NaN while unknown.",
        measured=True,
    ),
    Declaration(
        "gauge", "loop_last_turn_timestamp_seconds", "When a loop of this process last turned.", (("loop", "its name"),)
    ),
    Declaration("gauge", "build_info", "Always 1.", (("version", "of kompass-qbo"), ("python", "its version"))),
)


def documentation() -> str:
    """The text of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "Every process serves these under `/metrics` at `METRICS_PORT`, the consumers and the notifier besides Prometheus's usual",
        "`process_*`; the admin has the calls to Intuit, the token refreshes, the logins, the database and the build.",
        "This page is made from `schemas/metric_declarations.py` by `python -m schemas.metric_declarations`.",
        "",
        "No label has unbounded values but `org`; `METRICS_ORG_LABEL=off` leaves it empty.",
        "",
        "| metric | type | what it says | labels |",
        "|---|---|---|---|",
    ]
    for declaration in DECLARATIONS:
        labels = "<br>".join(f"`{name}`: {meaning}" for name, meaning in declaration.labels) or "-"
        lines.append(f"| `{declaration.exposed}` | {declaration.kind} | {declaration.help} | {labels} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(documentation(), end="")
