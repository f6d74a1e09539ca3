"""Sync errors: open failures grouped by cause, each with its sentence, its remedy and the way to the very field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from admin.quickbooks_online.failure_groups import groups_of, orgs_of
from admin.quickbooks_online.impact import ask_again
from admin.quickbooks_online.models import Configuration, Failure, Link, Org
from admin.quickbooks_online.naming import Names
from admin.quickbooks_online.opened import NAME, Opened, of_row, who_changed
from admin.quickbooks_online.pages.base import ReadOnlyAdmin, again_after_deadlock
from admin.quickbooks_online.pages.downloads import downloaded
from admin.quickbooks_online.pages.link_rows import read_said
from admin.quickbooks_online.pages.org_filters import ALL
from admin.quickbooks_online.preview import Difference, shown
from admin.quickbooks_online.remedies import cause_in_words, remedy_address
from admin.quickbooks_online.runtime import engine
from mapping.decisions import Fail, Write
from mapping.difference import comparable, holds
from schemas.counting import counted
from store.engine import retrying
from store.searching import links_by_id
from sync.by_hand import CannotLink
from sync.decide import Prediction
from sync.keeping import keep_quickbooks, kompass_side, offers_sides
from sync.link import Wish

SHOWN_IN_GROUP = 200
EXPORTED_AT_MOST = 50_000
EXPORTED = (
    "org", "kind", "record", "cause", "message", "what_to_do", "first_failed_at", "last_failed_at", "attempts", "intuit_tid",
)  # fmt: skip


class FailureAdmin(ReadOnlyAdmin):
    change_form_template = "admin/quickbooks_online/failure.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[URLPattern]:
        return [
            self.at("export/", self.export_view, "export"),
            self.at("try-again/", self.try_again_view, "try_again"),
            self.at("<path:object_id>/choose/", self.choose_view, "choose"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """All open failures by cause; with ``cause`` and ``org``, the ones of one group."""
        self.require(request, "view_failure")
        org_id, cause, open_ones = _asked(request)
        orgs = orgs_of(Failure.objects.filter(closed_at=None))
        failures: list[Failure] = []
        if cause is not None:
            failures = list(open_ones.defer("event_key", "event_value").order_by("-last_failed_at")[:SHOWN_IN_GROUP])
        return self.page(
            request,
            "sync_errors.html",
            f"Sync errors: {orgs[org_id].name}" if org_id in orgs else "Sync errors",
            orgs=tuple(orgs.values()) if cause is None else (),
            org_name=orgs[org_id].name if org_id in orgs else "",
            groups=groups_of(open_ones, request.user),
            failures=failures,
            cause=cause,
            org_id=org_id,
            may_retry=self.may(request, "retry_failure"),
            enabled=Configuration.objects.filter(enabled=True).exists(),
            **(extra_context or {}),
        )

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Give the open sync errors as CSV: all of them, those of an Org, or those of one cause."""
        self.require(request, "view_failure")
        *_, open_ones = _asked(request)
        names = dict(Org.objects.values_list("pk", "name"))
        rows = [
            (
                names.get(one.org_id, one.org_id),
                one.kind,
                one.reference or one.kompass_id,
                cause_in_words(one),
                one.message,
                one.remedy,
                one.first_failed_at.isoformat(timespec="seconds"),
                one.last_failed_at.isoformat(timespec="seconds"),
                str(one.attempts),
                one.intuit_tid,
            )
            for one in open_ones.defer("event_key", "event_value").order_by("org_id", "cause", "pk")[:EXPORTED_AT_MOST]
        ]
        return downloaded((EXPORTED, rows), "sync-errors")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """One failure: sentence, remedy, where it comes from; both sides of a conflict."""
        self.require(request, "view_failure")
        failure = self.existing(request, object_id)
        configuration = Configuration.objects.filter(org_id=failure.org_id).first()
        link = Link.objects.filter(pk=failure.link_id).first() if failure.link_id else None
        conflict = failure.closed_at is None and offers_sides(failure.cause, link.qbo_id if link is not None else None)
        predicted = _kompass_side(link) if conflict and link is not None else None
        sides = _compared(link, predicted) if conflict and link is not None else ()
        return self.page(
            request,
            "failure.html",
            f"Sync error: {failure.reference or failure.cause}",
            failure=failure,
            original=failure,
            link=link,
            link_address=_link_address(link) if link is not None else "",
            fix=remedy_address(failure, configuration, request.user),
            currency=_currency(link) if link is not None else "",
            sides=sides,
            conflict=conflict,
            opened=Opened(timezone.now(), {"sides": _stamp(sides)}).signed(),
            gone=failure.cause == "deleted-in-qbo" and failure.closed_at is None,
            sends=not _fails_as_before(failure, predicted),
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
        ticked = [one for one in request.POST.getlist("failure") if one.isdecimal()]
        if "failure" in request.POST or "ticked" in request.POST:
            open_ones = open_ones.filter(pk__in=ticked)
            if not ticked:
                messages.error(request, "Tick at least one record first.")
        else:
            open_ones = open_ones.filter(org_id=request.POST.get("org", ""), cause=request.POST.get("cause", ""))
        failures = list(open_ones.only("pk", "org_id", "link_id", "stage", "message", "cause"))
        links = [failure.link_id for failure in failures if failure.link_id]
        # One that never became a record (its bytes could not be read) is ingested again by the consumers.
        Failure.objects.filter(pk__in=[failure.pk for failure in failures]).update(replay_asked_at=timezone.now())
        ask_again(links, by=str(request.user))
        if not links and failures:
            with connection.cursor() as cursor:
                cursor.execute("NOTIFY kompass_qbo, 'failures'")
        for org_id in {failure.org_id for failure in failures}:
            of_org = [failure for failure in failures if failure.org_id == org_id]
            self.log_change(request, of_org[0], f"Asked for {counted(len(of_org), 'failed record')} to be tried again.")
        if failures:
            messages.success(
                request,
                f"{len(failures)} will be tried again in the background. Records that succeed disappear from here.",
            )
        own = reverse("admin:quickbooks_online_failure_changelist")
        return HttpResponseRedirect(self.way_back(request) or own)

    @again_after_deadlock
    def choose_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Settle a conflict with a bookkeeper's edit as a person decided."""
        failure = self.existing(request, object_id)
        link = Link.objects.filter(pk=failure.link_id).first() if failure.link_id else None
        if link is None:
            messages.error(request, "This error belongs to no record any more.")
            return HttpResponseRedirect(reverse("admin:quickbooks_online_failure_changelist"))
        self.require(request, f"resend_{_model_of(link)}")
        if request.method != "POST":
            return self.only_post(request)
        if overtaken := _overtaken(failure, link, Opened.parse(request.POST.get(NAME, ""))):
            messages.error(request, f"Nothing was changed: {overtaken}")
            return HttpResponseRedirect(reverse("admin:quickbooks_online_failure_change", args=[failure.pk]))
        if request.POST.get("side") == "kompass":
            ask_again(
                [link.pk], by=str(request.user), wishes=(Wish.OVERWRITE,), why=f"{request.user} chose what Kompass says"
            )
            self.log_change(request, failure, "Chose what Kompass says.")
            messages.success(request, f"Kompass's version of {link} will be sent in the background.")
        elif request.POST.get("side") == "recreate" and failure.cause == "deleted-in-qbo":
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


def _asked(request: HttpRequest) -> tuple[str | None, str | None, QuerySet[Failure]]:
    """Give the Org and the cause that the address names, and the open failures of these."""
    org_id, cause = request.GET.get("org"), request.GET.get("cause")
    if org_id == ALL:
        org_id = None
    named = {name: value for name, value in (("org_id", org_id), ("cause", cause)) if value is not None}
    return org_id, cause, Failure.objects.filter(closed_at=None, **named)


def _overtaken(failure: Failure, link: Link, opened: Opened | None) -> str:
    """Say why a side that was chosen on an older page does not count; empty when it does."""
    if failure.closed_at is not None:
        return f"this error is closed by now ({failure.closed_because})."
    if opened is None:
        return ""
    if LogEntry.objects.filter(of_row(failure), action_time__gte=opened.at).exists():
        return f"{who_changed(failure, since=opened.at)} after you opened this page."
    if opened.values.get("sides") and opened.values["sides"] != _stamp(_sides(link)):
        return "the two sides are no longer those that you saw. Compare them again, then choose."
    return ""


def _stamp(sides: tuple[Difference, ...]) -> str:
    """Give what tells whether two comparisons are the same."""
    return salted_hmac("quickbooks_online.sides", repr(sides)).hexdigest() if sides else ""


def _sides(link: Link) -> tuple[Difference, ...]:
    """Member by member: what QuickBooks says (read last) and what Kompass would say."""
    return _compared(link, _kompass_side(link))


def _kompass_side(link: Link) -> Prediction | None:
    with engine().begin() as db:
        found = links_by_id(db, [link.pk]).get(link.pk)
        return kompass_side(db, found) if found is not None else None


def _fails_as_before(failure: Failure, predicted: Prediction | None) -> bool:
    """Whether Kompass's side, chosen now, would end in this very error: nothing can be sent into a period that stays closed."""
    return (
        predicted is not None
        and isinstance(predicted.outcome, Fail)
        and predicted.outcome.problems[0].cause == failure.cause
    )


def _compared(link: Link, predicted: Prediction | None) -> tuple[Difference, ...]:
    observed = link.observed or {}
    ours: Mapping[str, object] = {}
    if predicted is not None and isinstance(predicted.outcome, Write):
        ours = predicted.outcome.applied.members
    members = [name for name in ours if name in observed or link.applied is None or name in link.applied.members]
    names = Names(link.realm_id)
    rows = [
        Difference(name, shown(observed.get(name), names, name), shown(ours.get(name), names, name))
        for name in members or sorted(observed)
        # What counts as the same for the sync is no difference to look at: a country that QuickBooks writes as a code.
        if name not in ours or not holds(observed.get(name), comparable(name, ours[name]))
    ]
    return tuple(row for row in rows if row.changed)


def _currency(link: Link) -> str:
    """Give the currency of the amounts of both sides."""
    read_said([link])
    return str(link.said.currency) if link.kind == "invoice" else ""  # type: ignore[attr-defined]


def _model_of(link: Link) -> str:
    return {"client": "customer", "project": "project", "invoice": "invoice"}[link.kind]


def _link_address(link: Link) -> str:
    return reverse(f"admin:quickbooks_online_{_model_of(link)}_change", args=[link.pk])
