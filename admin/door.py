"""The site's door: who may try to log in how often, how long a session lasts, and the headers that tell browsers what a page may do.

The values are in `admin/settings.py` (CONTENT_SECURITY_POLICY, SESSION_…), the numbers in `DoorPolicy` of `sync/settings/policies.py`.

django-axes counts failed logins, for the account and for the address apart, in the database that all workers share.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth import logout
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.contrib.auth.views import redirect_to_login
from django.contrib.messages.storage.base import Message
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse

from admin.quickbooks_online.metrics import observe_login
from schemas.counting import counted

log = logging.getLogger(__name__)

_SINCE: Final = "logged_in_since"
_KEPT: Final = "kept_form"
KEPT_AT_MOST = 200_000
"""Characters of a form that is kept."""
KEPT_FOR_S = 3_600
Handler = Callable[[HttpRequest], HttpResponse]


class HeadersMiddleware:
    """Content-Security-Policy and Permissions-Policy on every answer."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        return response


class SessionAgeMiddleware:
    """Ends a session after SESSION_MAX_AGE seconds, however busy it is. SESSION_COOKIE_AGE ends one that is idle."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated:
            # A session of before an upgrade starts to count now.
            since = request.session.setdefault(_SINCE, time.time())
            if time.time() - since > settings.SESSION_MAX_AGE:
                logout(request)
        return self._get_response(request)


class PlainTextMiddleware:
    """Takes the character NUL out of what a browser sends: no text of the database can hold it, in a filter or in a field."""

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.GET = _without_nul(request.GET)
        if request.method == "POST":
            request.POST = _without_nul(request.POST)
        return self._get_response(request)


def _without_nul(sent: QueryDict) -> Any:
    if not any("\0" in text for name, values in sent.lists() for text in (name, *values)):
        return sent
    plain = QueryDict(mutable=True, encoding=sent.encoding)
    for name, values in sent.lists():
        plain.setlist(name.replace("\0", ""), [value.replace("\0", "") for value in values])
    plain._mutable = False
    return plain


class KeptFormMiddleware:
    """Keeps a form that is sent after the session has ended, and offers it again once the person has signed in.

    It is kept in the session that the sign-in continues, so no other browser sees it. Files are not kept, nor are forms outside of the
    section, which may hold passwords.
    """

    def __init__(self, get_response: Handler) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.get_full_path()
        ours = request.path.startswith(reverse("admin:app_list", args=["quickbooks_online"]))
        if request.method == "POST" and ours and not request.user.is_authenticated:
            response = self._get_response(request)
            if _leads_to_login(response) and (typed := _typed(request)) is not None:
                request.session[_KEPT] = {"path": path, "fields": typed, "at": time.time()}
            return response
        kept = request.session.get(_KEPT)
        if kept is None or not ours or not request.user.is_authenticated:
            return self._get_response(request)
        del request.session[_KEPT]
        if request.method != "GET" or kept["path"] != path or time.time() - kept["at"] > KEPT_FOR_S:
            return self._get_response(request)
        context = {**admin.site.each_context(request), "title": "You were signed out", "kept": kept}
        return render(request, "admin/kept_form.html", context)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say in words that a page is older than the session, and offer what was typed again.

    A sign-in changes the token, so a page that was open in another tab meanwhile sends an old one. A form from elsewhere is never offered.
    """
    log.warning("csrf: %s (%s)", reason, request.path)
    own = request.headers.get("Origin") == f"{request.scheme}://{request.get_host()}"
    ours = request.path.startswith(reverse("admin:app_list", args=["quickbooks_online"]))
    if own and ours and not request.user.is_authenticated:
        # The middleware keeps the form.
        return redirect_to_login(request.get_full_path(), reverse("admin:login"))
    fields = _typed(request) if own and ours else None
    kept = None if fields is None else {"path": request.get_full_path(), "fields": fields}
    context = {**admin.site.each_context(request), "title": "Nothing was saved", "kept": kept, "again": True}
    return render(request, "admin/kept_form.html", {**context, "path": request.path}, status=403)


def _typed(request: HttpRequest) -> list[list[str]] | None:
    """Give the fields of a form that can be kept; None of one that is too long or has a file."""
    fields = [[name, str(value)] for name, values in request.POST.lists() for value in values]
    if request.FILES or sum(len(name) + len(value) for name, value in fields) > KEPT_AT_MOST:
        return None
    return [one for one in fields if one[0] != "csrfmiddlewaretoken"]


def _leads_to_login(response: HttpResponse) -> bool:
    return response.status_code == 302 and response["Location"].startswith(reverse("admin:login"))


def client_address(request: HttpRequest) -> str | None:
    """Give the address of the browser: what the outermost of our own proxies saw, since a client may send any header."""
    proxies: int = settings.TRUSTED_PROXIES
    forwarded: list[str] = [
        part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()
    ]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META["REMOTE_ADDR"]) if "REMOTE_ADDR" in request.META else None


def locked_out(request: HttpRequest, response: HttpResponse, credentials: Mapping[str, Any] | None) -> HttpResponse:
    """The login page once more, with the reason. Its status is 429."""
    minutes = settings.AXES_COOLOFF_TIME.total_seconds() / 60
    words = f"Too many failed logins. Try again in {counted(round(minutes), 'minute')}, or ask an operator to unlock the account."
    context = {
        **admin.site.each_context(request),
        "title": "Log in",
        "form": AdminAuthenticationForm(request),
        "messages": [Message(messages.ERROR, words)],
    }
    return render(request, "admin/login.html", context, status=429)


@receiver(user_logged_in)
def _logged_in(sender: type, request: HttpRequest, user: AbstractBaseUser, **_: Any) -> None:
    request.session[_SINCE] = time.time()
    observe_login("ok")


@receiver(user_login_failed)
def _failed(sender: type | str, credentials: Mapping[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    refused = getattr(request, "axes_locked_out", False)
    observe_login("locked-out" if refused else "failed")
    log.warning(
        "too many failed logins: the account or the address is locked" if refused else "login failed",
        extra={"account": str(credentials.get("username"))[:150], "address": request and client_address(request)},
    )
