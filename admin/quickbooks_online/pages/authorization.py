"""The way back from Intuit, the question before another company is linked, and Disconnect (the article's step 2)."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.cache import never_cache

from admin.quickbooks_online import linking, opened
from admin.quickbooks_online.companies import Company, CompanyError
from admin.quickbooks_online.linking import Linked, LinkRefused, OtherCompany
from admin.quickbooks_online.models import Configuration
from admin.quickbooks_online.pages.base import SectionAdmin
from admin.quickbooks_online.pages.org_filters import choose
from store.errors import StoreError

SIGNED_OUT = LinkRefused(
    "You are signed out",
    "Kompass does not know who started this authorization.",
    "Sign in, then start Authorize with QuickbooksOnline again from the Configurations list.",
    status=403,
)
NOT_ALLOWED = LinkRefused(
    "You may not link a company",
    "Your account lacks the permission to authorize with QuickbooksOnline.",
    "Ask Kompass support to have the permission added to your group.",
    status=403,
)
CANCELLED = LinkRefused(
    "The authorization was cancelled",
    "Intuit says that access was not granted. The most common cause is signing in as a user who is not an admin of the "
    "QuickBooks company.",
)


class AuthorizationPages(SectionAdmin):
    """A part of the Configurations' admin."""

    def get_urls(self) -> list[URLPattern]:
        def at(route: str, view: Callable[..., HttpResponse], name: str) -> URLPattern:
            return path(route, view, name=f"quickbooks_online_configuration_{name}")

        wrap = self.admin_site.admin_view
        own = [
            # Not wrapped: the sign-in page would carry Intuit's code along in its address.
            at("callback/", never_cache(self.callback_view), "callback"),
            at("<path:object_id>/another-company/", wrap(self.another_company_view), "another_company"),
            at("<path:object_id>/disconnect/", wrap(self.disconnect_view), "disconnect"),
        ]
        return own + super().get_urls()

    def callback_view(self, request: HttpRequest) -> HttpResponse:
        """Intuit sends the browser here, with a code and a company or with an error."""
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        try:
            outcome = self._callback(request)
        except LinkRefused as refused:
            return self._refused(request, refused)
        except StoreError as error:
            return self._refused(
                request, LinkRefused("The link cannot be stored", f"{error}", "Ask Kompass support.", status=500)
            )
        if isinstance(outcome, OtherCompany):
            return HttpResponseRedirect(
                reverse("admin:quickbooks_online_configuration_another_company", args=[outcome.configuration_id])
            )
        return self._linked(request, outcome)

    def _callback(self, request: HttpRequest) -> Linked | OtherCompany:
        user = request.user
        if isinstance(user, AnonymousUser) or not self.admin_site.has_permission(request):
            raise SIGNED_OUT
        if not self.may(request, "authorize_configuration"):
            raise NOT_ALLOWED
        configuration_id = linking.take_state(request.session, request.GET.get("state", ""), user_id=user.pk)
        error = request.GET.get("error", "")
        if error == "access_denied":
            raise CANCELLED
        if error:
            raise LinkRefused("Intuit refused the authorization", f"It answered “{error[:60]}”.")
        return linking.finish(
            request.session,
            configuration_id=configuration_id,
            code=request.GET.get("code", ""),
            realm_id=request.GET.get("realmId", ""),
        )

    def _linked(self, request: HttpRequest, linked: Linked) -> HttpResponse:
        configuration = Configuration.objects.get(pk=linked.configuration_id)
        self.log_change(request, configuration, f"Linked to {linked.company_name} ({linked.realm_id}).")
        choose(request, configuration.pk)
        try:
            # So that dropdowns, previews and the pipeline know the company from the start.
            Company(linked.realm_id).facts()
        except CompanyError as error:
            messages.warning(request, f"The company's settings could not be read yet: {error.sentence}")
        messages.success(
            request, f"{configuration} is linked to the QuickBooks company {linked.company_name} ({linked.realm_id})."
        )
        if linked.changed:
            messages.warning(
                request,
                "This is another company than before, so everything starts clean: choose the Default Item, map services "
                "and VAT rates again (their former names are proposed), then tick Enable.",
            )
        else:
            messages.info(request, "Next: choose a Default Item ID, tick Enable and save.")
        return HttpResponseRedirect(reverse("admin:quickbooks_online_configuration_change", args=[configuration.pk]))

    def _refused(self, request: HttpRequest, refused: LinkRefused) -> TemplateResponse:
        signed_in = self.admin_site.has_permission(request)
        response = self.page(request, "authorization_failed.html", refused.title, refused=refused, signed_in=signed_in)
        response.status_code = refused.status
        # The address holds Intuit's state: it goes to nobody.
        response["Referrer-Policy"] = "no-referrer"
        return response

    def another_company_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask before another company takes the place of the one linked so far."""
        self.require(request, "authorize_configuration")
        configuration = self.existing(request, object_id)
        if request.method == "POST":
            if "confirm" not in request.POST:
                linking.decline(request.session, configuration.pk)
                messages.info(request, "Nothing was changed: the company linked so far stays.")
                return HttpResponseRedirect(
                    reverse("admin:quickbooks_online_configuration_change", args=[configuration.pk])
                )
            try:
                linked = linking.confirm(request.session, configuration.pk)
            except LinkRefused as refused:
                return self._refused(request, refused)
            return self._linked(request, linked)
        asked = linking.pending(request.session, configuration.pk)
        if asked is None:
            return self._refused(
                request, LinkRefused("There is nothing to decide", "The authorization took too long, or is done.")
            )
        return self.page(
            request, "another_company.html", "Another QuickBooks company", configuration=configuration, asked=asked
        )

    def disconnect_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then stop using the company and revoke at Intuit."""
        self.require(request, "authorize_configuration")
        configuration = self.existing(request, object_id)
        if request.method != "POST":
            opened_with = opened.stamp(realm=configuration.realm_id)
            return self.page(
                request,
                "disconnect.html",
                "Disconnect from QuickBooks",
                configuration=configuration,
                opened=opened_with,
            )
        if problem := opened.overtaken(configuration, request.POST.get(opened.NAME, ""), realm=configuration.realm_id):
            messages.error(request, problem)
            return HttpResponseRedirect(
                reverse("admin:quickbooks_online_configuration_change", args=[configuration.pk])
            )
        revoked = linking.disconnect(configuration.pk)
        self.log_change(request, configuration, "Disconnected from QuickBooks.")
        if revoked:
            messages.success(request, f"{configuration} is disconnected, and the access is revoked at Intuit.")
        else:
            messages.warning(
                request,
                f"{configuration} is disconnected here, but Intuit could not be reached. To revoke the access there too, "
                "remove Kompass in QuickBooks under Apps.",
            )
        return HttpResponseRedirect(reverse("admin:quickbooks_online_configuration_change", args=[configuration.pk]))
