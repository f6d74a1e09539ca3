"""What the configuration as saved now would change in QuickBooks, and asking for it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.formats import date_format

from admin.quickbooks_online.impact import ask_again, impact_of, part_of
from admin.quickbooks_online.models import (
    Activity,
    Configuration,
    DepartmentClass,
    ItemService,
    Mapping,
    TaxCodeVatRate,
)
from admin.quickbooks_online.opened import NAME, Opened
from admin.quickbooks_online.pages.base import SectionAdmin
from schemas.counting import counted
from schemas.link_state import Because
from sync.link import Wish

RESEND = ("resend_customer", "resend_project", "resend_invoice")


class ImpactPages(SectionAdmin):
    """A part of the Configurations' admin."""

    def get_urls(self) -> list[URLPattern]:
        return [self.at("<path:object_id>/impact/", self.impact_view, "impact"), *super().get_urls()]

    def impact_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show sent documents that would now differ, with the difference; with POST, ask for the ticked ones."""
        self.require(request, "view_configuration", "change_configuration")
        configuration = self.existing(request, object_id)
        version = configuration.version
        names = request.GET.get("names") == "1"
        kinds = ("client", "project", "invoice") if names else ("invoice",)
        part = None if names else part_of(_rows(request.GET.getlist("row")))
        impact = impact_of(configuration, kinds=kinds, refresh_names=names, part=part)
        if request.method == "POST":
            self.require(request, *RESEND)
            if changed := _changed_since(configuration, Opened.parse(request.POST.get(NAME, ""))):
                messages.error(request, f"Nothing was resent: {changed} The differences are shown as they are now.")
                return HttpResponseRedirect(request.get_full_path())
            wanted = {int(value) for value in request.POST.getlist("link") if value.isdecimal()}
            everything = "all" in request.POST
            count = ask_again(
                [link_id for link_id in impact.link_ids if everything or link_id in wanted],
                by=str(request.user),
                wishes=(Wish.REFRESH_NAMES,) if names else (),
                why=f"{request.user} asked for it to be resent with the changed configuration",
                because=Because.CONFIGURATION,
            )
            self.log_change(request, configuration, f"Asked for {counted(count, 'document')} to be resent.")
            messages.success(request, f"{count} will be resent in the background.")
            return HttpResponseRedirect(
                reverse("admin:quickbooks_online_configuration_change", args=[configuration.pk])
            )
        return self.page(
            request,
            "impact.html",
            f"What the change means: {configuration}",
            configuration=configuration,
            impact=impact,
            opened=Opened(timezone.now(), {"version": version}).signed(),
            may_resend=any(self.may(request, codename) for codename in RESEND),
        )


def _changed_since(configuration: Configuration, was: Opened | None) -> str:
    """Say who changed what the differences rest on after they were shown; empty when nobody did."""
    if was is None or was.values["version"] == configuration.version:
        return ""
    entry = Activity.objects.filter(org_id=configuration.org_id, at__gte=was.at).order_by("-id").first()
    if entry is None:
        return "the Configuration or the company was changed after you opened this page."
    moment = date_format(timezone.localtime(entry.at), "H:i")
    return f"{entry.by} changed the configuration at {moment} after you opened this page ({entry.what.rstrip('.')})."


_MODELS: dict[str, type[Mapping]] = {
    "itemservice": ItemService,
    "departmentclass": DepartmentClass,
    "taxcodevatrate": TaxCodeVatRate,
}


def _rows(names: list[str]) -> list[Mapping]:
    """Give the rows of mapping tables that an address names (``itemservice:12``); none when one of them is gone."""
    found = []
    for name in names:
        model, _, pk = name.partition(":")
        row = _MODELS[model]._default_manager.filter(pk=pk).first() if model in _MODELS and pk.isdecimal() else None
        if row is None:
            return []
        found.append(row)
    return found
