"""What the pages have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from admin.quickbooks_online.models import Configuration

if TYPE_CHECKING:
    BaseAdmin = admin.ModelAdmin[Any]
else:
    BaseAdmin = admin.ModelAdmin


class SectionAdmin(BaseAdmin):
    """A page of the section: its look, and permissions that come with a name of their own."""

    actions_on_top = True
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ("quickbooks_online/quickbooks.css",)}  # noqa: RUF012 - Django reads it so
        js = ("quickbooks_online/quickbooks.js",)

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


def not_allowed(allowed: str) -> HttpResponse:
    return HttpResponse(status=405, headers={"Allow": allowed})
