"""Configurations: the article's steps 1 to 3, its five actions, and the pages that they lead to."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import capfirst

from admin.quickbooks_online import dumps, lists, meaning, opened
from admin.quickbooks_online.check import check_company, count_by_level
from admin.quickbooks_online.companies import Company, CompanyError
from admin.quickbooks_online.forms import ConfigurationForm
from admin.quickbooks_online.impact import impact_of, unsent
from admin.quickbooks_online.linking import start
from admin.quickbooks_online.list_fields import Offer
from admin.quickbooks_online.models import Backfill, CompanyConnection, Configuration, Org
from admin.quickbooks_online.overview import Counts, connection_of
from admin.quickbooks_online.pages.activity import ActivityPages
from admin.quickbooks_online.pages.agreement import AgreementPages
from admin.quickbooks_online.pages.authorization import AuthorizationPages
from admin.quickbooks_online.pages.base import SearchedLists, exactly_one
from admin.quickbooks_online.pages.going_live import GoingLivePages
from admin.quickbooks_online.pages.impact import ImpactPages
from admin.quickbooks_online.pages.org_filters import ConnectionFilter, choose
from admin.quickbooks_online.pages.overview import ConfigurationChangeList, OverviewPages
from admin.quickbooks_online.template_preview import preview_template, variables_of
from schemas.counting import counted

PLACEHOLDER = "<will be extracted during authorization>"
TEMPLATES = ("doc_number_template", "project_name_template", "client_name_template", "currency_name_template")
# What a sent document's payload depends on.
IMPACTFUL = {
    *TEMPLATES,
    "locale",
    "billed_tax",
    "tax_item_id",
    "default_item_id",
    "default_class_id",
    "project_customers",
    "start_date",
}


LISTS = ("items", "classes", "tax_codes", "custom_fields")
SEARCHERS = tuple(
    f"{verb}_{model}"
    for model in ("configuration", "itemservice", "departmentclass", "taxcodevatrate", "customfield")
    for verb in ("add", "change")
)


class ConfigurationAdmin(OverviewPages, ActivityPages, AuthorizationPages, GoingLivePages, ImpactPages, AgreementPages):
    form = ConfigurationForm
    change_form_template = "admin/quickbooks_online/configuration_form.html"
    change_list_template = "admin/quickbooks_online/configuration_list.html"
    list_display = (
        "org",
        "shown_overview",
        "shown_enabled",
        "shown_company",
        "shown_connection",
        "shown_counts",
    )
    list_filter = ("enabled", "locale", ("connection__state", ConnectionFilter))
    search_fields = ("org__name", "org__id", "realm_id", "connection__company_name")
    list_select_related = ("org", "connection")
    actions = ("authorize", "test_connection", "get_customers", "get_jobs", "get_invoices")
    fieldsets = (
        (None, {"fields": ("org", "enabled", "start_date", "notification_recipients", "project_customers")}),
        (
            "Names and numbers in QuickBooks",
            {"fields": TEMPLATES, "description": "Jinja2 templates. The defaults work for most customers."},
        ),
        (None, {"fields": ("locale", "vat_numbers")}),
        ("Tax and currency", {"fields": ("billed_tax", "tax_item_id", "tax_amounts", "exchange_rates")}),
        ("QuickBooks company", {"fields": ("company_id", "refresh_token")}),
        ("Defaults", {"fields": ("default_item_id", "default_class_id")}),
    )

    class Media(SearchedLists):
        """Long lists are searched on the server."""

    # --- the list

    @admin.display(description="Enable", boolean=True, ordering="enabled")
    def shown_enabled(self, configuration: Configuration) -> bool:
        return configuration.enabled

    @admin.display(description="QuickBooks company", ordering="connection__company_name")
    def shown_company(self, configuration: Configuration) -> str:
        link = connection_of(configuration)
        if link is None:
            return "Not linked yet"
        return format_html('{}<br><span class="qbo-quiet">{}</span>', link.company_name, link.realm_id)

    @admin.display(description="Connection", ordering="connection__state")
    def shown_connection(self, configuration: Configuration) -> str:
        link = connection_of(configuration)
        if link is None:
            return format_html('<span class="qbo-badge">{}</span>', "Not linked")
        tone = "synced" if link.state == "connected" else "failed"
        return format_html('<span class="qbo-badge qbo-{}">{}</span>', tone, capfirst(link.state))

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[ConfigurationChangeList]:
        return ConfigurationChangeList

    @admin.display(description="Records")
    def shown_counts(self, configuration: Configuration) -> str:
        counts: Counts = getattr(configuration, "counts", Counts({}))
        if not counts.total:
            return "none yet"
        parts = [
            f"{number:,} {words}"
            for number, words in (
                (counts.in_quickbooks, "in QuickBooks"),
                (counts.queued, "queued"),
                (counts.retrying, "retrying"),
                (counts.waiting, "waiting"),
            )
            if number or words == "in QuickBooks"
        ]
        if not counts.failed:
            return ", ".join(parts)
        address = reverse("admin:quickbooks_online_failure_changelist")
        return format_html(
            '{}<br><a href="{}?org={}">{}</a>',
            ", ".join(parts),
            address,
            configuration.org_id,
            counted(counts.failed, "needs attention", "need attention"),
        )

    @admin.display(description="Overview")
    def shown_overview(self, configuration: Configuration) -> str:
        address = reverse("admin:quickbooks_online_configuration_overview", args=[configuration.pk])
        return format_html('<a href="{}" aria-label="Overview of {}">Overview</a>', address, str(configuration))

    # --- the form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("company_id", "refresh_token", *(("org",) if obj is not None else ()))

    @admin.display(description="Company id")
    def company_id(self, configuration: Configuration) -> str:
        if configuration.pk is None or not configuration.realm_id:
            return PLACEHOLDER
        link = connection_of(configuration)
        return f"{configuration.realm_id} ({link.company_name})" if link is not None else configuration.realm_id

    @admin.display(description="Refresh token")
    def refresh_token(self, configuration: Configuration) -> str:
        link = connection_of(configuration) if configuration.pk else None
        if link is None:
            return PLACEHOLDER
        if link.state != "connected":
            return f"no longer valid: {link.disconnect_message or 'disconnected'}. Run Authorize with QuickbooksOnline."
        renewed = _moment(link.refreshed_at or link.linked_at)
        until = f", good until {_moment(link.refresh_expires_at)} unless renewed" if link.refresh_expires_at else ""
        return f"stored, renewed {renewed}{until}"

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Fill in what is known: the only Org without a Configuration, and the address of the person who adds it."""
        initial = super().get_changeform_initial_data(request)
        orgs = list(Org.objects.filter(configuration=None).values_list("pk", flat=True)[:2])
        if "org" not in initial and len(orgs) == 1:
            initial["org"] = orgs[0]
        address = getattr(request.user, "email", "")
        if "notification_recipients" not in initial and address:
            initial["notification_recipients"] = [address]
        return initial

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if isinstance(obj, Configuration):
            link = connection_of(obj)
            if link is not None and link.state == "connected":
                return False
        return super().has_delete_permission(request, obj)

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        configuration = self.get_object(request, object_id) if object_id else None
        link = connection_of(configuration) if configuration is not None else None
        if configuration is not None and link is not None:
            choose(request, configuration.pk)
        context = {
            "connection": link,
            "linked_elsewhere": configuration is not None and link is not None,
            "may_agree": self.may(request, "agree_configuration"),
            "may_authorize": self.may(request, "authorize_configuration"),
            "variables": {name: variables_of(name) for name in TEMPLATES},
            "overview_url": reverse("admin:quickbooks_online_configuration_overview", args=[configuration.pk])
            if configuration is not None
            else "",
            "preview_url": reverse("admin:quickbooks_online_configuration_template_preview"),
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        was_enabled = change and Configuration.objects.filter(pk=obj.pk, enabled=True).exists()
        request.session.pop("qbo_going_live", None)
        if obj.enabled and not was_enabled:
            # Sending cannot be undone: one page says what will go before it starts.
            obj.enabled = False
            request.session["qbo_going_live"] = obj.pk
        if change:
            # Only what the form shows: the company may be linked at this moment.
            obj.save(update_fields=[name for name in form.fields if name != opened.NAME])
        else:
            super().save_model(request, obj, form, change)
            # What went by before the Org had a Configuration was not kept: a consumer reads it again.
            Backfill.objects.create(configuration=obj)
        changed = IMPACTFUL & set(form.changed_data)
        if change and changed:
            names = bool(changed & set(TEMPLATES))
            # Who waits is asked now, as the pipeline may send it once this commits; the comparison reads what is committed.
            waited = unsent(obj)
            transaction.on_commit(lambda: self.tell_impact(request, obj, names=names, waited=waited))

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        if request.session.pop("qbo_going_live", None) == obj.pk:
            return HttpResponseRedirect(reverse("admin:quickbooks_online_configuration_going_live", args=[obj.pk]))
        return super().response_change(request, obj)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        response = super().response_add(request, obj, post_url_continue)
        messages.info(
            request,
            f"Next: tick {obj} in the list, choose Authorize with QuickbooksOnline and click Go. Earlier events of Kompass "
            "are read again now; the Overview of the Org shows how far that is.",
        )
        return response

    def tell_impact(
        self, request: HttpRequest, configuration: Configuration, *, names: bool, waited: frozenset[int]
    ) -> None:
        kinds = ("client", "project", "invoice") if names else ("invoice",)
        impact = impact_of(configuration, kinds=kinds, refresh_names=names, waited=waited)
        if impact.going_out or impact.differing or impact.closed:
            address = reverse("admin:quickbooks_online_configuration_impact", args=[configuration.pk])
            text = format_html(
                '{}. <a href="{}{}">See the difference, resend</a>',
                impact.sentence,
                address,
                "?names=1" if names else "",
            )
            messages.info(request, text)

    def meaning_of_deletion(self, row: Any) -> str:
        return meaning.of_configuration(row)

    # --- the actions

    def has_authorize_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "authorize_configuration")

    def has_test_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "test_configuration")

    def has_dump_customers_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "dump_customers")

    def has_dump_jobs_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "dump_jobs")

    def has_dump_invoices_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "dump_invoices")

    @admin.action(description="Authorize with QuickbooksOnline", permissions=["authorize"])
    def authorize(self, request: HttpRequest, queryset: QuerySet[Configuration]) -> HttpResponse | None:
        configuration = exactly_one(request, queryset)
        if configuration is None:
            return None
        address = start(request.session, configuration_id=configuration.pk, user_id=request.user.pk or 0)
        return HttpResponseRedirect(address)

    @admin.action(description="Test connection", permissions=["test"])
    def test_connection(self, request: HttpRequest, queryset: QuerySet[Configuration]) -> HttpResponse | None:
        configuration = exactly_one(request, queryset)
        if configuration is None:
            return None
        if not configuration.realm_id:
            messages.error(
                request, f"{configuration} is not linked to a QuickBooks company: run Authorize with QuickbooksOnline."
            )
            return None
        try:
            facts = Company(configuration.realm_id).facts()
        except CompanyError as error:
            messages.error(request, f"Connection to QuickBooks failed: {error.sentence}")
            return None
        CompanyConnection.objects.filter(configuration=configuration).exclude(company_name=facts.name).update(
            company_name=facts.name
        )
        messages.success(request, f"Connection successful: Kompass reached {facts.name} ({configuration.realm_id}).")
        if not configuration.enabled:
            messages.warning(
                request, f"Enable is off for {configuration}: nothing is sent until you tick it in the Configuration."
            )
        findings = check_company(configuration, facts)
        return self.page(
            request,
            "company_check.html",
            f"Company check: {facts.name}",
            configuration=configuration,
            facts=facts,
            findings=findings,
            counts=count_by_level(findings),
        )

    @admin.action(description="Get QBO customers as JSON", permissions=["dump_customers"])
    def get_customers(self, request: HttpRequest, queryset: QuerySet[Configuration]) -> HttpResponseBase | None:
        return self._dump(request, queryset, dumps.CUSTOMERS)

    @admin.action(description="Get QBO jobs (sub-customers) as JSON", permissions=["dump_jobs"])
    def get_jobs(self, request: HttpRequest, queryset: QuerySet[Configuration]) -> HttpResponseBase | None:
        return self._dump(request, queryset, dumps.JOBS)

    @admin.action(description="Get QBO invoices as JSON", permissions=["dump_invoices"])
    def get_invoices(self, request: HttpRequest, queryset: QuerySet[Configuration]) -> HttpResponseBase | None:
        return self._dump(request, queryset, dumps.INVOICES)

    def _dump(
        self, request: HttpRequest, queryset: QuerySet[Configuration], what: dumps.Dump
    ) -> HttpResponseBase | None:
        configuration = exactly_one(request, queryset)
        if configuration is None:
            return None
        try:
            return dumps.download(configuration, what)
        except CompanyError as error:
            messages.error(request, f"The {what.words} could not be read: {error.sentence}")
            return None

    # --- small pages of their own

    def get_urls(self) -> list[URLPattern]:
        return [
            self.at("template-preview/", self.template_preview_view, "template_preview"),
            self.at("<path:object_id>/lists/<slug:what>/", self.search_list_view, "search_list"),
            self.at("<path:object_id>/refresh-lists/", self.refresh_lists_view, "refresh_lists"),
            *super().get_urls(),
        ]

    def template_preview_view(self, request: HttpRequest) -> HttpResponse:
        """Render a template that is being written against recent records of the Org; saves nothing."""
        self.require(request, "add_configuration", "change_configuration", "add_customfield", "change_customfield")
        if request.method != "POST":
            return self.only_post(request)
        name, template = request.POST.get("name", ""), request.POST.get("template", "")
        org_id = request.POST.get("org", "")
        configuration = request.POST.get("configuration", "")
        if not org_id and configuration.isdecimal():
            org_id = Configuration.objects.filter(pk=configuration).values_list("org_id", flat=True).first() or ""
        shown = preview_template(org_id, name, template)
        return JsonResponse(json.loads(json.dumps(shown.as_json())))

    def refresh_lists_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Fetch items, classes, tax codes and facts again, then go back to where the link was."""
        self.require(
            request, "change_configuration", "change_itemservice", "change_taxcodevatrate", "view_configuration"
        )
        if request.method != "POST":
            return self.only_post(request)
        configuration = self.existing(request, object_id)
        if configuration.realm_id:
            problems = lists.refresh_all(configuration.realm_id)
            for problem in problems:
                messages.error(request, f"The lists of QuickBooks could not be refreshed: {problem}")
            if not problems:
                messages.success(request, "Items, classes and tax codes are as in QuickBooks now.")
        own = reverse("admin:quickbooks_online_configuration_change", args=[configuration.pk])
        return HttpResponseRedirect(self.way_back(request) or own)

    def search_list_view(self, request: HttpRequest, object_id: str, what: str) -> HttpResponse:
        """Search a list of the company, for the dropdowns of long lists."""
        self.require(request, *SEARCHERS)
        configuration = self.existing(request, object_id)
        if what not in LISTS or not configuration.realm_id:
            raise Http404
        page = request.GET.get("page", "")
        found, more = Offer.of(configuration.realm_id, what).found(
            request.GET.get("term", "")[:100], int(page) if page.isdecimal() and len(page) < 6 else 1
        )
        results = [{"id": entry.id, "text": entry.name} for entry in found]
        return JsonResponse({"results": results, "pagination": {"more": more}})


def _moment(value: Any) -> str:
    return date_format(timezone.localtime(value), "j M Y, H:i")
