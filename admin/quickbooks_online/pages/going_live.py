"""Going live: what waits, from which date it goes, what is unmapped, who is in QuickBooks already, and the first invoices."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format

from admin.quickbooks_online import manual_link
from admin.quickbooks_online.companies import CompanyTrouble
from admin.quickbooks_online.forms import DayInput
from admin.quickbooks_online.manual_link import Match, QboCustomer
from admin.quickbooks_online.models import (
    CompanyConnection,
    Configuration,
    Link,
    Record,
)
from admin.quickbooks_online.pages.base import SectionAdmin
from admin.quickbooks_online.pages.seen_rows import MODELS, Seen
from admin.quickbooks_online.preview import Preview, preview_of
from admin.quickbooks_online.runtime import engine
from admin.quickbooks_online.seen import unmapped
from mapping.case import SYNCED_STEPS
from schemas.events import Invoice
from store.searching import links_by_id
from sync.companies import read_company
from sync.decide import foresee, link_to_be

FIRST = 10
_SALT = "quickbooks_online.match"


class StartDateForm(forms.Form):
    start_date = forms.DateField(
        label="Send documents dated from",
        widget=DayInput(),
        help_text="Earlier ones are never sent, so that nothing that was typed into QuickBooks by hand is booked twice.",
    )


@dataclass(frozen=True, slots=True)
class FirstInvoice:
    reference: str
    client: str
    date: dt.date
    total: Decimal
    currency: str
    preview: Preview


class GoingLivePages(SectionAdmin):
    """A part of the Configurations' admin."""

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            wrapped = self.admin_site.admin_view(view)
            return path(route, wrapped, name=f"quickbooks_online_configuration_{name}")

        own = [
            at("<path:object_id>/going-live/", self.going_live_view, "going_live"),
            at("<path:object_id>/match-customers/", self.match_view, "match"),
        ]
        return own + super().get_urls()

    def going_live_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what enabling starts; with POST and a start date, enable."""
        self.require(request, "change_configuration")
        configuration = self.existing(request, object_id)
        obstacle = _obstacle(configuration)
        start = _date(request.GET.get("start_date") or configuration.start_date)
        form = StartDateForm(request.POST or None, initial={"start_date": start})
        enabled = False
        if request.method == "POST" and not obstacle and form.is_valid():
            # The person who enables second does not move the date under what is being sent.
            enabled = bool(
                Configuration.objects.filter(pk=configuration.pk, enabled=False).update(
                    enabled=True, start_date=form.cleaned_data["start_date"]
                )
            )
            if not enabled:
                messages.error(request, f"{configuration} is enabled already. Nothing was changed.")
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
        return self.page(
            request,
            "going_live.html",
            f"Going live: {configuration}",
            configuration=configuration,
            obstacle=obstacle,
            form=form,
            waiting=_waiting(configuration, start),
            unmapped=self._unmapped(request, configuration),
            first=_first_invoices(configuration, start),
            start=start,
            may_match=self.may(request, "add_customer"),
        )

    def _unmapped(self, request: HttpRequest, configuration: Configuration) -> list[tuple[Seen, bool]]:
        found = []
        for model in MODELS:
            if rows := unmapped(configuration, model):
                seen = Seen.read(configuration, model, rows)
                found.append((seen, self.may(request, f"add_{seen.model}")))
        return sorted(found, key=lambda one: not one[0].urgent)

    def match_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Match clients with customers of QuickBooks by name; nothing is linked without the second POST."""
        self.require(request, "add_customer")
        configuration = self.existing(request, object_id)
        back = reverse("admin:quickbooks_online_configuration_going_live", args=[configuration.pk])
        if request.method != "POST" or not configuration.realm_id:
            return HttpResponseRedirect(back)
        if "confirm" in request.POST:
            chosen = [_unsign(value) for value in request.POST.getlist("match")]
            count, problems = manual_link.link_all(
                configuration, [one for one in chosen if one is not None], by=str(request.user)
            )
            if count:
                self.log_change(request, configuration, f"Linked {count} clients to existing QuickBooks customers.")
            messages.success(request, f"{count} clients are linked to the customers that QuickBooks has already.")
            for problem in problems:
                messages.warning(request, problem)
            return HttpResponseRedirect(back)
        try:
            found = manual_link.matches(configuration)
        except CompanyTrouble as trouble:
            messages.error(request, f"The customers of QuickBooks could not be read: {trouble.sentence}")
            return HttpResponseRedirect(back)
        signed = [(match, signing.dumps(asdict(match), salt=_SALT)) for match in found]
        return self.page(
            request,
            "match_customers.html",
            "Customers that QuickBooks has already",
            configuration=configuration,
            matches=signed,
            without=len(manual_link.unlinked_clients(configuration)) - len(found),
            back=back,
        )


def _unsign(value: str) -> Match | None:
    try:
        found: dict[str, Any] = signing.loads(value, salt=_SALT, max_age=3600)
    except signing.BadSignature:
        return None
    return Match(**{**found, "customer": QboCustomer(**found["customer"])})


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


def _date(value: object) -> dt.date:
    """Give the date that a page or a Configuration names, else the first day of this month."""
    if isinstance(value, dt.date):
        return value
    try:
        return dt.date.fromisoformat(str(value))
    except ValueError:
        return dt.date.today().replace(day=1)  # noqa: DTZ011 - a date for a form


def _waiting(configuration: Configuration, start: dt.date) -> dict[str, int]:
    records = Record.objects.filter(org_id=configuration.org_id, deleted=False)
    invoices = records.filter(kind="invoice", body__step__in=[step.value for step in SYNCED_STEPS])
    return {
        "clients": records.filter(kind="client").count(),
        "projects": records.filter(kind="project").count() if configuration.project_customers else 0,
        "invoices": invoices.filter(body__date__gte=start.isoformat()).count(),
        "earlier": invoices.filter(body__date__lt=start.isoformat()).count(),
    }


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
            body__date__gte=start.isoformat(),
            body__step__in=[step.value for step in SYNCED_STEPS],
        ).order_by("body__date", "pk")[:FIRST]
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
        foreseen = {one.link.kompass_id: one for one in foresee(db, [(link, company) for link in links])}
    first = []
    for row in rows:
        invoice = row.typed()
        if isinstance(invoice, Invoice) and row.kompass_id in foreseen:
            first.append(
                FirstInvoice(
                    invoice.reference,
                    invoice.client.name,
                    invoice.date,
                    invoice.amount_gross,
                    invoice.currency,
                    preview_of(foreseen[row.kompass_id]),
                )
            )
    return first
