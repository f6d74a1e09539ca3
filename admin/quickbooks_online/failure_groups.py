"""Open sync errors by Org and cause: each group with its sentence, its remedy and the way to the field that fixes it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Max, Min, QuerySet

from admin.quickbooks_online.models import Configuration, Failure, Org
from admin.quickbooks_online.remedies import remedy_address, title_of

GROUPS_SHOWN = 100
_NO_ORG = "No Org: for the operator"


@dataclass(frozen=True, slots=True)
class Group:
    org_id: str
    org: str
    cause: str
    title: str
    count: int
    oldest: dt.datetime
    newest: dt.datetime
    sample: Failure
    fix: tuple[str, str]
    """(address, words) of the field to change; empty when there is none here."""


@dataclass(frozen=True, slots=True)
class OrgErrors:
    id: str
    name: str
    count: int


def orgs_of(open_ones: QuerySet[Failure]) -> dict[str, OrgErrors]:
    """Give how many of these open failures each Org has, by name; also the Orgs with a Configuration that have none."""
    counted = dict(open_ones.order_by().values_list("org_id").annotate(number=Count("pk")))
    counted = {**dict.fromkeys(Configuration.objects.values_list("org_id", flat=True), 0), **counted}
    names = dict(Org.objects.filter(pk__in=counted).values_list("pk", "name"))
    found = [OrgErrors(pk, names.get(pk, pk) or _NO_ORG, number) for pk, number in counted.items()]
    return {one.id: one for one in sorted(found, key=lambda one: one.name.casefold())}


def groups_of(open_ones: QuerySet[Failure], user: Any, *, at_most: int = GROUPS_SHOWN) -> list[Group]:
    """Give the groups of these open failures, the largest first."""
    rows = list(
        open_ones.order_by()
        .values("org_id", "cause")
        .annotate(count=Count("pk"), oldest=Min("first_failed_at"), newest=Max("last_failed_at"), sample=Max("pk"))
        .order_by("-count", "oldest")[:at_most]
    )
    orgs = {row["org_id"] for row in rows}
    names = dict(Org.objects.filter(pk__in=orgs).values_list("pk", "name"))
    samples = Failure.objects.defer("event_key", "event_value").in_bulk([row["sample"] for row in rows])
    configurations = {one.org_id: one for one in Configuration.objects.filter(org_id__in=orgs).select_related("org")}
    return [
        Group(
            org_id=row["org_id"],
            org=names.get(row["org_id"], row["org_id"]) or _NO_ORG,
            cause=row["cause"],
            title=title_of(samples[row["sample"]], row["count"]),
            count=row["count"],
            oldest=row["oldest"],
            newest=row["newest"],
            sample=samples[row["sample"]],
            fix=remedy_address(samples[row["sample"]], configurations.get(row["org_id"]), user),
        )
        for row in rows
    ]
