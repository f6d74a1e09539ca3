"""Going live: what waits, from which date it goes, what is unmapped, who is in QuickBooks already, and the first invoices."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.db.models import Count
from django.db.models.fields.json import KT
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.formats import date_format

from admin.quickbooks_online import first_link_up
from admin.quickbooks_online.companies import CompanyError
from admin.quickbooks_online.models import (
    Backfill,
    CompanyConnection,
    Configuration,
    Link,
    Record,
)
from admin.quickbooks_online.opened import NAME, Opened
from admin.quickbooks_online.pages.base import SectionAdmin
from admin.quickbooks_online.pages.seen_rows import MODELS, Seen
from admin.quickbooks_online.preview import Preview, preview_of
from admin.quickbooks_online.runtime import engine
from admin.quickbooks_online.seen import count_lines, unmapped
from admin.quickbooks_online.start_date import StartDateForm, enable, iso, not_enabled, read_day
from mapping.case import SYNCED_STEPS
from schemas.counting import counted
from schemas.events import Invoice
from store.searching import links_by_id
from sync.by_hand import CannotLink
from sync.companies import read_company
from sync.decide import link_to_be, predict

FIRST = 10
MONTHS = 24
NAMED = 10
"""Records that an entry of the activity log names."""


@dataclass(frozen=True, slots=True)
class FirstInvoice:
    reference: str
    client: str
    date: dt.date
    total: Decimal
    currency: str
    preview: Preview


@dataclass(frozen=True, slots=True)
class Month:
    first: dt.date
    before: int
    """Documents dated before the start date."""
    sent: int


class GoingLivePages(SectionAdmin):
    """A part of the Configurations' admin."""

    def get_urls(self) -> list[URLPattern]:
        return [
            self.at("<path:object_id>/going-live/", self.going_live_view, "going_live"),
            self.at("<path:object_id>/match-customers/", self.match_view, "match"),
            *super().get_urls(),
        ]

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        if not add and request.session.get("qbo_going_live") == form.instance.pk:
            # Nothing is enabled before that is confirmed, and a person may leave the page where it would be.
            form.changed_data.remove("enabled")
            if not form.changed_data:
                return "Opened Going live. Enable stays off until it is confirmed there."
        return super().construct_change_message(request, form, formsets, add)

    def going_live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what enabling starts; with POST and a start date, enable."""
        self.require(request, "change_configuration")
        configuration = self.existing(request, object_id)
        # Not a form with GET: its address would hold the form's secret.
        if "show" in request.POST:
            return HttpResponseRedirect(_address("going_live", configuration, request))
        if "open" in request.POST:
            return HttpResponseRedirect(_address("match", configuration, request))
        obstacle = _obstacle(configuration)
        start = _start(configuration, request)
        form = StartDateForm(request.POST or None, initial={"start_date": start})
        enabled = False
        if request.method == "POST" and not obstacle and form.is_valid():
            was = Opened.parse(request.POST.get(NAME, ""))
            enabled = enable(configuration, form.cleaned_data["start_date"], was)
            if not enabled:
                messages.error(request, not_enabled(configuration, was))
        if enabled:
            self.log_change(request, configuration, f"Enabled, from {form.cleaned_data['start_date']}.")
            messages.success(
                request,
                f"{configuration} is enabled: documents dated from {date_format(form.cleaned_data['start_date'])} go to QuickBooks now. "
                "Use Test connection to see that everything fits.",
            )
            return HttpResponseRedirect(
                reverse("admin:quickbooks_online_configuration_overview", args=[configuration.pk])
            )
        months = _months(configuration, start)
        return self.page(
            request,
            "going_live.html",
            f"Going live: {configuration}",
            configuration=configuration,
            obstacle=obstacle,
            startable=not obstacle and not configuration.enabled,
            form=form,
            opened=Opened(timezone.now(), {"start_date": iso(configuration.start_date)}).signed(),
            waiting=_waiting(configuration, months),
            unmapped=self._unmapped(request, configuration),
            months=months[:MONTHS],
            first=_first_invoices(configuration, start),
            inventory=first_link_up.inventory_of(configuration),
            backfilling=Backfill.objects.filter(configuration=configuration, finished_at=None).exists(),
            start=start,
            may_match=self.may(request, "add_customer"),
        )

    def _unmapped(self, request: HttpRequest, configuration: Configuration) -> list[tuple[Seen, bool]]:
        found = []
        counts = count_lines(configuration.org_id, "service", "department", "vat_rate")
        for model in MODELS:
            if rows := unmapped(configuration, model, counts):
                seen = Seen.read(configuration, model, rows)
                found.append((seen, self.may(request, f"add_{seen.model}")))
        return sorted(found, key=lambda one: not one[0].urgent)

    def match_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what the company had before us; with POST, look through it, link what is ticked, or send it as another one."""
        self.require(request, "add_customer")
        configuration = self.existing(request, object_id)
        if not configuration.realm_id:
            messages.error(request, _obstacle(configuration))
            return HttpResponseRedirect(_address("going_live", configuration, request))
        if request.method == "POST":
            try:
                self._match(request, configuration)
            except CompanyError as error:
                messages.error(request, f"QuickBooks could not be read: {error.sentence}")
            except CannotLink as problem:
                messages.error(request, str(problem))
            return HttpResponseRedirect(_address("match", configuration, request))
        inventory = first_link_up.inventory_of(configuration)
        return self.page(
            request,
            "match_customers.html",
            f"Already in QuickBooks: {configuration}",
            configuration=configuration,
            inventory=inventory,
            objects=sum(inventory.objects.values()) if inventory is not None else 0,
            suggestions=first_link_up.suggestions(configuration) if inventory is not None and inventory.taken else [],
            linked=first_link_up.taken_over(configuration),
            back=_address("going_live", configuration, request),
        )

    def _match(self, request: HttpRequest, configuration: Configuration) -> None:
        """Do what was asked. Raises `CompanyError` and `CannotLink`."""
        by, pairs = str(request.user), request.POST.getlist("pair")
        for button, (choose, logged, said) in _CHOICES.items():
            if button in request.POST:
                count, problems = choose(configuration, pairs, by=by)
                if count:
                    self.log_change(request, configuration, f"{logged}: {_names_of(pairs)}.")
                if count or not problems:
                    messages.success(request, f"{counted(count, 'record')} {said}.")
                for problem in problems:
                    messages.warning(request, problem)
                return
        if request.POST.get("remove", "").isdecimal():
            first_link_up.remove(configuration, int(request.POST["remove"]), by=by)
            named = _names_of([request.POST["remove"]])
            self.log_change(request, configuration, f"Removed the link to what QuickBooks had already: {named}.")
            messages.success(request, "The link is removed. The record waits here until you decide again.")
        else:
            found = first_link_up.start_looking(configuration)
            if not found.taken:
                messages.info(request, "QuickBooks is large: the rest is read in the background. Reload this page.")


_CHOICES = {
    "link": (
        first_link_up.take_over,
        "Linked to what QuickBooks had already",
        "linked to what QuickBooks has already",
    ),
    "another": (first_link_up.send_as_others, "Chose to send as new", "will be sent as new"),
}
"""By button: what is done with the ticked records, what the activity log says of it, and what the person reads."""


def _names_of(pairs: Iterable[str]) -> str:
    """Name the first records of what was ticked, for the activity log."""
    ids = {int(head) for one in pairs if (head := one.partition(":")[0]).isdecimal()}
    links = list(Link.objects.filter(pk__in=ids).defer("applied", "observed").order_by("pk"))
    said = ", ".join(f"{link.kind} {link}" for link in links[:NAMED])
    return f"{said} and {len(links) - NAMED:,} more" if len(links) > NAMED else said


def _obstacle(configuration: Configuration) -> str:
    """Why it cannot be enabled, in words; empty when it can."""
    connected = CompanyConnection.objects.filter(
        configuration=configuration, realm_id=configuration.realm_id, state="connected"
    ).exists()
    if not connected:
        return "The QuickBooks company is not linked: run Authorize with QuickbooksOnline from the list first."
    if not configuration.notification_recipients:
        return "Name at least one notification recipient in the Configuration first."
    return ""


def _address(name: str, configuration: Configuration, request: HttpRequest) -> str:
    """Give the address of one of the two pages, with the start date that was chosen and is stored nowhere yet."""
    chosen = read_day(request.POST.get("start_date") or request.GET.get("start_date"))
    address = reverse(f"admin:quickbooks_online_configuration_{name}", args=[configuration.pk])
    return f"{address}?{urlencode({'start_date': chosen.isoformat()})}" if chosen else address


def _start(configuration: Configuration, request: HttpRequest) -> dt.date:
    """Give the date that was chosen on the page or is stored, else the first day of this month."""
    today = dt.date.today()  # noqa: DTZ011 - a date for a form
    return read_day(request.GET.get("start_date")) or configuration.start_date or today.replace(day=1)


def _waiting(configuration: Configuration, months: Sequence[Month]) -> dict[str, int]:
    records = Record.objects.filter(org_id=configuration.org_id, deleted=False)
    return {
        "clients": records.filter(kind="client").count(),
        "projects": records.filter(kind="project").count() if configuration.project_customers else 0,
        "invoices": sum(month.sent for month in months),
        "earlier": sum(month.before for month in months),
    }


def _months(configuration: Configuration, start: dt.date) -> list[Month]:
    """Count the documents of each month, on both sides of the start date, the newest first."""
    documents = Record.objects.filter(
        org_id=configuration.org_id, deleted=False, kind="invoice", body__step__in=[step.value for step in SYNCED_STEPS]
    ).annotate(date=KT("body__date"))
    before, sent = Counter[str](), Counter[str]()
    for date, number in documents.order_by().values_list("date").annotate(number=Count("pk")):
        (sent if date >= start.isoformat() else before)[date[:7]] += number
    months = sorted({*before, *sent}, reverse=True)
    return [Month(dt.date.fromisoformat(f"{month}-01"), before[month], sent[month]) for month in months]


def _first_invoices(configuration: Configuration, start: dt.date) -> list[FirstInvoice]:
    with engine().begin() as db:
        company = read_company(db, configuration.org_id)
    if company is None or company.configuration.realm_id is None or company.facts is None:
        return []
    rows = list(
        Record.objects.filter(
            org_id=configuration.org_id,
            kind="invoice",
            deleted=False,
            body__step__in=[step.value for step in SYNCED_STEPS],
        )
        .annotate(date=KT("body__date"))
        .filter(date__gte=start.isoformat())
        .order_by("date", "pk")[:FIRST]
    )
    ids = Link.objects.filter(
        realm_id=configuration.realm_id, kind="invoice", kompass_id__in=[row.kompass_id for row in rows]
    ).values_list("pk", flat=True)
    company = replace(company, configuration=replace(company.configuration, start_date=start))
    with engine().begin() as db:
        known = {link.kompass_id: link for link in links_by_id(db, list(ids)).values()}
        links = [
            known.get(row.kompass_id)
            or link_to_be(row.typed(), org_id=row.org_id, realm_id=configuration.realm_id or "")
            for row in rows
        ]
        predicted = {one.link.kompass_id: one for one in predict(db, [(link, company) for link in links])}
    first = []
    for row in rows:
        invoice = row.typed()
        if isinstance(invoice, Invoice) and row.kompass_id in predicted:
            first.append(
                FirstInvoice(
                    invoice.reference,
                    invoice.client.name,
                    invoice.date,
                    invoice.amount_gross,
                    invoice.currency,
                    preview_of(predicted[row.kompass_id]),
                )
            )
    return first
