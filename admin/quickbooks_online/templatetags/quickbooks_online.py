"""The Orgs at a glance, for the section's own page; and how sentences and times are written."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import template
from django.db.models import Count
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.timesince import timesince

from admin.quickbooks_online.models import Configuration, Failure
from admin.quickbooks_online.overview import connection_of, counts_by_company, next_step, steps_of

register = template.Library()

SHOWN = 20
_MINUTE = dt.timedelta(minutes=1)


@register.filter
def ago(moment: dt.datetime | None) -> str:
    """Say how long ago it was: ``just now``, ``3 hours, 5 minutes ago``."""
    if moment is None:
        return ""
    return "just now" if timezone.now() - moment < _MINUTE else f"{timesince(moment)} ago"


@register.filter
def sentence(words: str) -> str:
    """Write words as a sentence: with a capital letter in front and a full stop behind."""
    words = capfirst(str(words).strip())
    return words if not words or words[-1] in ".!?…" else f"{words}."


@register.inclusion_tag("admin/quickbooks_online/includes/orgs.html", takes_context=True)
def orgs_at_a_glance(context: Any) -> dict[str, Any]:
    """Give each Org's state and what is next, if the person may see Configurations."""
    user = context["request"].user
    if not any(user.has_perm(f"quickbooks_online.{verb}_configuration") for verb in ("view", "change")):
        return {"rows": [], "more": 0}
    found = Configuration.objects.select_related("org", "connection")
    configurations = list(found[:SHOWN])
    counts = counts_by_company([one.realm_id for one in configurations if one.realm_id])
    failures = dict(
        Failure.objects.filter(closed_at=None, org_id__in=[one.org_id for one in configurations])
        .order_by()
        .values_list("org_id")
        .annotate(number=Count("pk"))
    )
    rows = [
        {
            "configuration": one,
            "connection": connection_of(one),
            "counts": counts.get(one.realm_id or ""),
            "failures": failures.get(one.org_id, 0),
            "next": next_step(steps_of(one)),
        }
        for one in configurations
    ]
    return {"rows": rows, "more": max(found.count() - SHOWN, 0)}
