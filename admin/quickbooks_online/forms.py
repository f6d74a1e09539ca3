"""The forms of the section: the article's fields, with dropdowns from QuickBooks and every refusal in words."""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from admin.quickbooks_online.list_fields import Offers, quickbooks_field
from admin.quickbooks_online.lists import any_listing
from admin.quickbooks_online.models import (
    CompanyConnection,
    Configuration,
    Customer,
    CustomField,
    DepartmentClass,
    ItemService,
    Org,
    TaxCodeVatRate,
)
from admin.quickbooks_online.opened import OpenedForm
from mapping.templates import (
    CLIENT_VARIABLES,
    CURRENCY_VARIABLES,
    DOCUMENT_VARIABLES,
    PROJECT_VARIABLES,
    TemplateProblem,
    validate,
)
from schemas.company import BilledTax

TEMPLATE_VARIABLES = {
    "doc_number_template": DOCUMENT_VARIABLES,
    "project_name_template": PROJECT_VARIABLES,
    "client_name_template": CLIENT_VARIABLES,
    "currency_name_template": CURRENCY_VARIABLES,
}
KEPT = ("currency_name_template", "billed_tax", "tax_amounts", "exchange_rates")
"""Fields that keep their value when a form comes without them."""


class DayInput(forms.DateInput):
    """The browser's own date field, which takes and shows a value in ISO form alone."""

    input_type = "date"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs, format="%Y-%m-%d")


class RecipientsField(forms.CharField):
    """Several mail addresses, one per line or separated by commas."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("widget", forms.Textarea(attrs={"rows": 3, "cols": 60, "autocomplete": "email"}))
        super().__init__(**options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> Any:
        text = super().clean(value) or ""
        addresses = list(dict.fromkeys(part for part in re.split(r"[\s,;]+", text) if part))
        wrong = [address for address in addresses if not _is_address(address)]
        if wrong:
            raise ValidationError([f"“{address}” is not a mail address." for address in wrong])
        return addresses

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.prepare_value(initial) != data)


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True


class ConfigurationForm(OpenedForm):
    notification_recipients = RecipientsField(
        label="Notification recipients",
        required=False,
        help_text=str(Configuration._meta.get_field("notification_recipients").help_text),
    )

    class Meta:
        model = Configuration
        fields = (
            "org",
            "enabled",
            "start_date",
            "notification_recipients",
            "project_customers",
            "doc_number_template",
            "project_name_template",
            "client_name_template",
            "currency_name_template",
            "locale",
            "billed_tax",
            "tax_item_id",
            "tax_amounts",
            "exchange_rates",
            "vat_numbers",
            "default_item_id",
            "default_class_id",
        )
        help_texts = {  # noqa: RUF012 - Django reads it so
            "enabled": "Leave unticked until the company is linked. While it is off nothing is sent. What Kompass sends of "
            "this Org is kept once its Configuration is added, and earlier events are read again.",
            "tax_amounts": "QuickBooks may round tax by line or by sum. “Kompass's to the cent” sends the billed tax of each "
            "rate where that may differ from QuickBooks' own.",
        }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        realm_id = self.instance.realm_id
        if "org" in self.fields:
            orgs = Org.objects.filter(configuration=None)
            self.fields["org"].queryset = orgs  # type: ignore[attr-defined]
            if not orgs.exists():
                self.fields["org"].help_text = (
                    "There is no Org without a Configuration. Orgs appear here as soon as an event of theirs has come "
                    "from Kompass."
                )
        for name in KEPT:
            if name in self.fields:
                self.fields[name].required = False
        for name in TEMPLATE_VARIABLES:
            if name in self.fields:
                self.fields[name].widget = forms.Textarea(
                    attrs={"rows": 2, "cols": 60, "spellcheck": "false", "class": "qbo-template", "data-template": name}
                )
        for name, what in (("default_item_id", "items"), ("tax_item_id", "items"), ("default_class_id", "classes")):
            if name in self.fields:
                self.fields[name] = quickbooks_field(
                    (realm_id, self.instance.pk or 0),
                    what,
                    current=getattr(self.instance, name),
                    like=self.fields[name],
                    required=False,
                )

    def _check_template(self, name: str) -> str:
        template = str(self.cleaned_data[name])
        if template == self.initial.get(name) or (name in KEPT and not template):
            return template
        try:
            validate(template, TEMPLATE_VARIABLES[name], field=str(self.fields[name].label))
        except TemplateProblem as problem:
            raise ValidationError(f"Line {problem.line}: {problem.reason}. {problem.remedy}".strip()) from None
        return template

    def clean_doc_number_template(self) -> str:
        return self._check_template("doc_number_template")

    def clean_project_name_template(self) -> str:
        return self._check_template("project_name_template")

    def clean_client_name_template(self) -> str:
        return self._check_template("client_name_template")

    def clean_currency_name_template(self) -> str:
        return self._check_template("currency_name_template")

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        assert cleaned is not None
        for name in KEPT:
            if name in self.fields and name not in self.errors and not cleaned.get(name):
                cleaned[name] = getattr(self.instance, name)
        if cleaned.get("billed_tax") == BilledTax.ITEM_LINE.value and not cleaned.get("tax_item_id"):
            self.add_error("tax_item_id", "Choose the item of the line that carries the tax.")
        if cleaned.get("enabled"):
            if not _connected(self.instance):
                self.add_error(
                    "enabled",
                    "It cannot be enabled yet: the QuickBooks company is not linked. Save without Enable, then run "
                    "Authorize with QuickbooksOnline from the list.",
                )
            if not cleaned.get("notification_recipients") and "notification_recipients" not in self.errors:
                self.add_error(
                    "enabled",
                    "It cannot be enabled yet: name at least one notification recipient. Sync errors are mailed there.",
                )
        return cleaned


def _connected(configuration: Configuration) -> bool:
    return bool(
        configuration.pk
        and configuration.realm_id
        and CompanyConnection.objects.filter(
            configuration=configuration, realm_id=configuration.realm_id, state="connected"
        ).exists()
    )


class MappingForm(OpenedForm):
    """A row of a mapping table: the Kompass side as seen in events, the QBO side by name."""

    kompass_field: str = ""
    quickbooks: tuple[tuple[str, str, bool], ...] = ()
    """(field, list, required)"""
    offers: Offers | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        configuration = self._configuration()
        self.configuration = configuration
        realm_id = configuration.realm_id if configuration is not None else None
        if "configuration" in self.fields:
            self.fields["configuration"].queryset = Configuration.objects.exclude(realm_id=None).select_related("org")  # type: ignore[attr-defined]
            self.fields["configuration"].empty_label = None  # type: ignore[attr-defined]
        if self.kompass_field and self.kompass_field in self.fields:
            field: Any = self.fields[self.kompass_field]
            org_id = configuration.org_id if configuration is not None else ""
            field.queryset = field.queryset.filter(org_id=org_id)
        for name, what, required in self.quickbooks:
            if name in self.fields:
                self.fields[name] = quickbooks_field(
                    (realm_id, configuration.pk if configuration is not None else 0),
                    what,
                    current=getattr(self.instance, name) or "",
                    like=self.fields[name],
                    required=required,
                    offers=self.offers,
                )
        if self.prefix and self.instance.pk:
            # A row of a list: its columns have headings, its fields need names of their own.
            for field in self.fields.values():
                field.widget.attrs.setdefault("aria-label", f"{field.label}: {self.instance}")

    def _configuration(self) -> Configuration | None:
        if self.instance.pk:
            return self.instance.configuration  # type: ignore[no-any-return]
        chosen = self.data.get(self.add_prefix("configuration")) or self.initial.get("configuration")
        linked = Configuration.objects.exclude(realm_id=None)
        if chosen:
            return linked.filter(pk=chosen).first() if str(chosen).isdecimal() else None
        first = list(linked[:2])
        if len(first) == 1:
            self.initial["configuration"] = first[0].pk
        return first[0] if first else None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        # Before the row is checked for uniqueness, which counts the company.
        if self.configuration is not None:
            self.instance.configuration = self.configuration
            if not self.instance.realm_id:
                self.instance.realm_id = self.configuration.realm_id
        return cleaned

    def save(self, commit: bool = True) -> Any:
        for name, what, _ in self.quickbooks:
            chosen = getattr(self.instance, name)
            known = any_listing(self.instance.realm_id, what).name_of(chosen) if chosen else ""
            label = name.removesuffix("_id") + "_name" if name != "definition_id" else "name"
            if not chosen or known:
                setattr(self.instance, label, known or "")
        return super().save(commit)

    def _get_validation_exclusions(self) -> set[str]:
        # The company is set here and not on the form; its unique constraint is to be checked all the same.
        return super()._get_validation_exclusions() - {"realm_id", "configuration"}  # type: ignore[misc,no-any-return]


class ItemServiceForm(MappingForm):
    kompass_field = "service"
    quickbooks = (("item_id", "items", True), ("class_id", "classes", False))

    class Meta:
        model = ItemService
        fields = ("configuration", "service", "item_id", "class_id")


class DepartmentClassForm(MappingForm):
    kompass_field = "department"
    quickbooks = (("class_id", "classes", True),)

    class Meta:
        model = DepartmentClass
        fields = ("configuration", "department", "class_id")


class TaxCodeVatRateForm(MappingForm):
    kompass_field = "vat_rate"
    quickbooks = (("tax_code_id", "tax_codes", True),)

    class Meta:
        model = TaxCodeVatRate
        fields = ("configuration", "vat_rate", "tax_code_id")


class CustomFieldForm(MappingForm):
    quickbooks = (("definition_id", "custom_fields", True),)

    class Meta:
        model = CustomField
        fields = ("configuration", "definition_id", "template")
        widgets = {  # noqa: RUF012 - Django reads it so
            "template": forms.Textarea(
                attrs={
                    "rows": 2,
                    "cols": 60,
                    "spellcheck": "false",
                    "class": "qbo-template",
                    "data-template": "template",
                }
            )
        }

    def clean_template(self) -> str:
        template = str(self.cleaned_data["template"])
        try:
            validate(template, DOCUMENT_VARIABLES, field="template")
        except TemplateProblem as problem:
            raise ValidationError(f"Line {problem.line}: {problem.reason}. {problem.remedy}".strip()) from None
        return template


class CustomerForm(OpenedForm):
    """A customer's DisplayName override."""

    locks = False

    name_override = forms.CharField(
        label="DisplayName override",
        required=False,
        max_length=500,
        strip=True,
        widget=forms.TextInput(attrs={"class": "vTextField"}),
        help_text="Takes the place of the Client DisplayName Template for this one customer: for two clients of one "
        "name, or a client who is also a vendor. Leave empty to use the template.",
    )

    class Meta:
        model = Customer
        fields = ("name_override",)

    def clean_name_override(self) -> str:
        value = str(self.cleaned_data["name_override"] or "")
        if re.search(r"[:\t\r\n]", value):
            raise ValidationError("QuickBooks allows no colon, tab or line break in a name.")
        return value
