"""Linking by hand to what QuickBooks has: a customer, a sub-customer or project, or a document typed in there."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, JsonResponse

from admin.quickbooks_online import manual_link
from admin.quickbooks_online.companies import CompanyError
from admin.quickbooks_online.models import Configuration, Link
from sync.by_hand import CannotLink


def link_by_id(request: HttpRequest, link: Link, qbo_id: str) -> str:
    """Link the record to the object of this Id, and say on the page what came of it; gives its name, empty when it failed."""
    configuration = Configuration.objects.filter(org_id=link.org_id, realm_id=link.realm_id).first()
    try:
        if configuration is None:
            raise CannotLink("The QuickBooks company is not linked any more.")
        if not qbo_id.isdecimal():
            raise CannotLink("Enter the Id that the address of its page in QuickBooks ends with, such as 145.")
        there = manual_link.existing_by_id(configuration, link, qbo_id)
        if there is None:
            what = "sub-customer or project" if link.kind == "project" else "document of this type"
            raise CannotLink(f"QuickBooks has no {what} with the Id {qbo_id}.")
        manual_link.link_to_existing(link, there, by=str(request.user))
    except CompanyError as error:
        messages.error(request, f"QuickBooks could not be asked: {error.sentence}")
    except CannotLink as problem:
        messages.error(request, str(problem))
    else:
        messages.success(
            request,
            f"{link} is linked to {there.name} in QuickBooks. What it says there stays until Kompass changes it.",
        )
        return there.name
    return ""


def search_answer(request: HttpRequest, *, jobs: bool = False) -> JsonResponse:
    """Search customers, or sub-customers and projects, by name in QuickBooks, for the forms that link by hand."""
    words, asked = request.GET.get("q", "").strip(), request.GET.get("configuration", "")
    what = "sub-customer or project" if jobs else "customer"
    configuration = Configuration.objects.exclude(realm_id=None).filter(pk=asked).first() if asked.isdecimal() else None
    if configuration is None or len(words) < 2:
        return JsonResponse({"customers": [], "problem": "Type at least two letters of the name."})
    try:
        found = manual_link.search(configuration, words[:100], jobs=jobs)
    except CompanyError as error:
        return JsonResponse({"customers": [], "problem": error.sentence})
    customers = [
        {
            "id": one.id,
            "label": one.label,
            "linked": ", ".join(str(link) for link in manual_link.holders(configuration, one.id)),
        }
        for one in found
    ]
    return JsonResponse({"customers": customers, "problem": "" if customers else f"No {what} has this in its name."})
