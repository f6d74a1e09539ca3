"""A failure's stable cause → a heading for people and the address of the very field that mends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from admin.quickbooks_online.models import Configuration, Failure, Service, VatRate

_NOUNS = {"client": "client", "project": "project", "invoice": "invoice"}

# {have}, {were} … are bent to the number by `_bend`.
_TITLES = {
    "template-error": "{meet} an error in a template",
    "name-characters": "{have} a character in the name that QuickBooks does not allow",
    "bad-website": "{have} a web address that is none",
    "bad-currency": "{have} a currency that is none",
    "amount-too-fine": "{have} amounts finer than QuickBooks keeps",
    "amount-too-large": "{have} amounts too large for QuickBooks",
    "does-not-add-up": "{have} lines that do not add up to the total",
    "negative-total": "{have} a total below zero",
    "no-lines": "{have} no lines",
    "too-many-lines": "{have} too many lines",
    "tax-not-booked": "{bill} tax that QuickBooks would not book",
    "too-many-custom-fields": "{wait}: too many Custom Fields are configured",
    "currency-changed": "changed currency after being sent",
    "name-taken": "{have} a name that QuickBooks uses already",
    "name-held-by-another": "{have} the name of another record",
    "name-in-doubt": "may be in QuickBooks already under the same name",
    "number-taken": "{have} a number that QuickBooks uses already",
    "deleted-in-qbo": "{were} deleted in QuickBooks",
    "keeps-failing": "{keep} failing at QuickBooks",
    "conflict:edited-in-qbo": "{were} changed in QuickBooks and in Kompass",
    "conflict:voided-in-qbo": "{were} voided in QuickBooks and changed in Kompass",
    "conflict:voided-before": "{were} voided, and {are} back in Kompass",
    "conflict:paid": "{were} paid in QuickBooks before changing in Kompass",
    "conflict:credit-applied": "{were} applied in QuickBooks before changing in Kompass",
    "conflict:currency": "{are} linked to a customer of another currency",
    "conflict:keeps-changing": "{keep} changing in QuickBooks",
    "no-tax-code": "{wait} for a tax code for {what}",
    "no-item": "{wait} for an item for {what}",
    "tax-code-inactive": "{use} a tax code that QuickBooks has no more",
    "tax-code-unknown": "{use} a tax code that QuickBooks has no more",
    "custom-field-unknown": "{meet} a wrong row in Custom Fields",
    "custom-field-twice": "{meet} a wrong row in Custom Fields",
    "no-multicurrency": "{are} in {detail}, which the company does not keep",
    "too-long": "{have} a {detail} that is too long for QuickBooks",
    "empty": "{have} an empty {detail}",
    "control-character": "{have} a {detail} that QuickBooks does not take",
    "bad-email": "{have} a {detail} that QuickBooks does not take",
    "fault": "{were} refused by QuickBooks",
}
_PLURALS = ("meet", "have", "bill", "wait", "keep", "use")


def _bend(count: int) -> dict[str, str]:
    one = count == 1
    bent = {verb: ("has" if verb == "have" else f"{verb}s") if one else verb for verb in _PLURALS}
    return {**bent, "were": "was" if one else "were", "are": "is" if one else "are"}


def title_of(failure: Failure, count: int) -> str:
    """Give the heading of a group: ``37 invoices wait for VAT 21 %``."""
    if failure.stage == "connect":
        return "The connection to QuickBooks is lost"
    noun = _NOUNS.get(failure.kind, "event")
    things = f"{count:,} {noun}{'' if count == 1 else 's'}"
    if failure.stage == "decode":
        return f"{things} could not be read"
    head, _, detail = failure.cause.partition(":")
    words = _TITLES.get(failure.cause) or _TITLES.get(head)
    if words is None:
        return f"{things}: {failure.cause}"
    what = failure.value or {"no-tax-code": "lines without a VAT rate"}.get(head, "lines without a Service")
    return f"{things} {words.format(**_bend(count), what=what, detail=detail)}"


def mend_address(failure: Failure, configuration: Configuration | None, user: Any) -> tuple[str, str]:
    """Give (address, words) of the field that mends it, if the person may change it; else two empty texts."""
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


def _to_template(failure: Failure, configuration: Configuration, detail: str) -> _Way:
    field = _template_field(failure)
    return "change_configuration", _configured(configuration, field) if field else "", "Open the template"


_WAYS: dict[str, Callable[[Failure, Configuration, str], _Way]] = {
    "no-tax-code": _to_tax_code,
    "no-item": _to_item,
    "tax-code-inactive": _to_tax_codes,
    "tax-code-unknown": _to_tax_codes,
    "custom-field-unknown": _to_custom_fields,
    "custom-field-twice": _to_custom_fields,
    "too-many-custom-fields": _to_custom_fields,
    "connect": _to_authorize,
    "name-taken": _to_name,
    "name-held-by-another": _to_name,
    "name-in-doubt": _to_name,
    "name-characters": _to_name,
}


def _template_field(failure: Failure) -> str:
    text = f"{failure.field} {failure.message}"
    if "DocNumber" in text:
        return "doc_number_template"
    if failure.cause == "template-error" or failure.cause.startswith(("empty:", "too-long:DisplayName", "name-")):
        return "project_name_template" if failure.kind == "project" else "client_name_template"
    return ""
