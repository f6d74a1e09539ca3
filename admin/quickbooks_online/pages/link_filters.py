"""What the lists of Customers, Projects and Invoices can be narrowed to."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format

from admin.quickbooks_online.models import Configuration, Difference, Failure
from admin.quickbooks_online.pages.link_rows import STATE_WORDS, records_of
from admin.quickbooks_online.pages.org_filters import ManyChoices
from admin.quickbooks_online.remedies import cause_in_words
from mapping import cents

MONTHS = 36
DIFFERENCES = {
    cents.ROUNDING: "Tax rounded otherwise",
    cents.BY_DATE: "Tax rate by date",
    cents.RATE: "Other tax rate",
    cents.AUTOMATED: "Automated sales tax",
    cents.BY_HAND: "Changed by hand",
    cents.NET: "Other net amount",
}


class CompanyFilter(admin.SimpleListFilter):
    """Links of a company that was linked before stay; they are shown when asked for."""

    title = "company"
    parameter_name = "company"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("former", "Linked before"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        for choice in super().choices(changelist):
            yield {**choice, "display": "Linked now"} if choice["display"] == "All" and not _is_all(choice) else choice

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = Configuration.objects.exclude(realm_id=None).values("realm_id")
        if self.value() == "all":
            return queryset
        if self.value() == "former":
            return queryset.exclude(realm_id__in=now)
        return queryset.filter(realm_id__in=now)


def _is_all(choice: Any) -> bool:
    return "company=all" in str(choice["query_string"])


class StateFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        return list(STATE_WORDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() else queryset


class CauseFilter(ManyChoices):
    """The causes of open sync errors, in the words of Sync errors."""

    title = "cause"
    parameter_name = "cause"
    least = 1

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        kind = model_admin.model._default_manager._kind
        found = Failure.objects.filter(closed_at=None, kind=kind).order_by("cause").distinct("cause")
        return [(one.cause, cause_in_words(one)) for one in found.defer("event_key", "event_value")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        failed = Failure.objects.filter(closed_at=None, cause=self.value(), link_id__isnull=False)
        return queryset.filter(pk__in=failed.values("link_id"))


class MonthFilter(ManyChoices):
    """The months of documents, from this one back."""

    title = "month"
    parameter_name = "month"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        last = timezone.localdate()
        months = [divmod(last.year * 12 + last.month - 1 - back, 12) for back in range(MONTHS)]
        firsts = [dt.date(year, month + 1, 1) for year, month in months]
        return [(f"{first:%Y-%m}", date_format(first, "F Y")) for first in firsts]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(records_of(body__date__startswith=self.value())) if self.value() else queryset


class SumsFilter(admin.SimpleListFilter):
    """Documents that QuickBooks totals otherwise than Kompass: all of them, or the ones of one reason."""

    title = "sums"
    parameter_name = "sums"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("differ", "Differ from QuickBooks"), *DIFFERENCES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        differences = Difference.objects.filter(link=OuterRef("pk"), kompass_total__isnull=False)
        of_cause = differences if self.value() == "differ" else differences.filter(cause=self.value())
        return queryset.filter(Exists(of_cause))
