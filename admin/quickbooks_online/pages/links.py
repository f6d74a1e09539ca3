"""What QuickBooks has of each record, why, and what would be sent now; Projects and Invoices have no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import capfirst

from admin.quickbooks_online import activity, opened
from admin.quickbooks_online.impact import ask_again
from admin.quickbooks_online.models import Configuration, Failure, Link, Record
from admin.quickbooks_online.pages.base import ReadOnlyAdmin, again_after_deadlock
from admin.quickbooks_online.pages.downloads import downloaded
from admin.quickbooks_online.pages.existing import link_by_id, search_answer
from admin.quickbooks_online.pages.link_filters import CauseFilter, CompanyFilter, MonthFilter, StateFilter, SumsFilter
from admin.quickbooks_online.pages.link_rows import (
    EXPORTED,
    LinkChangeList,
    OneLook,
    Said,
    exported,
    found_by,
    history_of,
    other_lists,
    read_said,
    state_in_words,
)
from admin.quickbooks_online.pages.org_filters import OrgFilter
from admin.quickbooks_online.preview import Preview, preview_of
from admin.quickbooks_online.runtime import engine, intuit
from schemas.counting import counted
from store.searching import links_by_id
from sync.companies import read_company
from sync.decide import predict
from sync.link import Wish

EXPORTED_AT_MOST = 100_000
EXPORTED_AT_ONCE = 1_000
ENTITIES = {"CreditMemo": "Credit note"}
"""What people call an entity of QuickBooks, where that is another word."""
_PAGES = {
    "Invoice": "/app/invoice?txnId=",
    "CreditMemo": "/app/creditmemo?txnId=",
    "Customer": "/app/customerdetail?nameId=",
}


class LinkAdmin(ReadOnlyAdmin):
    change_form_template = "admin/quickbooks_online/link_form.html"
    change_list_template = "admin/quickbooks_online/link_list.html"
    list_filter: ClassVar[Any] = (StateFilter, CauseFilter, OrgFilter, CompanyFilter)
    search_fields = ("reference",)
    search_help_text = "Search by name, number, client, project, amount, date, Kompass id or QBO id"
    ordering = ("-id",)
    actions: Any = ("try_again",)
    list_display: Any = ("shown_record", "shown_org", "shown_where", "shown_name", "shown_qbo")
    readonly_fields: ClassVar[Any] = (
        "shown_record",
        "org_name",
        "shown_qbo",
        "shown_name",
        "synced_at",
    )
    fields: ClassVar[Any] = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("applied", "observed")

    def get_paginator(self, request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        searched = request.GET.get("q") or request.GET.get("month")
        return OneLook(*arguments, **named) if searched else super().get_paginator(request, *arguments, **named)

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[LinkChangeList]:
        return LinkChangeList

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(
            request, {"also_in": other_lists(request, str(self.opts.model_name)), **(extra_context or {})}
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return found_by(queryset, search_term), False

    @admin.display(description="Org")
    def shown_org(self, link: Link) -> str:
        return _said(link).org

    @admin.display(description="Client")
    def shown_client(self, link: Link) -> str:
        return _said(link).client or "–"

    @admin.display(description="Date")
    def shown_date(self, link: Link) -> str:
        date = _said(link).date
        return format_html('<span class="qbo-nowrap">{}</span>', date_format(date)) if date else "–"

    @admin.display(description="Total in Kompass")
    def shown_kompass_total(self, link: Link) -> str:
        said = _said(link)
        if said.total is None:
            return "–"
        return format_html('<span class="qbo-nowrap">{} {}</span>', f"{said.total:,.2f}", said.currency)

    @admin.display(description="Record", ordering="reference")
    def shown_record(self, link: Link) -> str:
        name = _said(link).name
        known = name if name and link.kind == "client" else str(link)
        if name and name != known:
            return format_html('<span class="qbo-record">{}</span><br><span class="qbo-quiet">{}</span>', known, name)
        return format_html('<span class="qbo-record">{}</span>', known)

    @admin.display(description="Org")
    def org_name(self, link: Link) -> str:
        found = Configuration.objects.filter(org_id=link.org_id).select_related("org").first()
        return str(found) if found is not None else link.org_id

    @admin.display(description="State", ordering="state")
    def shown_where(self, link: Link) -> str:
        words = state_in_words(link, _said(link).waits_for)
        badge = format_html('<span class="qbo-badge qbo-{}">{}</span>', link.state, words)
        return (
            format_html('{}<span class="qbo-reason">{}</span>', badge, capfirst(link.reason)) if link.reason else badge
        )

    @admin.display(description="QBO id", ordering="qbo_id")
    def shown_qbo(self, link: Link) -> str:
        if not link.qbo_id:
            return "–"
        return format_html(
            '<a href="{}" target="_blank" rel="noopener noreferrer" aria-label="Open {} {} in QuickBooks">{}</a>',
            address_in_quickbooks(link),
            ENTITIES.get(link.entity, link.entity),
            link.qbo_id,
            f"{ENTITIES.get(link.entity, link.entity)} {link.qbo_id}" if link.kind == "invoice" else link.qbo_id,
        )

    @admin.display(description="Name in QuickBooks", ordering="name")
    def shown_name(self, link: Link) -> str:
        return link.name or "–"

    @admin.display(description="Number in QuickBooks")
    def shown_number(self, link: Link) -> str:
        return link.name or "–"

    @admin.display(description="Synced", ordering="synced_at")
    def shown_settled(self, link: Link) -> str:
        if link.synced_at is None:
            return "–"
        return format_html(
            '<span class="qbo-nowrap">{}</span>', date_format(timezone.localtime(link.synced_at), "j M Y")
        )

    @admin.display(description="Total in QBO", ordering="qbo_total")
    def shown_total(self, link: Link) -> str:
        amount = "" if link.qbo_total is None else f"{link.qbo_total:,.2f} {_said(link).currency}".rstrip()
        total = format_html('<span class="qbo-nowrap">{}</span>', amount) if amount else ""
        for one in link.differences.all():
            if one.kompass_total is not None:
                return format_html(
                    '{} <span class="qbo-badge qbo-waiting" title="{}">differs</span>', total, one.message
                )
        return total

    @admin.display(description="Compared with Kompass")
    def shown_difference(self, link: Link) -> str:
        # What the total differs by comes first.
        rows = sorted(link.differences.all(), key=lambda one: (one.kompass_total is None, one.cause))
        found = [one.message for one in rows]
        if found:
            return "; ".join(found)
        return "–" if link.qbo_total is None else "Agreed to the cent when it was last sent."

    # --- many records

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return self.may(request, self._resend_permission())

    @admin.action(description="Try again", permissions=["resend"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        """Have the ticked records decided again now."""
        by_org: dict[str, list[int]] = {}
        for org_id, pk in queryset.order_by().values_list("org_id", "pk"):
            by_org.setdefault(org_id, []).append(pk)
        count = 0
        for org_id, ids in sorted(by_org.items()):
            count += ask_again(ids, by=str(request.user))
            activity.note(
                request,
                org_id,
                f"Asked to try {counted(len(ids), 'record')} again.",
                str(self.opts.verbose_name_plural),
            )
        messages.success(request, f"{count:,} will be tried again in the background.")

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Give the list as it is filtered, as CSV."""
        self.require(request, f"view_{self.opts.model_name}", f"change_{self.opts.model_name}")
        try:
            found = self.get_changelist_instance(request).get_queryset(request)[:EXPORTED_AT_MOST]
        except IncorrectLookupParameters:
            # As the list itself answers an address that names no filter of it.
            return HttpResponseRedirect(reverse(f"admin:quickbooks_online_{self.opts.model_name}_changelist") + "?e=1")
        rows: list[Sequence[str]] = []
        links = list(found)
        for first in range(0, len(links), EXPORTED_AT_ONCE):
            part = links[first : first + EXPORTED_AT_ONCE]
            read_said(part)
            rows += [exported(link) for link in part]
        return downloaded((EXPORTED, rows), str(self.opts.verbose_name_plural).lower())

    # --- one record

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        found = super().get_object(request, object_id, from_field)
        if found is not None:
            read_said([found])
        return found

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        link = self.get_object(request, object_id) if object_id else None
        context = dict(extra_context or {})
        if link is not None:
            failure = Failure.objects.filter(link_id=link.pk, closed_at=None).first()
            context |= {
                "link": link,
                "record": Record.objects.filter(org_id=link.org_id, kind=link.kind, kompass_id=link.kompass_id).first(),
                "state_words": state_in_words(link, _said(link).waits_for),
                "failure": failure,
                "failure_address": reverse("admin:quickbooks_online_failure_change", args=[failure.pk])
                if failure is not None and self.may(request, "view_failure")
                else "",
                "history": history_of(link),
                "opened": opened.stamp(qbo_id=link.qbo_id),
                "may_resend": self.may(request, self._resend_permission()),
                "show_save_and_add_another": False,
                "show_save_and_continue": False,
                "current_company": Configuration.objects.filter(realm_id=link.realm_id).first(),
            }
        return super().changeform_view(request, object_id, form_url, context)

    def _resend_permission(self) -> str:
        return f"resend_{self.opts.model_name}"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.at("export/", self.export_view, "export"),
            self.at("<path:object_id>/preview/", self.preview_view, "preview"),
            self.at("<path:object_id>/resend/", self.resend_view, "resend"),
            self.at("<path:object_id>/link-existing/", self.link_existing_view, "link_existing"),
            *super().get_urls(),
        ]

    def preview_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what would be sent now beside what was sent last. Makes no call."""
        name = self.opts.model_name
        self.require(request, f"view_{name}", f"change_{name}")
        link = self.existing(request, object_id)
        return self.page(
            request,
            "preview.html",
            f"Preview: {link}",
            link=link,
            original=link,
            preview=_preview(link),
            may_resend=self.may(request, self._resend_permission()),
        )

    @again_after_deadlock
    def resend_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Have the record decided again now; with ``names``, apply an edited template too."""
        self.require(request, self._resend_permission())
        if request.method != "POST":
            return self.only_post(request)
        link = self.existing(request, object_id)
        names = "names" in request.POST
        ask_again([link.pk], by=str(request.user), wishes=(Wish.REFRESH_NAMES,) if names else ())
        self.log_change(request, link, "Asked to try again.")
        messages.success(request, f"{link} will be tried again in the background.")
        return HttpResponseRedirect(reverse(f"admin:quickbooks_online_{self.opts.model_name}_change", args=[link.pk]))

    @again_after_deadlock
    def link_existing_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let the record stand for what QuickBooks has under this Id."""
        self.require(request, self._resend_permission())
        if request.method != "POST":
            return self.only_post(request)
        link = self.existing(request, object_id)
        if problem := opened.overtaken(link, request.POST.get(opened.NAME, ""), qbo_id=link.qbo_id):
            messages.error(request, problem)
        elif name := link_by_id(request, link, request.POST.get("qbo_id", "").strip()):
            self.log_change(request, link, f"Linked to {name} in QuickBooks.")
        return HttpResponseRedirect(reverse(f"admin:quickbooks_online_{self.opts.model_name}_change", args=[link.pk]))


def _preview(link: Link) -> Preview:
    with engine().begin() as db:
        company = read_company(db, link.org_id)
        found = links_by_id(db, [link.pk])
        predicted = predict(db, [(one, company) for one in found.values()]) if company is not None else []
    if company is None or company.configuration.realm_id is None or company.facts is None:
        return Preview(
            "Nothing can be said yet",
            "calm",
            "The Org's QuickBooks company is not linked, or has not been read yet. Run Test connection.",
        )
    if company.configuration.realm_id != link.realm_id:
        return Preview("It belongs to a company linked before", "calm", "Nothing is sent there any more.")
    if not predicted:
        return Preview("Kompass has not sent an event yet", "calm", "No event of this record has been seen.")
    return preview_of(predicted[0])


def _said(link: Link) -> Said:
    """What the list read of the record; nothing on the page of one record."""
    return getattr(link, "said", Said())


def address_in_quickbooks(link: Link) -> str:
    return f"{intuit().environment.ui_base_url}{_PAGES.get(link.entity, '/app/customerdetail?nameId=')}{link.qbo_id}"


class ProjectAdmin(LinkAdmin):
    def get_urls(self) -> list[URLPattern]:
        return [self.at("search-quickbooks/", self.search_view, "search"), *super().get_urls()]

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Search sub-customers and projects of QuickBooks by name, to link by hand."""
        self.require(request, self._resend_permission())
        return search_answer(request, jobs=True)

    list_display = (
        "shown_record",
        "shown_org",
        "shown_client",
        "currency",
        "shown_where",
        "shown_name",
        "shown_qbo",
    )

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class InvoiceAdmin(LinkAdmin):
    list_display = (
        "shown_record",
        "shown_org",
        "shown_client",
        "shown_date",
        "shown_where",
        "shown_kompass_total",
        "shown_total",
        "shown_qbo",
        "shown_settled",
    )
    readonly_fields = (
        "shown_record",
        "org_name",
        "shown_client",
        "shown_date",
        "shown_kompass_total",
        "shown_qbo",
        "shown_number",
        "shown_total",
        "shown_difference",
        "synced_at",
    )
    fields = readonly_fields
    list_filter = (StateFilter, CauseFilter, MonthFilter, SumsFilter, OrgFilter, CompanyFilter)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
