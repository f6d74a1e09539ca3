"""Filters by Org: every one is offered, and the mapping tables open with the one that the person works on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from admin.quickbooks_online.models import Configuration

PARAMETER = "configuration__id__exact"
ALL = "all"
LINKS_AT_MOST = 20
"""A filter with more choices is a dropdown."""
_CHOSEN = "qbo_configuration"


def choose(request: HttpRequest, configuration_id: int) -> None:
    """Let the mapping tables open with this Configuration from now on: it was linked, opened or chosen."""
    if request.session.get(_CHOSEN) != configuration_id:
        request.session[_CHOSEN] = configuration_id


def chosen(request: HttpRequest) -> Configuration | None:
    """Give the linked Configuration that the address names, else the one chosen before, else the only one."""
    linked = Configuration.objects.exclude(realm_id=None).select_related("org")
    asked = request.GET.get(PARAMETER, "")
    if asked.isdecimal():
        found = linked.filter(pk=asked).first()
        if found is not None:
            choose(request, found.pk)
        return found
    if asked == ALL:
        request.session.pop(_CHOSEN, None)
    elif (before := linked.filter(pk__in=[request.session.get(_CHOSEN)]).first()) is not None:
        return before
    first = list(linked[:2])
    return first[0] if len(first) == 1 else None


class ManyChoices(admin.SimpleListFilter):
    """A filter whose choices are links, or a dropdown where there are many."""

    template = "admin/quickbooks_online/includes/filter.html"
    least = 2
    """With fewer choices the filter is left out."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        kept = [
            (name, value)
            for name, values in changelist.params.items()
            if name != self.parameter_name
            for value in ([values] if isinstance(values, str) else values)
        ]
        for position, choice in enumerate(super().choices(changelist)):
            value = "" if position == 0 else self.lookup_choices[position - 1][0]
            yield {**choice, "value": value, "many": len(self.lookup_choices) > LINKS_AT_MOST, "kept": kept}

    def has_output(self) -> bool:
        return len(self.lookup_choices) >= self.least


class MappingOrgFilter(ManyChoices):
    """Every linked Org, one without any row too; opens with the one that the person works on."""

    title = "Org"
    parameter_name = PARAMETER

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: Any, model_admin: Any) -> None:
        super().__init__(request, params, model, model_admin)
        self.configuration = chosen(request)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        linked = Configuration.objects.exclude(realm_id=None).select_related("org").order_by("org__name", "pk")
        return [(str(one.pk), str(one)) for one in linked]

    def value(self) -> str | None:
        return None if self.configuration is None else str(self.configuration.pk)

    def choices(self, changelist: Any) -> Iterator[Any]:
        for position, choice in enumerate(super().choices(changelist)):
            if position:
                yield choice
            else:
                everything = changelist.get_query_string({PARAMETER: ALL})
                yield {**choice, "query_string": everything, "value": ALL}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        asked = self.used_parameters.get(PARAMETER)
        if self.configuration is not None:
            return queryset.filter(configuration=self.configuration)
        # An address that names a Configuration that is not linked any more.
        return queryset if asked in (None, ALL) else queryset.none()


class OrgFilter(ManyChoices):
    """The Orgs that have a Configuration, for the lists of what Kompass sent."""

    title = "Org"
    parameter_name = "org"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[Any, str]]:
        found = Configuration.objects.select_related("org").order_by("org__name", "pk")
        return [(one.org_id, str(one)) for one in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(org_id=self.value()) if self.value() else queryset


class ConnectionFilter(admin.AllValuesFieldListFilter):
    """By the state of the connection, under that name."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.title = "connection"
