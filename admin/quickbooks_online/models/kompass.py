"""What Kompass says, as the consumers found it in events. Read only for the admin."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from admin.quickbooks_online.models.fields import ExactDecoder, ExactEncoder, now
from schemas.events import Kind
from schemas.events import Record as KompassRecord
from schemas.jsonlines import record_from_json

KINDS = ("client", "project", "invoice")


class Org(models.Model):
    """Every Org ever seen in an event, configured or not, so that an admin can pick it from a list."""

    id = models.TextField(primary_key=True)
    name = models.TextField()

    class Meta:
        db_table = "qbo_org"
        default_permissions = ("view",)
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name or self.id


class Record(models.Model):
    """The newest state of each record, per Org, with the original event."""

    org_id = models.TextField()
    kind = models.TextField()
    kompass_id = models.TextField()
    sequence = models.BigIntegerField()
    reference = models.TextField(blank=True, default="", db_default="")
    body = models.JSONField(encoder=ExactEncoder, decoder=ExactDecoder)
    deleted = models.BooleanField(default=False, db_default=False)
    event_id = models.UUIDField(null=True, blank=True)
    event_created_at = models.DateTimeField(db_default=now())
    topic = models.TextField(blank=True, default="", db_default="")
    partition = models.IntegerField(default=-1, db_default=-1)
    offset = models.BigIntegerField(default=-1, db_default=-1)
    event_timestamp = models.DateTimeField(null=True, blank=True)
    event_key = models.BinaryField(null=True, blank=True)
    event_value = models.BinaryField(null=True, blank=True)
    event_headers = models.JSONField(default=list, db_default=[])
    received_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_record"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("org_id", "kind", "kompass_id"), name="qbo_record_key"),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="qbo_record_kind"),
        )
        indexes = (models.Index(fields=("org_id", "kind", "reference"), name="qbo_record_reference"),)

    def __str__(self) -> str:
        return self.reference or self.kompass_id

    def typed(self) -> KompassRecord:
        """Give the record as the mapping takes it."""
        return record_from_json(Kind(self.kind), self.body)


class Department(models.Model):
    org_id = models.TextField()
    kompass_id = models.TextField()
    name = models.TextField()
    last_seen_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_department"
        default_permissions = ()
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("org_id", "kompass_id"), name="qbo_department_key"),)

    def __str__(self) -> str:
        return self.name


class Service(models.Model):
    org_id = models.TextField()
    kompass_id = models.TextField()
    name = models.TextField()
    department_kompass_id = models.TextField(blank=True, default="", db_default="")
    last_seen_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_service"
        default_permissions = ()
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("org_id", "kompass_id"), name="qbo_service_key"),)

    def __str__(self) -> str:
        return self.name


class VatRate(models.Model):
    """A VAT rate seen on lines; the one with an empty ``kompass_id`` stands for lines without a VAT rate."""

    org_id = models.TextField()
    kompass_id = models.TextField(blank=True, default="", db_default="")
    name = models.TextField()
    rate = models.DecimalField(max_digits=9, decimal_places=4, null=True, blank=True)
    last_seen_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_vat_rate"
        default_permissions = ()
        ordering = ("name",)
        constraints = (models.UniqueConstraint(fields=("org_id", "kompass_id"), name="qbo_vat_rate_key"),)

    def __str__(self) -> str:
        if not self.kompass_id:
            return "No VAT rate"
        percent = "" if self.rate is None else f"{self.rate.normalize():f}"
        # "Standard 20 %" says it already, and "TPS/TVQ 14,975 %" too.
        return self.name if percent in self.name.replace(",", ".") else f"{self.name} ({percent} %)"
