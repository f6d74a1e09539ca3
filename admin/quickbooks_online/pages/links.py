"""Customers, Projects and Invoices: what QuickBooks has of each record, why, and what would be sent now."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html

from admin.quickbooks_online import adoption
from admin.quickbooks_online.adoption import CannotAdopt
from admin.quickbooks_online.cases import judge_links, read_company
from admin.quickbooks_online.companies import CompanyTrouble
from admin.quickbooks_online.forms import CustomerForm
from admin.quickbooks_online.impact import ask_again
from admin.quickbooks_online.models import Configuration, Difference, Failure, History, Link, Record
from admin.quickbooks_online.pages.base import ReadOnlyAdmin, again_after_deadlock, not_allowed
from admin.quickbooks_online.preview import Preview, preview_of
from admin.quickbooks_online.runtime import engine, intuit
from mapping import cents

HISTORY_SHOWN = 200
_PAGES = {
    "Invoice": "/app/invoice?txnId=",
    "CreditMemo": "/app/creditmemo?txnId=",
    "Customer": "/app/customerdetail?nameId=",
}
DIFFERENCES = {
    cents.ROUNDING: "Tax rounded otherwise",
    cents.BY_DATE: "Tax rate by date",
    cents.RATE: "Other tax rate",
    cents.AUTOMATED: "Automated sales tax",
    cents.BY_HAND: "Changed by hand",
    cents.NET: "Other net amount",
}
STATE_WORDS = {
    "pending": "Pending: about to be judged",
    "settled": "Settled: QuickBooks has it",
    "skipped": "Skipped: not to be synced",
    "waiting": "Waiting",
    "held": "Held: it is tried again by itself",
    "rejected": "Rejected: something has to be mended",
    "withdrawn": "Withdrawn in Kompass, but still in QuickBooks",
}


class CompanyFilter(admin.SimpleListFilter):
    """Links of a company that was linked before stay; they are shown when asked for."""

    title = "company"
    parameter_name = "company"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("former", "Linked before"), ("all", "All")]

    def choices(self, changelist: Any) -> Any:
        for choice in super().choices(changelist):
            yield {**choice, "display": "Linked now"} if choice["display"] == "All" and not _is_all(choice) else choice

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = Configuration.objects.exclude(realm_id=None).values("realm_id")
        if self.value() == "all":
            return queryset
        if self.value() == "former":
            return queryset.exclude(realm_id__in=now)
        return queryset.filter(realm_id__in=now)


def _is_all(choice: Any) -> bool:
    return "company=all" in str(choice["query_string"])


class OrgFilter(admin.SimpleListFilter):
    title = "Org"
    parameter_name = "org"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        found = Configuration.objects.select_related("org").order_by("org__name")[:100]
        return [(one.org_id, str(one)) for one in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(org_id=self.value()) if self.value() else queryset


class SumsFilter(admin.SimpleListFilter):
    """Documents that QuickBooks totals otherwise than Kompass: all of them, or those of one reason."""

    title = "sums"
    parameter_name = "sums"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("differ", "Differ from QuickBooks"), *DIFFERENCES.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        differing = queryset.filter(difference__isnull=False)
        return differing if self.value() == "differ" else differing.filter(difference__cause=self.value())


class LinkAdmin(ReadOnlyAdmin):
    change_form_template = "admin/quickbooks_online/link_form.html"
    change_list_template = "admin/quickbooks_online/link_list.html"
    list_filter: ClassVar[Any] = ("state", OrgFilter, CompanyFilter)
    search_fields = ("reference", "name", "kompass_id", "qbo_id")
    search_help_text = "Search by name, number, Kompass id or QBO id"
    ordering = ("-id",)
    actions = ()
    list_display: Any = ("shown_record", "shown_state", "shown_reason", "shown_name", "shown_qbo")
    readonly_fields: ClassVar[Any] = (
        "shown_record",
        "org_name",
        "shown_state",
        "shown_reason",
        "shown_qbo",
        "shown_name",
        "settled_at",
    )
    fields: ClassVar[Any] = readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("sent", "theirs")

    @admin.display(description="Record", ordering="reference")
    def shown_record(self, link: Link) -> str:
        return format_html('<span class="qbo-record">{}</span>', link.reference or link.kompass_id)

    @admin.display(description="Org")
    def org_name(self, link: Link) -> str:
        found = Configuration.objects.filter(org_id=link.org_id).select_related("org").first()
        return str(found) if found is not None else link.org_id

    @admin.display(description="State", ordering="state")
    def shown_state(self, link: Link) -> str:
        return format_html(
            '<span class="qbo-badge qbo-{}" title="{}">{}</span>',
            link.state,
            STATE_WORDS.get(link.state, ""),
            link.state,
        )

    @admin.display(description="Reason")
    def shown_reason(self, link: Link) -> str:
        return link.reason or ("" if link.state == "settled" else STATE_WORDS.get(link.state, ""))

    @admin.display(description="QBO id", ordering="qbo_id")
    def shown_qbo(self, link: Link) -> str:
        if not link.qbo_id:
            return "not in QuickBooks"
        return format_html(
            '<a href="{}" target="_blank" rel="noopener noreferrer" aria-label="Open {} {} in QuickBooks">{}</a>',
            address_in_quickbooks(link),
            link.entity,
            link.qbo_id,
            f"{link.entity} {link.qbo_id}" if link.kind == "invoice" else link.qbo_id,
        )

    @admin.display(description="Name in QuickBooks", ordering="name")
    def shown_name(self, link: Link) -> str:
        return link.name or "–"

    @admin.display(description="Settled", ordering="settled_at")
    def shown_settled(self, link: Link) -> str:
        if link.settled_at is None:
            return "–"
        return format_html(
            '<span class="qbo-nowrap">{}</span>', date_format(timezone.localtime(link.settled_at), "j M")
        )

    @admin.display(description="Total in QBO", ordering="qbo_total")
    def shown_total(self, link: Link) -> str:
        total = "" if link.qbo_total is None else f"{link.qbo_total:,.2f}"
        if (found := difference_of(link)) is None:
            return total
        return format_html('{} <span class="qbo-badge qbo-waiting" title="{}">differs</span>', total, found.message)

    @admin.display(description="Compared with Kompass")
    def shown_difference(self, link: Link) -> str:
        if (found := difference_of(link)) is not None:
            return found.message
        return "–" if link.qbo_total is None else "Agreed to the cent when it was last sent."

    # --- one record

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
                "state_words": STATE_WORDS.get(link.state, link.state),
                "failure": failure,
                "failure_address": reverse("admin:quickbooks_online_failure_change", args=[failure.pk])
                if failure is not None and self.may(request, "view_failure")
                else "",
                "history": history_of(link),
                "may_resend": self.may(request, self._resend_permission()),
                "show_save_and_add_another": False,
                "show_save_and_continue": False,
                "current_company": Configuration.objects.filter(realm_id=link.realm_id).exists(),
            }
        return super().changeform_view(request, object_id, form_url, context)

    def _resend_permission(self) -> str:
        return f"resend_{self.opts.model_name}"

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            wrapped = self.admin_site.admin_view(view)
            return path(route, wrapped, name=f"quickbooks_online_{self.opts.model_name}_{name}")

        own = [
            at("<path:object_id>/preview/", self.preview_view, "preview"),
            at("<path:object_id>/resend/", self.resend_view, "resend"),
        ]
        return own + super().get_urls()

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
        """Have the record judged again now; with ``names``, apply an edited template too."""
        self.require(request, self._resend_permission())
        if request.method != "POST":
            return not_allowed("POST")
        link = self.existing(request, object_id)
        names = "names" in request.POST
        ask_again([link.pk], by=str(request.user), refresh_names=names)
        self.log_change(request, link, "Asked for it to be looked at again.")
        messages.success(request, f"{link} will be looked at again in the background.")
        return HttpResponseRedirect(reverse(f"admin:quickbooks_online_{self.opts.model_name}_change", args=[link.pk]))


def _preview(link: Link) -> Preview:
    with engine().begin() as db:
        company = read_company(db, link.org_id)
    if company is None:
        return Preview(
            "Nothing can be said yet",
            "calm",
            "The Org's QuickBooks company is not linked, or has not been read yet. Run Test connection.",
        )
    if company.configuration.realm_id != link.realm_id:
        return Preview("It belongs to a company linked before", "calm", "Nothing is sent there any more.")
    judged = judge_links([link], company)
    if not judged:
        return Preview("Kompass has not told of it yet", "calm", "No event of this record has been seen.")
    return preview_of(judged[0])


def history_of(link: Link) -> list[History]:
    """Give the newest happenings of the record, newest first: what `kompass-qbo why` tells."""
    return list(
        History.objects.filter(org_id=link.org_id, kind=link.kind, kompass_id=link.kompass_id).order_by("-pk")[
            :HISTORY_SHOWN
        ]
    )


def difference_of(link: Link) -> Difference | None:
    """Give what the document differs by from Kompass; None when it agrees."""
    return getattr(link, "difference", None)


def address_in_quickbooks(link: Link) -> str:
    return f"{intuit().environment.ui_base_url}{_PAGES.get(link.entity, '/app/customerdetail?nameId=')}{link.qbo_id}"


class CustomerAdmin(LinkAdmin):
    form = CustomerForm
    list_display = ("shown_record", "currency", "shown_state", "shown_reason", "shown_name", "shown_qbo")
    readonly_fields = (
        "shown_record",
        "org_name",
        "currency",
        "shown_state",
        "shown_reason",
        "shown_qbo",
        "shown_name",
        "settled_at",
    )
    fields = (*readonly_fields, "name_override")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add_customer")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if "name_override" not in form.changed_data:
            return
        # Not save(): the pipeline may be writing other columns of the row at this moment.
        Link.objects.filter(pk=obj.pk).update(name_override=obj.name_override)
        ask_again(
            [obj.pk],
            by=str(request.user),
            refresh_names=True,
            why=f"{request.user} set the DisplayName to “{obj.name_override}”"
            if obj.name_override
            else f"{request.user} removed the DisplayName override",
        )

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(route, self.admin_site.admin_view(view), name=f"quickbooks_online_customer_{name}")

        own = [
            at("search-quickbooks/", self.search_view, "search"),
            at("<path:object_id>/remove-link/", self.remove_link_view, "remove_link"),
        ]
        return own + super().get_urls()

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Link a Kompass Client to an existing QBO customer by hand."""
        self.require(request, "add_customer")
        linked = list(Configuration.objects.exclude(realm_id=None).select_related("org"))
        asked = request.POST.get("configuration") or request.GET.get("configuration") or ""
        chosen = next((one for one in linked if str(one.pk) == asked), linked[0] if len(linked) == 1 else None)
        context: dict[str, Any] = {
            "configurations": linked,
            "chosen": chosen,
            "clients": adoption.unlinked_clients(chosen) if chosen is not None else [],
            "given": request.POST,
            "problem": "",
            "twice": "",
        }
        if request.method == "POST" and chosen is not None:
            done = self._link_by_hand(request, chosen, context)
            if done is not None:
                return done
        return self.page(request, "customer_link.html", "Link a Client to an existing QBO customer", **context)

    def _link_by_hand(
        self, request: HttpRequest, configuration: Configuration, context: dict[str, Any]
    ) -> HttpResponse | None:
        kompass_id, qbo_id = request.POST.get("client", ""), request.POST.get("customer", "").strip()
        if not kompass_id or not qbo_id:
            context["problem"] = "Choose a Client and search for the QBO customer."
            return None
        try:
            customer = adoption.customer_by_id(configuration, qbo_id)
            if customer is None:
                context["problem"] = (
                    f"QuickBooks has no customer with the id {qbo_id} (sub-customers cannot be chosen)."
                )
                return None
            others = adoption.holders(configuration, customer.id)
            if others and "twice" not in request.POST:
                names = ", ".join(str(one) for one in others)
                context["twice"] = f"{customer.name} is linked to {names} already."
                return None
            link = adoption.adopt(configuration, kompass_id=kompass_id, customer=customer, by=str(request.user))
        except CompanyTrouble as trouble:
            context["problem"] = f"QuickBooks could not be asked: {trouble.sentence}"
            return None
        except CannotAdopt as problem:
            context["problem"] = str(problem)
            return None
        proxy = self.model._default_manager.get(pk=link.pk)
        self.log_addition(request, proxy, f"Linked to the QuickBooks customer {customer.name} ({customer.id}).")
        messages.success(
            request,
            f"{link} is linked to {customer.name} in QuickBooks. What it says there stays until Kompass changes it.",
        )
        return HttpResponseRedirect(reverse("admin:quickbooks_online_customer_change", args=[link.pk]))

    def search_view(self, request: HttpRequest) -> HttpResponse:
        """Search QBO customers by name, for the form above."""
        self.require(request, "add_customer")
        words, asked = request.GET.get("q", "").strip(), request.GET.get("configuration", "")
        configuration = (
            Configuration.objects.exclude(realm_id=None).filter(pk=asked).first() if asked.isdecimal() else None
        )
        if configuration is None or len(words) < 2:
            return JsonResponse({"customers": [], "problem": "Type at least two letters of the name."})
        try:
            found = adoption.search(configuration, words[:100])
        except CompanyTrouble as trouble:
            return JsonResponse({"customers": [], "problem": trouble.sentence})
        customers = [
            {
                "id": one.id,
                "label": one.label,
                "linked": ", ".join(str(link) for link in adoption.holders(configuration, one.id)),
            }
            for one in found
        ]
        return JsonResponse(
            {"customers": customers, "problem": "" if customers else "No customer has this in its name."}
        )

    def remove_link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a link made by hand back."""
        self.require(request, "add_customer")
        if request.method != "POST":
            return not_allowed("POST")
        link = self.existing(request, object_id)
        try:
            adoption.release(link, by=str(request.user))
        except CannotAdopt as problem:
            messages.error(request, str(problem))
        else:
            self.log_change(request, link, "Removed the link to the QuickBooks customer.")
            messages.success(request, f"{link} is no longer linked by hand: Kompass makes a customer of its own.")
        return HttpResponseRedirect(reverse("admin:quickbooks_online_customer_change", args=[link.pk]))


class ProjectAdmin(LinkAdmin):
    list_display = ("shown_record", "currency", "shown_state", "shown_reason", "shown_name", "shown_qbo")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class InvoiceAdmin(LinkAdmin):
    list_display = ("shown_record", "shown_state", "shown_reason", "shown_total", "shown_qbo", "shown_settled")
    readonly_fields = (
        "shown_record",
        "org_name",
        "entity",
        "shown_state",
        "shown_reason",
        "shown_qbo",
        "shown_name",
        "shown_total",
        "shown_difference",
        "settled_at",
    )
    fields = readonly_fields
    list_filter = ("state", SumsFilter, OrgFilter, CompanyFilter)
    list_select_related = ("difference",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
