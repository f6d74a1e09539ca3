"""The page of an Org: set-up, connection, what is in QuickBooks, what is on its way and what needs a person."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, reverse
from django.utils.http import urlencode

from admin.quickbooks_online import overview
from admin.quickbooks_online.failure_groups import groups_of
from admin.quickbooks_online.lists import known_name
from admin.quickbooks_online.models import Configuration, Failure
from admin.quickbooks_online.pages.base import SectionAdmin
from admin.quickbooks_online.pages.org_filters import choose
from schemas.counting import counted, form_of
from schemas.link_state import LinkState

REFRESHED_EVERY_S = 5
GROUPS_SHOWN = 5
# The chart is drawn on a grid of its own.
_HEIGHT, _WIDTH, _GAP = 60, 18, 4


class OverviewPages(SectionAdmin):
    """A part of the Configurations' admin."""

    def get_urls(self) -> list[URLPattern]:
        return [self.at("<path:object_id>/overview/", self.overview_view, "overview"), *super().get_urls()]

    def overview_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show an Org at a glance. Makes no call."""
        self.require(request, "view_configuration", "change_configuration")
        configuration = self.existing(request, object_id)
        if configuration.realm_id:
            choose(request, configuration.pk)
        counts = overview.counts_of(configuration)
        steps = overview.steps_of(configuration)
        open_ones = Failure.objects.filter(closed_at=None, org_id=configuration.org_id)
        backfill = overview.backfill_of(configuration)
        days = overview.last_days(configuration)
        sending = bool(counts.running) and configuration.enabled
        running = sending or (backfill is not None and backfill.finished_at is None)
        return self.page(
            request,
            "overview.html",
            str(configuration),
            configuration=configuration,
            original=configuration,
            connection=overview.connection_of(configuration),
            steps=steps,
            next_step=overview.next_step(steps),
            counts=counts,
            cards=_cards(configuration, counts),
            sending=sending,
            backfill=backfill,
            retry=overview.next_retry(configuration) if counts.retrying else None,
            last_success=overview.last_success(configuration),
            bars=_bars(days),
            most=max(max(day.synced, day.failed) for day in days),
            days=overview.DAYS,
            groups=groups_of(open_ones, request.user, at_most=GROUPS_SHOWN),
            failures=open_ones.count(),
            refreshed_every=REFRESHED_EVERY_S if running else 0,
            states=LinkState,
            default_item=known_name(configuration.realm_id, "items", configuration.default_item_id),
            default_class=known_name(configuration.realm_id, "classes", configuration.default_class_id),
            may={
                name: self.may(request, name)
                for name in (
                    "authorize_configuration",
                    "test_configuration",
                    "agree_configuration",
                    "change_configuration",
                    "view_failure",
                    "retry_failure",
                )
            },
        )


_LISTS = {"client": ("customer", "customer"), "project": ("project", "project"), "invoice": ("invoice", "document")}
"""Kind → (its list, what people call one)"""


def _cards(configuration: Configuration, counts: overview.Counts) -> list[dict[str, Any]]:
    """Give the numbers of the Org: how many of each kind, and the list where they are."""
    named = (
        (LinkState.SYNCED, "in QuickBooks"),
        (LinkState.PENDING, "queued"),
        (LinkState.RETRYING, "retrying"),
        (LinkState.WAITING, "waiting"),
        (LinkState.FAILED, form_of(counts.failed, "needs attention", "need attention")),
        (LinkState.WITHDRAWN, "withdrawn in Kompass"),
    )
    cards = []
    for state, words in named:
        number, kinds = counts.of(state), counts.kinds_of(state)
        # The list of invoices, unless there is none of them in this state.
        kind = "invoice" if kinds.get("invoice") or not kinds else next(iter(kinds))
        address = reverse(f"admin:quickbooks_online_{_LISTS[kind][0]}_changelist")
        query = {"org": configuration.org_id, "state__exact": state.value}
        if state is LinkState.FAILED:
            address, query = reverse("admin:quickbooks_online_failure_changelist"), {"org": configuration.org_id}
        cards.append(
            {
                "number": number,
                "words": words,
                "of": ", ".join(counted(many, _LISTS[one][1]) for one, many in kinds.items()),
                "address": f"{address}?{urlencode(query)}",
                "bad": state is LinkState.FAILED and number,
            }
        )
    return cards


def _bars(days: list[overview.Day]) -> list[dict[str, Any]]:
    """Give the bars of the chart: where each stands, and how high it is."""
    most = max([1, *(max(day.synced, day.failed) for day in days)])

    def height(number: int) -> int:
        return round(number * _HEIGHT / most) or (1 if number else 0)

    return [
        {
            "day": day.day,
            "synced": day.synced,
            "failed": day.failed,
            "x": position * (_WIDTH + _GAP),
            "x_failed": position * (_WIDTH + _GAP) + _WIDTH // 2,
            "width": _WIDTH // 2,
            "synced_height": height(day.synced),
            "synced_y": _HEIGHT - height(day.synced),
            "failed_height": height(day.failed),
            "failed_y": _HEIGHT - height(day.failed),
        }
        for position, day in enumerate(days)
    ]


class ConfigurationChangeList(ChangeList):
    """Reads what the rows of a page have in QuickBooks and what fails, all at once, as ``row.counts``."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Configuration] = list(self.result_list)
        counts = overview.counts_by_company([row.realm_id for row in rows if row.realm_id])
        for row in rows:
            row.counts = counts.get(row.realm_id or "", overview.Counts({}))  # type: ignore[attr-defined]
        self.result_list = rows
