"""The activity log of an Org, as a page and as CSV, and undoing the last change of its mappings."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, reverse
from django.utils import timezone

from admin.quickbooks_online import activity
from admin.quickbooks_online.models import Activity
from admin.quickbooks_online.pages.base import SectionAdmin, again_after_deadlock
from admin.quickbooks_online.pages.downloads import downloaded

AT_ONCE = 100
EXPORTED_AT_MOST = 50_000
UNDOERS = tuple(f"change_{model}" for model in ("itemservice", "departmentclass", "taxcodevatrate", "customfield"))


class ActivityPages(SectionAdmin):
    """A part of the Configurations' admin."""

    def get_urls(self) -> list[URLPattern]:
        return [
            self.at("<path:object_id>/activity/", self.activity_view, "activity"),
            self.at("<path:object_id>/undo/", self.undo_view, "undo"),
            *super().get_urls(),
        ]

    def activity_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show who changed, mapped, linked, retried and decided what, the newest first; with ``as=csv`` all of it."""
        self.require(request, "view_configuration", "change_configuration")
        configuration = self.existing(request, object_id)
        entries = Activity.objects.filter(org_id=configuration.org_id).order_by("-id").defer("changes")
        if request.GET.get("as") == "csv":
            rows = [
                (timezone.localtime(one.at).isoformat(timespec="seconds"), one.by, one.about, one.what)
                for one in entries[:EXPORTED_AT_MOST]
            ]
            return downloaded((("at", "by", "about", "what"), rows), f"activity-{configuration.org_id}")
        last = activity.last_change(configuration.org_id)
        return self.page(
            request,
            "activity.html",
            f"Activity log: {configuration}",
            configuration=configuration,
            original=configuration,
            entries=Paginator(entries, AT_ONCE).get_page(request.GET.get("page")),
            last_change=last.pk if last is not None and self._may_undo(request) else None,
        )

    def _may_undo(self, request: HttpRequest) -> bool:
        return all(self.may(request, codename) for codename in UNDOERS)

    @again_after_deadlock
    def undo_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take back the last change of the Org's mappings."""
        for codename in UNDOERS:
            self.require(request, codename)
        if request.method != "POST":
            return self.only_post(request)
        configuration = self.existing(request, object_id)
        asked = request.POST.get("entry", "")
        try:
            activity.undo(request, int(asked) if asked.isdecimal() else 0, configuration.org_id)
        except activity.CannotUndo as problem:
            messages.error(request, str(problem))
        else:
            messages.success(
                request,
                "The last change of the mappings is undone. Records that it affects are compared with QuickBooks again.",
            )
        own = reverse("admin:quickbooks_online_configuration_activity", args=[configuration.pk])
        return HttpResponseRedirect(self.way_back(request) or own)
