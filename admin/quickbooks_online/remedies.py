"""Finds for the stable cause of a failure a heading for people, and the address of the field that fixes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from admin.quickbooks_online.models import Configuration, Failure, Service, VatRate
from mapping.causes.table import words_of
from schemas.counting import counted, form_of

_NOUNS = {"client": "client", "project": "project", "invoice": "invoice"}


def title_of(failure: Failure, count: int) -> str:
    """Give the heading of a group, in the words of the mail about it.

    ``37 invoices need attention: VAT 21 % has no QuickBooks tax code``
    """
    headline = words_of(failure.cause).headline_for(cause=failure.cause, field=failure.field, value=failure.value)
    if failure.stage == "connect":
        # However many records wait for it, and be it none.
        return cause_in_words(failure)
    noun = _NOUNS.get(failure.kind, "event")
    return f"{counted(count, noun)} {form_of(count, 'needs', 'need')} attention: {headline}"


def cause_in_words(failure: Failure) -> str:
    headline = words_of(failure.cause).headline_for(cause=failure.cause, field=failure.field, value=failure.value)
    return headline[:1].upper() + headline[1:]


def remedy_address(failure: Failure, configuration: Configuration | None, user: Any) -> tuple[str, str]:
    """Give (address, words) of the field that fixes it, if the person may change it; else two empty texts."""
    if configuration is None:
        return NOWHERE
    head, _, detail = failure.cause.partition(":")
    way = _WAYS.get("connect" if failure.stage == "connect" else head, _to_template)
    codename, address, words = way(failure, configuration, detail)
    return (address, words) if address and user.has_perm(f"quickbooks_online.{codename}") else NOWHERE


NOWHERE = ("", "")
_Way = tuple[str, str, str]
"""(permission, address, words)"""


def _add(configuration: Configuration, model: str, **initial: object) -> str:
    query = urlencode({"configuration": configuration.pk, **initial})
    return f"{reverse(f'admin:quickbooks_online_{model}_add')}?{query}"


def _listed(configuration: Configuration, model: str) -> str:
    address = reverse(f"admin:quickbooks_online_{model}_changelist")
    return f"{address}?configuration__id__exact={configuration.pk}"


def _configured(configuration: Configuration, field: str) -> str:
    return f"{reverse('admin:quickbooks_online_configuration_change', args=[configuration.pk])}#id_{field}"


def _to_tax_code(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    wanted = "" if detail == "none" else detail
    rate = VatRate.objects.filter(org_id=configuration.org_id, kompass_id=wanted).first()
    address = (
        _add(configuration, "taxcodevatrate", vat_rate=rate.pk) if rate else _listed(configuration, "taxcodevatrate")
    )
    return "add_taxcodevatrate", address, "Map it here"


def _to_item(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    if detail == "none":
        return "change_configuration", _configured(configuration, "default_item_id"), "Choose a Default Item ID"
    service = Service.objects.filter(org_id=configuration.org_id, kompass_id=detail).first()
    address = (
        _add(configuration, "itemservice", service=service.pk) if service else _listed(configuration, "itemservice")
    )
    return "add_itemservice", address, "Map it here"


def _to_tax_codes(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    return "change_taxcodevatrate", _listed(configuration, "taxcodevatrate"), "Open Tax Code VAT Rates"


def _to_custom_fields(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    return "change_customfield", _listed(configuration, "customfield"), "Open Custom Fields"


def _to_authorize(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    return (
        "authorize_configuration",
        reverse("admin:quickbooks_online_configuration_changelist"),
        "Authorize again from the list",
    )


def _to_name(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    if not failure.link_id or failure.kind != "client":
        return _to_template(failure, configuration, detail)
    address = reverse("admin:quickbooks_online_customer_change", args=[failure.link_id])
    return "change_customer", f"{address}#id_name_override", "Give it a DisplayName of its own"


def _to_holder(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    """Offer the customer that has the name already; of a vendor or employee there is nothing to link."""
    if failure.kind != "client" or not failure.value or "link it by hand" not in failure.remedy:
        return _to_name(failure, configuration, detail)
    address = _add(configuration, "customer", client=failure.kompass_id, customer=failure.value)
    return "add_customer", address, "Link to existing customer"


def _to_matches(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    address = reverse("admin:quickbooks_online_configuration_match", args=[configuration.pk])
    return "add_customer", address, "Open Already in QuickBooks"


def _to_template(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    field = _template_field(failure)
    return "change_configuration", _configured(configuration, field) if field else "", "Open the template"


_WAYS: dict[str, Callable[[Failure, Configuration, str], _Way]] = {
    "no-tax-code": _to_tax_code,
    "no-item": _to_item,
    "tax-code-inactive": _to_tax_codes,
    "tax-code-unknown": _to_tax_codes,
    "custom-field-unknown": _to_custom_fields,
    "too-many-custom-fields": _to_custom_fields,
    "connect": _to_authorize,
    "name-taken": _to_holder,
    "name-held-by-another": _to_name,
    "name-characters": _to_name,
    "customer-exists": _to_matches,
    "document-exists": _to_matches,
}


def _template_field(failure: Failure) -> str:
    text = f"{failure.field} {failure.message}"
    if "DocNumber" in text:
        return "doc_number_template"
    if failure.cause == "template-error" or failure.cause.startswith(("empty:", "too-long:DisplayName", "name-")):
        return "project_name_template" if failure.kind == "project" else "client_name_template"
    return ""
