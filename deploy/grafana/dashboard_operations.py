"""What the operator sees first: is everything on its way, and what stands in the way."""

from __future__ import annotations

from typing import Final

from panels import Dashboard, K, Panel, Row, stat, stat_below

OPERATIONS: Final = Dashboard(
    uid="kompass-qbo-operations",
    title="Kompass → QuickBooks: operations",
    says="Is everything that changed in Kompass on its way, and if not, what stands in the way.",
    rows=(
        Row(
            "Now",
            (
                stat(
                    "Due",
                    "Links with something to do now.",
                    f"sum(max by (kind, org) ({K}links_due))",
                    red_from=5000,
                ),
                stat(
                    "Oldest due",
                    "How long the longest-waiting link has been due. Runbook: oldest-due.",
                    f'max({K}link_oldest_age_seconds{{state="due"}})',
                    unit="s",
                    red_from=900,
                ),
                stat(
                    "Open failures",
                    "Records that wait for somebody. Grouped by cause below.",
                    f"sum(max by (stage, cause, org) ({K}failures_open))",
                ),
                stat(
                    "Disconnected",
                    "Orgs whose grant Intuit does not take. Runbook: disconnected.",
                    f"sum(1 - min by (org) ({K}connection_up))",
                    red_from=1,
                ),
                stat(
                    "Intuit's breaker",
                    "0 closed, 2 open: Intuit as a whole does not answer. Runbook: breaker-open.",
                    f'max({K}breaker_state{{scope="intuit"}})',
                    red_from=1,
                ),
                stat_below(
                    "Processes",
                    "Processes that answer their scrapes.",
                    'sum(up{job=~".*kompass-qbo.*"})',
                    unit="short",
                    red_below=4,
                ),
            ),
        ),
        Row(
            "Ingest",
            (
                Panel(
                    "Events by outcome",
                    "What became of the events read from Kafka. Stale ones are repeats and late ones: harmless.",
                    [(f"sum by (kind, outcome) (rate({K}events_total[$__rate_interval]))", "{{kind}} {{outcome}}")],
                    "cps",
                ),
                Panel(
                    "Lag",
                    "Events in Kafka that are not durable with us yet. Runbooks: ingest-lag, ingest-stuck.",
                    [(f"sum by (topic) ({K}ingest_lag_events)", "{{topic}}")],
                ),
                Panel(
                    "Partitions and rebalances",
                    "Partitions that processes have; each rebalance pauses ingest for a moment.",
                    [
                        (f"sum by (kind) ({K}ingest_assigned_partitions)", "{{kind}} assigned"),
                        (f"sum by (what) (increase({K}ingest_rebalances_total[$__rate_interval]))", "{{what}}"),
                    ],
                ),
                Panel(
                    "Batch duration, 95 %",
                    "From the first byte decoded to the commit in Postgres.",
                    [
                        (
                            "histogram_quantile(0.95, sum by (kind, le)"
                            f" (rate({K}ingest_batch_seconds_bucket[$__rate_interval])))",
                            "{{kind}}",
                        )
                    ],
                    "s",
                ),
                Panel(
                    "Since the last commit of offsets",
                    "Grows while nothing arrives; with a lag beside it, ingest stands still.",
                    [(f"time() - max by (kind) ({K}ingest_last_commit_timestamp_seconds)", "{{kind}}")],
                    "s",
                ),
                Panel(
                    "Forgotten by Kafka",
                    "Events that the topic's retention deleted before they were read. Runbook: events-forgotten.",
                    [(f"max by (topic) ({K}ingest_gap_events)", "{{topic}}")],
                ),
                Panel(
                    "Parts that are there",
                    "0: the part is away, or something waits for it. Runbooks: database-away, broker-away, registry-away, breaker-open.",
                    [(f"min by (what) ({K}dependency_up)", "{{what}}")],
                ),
                Panel(
                    "Clocks",
                    "How far the database's clock is ahead of each process's. Runbook: clock-off.",
                    [(f"max by (instance) ({K}clock_offset_seconds)", "{{instance}}")],
                    "s",
                ),
            ),
        ),
        Row(
            "Links",
            (
                Panel(
                    "By state",
                    "Everything that companies should have in QuickBooks.",
                    [(f"sum by (state) (max by (kind, state, cause, org) ({K}links))", "{{state}}")],
                    stacked=True,
                ),
                Panel(
                    "Not in QuickBooks, by cause",
                    "Retrying ones are sent again later, waiting ones when what they wait for ends, failed ones when a person acts.",
                    [
                        (
                            "sum by (state, cause) (max by (kind, state, cause, org)"
                            f' ({K}links{{state=~"retrying|waiting|failed|withdrawn"}}))',
                            "{{state}}: {{cause}}",
                        )
                    ],
                ),
                Panel(
                    "Oldest, by state",
                    "Due ones since they are due, failed and retrying ones since they first failed, waiting ones since their event.",
                    [(f"max by (kind, state) ({K}link_oldest_age_seconds)", "{{kind}} {{state}}")],
                    "s",
                ),
                Panel(
                    "Differ to the cent",
                    "Documents that QuickBooks totals otherwise than Kompass, by the probable reason. Nothing waits for them.",
                    [
                        (f"sum by (reason) (max by (reason, org) ({K}differences_open))", "{{reason}}"),
                        (
                            f"sum by (reason) (increase({K}differences_found_total[$__rate_interval]))",
                            "found: {{reason}}",
                        ),
                    ],
                ),
                Panel(
                    "Decisions",
                    "What was decided of the links that were claimed.",
                    [(f"sum by (decision) (rate({K}decisions_total[$__rate_interval]))", "{{decision}}")],
                    "cps",
                ),
                Panel(
                    "From Kompass to QuickBooks",
                    "From the event's creation until its state stood in QuickBooks. Runbook: push-latency.",
                    [
                        (
                            f"histogram_quantile({quantile}, sum by (kind, le)"
                            f" (rate({K}push_latency_seconds_bucket[$__rate_interval])))",
                            f"{{{{kind}}}} {name}",
                        )
                        for quantile, name in ((0.5, "half"), (0.95, "95 %"), (0.99, "99 %"))
                    ],
                    "s",
                ),
                Panel(
                    "Recovered and fenced",
                    "Calls whose process died and daily retries, by what was done; settlements refused as another process had taken over.",
                    [
                        (f"sum by (how) (increase({K}recoveries_total[$__rate_interval]))", "{{how}}"),
                        (f"sum(increase({K}fenced_total[$__rate_interval]))", "fenced"),
                    ],
                ),
            ),
        ),
        Row(
            "Calls to Intuit",
            (
                Panel(
                    "Calls",
                    "By operation.",
                    [(f"sum by (operation) (rate({K}qbo_calls_total[$__rate_interval]))", "{{operation}}")],
                    "cps",
                    stacked=True,
                ),
                Panel(
                    "By status",
                    "timeout: no answer came; network: nothing was sent. Runbook: calls-failing.",
                    [(f"sum by (status) (rate({K}qbo_calls_total[$__rate_interval]))", "{{status}}")],
                    "cps",
                ),
                Panel(
                    "Faults",
                    "Intuit's fault codes; empty is none (docs/intuit.md).",
                    [(f"sum by (fault) (rate({K}qbo_calls_total[$__rate_interval]))", "{{fault}}")],
                    "cps",
                ),
                Panel(
                    "Duration, 95 %",
                    "By operation.",
                    [
                        (
                            "histogram_quantile(0.95, sum by (operation, le)"
                            f" (rate({K}qbo_call_seconds_bucket[$__rate_interval])))",
                            "{{operation}}",
                        )
                    ],
                    "s",
                ),
                Panel(
                    "Workers",
                    "Calls in flight, and claims under way.",
                    [
                        (f"sum({K}qbo_calls_in_flight)", "in flight"),
                        (f"sum({K}workers_busy)", "claimed"),
                    ],
                ),
                Panel(
                    "Breakers that are open",
                    "Companies that do not answer. Runbook: company-breaker-open.",
                    [(f"max by (scope, org) ({K}breaker_state)", "{{scope}} {{org}}")],
                ),
            ),
        ),
        Row(
            "Connections",
            (
                Panel(
                    "Grants that end first",
                    "Days until the refresh token ends. Runbook: token-expiring.",
                    [(f"bottomk(10, min by (org) ({K}token_expires_in_seconds) / 86400)", "{{org}}")],
                    "d",
                ),
                Panel(
                    "Refresh tokens unused for longest",
                    "Days since the refresh token was last used; at 100 Intuit ends it.",
                    [(f"topk(10, max by (org) ({K}token_age_seconds) / 86400)", "{{org}}")],
                    "d",
                ),
                Panel(
                    "Refreshes",
                    "Calls to Intuit's token endpoint. Runbook: refreshes-refused.",
                    [(f"sum by (outcome) (increase({K}token_refreshes_total[$__rate_interval]))", "{{outcome}}")],
                ),
            ),
        ),
        Row(
            "Failures",
            (
                Panel(
                    "Open, by cause",
                    "Each closes when its link settles.",
                    [
                        (
                            f"sum by (stage, cause) (max by (stage, cause, org) ({K}failures_open)) > 0",
                            "{{stage}} {{cause}}",
                        )
                    ],
                ),
                Panel(
                    "Dead letters",
                    "Acknowledged by the broker. Runbook: dead-letters.",
                    [(f"sum by (stage) (increase({K}dead_letters_total[$__rate_interval]))", "{{stage}}")],
                ),
                Panel(
                    "Outbox and notifier",
                    "How long a dead letter waits for its topic; since when the notifier has not looked.",
                    [
                        (f"max({K}outbox_oldest_age_seconds)", "oldest in the outbox"),
                        (f"time() - (max({K}notifier_last_run_timestamp_seconds) > 0)", "since the notifier looked"),
                    ],
                    "s",
                ),
                Panel(
                    "Mails",
                    "Handed to the mail server.",
                    [(f"sum by (outcome) (increase({K}mails_total[$__rate_interval]))", "{{outcome}}")],
                ),
            ),
        ),
        Row(
            "Processes",
            (
                Panel(
                    "Slowest loop",
                    "Seconds since a loop last turned; at 60 /livez fails. Runbook: loop-stuck.",
                    [
                        (
                            f"time() - max by (instance, loop) ({K}loop_last_turn_timestamp_seconds)",
                            "{{instance}} {{loop}}",
                        )
                    ],
                    "s",
                ),
                Panel(
                    "Memory",
                    "Resident.",
                    [('process_resident_memory_bytes{job=~".*kompass-qbo.*"}', "{{instance}}")],
                    "bytes",
                ),
                Panel(
                    "CPU",
                    "Cores.",
                    [('rate(process_cpu_seconds_total{job=~".*kompass-qbo.*"}[$__rate_interval])', "{{instance}}")],
                ),
                Panel(
                    "Logins of the admin site",
                    "Failed and locked-out ones may be somebody who guesses passwords.",
                    [(f"sum by (outcome) (increase({K}admin_logins_total[$__rate_interval]))", "{{outcome}}")],
                ),
                Panel(
                    "Versions",
                    "Processes by version.",
                    [(f"count by (version, python) ({K}build_info == 1)", "{{version}} on Python {{python}}")],
                ),
            ),
        ),
    ),
)
