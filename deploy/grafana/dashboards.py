"""What the dashboards show.

Gauges that are read from the database are the same in every process, so each is reduced with ``max by`` (or ``min by``) before it is
summed; counters, and what a process says of itself, are summed.
"""

from __future__ import annotations

from typing import Final

from panels import Dashboard, Panel, Row, stat, stat_below

K: Final = "kompass_qbo_"

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
                    [(f"sum by (topic) ({K}ingest_gaps_total)", "{{topic}}")],
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
                    "Not settled, by cause",
                    "Held ones go by themselves, waiting ones when what they wait for ends, rejected ones when somebody acts.",
                    [
                        (
                            "sum by (state, cause) (max by (kind, state, cause, org)"
                            f' ({K}links{{state=~"held|waiting|rejected|withdrawn"}}))',
                            "{{state}}: {{cause}}",
                        )
                    ],
                ),
                Panel(
                    "Oldest, by state",
                    "Due ones since they are due, rejected and held ones since they first failed, waiting ones since their event.",
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
                    [(f"sum by (decision) (rate({K}judgements_total[$__rate_interval]))", "{{decision}}")],
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
                    "Calls whose process died and daily probes, by what was done; settlements refused as another process had taken over.",
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
                    "Each closes by itself when its link settles.",
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
                    "Versions",
                    "Processes by version.",
                    [(f"count by (version, python) ({K}build_info == 1)", "{{version}} on Python {{python}}")],
                ),
            ),
        ),
    ),
)

ORG: Final = Dashboard(
    uid="kompass-qbo-org",
    title="Kompass → QuickBooks: one Org",
    says="For support: what has become of one Org's records. `kompass-qbo why` tells the story of a single one.",
    by_org=True,
    rows=(
        Row(
            "Now",
            (
                stat_below(
                    "Connected",
                    "1 while Intuit takes our grant for its company.",
                    f'min({K}connection_up{{org="$org"}})',
                    unit="short",
                    red_below=1,
                ),
                stat_below(
                    "Grant ends in",
                    "Days until it has to be authorised again.",
                    f'min({K}token_expires_in_seconds{{org="$org"}}) / 86400',
                    unit="d",
                    red_below=14,
                ),
                stat(
                    "Due",
                    "Links with something to do now; counted over all when none is.",
                    f'sum(max by (kind) ({K}links_due{{org=~"$org|"}}))',
                ),
                stat(
                    "Open failures",
                    "What its people have been mailed about.",
                    f'sum(max by (stage, cause) ({K}failures_open{{org=~"$org|"}}))',
                    red_from=1,
                ),
                stat(
                    "In QuickBooks",
                    "Links that are settled.",
                    f'sum(max by (kind) ({K}links{{state="settled", org="$org"}}))',
                ),
                stat(
                    "Calls today",
                    "To its company, in the last 24 hours.",
                    f'sum(increase({K}qbo_calls_total{{org="$org"}}[24h]))',
                ),
            ),
        ),
        Row(
            "Links",
            (
                Panel(
                    "By kind and state",
                    "Customers, projects and invoices.",
                    [
                        (
                            f'sum by (kind, state) (max by (kind, state, cause) ({K}links{{org="$org"}}))',
                            "{{kind}} {{state}}",
                        )
                    ],
                    width=12,
                ),
                Panel(
                    "By cause",
                    "Why they are not settled.",
                    [
                        (
                            f'sum by (state, cause) (max by (kind, state, cause) ({K}links{{org="$org", state!="settled"}}))',
                            "{{state}}: {{cause}}",
                        )
                    ],
                    width=12,
                ),
                Panel(
                    "Oldest",
                    "By state and cause.",
                    [
                        (
                            f'max by (kind, state, cause) ({K}link_oldest_age_seconds{{org="$org"}})',
                            "{{kind}} {{state}} {{cause}}",
                        )
                    ],
                    "s",
                    width=12,
                ),
                Panel(
                    "Failures",
                    "Open ones, by cause.",
                    [(f'max by (stage, cause) ({K}failures_open{{org="$org"}})', "{{stage}} {{cause}}")],
                    width=12,
                ),
            ),
        ),
        Row(
            "Calls to its company",
            (
                Panel(
                    "By operation and entity",
                    "",
                    [
                        (
                            f'sum by (operation, entity) (increase({K}qbo_calls_total{{org="$org"}}[$__rate_interval]))',
                            "{{operation}} {{entity}}",
                        )
                    ],
                ),
                Panel(
                    "By status and fault",
                    "Intuit's fault codes are in docs/intuit.md.",
                    [
                        (
                            f'sum by (status, fault) (increase({K}qbo_calls_total{{org="$org"}}[$__rate_interval]))',
                            "{{status}} {{fault}}",
                        )
                    ],
                ),
                Panel(
                    "Metered",
                    "Reads that count against the month's budget.",
                    [
                        (
                            f'sum by (metering) (increase({K}qbo_calls_total{{org="$org"}}[$__rate_interval]))',
                            "{{metering}}",
                        )
                    ],
                ),
                Panel(
                    "Token unused for",
                    "Days since its refresh token was last used.",
                    [(f'max({K}token_age_seconds{{org="$org"}}) / 86400', "days")],
                    "d",
                ),
            ),
        ),
    ),
)

QUOTA: Final = Dashboard(
    uid="kompass-qbo-quota",
    title="Kompass → QuickBooks: quota and metering",
    says="Intuit's limits: 10 calls a second and 500 a minute for each company, and a monthly budget of metered calls for all together.",
    rows=(
        Row(
            "The month's budget",
            (
                stat_below(
                    "Metered calls left",
                    "Of this calendar month (UTC). Runbook: budget-nearly-spent.",
                    f"max({K}budget_remaining_calls)",
                    unit="short",
                    red_below=50_000,
                ),
                stat(
                    "Spent",
                    "Share of the month's budget.",
                    f"1 - max({K}budget_remaining_calls) / max({K}budget_limit_calls)",
                    unit="percentunit",
                    red_from=0.8,
                ),
                stat(
                    "Spent by the month's end",
                    "If the month goes on as it went so far.",
                    f"(1 - max({K}budget_remaining_calls) / max({K}budget_limit_calls))"
                    " * days_in_month() / (day_of_month() - 1 + (hour() + 1) / 24)",
                    unit="percentunit",
                    red_from=1.0,
                ),
                stat("Budget", "KOMPASS_QBO_BUDGET_CALLS.", f"max({K}budget_limit_calls)"),
                stat(
                    "Held for it",
                    "Records that need a metered read, with INTUIT_BUDGET_SPENT=hold. Runbook: held-for-budget.",
                    f'sum(max by (kind, org) ({K}links{{state="held", cause="no-budget"}})) or vector(0)',
                    red_from=1,
                ),
                Panel(
                    "Left",
                    "Falls to zero by the month's end at the latest, and begins anew.",
                    [(f"max({K}budget_remaining_calls)", "left")],
                    width=12,
                ),
                Panel(
                    "Metered calls by operation and entity",
                    "In the steady state only documents that somebody changed in QuickBooks are read.",
                    [
                        (
                            "sum by (operation, entity)"
                            f' (increase({K}qbo_calls_total{{metering="coreplus"}}[$__rate_interval]))',
                            "{{operation}} {{entity}}",
                        )
                    ],
                    width=12,
                ),
                Panel(
                    "Orgs with most metered calls",
                    "In the last 24 hours.",
                    [(f'topk(10, sum by (org) (increase({K}qbo_calls_total{{metering="coreplus"}}[24h])))', "{{org}}")],
                    kind="bargauge",
                    width=12,
                ),
                Panel(
                    "Calls by metering class",
                    "core is free.",
                    [(f"sum by (metering) (rate({K}qbo_calls_total[$__rate_interval]))", "{{metering}}")],
                    "cps",
                    width=12,
                    stacked=True,
                ),
            ),
        ),
        Row(
            "Limits of a company",
            (
                Panel(
                    "Work put off",
                    "By which of Intuit's limits. `throttled`: Intuit said 429 though we kept to them. Runbook: throttled.",
                    [(f"sum by (limit) (increase({K}quota_waits_total[$__rate_interval]))", "{{limit}}")],
                ),
                Panel(
                    "Orgs whose work is put off most",
                    "In the last hour, by any limit.",
                    [(f"topk(10, sum by (org) (increase({K}quota_waits_total[1h])))", "{{org}}")],
                    kind="bargauge",
                ),
                Panel(
                    "For how long, 95 %",
                    "",
                    [
                        (
                            "histogram_quantile(0.95, sum by (limit, le)"
                            f" (rate({K}quota_wait_seconds_bucket[$__rate_interval])))",
                            "{{limit}}",
                        )
                    ],
                    "s",
                ),
                Panel(
                    "Throttled Orgs",
                    "429s in the last hour.",
                    [(f'topk(10, sum by (org) (increase({K}quota_waits_total{{limit="throttled"}}[1h])))', "{{org}}")],
                    kind="bargauge",
                ),
                Panel(
                    "Busiest companies",
                    "Calls a minute; Intuit allows 500.",
                    [(f"topk(10, sum by (org) (rate({K}qbo_calls_total[$__rate_interval])) * 60)", "{{org}}")],
                    width=12,
                ),
                Panel(
                    "In flight",
                    "Calls that processes wait for; Intuit allows ten for a company.",
                    [(f"sum by (instance) ({K}qbo_calls_in_flight)", "{{instance}}")],
                    width=12,
                ),
            ),
        ),
    ),
)

ALL: Final = {"operations.json": OPERATIONS, "org.json": ORG, "quota.json": QUOTA}
