"""What the pages have in common."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import OperationalError, transaction
from django.db.models import DateField, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst
from psycopg.errors import DeadlockDetected, SerializationFailure

from admin.quickbooks_online import activity, opened
from admin.quickbooks_online.forms import DayInput
from admin.quickbooks_online.models import Configuration, Mapping

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
else:
    BaseAdmin = admin.ModelAdmin


View = TypeVar("View", bound=Callable[..., Any])

TRIES = 5


def again_after_deadlock(view: View) -> View:
    """Run a view that writes once more when Postgres chose it as the victim of a deadlock: all it wrote is undone by then.

    Two people who save the same mapping table, or a person and a consumer, may lock the same rows in another order.
    """

    @wraps(view)
    def tried(self: Any, request: HttpRequest, *arguments: Any, **named: Any) -> Any:
        for last in (*[False] * (TRIES - 1), True):
            try:
                return view(self, request, *arguments, **named)
            except OperationalError as error:
                if last or not isinstance(error.__cause__, DeadlockDetected | SerializationFailure):
                    raise
                # What the lost transaction would have said once it was committed.
                request.__dict__.pop("_qbo_saved_rows", None)
        raise AssertionError("the last try gives an answer or raises")

    return cast(View, tried)


class SectionAdmin(BaseAdmin):
    """A page of the section: its look, and permissions that come with a name of their own."""

    actions_on_top = True
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    empty_value_display = "–"
    formfield_overrides: ClassVar[Any] = {DateField: {"widget": DayInput}}

    class Media:
        css = {"all": ("quickbooks_online/quickbooks.css",)}  # noqa: RUF012 - Django reads it so
        js = ("quickbooks_online/quickbooks.js",)

    @again_after_deadlock
    def changeform_view(self, *arguments: Any, **named: Any) -> Any:
        return super().changeform_view(*arguments, **named)

    @again_after_deadlock
    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        # A list is called by what it holds, and not by what may be done to a row.
        context = {"title": capfirst(self.opts.verbose_name_plural), **(extra_context or {})}
        if request.method == "POST" and "_save" in request.POST:
            # Rows are compared with what was opened and locked before they are saved.
            with transaction.atomic():
                return super().changelist_view(request, context)
        return super().changelist_view(request, context)

    @again_after_deadlock
    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> Any:
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return super().delete_view(request, object_id, extra_context)
        if request.method == "POST" and (changed := opened.changed_since(row, request.POST.get(opened.NAME, ""))):
            messages.error(request, f"Nothing was deleted: {changed} after you opened this page.")
            return HttpResponseRedirect(request.get_full_path())
        context = {"meaning": self.meaning_of_deletion(row), "opened": opened.stamp_of(row), **(extra_context or {})}
        return super().delete_view(request, object_id, context)

    def meaning_of_deletion(self, row: Any) -> str:
        """Say what deleting a row means for what is in QuickBooks and on its way, with numbers."""
        return ""

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        # The template puts it at the top of the form.
        return [name for name in super().get_fields(request, obj) if name != opened.NAME]

    # What people do is noted for the Org too. Mappings are noted with what they were before, where they are saved.

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._note(request, obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._note(request, obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        for row in queryset:
            self._note(request, row, f"Deleted the {self.opts.verbose_name}.")
        return super().log_deletions(request, queryset)

    def _note(self, request: HttpRequest, obj: Any, message: Any) -> None:
        org_id = activity.org_of(obj)
        if org_id is not None and not isinstance(obj, Mapping):
            activity.note(request, org_id, activity.sentence_of(message), str(obj))

    def at(self, route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
        """Give a page of its own a place below the list, under the name of the model and this one."""
        return path(route, self.admin_site.admin_view(view), name=f"quickbooks_online_{self.opts.model_name}_{name}")

    def may(self, request: HttpRequest, codename: str) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{codename}")

    def require(self, request: HttpRequest, *codenames: str) -> None:
        """Raise `PermissionDenied` unless the person has one of these permissions."""
        if not any(self.may(request, codename) for codename in codenames):
            raise PermissionDenied

    def page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        return TemplateResponse(
            request,
            f"admin/quickbooks_online/{template}",
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "media": self.media,
                "has_view_permission": self.has_view_permission(request),
                **context,
            },
        )

    def way_back(self, request: HttpRequest) -> str | None:
        """Give the address on this site that a form names as the way back."""
        back = request.POST.get("next", "")
        return back if back.startswith("/") and not back.startswith("//") and "\\" not in back else None

    def only_post(self, request: HttpRequest) -> HttpResponse:
        """Answer a visit to the address of a button in words, with the way back."""
        response = self.page(request, "only_post.html", "Nothing was done")
        response.status_code = 405
        response["Allow"] = "POST"
        return response

    def existing(self, request: HttpRequest, object_id: str) -> Any:
        """Give the object whose page this is, or answer 404."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404
        return found

    def get_actions(self, request: HttpRequest) -> Any:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


class SearchedLists:
    """What Django's autocomplete needs on a page."""

    css: ClassVar[Any] = {"all": ("admin/css/vendor/select2/select2.css", "admin/css/autocomplete.css")}
    js: ClassVar[Any] = (
        "admin/js/vendor/jquery/jquery.min.js",
        "admin/js/vendor/select2/select2.full.min.js",
        "admin/js/jquery.init.js",
        "admin/js/autocomplete.js",
    )


class ReadOnlyAdmin(SectionAdmin):
    """Rows that the pipeline writes: nobody adds or deletes them here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


def exactly_one(request: HttpRequest, queryset: QuerySet[Any]) -> Configuration | None:
    """Give the one ticked Configuration, or say that exactly one has to be ticked."""
    found = list(queryset[:2])
    if len(found) == 1 and isinstance(found[0], Configuration):
        return found[0]
    messages.error(request, "Tick exactly one Configuration, then choose the action again.")
    return None
