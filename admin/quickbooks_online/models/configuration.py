"""What the admin says: one Configuration per Org, and the mapping tables of the article's step 4."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from admin.quickbooks_online.models.fields import now
from admin.quickbooks_online.models.kompass import Department, Org, Service, VatRate
from schemas.company import (
    DEFAULT_CLIENT_NAME_TEMPLATE,
    DEFAULT_CURRENCY_NAME_TEMPLATE,
    DEFAULT_DOC_NUMBER_TEMPLATE,
    DEFAULT_PROJECT_NAME_TEMPLATE,
    BilledTax,
    ExchangeRates,
    Locale,
    TaxAmounts,
)


class Configuration(models.Model):
    """An Org's QBO Configuration.

    ``version``, ``realm_version`` (the version that last changed the company) and ``enabled_at`` (since when it is enabled) are kept by
    triggers, for every writer.
    """

    org = models.OneToOneField(
        Org,
        on_delete=models.PROTECT,
        verbose_name="Org",
        help_text="The Kompass Org this configuration belongs to. Each Org has exactly one.",
        error_messages={"unique": "This Org already has a Configuration: change that one instead."},
    )
    version = models.BigIntegerField(default=1, db_default=1, editable=False)
    realm_version = models.BigIntegerField(default=0, db_default=0, editable=False)
    enabled = models.BooleanField(
        "Enable",
        default=False,
        db_default=False,
        help_text="Leave unticked until the company is linked. While it is off nothing is sent, and nothing is lost.",
    )
    enabled_at = models.DateTimeField(null=True, editable=False)
    start_date = models.DateField(
        null=True,
        blank=True,
        help_text="Invoices dated before this day are never sent, so that nothing typed in by hand is booked twice.",
    )
    notification_recipients = ArrayField(
        models.TextField(),
        default=list,
        db_default=[],
        blank=True,
        help_text="Who is mailed when something cannot be synced. One address per line.",
    )
    project_customers = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Recommended. Each Kompass Project becomes a sub-customer (Job) of its billing client in QBO, "
        "so that QBO can report by project.",
    )
    doc_number_template = models.TextField(
        "DocNumber Template",
        default=DEFAULT_DOC_NUMBER_TEMPLATE,
        db_default=DEFAULT_DOC_NUMBER_TEMPLATE,
        help_text="The invoice number in QBO, at most 21 characters.",
    )
    project_name_template = models.TextField(
        "Project/Sub-customer DisplayName Template",
        default=DEFAULT_PROJECT_NAME_TEMPLATE,
        db_default=DEFAULT_PROJECT_NAME_TEMPLATE,
        help_text="The name of a Project's sub-customer. QBO wants it unique among all customers, vendors and employees.",
    )
    client_name_template = models.TextField(
        "Client DisplayName Template",
        default=DEFAULT_CLIENT_NAME_TEMPLATE,
        db_default=DEFAULT_CLIENT_NAME_TEMPLATE,
        help_text="The name of a Client's customer in QBO.",
    )
    locale = models.TextField(
        choices=[(locale.value, locale.value) for locale in Locale],
        default=Locale.EU.value,
        db_default=Locale.EU.value,
        help_text="Decides the tax rules: EU and Canada send a tax code on every line (see Tax Code VAT Rates), "
        "the USA sends none.",
    )
    currency_name_template = models.TextField(
        "Second-currency DisplayName Template",
        default=DEFAULT_CURRENCY_NAME_TEMPLATE,
        db_default=DEFAULT_CURRENCY_NAME_TEMPLATE,
        help_text="A QBO customer has one currency for ever, so a Client who is billed in another currency gets a second "
        "customer. name is what the Client or Project template gives. The first customer keeps its name.",
    )
    billed_tax = models.TextField(
        "Billed tax (USA)",
        choices=(
            (BilledTax.REFUSE.value, "Refuse the document"),
            (BilledTax.ITEM_LINE.value, "A line of the Sales tax Item"),
            (BilledTax.AUTOMATED.value, "QuickBooks' automated sales tax decides"),
        ),
        default=BilledTax.REFUSE.value,
        db_default=BilledTax.REFUSE.value,
        help_text="Only for the Locale USA, where no tax codes are sent: what happens to sales tax that Kompass billed. "
        "With automated sales tax QuickBooks computes its own tax, and a difference is shown with the document.",
    )
    tax_item_id = models.TextField(
        "Sales tax Item ID",
        blank=True,
        default="",
        db_default="",
        help_text="Only for “A line of the Sales tax Item”: a Product/Service whose income account is your sales tax "
        "payable account.",
    )
    tax_amounts = models.TextField(
        "Tax amounts (EU and Canada)",
        choices=(
            (TaxAmounts.QUICKBOOKS.value, "Computed by QuickBooks"),
            (TaxAmounts.KOMPASS.value, "Kompass's to the cent"),
        ),
        default=TaxAmounts.QUICKBOOKS.value,
        db_default=TaxAmounts.QUICKBOOKS.value,
        help_text="QuickBooks may round tax by line or by sum. “Kompass's to the cent” sends the billed tax of each rate "
        "where that may differ from QuickBooks' own. See docs/accounting.md for its limits.",
    )
    exchange_rates = models.TextField(
        "Exchange rate",
        choices=(
            (ExchangeRates.DAY.value, "QuickBooks' rate of the document's date"),
            (ExchangeRates.QUICKBOOKS.value, "Left to QuickBooks"),
        ),
        default=ExchangeRates.DAY.value,
        db_default=ExchangeRates.DAY.value,
        help_text="For documents in a foreign currency. The rate of the date is read from QuickBooks (one call a currency and "
        "day) and sent with the document. Left to QuickBooks, some companies book such documents at a rate of 1.",
    )
    vat_numbers = models.BooleanField(
        "VAT numbers",
        default=True,
        db_default=True,
        help_text="Give a new QBO customer the Client's VAT number. QBO hides it afterwards, so it is sent only when the "
        "customer is created.",
    )
    realm_id = models.TextField("Company id", null=True, blank=True, unique=True, editable=False)
    default_item_id = models.TextField(
        "Default Item ID",
        blank=True,
        default="",
        db_default="",
        help_text="The QBO Product/Service for invoice lines whose Kompass Service has no Item Service of its own.",
    )
    default_class_id = models.TextField(
        "Default Class ID",
        blank=True,
        default="",
        db_default="",
        help_text="Only if your QBO company uses Classes: the Class of lines that neither their Item Service nor their "
        "Department gives one.",
    )
    created_at = models.DateTimeField(db_default=now(), editable=False)

    class Meta:
        db_table = "qbo_configuration"
        ordering = ("org__name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(locale__in=[locale.value for locale in Locale]), name="qbo_configuration_locale"
            ),
            models.CheckConstraint(condition=~Q(realm_id=""), name="qbo_configuration_realm_id"),
            models.CheckConstraint(
                condition=Q(billed_tax__in=[one.value for one in BilledTax]), name="qbo_configuration_billed_tax"
            ),
            models.CheckConstraint(
                condition=Q(tax_amounts__in=[one.value for one in TaxAmounts]), name="qbo_configuration_tax_amounts"
            ),
            models.CheckConstraint(
                condition=Q(exchange_rates__in=[one.value for one in ExchangeRates]),
                name="qbo_configuration_exchange_rates",
            ),
        )
        permissions = (
            ("authorize_configuration", "Can authorize with QuickbooksOnline and disconnect"),
            ("test_configuration", "Can test the connection"),
            ("agree_configuration", "Can make the agreement sheet of a month"),
            ("dump_customers", "Can get QBO customers as JSON"),
            ("dump_jobs", "Can get QBO jobs (sub-customers) as JSON"),
            ("dump_invoices", "Can get QBO invoices as JSON"),
        )

    def __str__(self) -> str:
        return str(self.org)


class Sweep(models.Model):
    """How far the reconciler has carried a configuration into its links."""

    configuration = models.OneToOneField(
        Configuration, on_delete=models.CASCADE, primary_key=True, db_constraint=False, related_name="+"
    )
    version = models.BigIntegerField(default=0, db_default=0)
    realm_id = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "qbo_sweep"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.configuration_id} at version {self.version}"


class Mapping(models.Model):
    """A row of a mapping table. It names things of one QBO company and counts only while that company is linked."""

    configuration = models.ForeignKey(
        Configuration, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="%(class)ss"
    )
    realm_id = models.TextField("Company id", editable=False)

    class Meta:
        abstract = True


class ItemService(Mapping):
    service = models.ForeignKey(
        Service, on_delete=models.CASCADE, db_constraint=False, related_name="+", verbose_name="Kompass Service"
    )
    item_id = models.TextField("QBO Item")
    item_name = models.TextField("QBO Item", blank=True, default="", db_default="")
    class_id = models.TextField(
        "Class", blank=True, default="", db_default="", help_text="Takes precedence over the Department's Class."
    )
    class_name = models.TextField("Class", blank=True, default="", db_default="")

    class Meta:
        db_table = "qbo_item_service"
        verbose_name = "Item Service"
        ordering = ("service__name",)
        constraints = (
            models.UniqueConstraint(
                fields=("configuration", "realm_id", "service"),
                name="qbo_item_service_key",
                violation_error_message="This Kompass Service is already mapped: change that row instead.",
            ),
            models.CheckConstraint(condition=~Q(item_id=""), name="qbo_item_service_item"),
        )

    def __str__(self) -> str:
        return f"{self.service} → {self.item_name or self.item_id}"


class DepartmentClass(Mapping):
    department = models.ForeignKey(
        Department, on_delete=models.CASCADE, db_constraint=False, related_name="+", verbose_name="Kompass Department"
    )
    class_id = models.TextField("QBO Class")
    class_name = models.TextField("QBO Class", blank=True, default="", db_default="")

    class Meta:
        db_table = "qbo_department_class"
        verbose_name = "Class"
        verbose_name_plural = "Classes"
        ordering = ("department__name",)
        constraints = (
            models.UniqueConstraint(
                fields=("configuration", "realm_id", "department"),
                name="qbo_department_class_key",
                violation_error_message="This Department already has a Class: change that row instead.",
            ),
            models.CheckConstraint(condition=~Q(class_id=""), name="qbo_department_class_class"),
        )

    def __str__(self) -> str:
        return f"{self.department} → {self.class_name or self.class_id}"


class TaxCodeVatRate(Mapping):
    vat_rate = models.ForeignKey(
        VatRate, on_delete=models.CASCADE, db_constraint=False, related_name="+", verbose_name="Kompass VAT rate"
    )
    tax_code_id = models.TextField("QBO tax code")
    tax_code_name = models.TextField("QBO tax code", blank=True, default="", db_default="")

    class Meta:
        db_table = "qbo_tax_code_vat_rate"
        verbose_name = "Tax Code VAT Rate"
        ordering = ("vat_rate__name",)
        constraints = (
            models.UniqueConstraint(
                fields=("configuration", "realm_id", "vat_rate"),
                name="qbo_tax_code_vat_rate_key",
                violation_error_message="This VAT rate already has a tax code: change that row instead.",
            ),
            models.CheckConstraint(condition=~Q(tax_code_id=""), name="qbo_tax_code_vat_rate_code"),
        )

    def __str__(self) -> str:
        return f"{self.vat_rate} → {self.tax_code_name or self.tax_code_id}"


class CustomField(Mapping):
    definition_id = models.TextField("QBO custom field")
    name = models.TextField(blank=True, default="", db_default="")
    template = models.TextField(help_text="Jinja2, with the same variables as the DocNumber Template.")

    class Meta:
        db_table = "qbo_custom_field"
        verbose_name = "Custom Field"
        ordering = ("name",)
        constraints = (
            models.UniqueConstraint(
                fields=("configuration", "realm_id", "definition_id"),
                name="qbo_custom_field_key",
                violation_error_message="This QBO custom field already has a template: change that row instead.",
            ),
            models.CheckConstraint(condition=~Q(definition_id=""), name="qbo_custom_field_definition"),
        )

    def __str__(self) -> str:
        return self.name or self.definition_id
