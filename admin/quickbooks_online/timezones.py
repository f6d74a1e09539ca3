"""Times in the zone of the person who looks: the browser names it in a cookie, set by a line of script on every page."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

COOKIE = "viewer_timezone"


class ViewerTimezoneMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get(COOKIE, "")
        if not name or len(name) > 64:
            return self._get_response(request)
        try:
            zone = zoneinfo.ZoneInfo(name.replace("%2F", "/"))
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return self._get_response(request)
        with timezone.override(zone):
            return self._get_response(request)
