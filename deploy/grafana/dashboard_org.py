"""What one Org sees."""

from __future__ import annotations

from typing import Final

from panels import Dashboard, K, Panel, Row, stat, stat_below

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
                    f'sum(max by (kind) ({K}links{{state="synced", org="$org"}}))',
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
                            f'sum by (state, cause) (max by (kind, state, cause) ({K}links{{org="$org", state!="synced"}}))',
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
