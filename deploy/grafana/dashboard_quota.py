"""What Intuit's limits and metering leave."""

from __future__ import annotations

from typing import Final

from panels import Dashboard, K, Panel, Row, stat, stat_below

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
                    "Waiting for it",
                    "Records that need a metered read, with INTUIT_BUDGET_SPENT=hold. Runbook: budget-spent.",
                    f'sum(max by (kind, org) ({K}links{{state="retrying", cause="no-budget"}})) or vector(0)',
                    red_from=1,
                ),
                Panel(
                    "Left",
                    "Falls to zero by the month's end at the latest, and begins again.",
                    [(f"max({K}budget_remaining_calls)", "left")],
                    width=12,
                ),
                Panel(
                    "Metered calls by operation and entity",
                    "In the steady state only documents that a person changed in QuickBooks are read.",
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
