"""Customers: a record's page, and linking a Kompass Client to an existing QBO customer by hand."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse

from admin.quickbooks_online import manual_link, opened
from admin.quickbooks_online.companies import CompanyError
from admin.quickbooks_online.forms import CustomerForm
from admin.quickbooks_online.models import Configuration
from admin.quickbooks_online.pages.existing import search_answer
from admin.quickbooks_online.pages.links import LinkAdmin
from admin.quickbooks_online.runtime import engine
from store.engine import retrying
from sync.by_hand import CannotLink, override_name


class CustomerAdmin(LinkAdmin):
    form = CustomerForm
    list_display = ("shown_record", "shown_org", "currency", "shown_where", "shown_name", "shown_qbo")
    readonly_fields = (
        "shown_record",
        "org_name",
        "currency",
        "shown_qbo",
        "shown_name",
        "synced_at",
    )
    fields = (*readonly_fields, "name_override")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.may(request, "add_customer")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if "name_override" not in form.changed_data:
            return
        # Not save(): the pipeline may be writing other columns of the row at this moment.
        retrying(engine(), lambda db: override_name(db, obj.pk, obj.name_override, by=str(request.user)))

    def get_urls(self) -> list[URLPattern]:
        return [
            self.at("search-quickbooks/", self.search_view, "search"),
            self.at("<path:object_id>/remove-link/", self.remove_link_view, "remove_link"),
            *super().get_urls(),
        ]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Link a Kompass Client to an existing QBO customer by hand."""
        self.require(request, "add_customer")
        linked = list(Configuration.objects.exclude(realm_id=None).select_related("org"))
        asked = request.POST.get("configuration") or request.GET.get("configuration") or ""
        chosen = next((one for one in linked if str(one.pk) == asked), linked[0] if len(linked) == 1 else None)
        context: dict[str, Any] = {
            "configurations": linked,
            "chosen": chosen,
            "clients": manual_link.unlinked_clients(chosen) if chosen is not None else [],
            # A sync error leads here with both sides named.
            "given": request.POST or request.GET,
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
            customer = manual_link.customer_by_id(configuration, qbo_id)
            if customer is None:
                context["problem"] = (
                    f"QuickBooks has no customer with the id {qbo_id} (sub-customers cannot be chosen)."
                )
                return None
            others = manual_link.holders(configuration, customer.id)
            if others and "twice" not in request.POST:
                names = ", ".join(str(one) for one in others)
                context["twice"] = f"{customer.name} is linked to {names} already."
                return None
            link = manual_link.link_by_hand(
                configuration, kompass_id=kompass_id, customer=customer, by=str(request.user)
            )
        except CompanyError as error:
            context["problem"] = f"QuickBooks could not be asked: {error.sentence}"
            return None
        except CannotLink as problem:
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
        return search_answer(request)

    def remove_link_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a link made by hand back."""
        self.require(request, "add_customer")
        if request.method != "POST":
            return self.only_post(request)
        link = self.existing(request, object_id)
        if problem := opened.overtaken(link, request.POST.get(opened.NAME, ""), qbo_id=link.qbo_id):
            messages.error(request, problem)
            return HttpResponseRedirect(reverse("admin:quickbooks_online_customer_change", args=[link.pk]))
        try:
            manual_link.unlink(link, by=str(request.user))
        except CannotLink as problem:
            messages.error(request, str(problem))
        else:
            self.log_change(request, link, "Removed the link to the QuickBooks customer.")
            messages.success(request, f"{link} is no longer linked by hand: Kompass makes a customer of its own.")
        return HttpResponseRedirect(reverse("admin:quickbooks_online_customer_change", args=[link.pk]))
