"""What the lists of Customers, Projects and Invoices can be narrowed to."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from admin.quickbooks_online.models import Configuration
from mapping import cents

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


class SumsFilter(admin.SimpleListFilter):
    """Documents that QuickBooks totals otherwise than Kompass: all of them, or those of one reason."""

    title = "sums"
    parameter_name = "sums"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("differ", "Differ from QuickBooks"), *DIFFERENCES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        differing = queryset.filter(difference__isnull=False)
        return differing if self.value() == "differ" else differing.filter(difference__cause=self.value())
