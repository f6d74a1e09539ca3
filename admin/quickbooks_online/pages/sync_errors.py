"""Sync errors: open failures grouped by cause, each with its sentence, its remedy and the way to the very field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db import connection
from django.db.models import Count, Max, Min
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone

from admin.quickbooks_online.impact import ask_again
from admin.quickbooks_online.models import Configuration, Failure, Link, Org
from admin.quickbooks_online.naming import Names
from admin.quickbooks_online.pages.base import ReadOnlyAdmin, again_after_deadlock
from admin.quickbooks_online.preview import Difference, shown
from admin.quickbooks_online.remedies import remedy_address, title_of
from admin.quickbooks_online.runtime import engine
from mapping.decisions import Write
from store.searching import links_by_id
from store.transactions import retrying
from sync.by_hand import CannotLink, keep_quickbooks, kompass_side
from sync.link import Wish

GROUPS_SHOWN = 100
SHOWN_IN_GROUP = 200


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
    mend: tuple[str, str]
    """(address, words) of the field to fix; empty when there is none here."""


class FailureAdmin(ReadOnlyAdmin):
    change_form_template = "admin/quickbooks_online/failure.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"quickbooks_online_failure_{name}")

        own = [
            at("try-again/", self.try_again_view, "try_again"),
            at("<path:object_id>/choose/", self.choose_view, "choose"),
        ]
        return own + super().get_urls()

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """All open failures by cause; with ``cause`` and ``org``, those of one group."""
        self.require(request, "view_failure")
        org_id, cause = request.GET.get("org"), request.GET.get("cause")
        open_ones = Failure.objects.filter(closed_at=None)
        if org_id is not None:
            open_ones = open_ones.filter(org_id=org_id)
        failures: list[Failure] = []
        if cause is not None:
            open_ones = open_ones.filter(cause=cause)
            failures = list(open_ones.defer("event_key", "event_value").order_by("-last_failed_at")[:SHOWN_IN_GROUP])
        return self.page(
            request,
            "sync_errors.html",
            "Sync errors",
            groups=self._groups(request, open_ones),
            failures=failures,
            cause=cause,
            org_id=org_id,
            may_retry=self.may(request, "retry_failure"),
            enabled=Configuration.objects.filter(enabled=True).exists(),
            **(extra_context or {}),
        )

    def _groups(self, request: HttpRequest, open_ones: Any) -> list[Group]:
        rows = list(
            open_ones.values("org_id", "cause")
            .annotate(count=Count("pk"), oldest=Min("first_failed_at"), newest=Max("last_failed_at"), sample=Max("pk"))
            .order_by("-count", "oldest")[:GROUPS_SHOWN]
        )
        names = dict(Org.objects.filter(pk__in=[row["org_id"] for row in rows]).values_list("pk", "name"))
        samples = Failure.objects.defer("event_key", "event_value").in_bulk([row["sample"] for row in rows])
        configurations = {
            one.org_id: one for one in Configuration.objects.filter(org_id__in=[row["org_id"] for row in rows])
        }
        groups = []
        for row in rows:
            sample = samples[row["sample"]]
            configuration = configurations.get(row["org_id"])
            groups.append(
                Group(
                    org_id=row["org_id"],
                    org=names.get(row["org_id"], row["org_id"]) or "No Org: for the operator",
                    cause=row["cause"],
                    title=title_of(sample, row["count"]),
                    count=row["count"],
                    oldest=row["oldest"],
                    newest=row["newest"],
                    sample=sample,
                    mend=remedy_address(sample, configuration, request.user),
                )
            )
        return groups

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One failure: sentence, remedy, where it comes from; both sides of a conflict."""
        self.require(request, "view_failure")
        failure = self.existing(request, object_id)
        configuration = Configuration.objects.filter(org_id=failure.org_id).first()
        link = Link.objects.filter(pk=failure.link_id).first() if failure.link_id else None
        conflict = failure.cause.startswith(("conflict:", "not-taken:")) and failure.closed_at is None
        return self.page(
            request,
            "failure.html",
            f"Sync error: {failure.reference or failure.cause}",
            failure=failure,
            original=failure,
            link=link,
            link_address=_link_address(link) if link is not None else "",
            mend=remedy_address(failure, configuration, request.user),
            sides=_sides(link) if conflict and link is not None else (),
            conflict=conflict,
            gone=failure.cause == "deleted-in-qbo" and failure.closed_at is None,
            may_retry=self.may(request, "retry_failure"),
            may_choose=link is not None and self.may(request, f"resend_{_model_of(link)}"),
        )

    @again_after_deadlock
    def try_again_view(self, request: HttpRequest) -> HttpResponse:
        """Have one failure, or all of a cause, decided again."""
        self.require(request, "retry_failure")
        if request.method != "POST":
            return self.only_post(request)
        open_ones = Failure.objects.filter(closed_at=None)
        one = request.POST.get("failure", "")
        if one:
            open_ones = open_ones.filter(pk=one) if one.isdecimal() else open_ones.none()
        else:
            open_ones = open_ones.filter(org_id=request.POST.get("org", ""), cause=request.POST.get("cause", ""))
        failures = list(open_ones.only("pk", "link_id", "stage"))
        links = [failure.link_id for failure in failures if failure.link_id]
        # One that never became a record (its bytes could not be read) is ingested again by the consumers.
        Failure.objects.filter(pk__in=[failure.pk for failure in failures]).update(replay_asked_at=timezone.now())
        ask_again(links, by=str(request.user))
        if not links and failures:
            with connection.cursor() as cursor:
                cursor.execute("NOTIFY kompass_qbo, 'failures'")
        for failure in failures[:1]:
            self.log_change(request, failure, f"Asked for {len(failures)} failed records to be tried again.")
        messages.success(
            request, f"{len(failures)} will be tried again in the background; what goes through disappears from here."
        )
        return HttpResponseRedirect(reverse("admin:quickbooks_online_failure_changelist"))

    @again_after_deadlock
    def choose_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Settle a conflict with a bookkeeper's edit, as a person decided."""
        failure = self.existing(request, object_id)
        link = Link.objects.filter(pk=failure.link_id).first() if failure.link_id else None
        if link is None:
            messages.error(request, "This error belongs to no record any more.")
            return HttpResponseRedirect(reverse("admin:quickbooks_online_failure_changelist"))
        self.require(request, f"resend_{_model_of(link)}")
        if request.method != "POST":
            return self.only_post(request)
        if request.POST.get("side") == "kompass":
            ask_again(
                [link.pk], by=str(request.user), wishes=(Wish.OVERWRITE,), why=f"{request.user} chose what Kompass says"
            )
            self.log_change(request, failure, "Chose what Kompass says.")
            messages.success(request, f"Kompass's version of {link} will be sent in the background.")
        elif request.POST.get("side") == "anew" and failure.cause == "deleted-in-qbo":
            ask_again(
                [link.pk],
                by=str(request.user),
                wishes=(Wish.OVERWRITE,),
                why=f"{request.user} asked to recreate it",
            )
            self.log_change(request, failure, "Asked to recreate it.")
            messages.success(request, f"{link} is being recreated in QuickBooks.")
        elif request.POST.get("side") == "quickbooks":
            try:
                retrying(engine(), lambda db: keep_quickbooks(db, link.pk, by=str(request.user)))
            except CannotLink as problem:
                messages.error(request, str(problem))
            else:
                self.log_change(request, failure, "Chose what QuickBooks says.")
                messages.success(request, f"{link} stays in QuickBooks as it is, until Kompass changes it again.")
        else:
            messages.error(request, "Choose one of the two sides.")
        return HttpResponseRedirect(reverse("admin:quickbooks_online_failure_changelist"))


def _sides(link: Link) -> tuple[Difference, ...]:
    """Member by member: what QuickBooks says (read last) and what Kompass would say."""
    with engine().begin() as db:
        found = links_by_id(db, [link.pk]).get(link.pk)
        foreseen = kompass_side(db, found) if found is not None else None
    observed = link.observed or {}
    ours: dict[str, object] = {}
    if foreseen is not None and isinstance(foreseen.outcome, Write):
        ours = {name: value for name, value in foreseen.outcome.applied.items() if not name.startswith("#")}
    members = [name for name in ours if name in observed or link.applied is None or name in (link.applied or {})]
    names = Names(link.realm_id)
    rows = [
        Difference(name, shown(observed.get(name), names, name), shown(ours.get(name), names, name))
        for name in members or sorted(observed)
    ]
    return tuple(row for row in rows if row.changed)


def _model_of(link: Link) -> str:
    return {"client": "customer", "project": "project", "invoice": "invoice"}[link.kind]


def _link_address(link: Link) -> str:
    return reverse(f"admin:quickbooks_online_{_model_of(link)}_change", args=[link.pk])
