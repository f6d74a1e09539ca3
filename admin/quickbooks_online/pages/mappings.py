"""The mapping tables of the article's step 4: what is seen but not mapped, editable lists, files, and the impact of a change."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, ClassVar, cast
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone
from django.utils.html import format_html

from admin.quickbooks_online import activity, forms, mapping_files, meaning
from admin.quickbooks_online.impact import impact_of, part_of, unsent
from admin.quickbooks_online.list_fields import Offer, Offers
from admin.quickbooks_online.models import (
    Configuration,
    CustomField,
    DepartmentClass,
    ItemService,
    Mapping,
    TaxCodeVatRate,
)
from admin.quickbooks_online.opened import who_changed
from admin.quickbooks_online.pages.base import SearchedLists, SectionAdmin, again_after_deadlock
from admin.quickbooks_online.pages.downloads import downloaded
from admin.quickbooks_online.pages.org_filters import PARAMETER, MappingOrgFilter, chosen
from admin.quickbooks_online.pages.seen_rows import Seen
from admin.quickbooks_online.seen import proposal_for, unmapped
from admin.quickbooks_online.template_preview import variables_of

LARGEST_FILE = 2_000_000
"""Bytes of an imported file."""


class MappingAdmin(SectionAdmin):
    change_list_template = "admin/quickbooks_online/mapping_list.html"
    change_form_template = "admin/quickbooks_online/mapping_form.html"
    list_filter = (MappingOrgFilter,)
    list_select_related: ClassVar[Any] = ("configuration__org",)
    list_display_links = None
    what = ""
    """The QBO list of the first dropdown."""
    kompass = ""
    intro = ""

    class Media(SearchedLists):
        """Long lists are searched on the server."""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # Rows of a company that was linked before stay, but do not count.
        return super().get_queryset(request).filter(realm_id=F("configuration__realm_id"))

    def get_changelist_form(self, request: HttpRequest, **options: Any) -> Any:
        base = cast(type[forms.MappingForm], self.form)
        offers: Offers = {}
        return type(base.__name__, (base,), {"offers": offers, "Meta": base.Meta})  # type: ignore[attr-defined]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **options: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field is not None and db_field.is_relation:
            # What Kompass says and which company is linked is not edited from here.
            for name in ("can_add_related", "can_change_related", "can_delete_related", "can_view_related"):
                setattr(field.widget, name, False)
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return ("configuration", *((self.kompass,) if self.kompass else ()))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        initial = super().get_changeform_initial_data(request)
        named = {key: value for key, value in initial.items() if isinstance(value, str)}
        if "configuration" not in named and (configuration := chosen(request)) is not None:
            named["configuration"] = str(configuration.pk)
        if (seen := named.get(self.kompass, "")).isdecimal() and named.get("configuration", "").isdecimal():
            # Where an error leads to: what the list suggests for it is suggested here too.
            field = cast(type[forms.MappingForm], self.form).quickbooks[0][0]
            named.setdefault(field, proposal_for(int(named["configuration"]), self.model, int(seen)))
        return named

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> Any:
        context = {
            "preview_url": reverse("admin:quickbooks_online_configuration_template_preview"),
            "variables": {"template": variables_of("template")} if self.model is CustomField else {},
            **(extra_context or {}),
        }
        return super().changeform_view(request, object_id, form_url, context)

    @admin.display(description="Change")
    def change_link(self, row: Mapping) -> str:
        address = reverse(f"admin:quickbooks_online_{self.opts.model_name}_change", args=[row.pk])
        return format_html('<a href="{}" aria-label="Change {}">Change</a>', address, str(row))

    @admin.display(description="Org", ordering="configuration__org__name")
    def org(self, row: Mapping) -> str:
        return str(row.configuration)

    # --- the list

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        configuration = chosen(request)
        linked = Configuration.objects.exclude(realm_id=None)
        rows = unmapped(configuration, self.model) if configuration is not None else []
        offer = Offer.of(configuration.realm_id, self.what) if configuration is not None and self.what else None
        context = {
            "chosen": configuration,
            "linked_count": linked.count(),
            "seen": Seen.of(configuration, self.model, rows, offer) if configuration is not None and offer else None,
            "listing": offer.listing if offer else None,
            "last_change": activity.last_change(configuration.org_id)
            if configuration is not None and self.has_change_permission(request)
            else None,
            "intro": self.intro,
            "may_map": self.has_add_permission(request),
            "may_import": self.has_add_permission(request) and self.has_change_permission(request),
            "kompass_label": self.kompass.replace("_", " "),
            **(extra_context or {}),
        }
        return super().changelist_view(request, context)

    # --- saving, and what it means

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        before = activity.stored(obj)
        super().save_model(request, obj, form, change)
        if not change or form.changed_data:
            activity.note_mapping(request, obj, before, activity.values_of(obj))
            self.tell_later(request, obj.configuration, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        activity.note_mapping(request, obj, activity.values_of(obj), None)
        super().delete_model(request, obj)
        self.tell_later(request, obj.configuration, obj)

    def meaning_of_deletion(self, row: Any) -> str:
        return meaning.of_mapping(row)

    def tell_later(self, request: HttpRequest, configuration: Configuration, row: Mapping | None = None) -> None:
        """After the transaction, say once what the changed rows mean for documents; without a row, what all do.

        To be called in the transaction that saves.
        """
        saved_rows: dict[int, list[Mapping | None]] = request.__dict__.setdefault("_qbo_saved_rows", {})
        if configuration.pk in saved_rows:
            saved_rows[configuration.pk].append(row)
            return
        saved_rows[configuration.pk] = [row]
        waited = unsent(configuration)
        transaction.on_commit(lambda: self._tell(request, configuration, saved_rows.pop(configuration.pk), waited))

    def _tell(
        self, request: HttpRequest, configuration: Configuration, rows: Sequence[Mapping | None], waited: frozenset[int]
    ) -> None:
        if not configuration.enabled:
            return
        known = [row for row in rows if row is not None]
        part = part_of(known) if len(known) == len(rows) else None
        impact = impact_of(configuration, part=part, waited=waited)
        if impact.differing and self.may(request, "view_configuration"):
            address = reverse("admin:quickbooks_online_configuration_impact", args=[configuration.pk])
            if part is not None:
                # The page compares what these rows touch, not the company's every document.
                address += "?" + urlencode([("row", f"{self.opts.model_name}:{row.pk}") for row in known])
            text = format_html('{}: <a href="{}">see the difference, resend</a>', impact.sentence, address)
            messages.info(request, text)
        else:
            messages.info(request, f"{impact.sentence}.")

    # --- pages of its own

    def get_urls(self) -> list[URLPattern]:
        return [
            self.at("map-seen/", self.map_seen_view, "map_seen"),
            self.at("export/", self.export_view, "export"),
            self.at("template/", self.template_view, "template"),
            self.at("import/", self.import_view, "import"),
            *super().get_urls(),
        ]

    def _list(self, request: HttpRequest) -> HttpResponseRedirect:
        if (back := self.way_back(request)) is not None:
            return HttpResponseRedirect(back)
        address = reverse(f"admin:quickbooks_online_{self.opts.model_name}_changelist")
        asked = request.POST.get("configuration", "")
        return HttpResponseRedirect(f"{address}?{PARAMETER}={asked}" if asked.isdecimal() else address)

    @again_after_deadlock
    def map_seen_view(self, request: HttpRequest) -> HttpResponse:
        """Make rows for the unmapped things for which something was chosen, in one go."""
        self.require(request, f"add_{self.opts.model_name}")
        if request.method != "POST":
            return self.only_post(request)
        configuration_id = request.POST.get("configuration", "")
        configuration = (
            Configuration.objects.exclude(realm_id=None).filter(pk=configuration_id).first()
            if configuration_id.isdecimal()
            else None
        )
        if configuration is None:
            messages.error(request, "The Configuration is not linked to a QuickBooks company any more.")
            return self._list(request)
        first = cast(type[forms.MappingForm], self.form).quickbooks[0][0]
        made = 0
        picks = {
            int(pk): value
            for name, value in request.POST.items()
            if value and name.startswith("qbo-") and (pk := name.removeprefix("qbo-")).isdecimal()
        }
        with transaction.atomic():
            # Two people who map the same go one after the other.
            Configuration.objects.select_for_update().get(pk=configuration.pk)
            still = unmapped(configuration, self.model)
            self._say_what_is_mapped_by_now(request, configuration, picks.keys() - {one.pk for one in still})
            for one in still:
                picked = picks.get(one.pk, "")
                if not picked:
                    continue
                form = self.form(
                    data={"configuration": str(configuration.pk), self.kompass: str(one.pk), first: picked}
                )
                if not form.is_valid():
                    problems = "; ".join(str(error) for errors in form.errors.values() for error in errors)
                    messages.error(request, f"{one.name}: {problems}")
                    continue
                row = form.save()
                self.log_addition(request, row, [{"added": {}}])
                activity.note_mapping(request, row, None, activity.values_of(row))
                self.tell_later(request, configuration, row)
                made += 1
        if made:
            label = self.opts.verbose_name if made == 1 else self.opts.verbose_name_plural
            messages.success(request, f"{made} {label} added.")
        elif not picks:
            messages.info(request, "Nothing was chosen: pick something from a dropdown first.")
        return self._list(request)

    def _say_what_is_mapped_by_now(
        self, request: HttpRequest, configuration: Configuration, gone: Collection[int]
    ) -> None:
        """Name the rows that another person added after the page was opened."""
        rows = self.get_queryset(request).filter(configuration=configuration, **{f"{self.kompass}__in": gone})
        day = timezone.now() - timedelta(days=1)
        for row in rows:
            messages.warning(
                request, f"{row}: {who_changed(row, since=day)}, after you opened this page. Your choice was not saved."
            )

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Give what is mapped, in the form that an import takes."""
        self.require(request, f"view_{self.opts.model_name}", f"change_{self.opts.model_name}")
        return self._file(request, mapping_files.export(self.model, self._asked(request)), "")

    def template_view(self, request: HttpRequest) -> HttpResponse:
        """Give a file for an import with what is not mapped yet."""
        self.require(request, f"add_{self.opts.model_name}")
        return self._file(request, mapping_files.template(self.model, self._asked(request)), "-template")

    def _asked(self, request: HttpRequest) -> QuerySet[Configuration]:
        configurations = Configuration.objects.exclude(realm_id=None).select_related("org")
        asked = request.GET.get(PARAMETER, "")
        return configurations.filter(pk=asked) if asked.isdecimal() else configurations

    def _file(self, request: HttpRequest, table: mapping_files.Table, suffix: str) -> HttpResponse:
        name = str(self.opts.verbose_name_plural).lower().replace(" ", "-")
        return downloaded(table, f"{name}{suffix}", workbook=request.GET.get("as") == "xlsx")

    @again_after_deadlock
    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Import a file: every row, or none and the reasons."""
        self.require(request, f"change_{self.opts.model_name}")
        self.require(request, f"add_{self.opts.model_name}")
        problems: tuple[str, ...] = ()
        if request.method == "POST":
            upload = request.FILES.get("file")
            if upload is None:
                problems = ("Choose a file first.",)
            elif (upload.size or 0) > LARGEST_FILE:
                problems = (f"The file has more than {LARGEST_FILE:,} bytes: import it in parts.",)
            else:
                upload.seek(0)
                linked = Configuration.objects.exclude(realm_id=None).select_related("org")
                with transaction.atomic():
                    outcome = mapping_files.read_file(self.model, upload.read(), linked)
                    for row, before in outcome.rows:
                        activity.note_mapping(request, row, before, activity.values_of(row))
                    for pk in outcome.configurations:
                        configuration = Configuration.objects.get(pk=pk)
                        self._log_import(request, configuration, outcome)
                        self.tell_later(request, configuration)
                if not outcome.problems:
                    messages.success(request, f"Imported: {outcome.created} added, {outcome.changed} changed.")
                    return self._list(request)
                problems = outcome.problems
        return self.page(
            request,
            "mapping_import.html",
            f"Import {self.opts.verbose_name_plural}",
            problems=problems,
            columns=mapping_files.COLUMNS[self.model],
            chosen=chosen(request),
        )

    def _log_import(self, request: HttpRequest, configuration: Configuration, outcome: mapping_files.Imported) -> None:
        self.log_change(
            request,
            configuration,
            f"Imported {self.opts.verbose_name_plural}: {outcome.created} added, {outcome.changed} changed.",
        )


class ItemServiceAdmin(MappingAdmin):
    form = forms.ItemServiceForm
    list_display = ("service", "org", "item_id", "class_id", "change_link")
    list_editable = ("item_id", "class_id")
    list_select_related = ("configuration__org", "service")
    search_fields = ("service__name", "item_name", "class_name")
    what = "items"
    kompass = "service"
    intro = (
        "Map each Kompass Service to a QBO Item (Product/Service). Lines of an unmapped Service fall back to the "
        "Configuration's Default Item ID. A Class set here takes precedence over the Department's."
    )


class DepartmentClassAdmin(MappingAdmin):
    form = forms.DepartmentClassForm
    list_display = ("department", "org", "class_id", "change_link")
    list_editable = ("class_id",)
    list_select_related = ("configuration__org", "department")
    search_fields = ("department__name", "class_name")
    what = "classes"
    kompass = "department"
    intro = (
        "Only relevant if your QBO company uses Classes. Every Service of the Department gets this Class, unless its Item "
        "Service has one of its own; the Configuration's Default Class ID is the final fallback."
    )


class TaxCodeVatRateAdmin(MappingAdmin):
    form = forms.TaxCodeVatRateForm
    list_display = ("vat_rate", "org", "tax_code_id", "change_link")
    list_editable = ("tax_code_id",)
    list_select_related = ("configuration__org", "vat_rate")
    search_fields = ("vat_rate__name", "tax_code_name")
    what = "tax_codes"
    kompass = "vat_rate"
    intro = (
        "Map Kompass VAT rates to QBO tax codes. Required for the EU and Canada locales; not used in the USA. Lines "
        "without a VAT rate have a row of their own, “No VAT rate”."
    )


class CustomFieldAdmin(MappingAdmin):
    form = forms.CustomFieldForm
    list_display = ("shown_name", "org", "definition_id", "template", "change_link")
    list_editable = ("definition_id", "template")
    search_fields = ("name", "template")
    intro = (
        "Jinja2 templates for QBO invoice custom fields, with the variables of the DocNumber Template: for example "
        "{{ project.order_confirmation }} for the client's PO number."
    )

    @admin.display(description="Custom field", ordering="name")
    def shown_name(self, row: CustomField) -> str:
        return row.name or row.definition_id


MAPPING_ADMINS = {
    ItemService: ItemServiceAdmin,
    DepartmentClass: DepartmentClassAdmin,
    TaxCodeVatRate: TaxCodeVatRateAdmin,
    CustomField: CustomFieldAdmin,
}
