"""The QBO company: its connection, what it says of itself, and its share of Intuit's limits."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from admin.quickbooks_online.models.configuration import Configuration
from admin.quickbooks_online.models.fields import ExactDecoder, ExactEncoder, now


class CompanyConnection(models.Model):
    """The link to a QBO company. Written by `store.connections` only; the tokens are encrypted and never shown."""

    configuration = models.OneToOneField(
        Configuration, on_delete=models.CASCADE, db_constraint=False, related_name="connection"
    )
    realm_id = models.TextField(unique=True)
    version = models.BigIntegerField(default=1, db_default=1)
    state = models.TextField(default="connected", db_default="connected")
    company_name = models.TextField(blank=True, default="", db_default="")
    access_token = models.TextField(blank=True, default="", db_default="")
    access_expires_at = models.DateTimeField(null=True, blank=True)
    refresh_token = models.TextField(blank=True, default="", db_default="")
    refresh_expires_at = models.DateTimeField(null=True, blank=True)
    refresh_hard_expires_at = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    refresh_owner = models.TextField(blank=True, default="", db_default="")
    refresh_lease_until = models.DateTimeField(null=True, blank=True)
    disconnected_at = models.DateTimeField(null=True, blank=True)
    disconnect_cause = models.TextField(blank=True, default="", db_default="")
    disconnect_message = models.TextField(blank=True, default="", db_default="")
    probe_at = models.DateTimeField(null=True, blank=True)
    linked_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_connection"
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=Q(state__in=("connected", "disconnected")), name="qbo_connection_state"),
        )

    def __str__(self) -> str:
        return self.company_name or self.realm_id


class CompanyFacts(models.Model):
    """A dated snapshot of the company: CompanyInfo, Preferences, tax codes."""

    realm_id = models.TextField(primary_key=True)
    fetched_at = models.DateTimeField(db_default=now())
    body = models.JSONField(encoder=ExactEncoder, decoder=ExactDecoder)
    lease_until = models.DateTimeField(null=True, blank=True)
    refetch_at = models.DateTimeField(null=True, blank=True)
    unchanged = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "qbo_company_facts"
        default_permissions = ()

    def __str__(self) -> str:
        return self.realm_id


class ExchangeRate(models.Model):
    """A day's exchange rate as QuickBooks has it, read once; without ``fetched_at`` it is to be read."""

    realm_id = models.TextField()
    currency = models.TextField()
    day = models.DateField()
    rate = models.DecimalField(max_digits=20, decimal_places=10, null=True, blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "qbo_exchange_rate"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("realm_id", "currency", "day"), name="qbo_exchange_rate_key"),)

    def __str__(self) -> str:
        return f"{self.currency} on {self.day}"


class FiledMonth(models.Model):
    """The agreement sheet of a month as a person filed it. Written once."""

    org_id = models.TextField()
    realm_id = models.TextField()
    month = models.TextField()
    filed_at = models.DateTimeField(db_default=now())
    filed_by = models.TextField()
    digest = models.TextField()
    verdict = models.TextField()
    rows = models.JSONField(encoder=ExactEncoder, decoder=ExactDecoder)

    class Meta:
        db_table = "qbo_filed_month"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("org_id", "realm_id", "month"), name="qbo_filed_month_key"),)

    def __str__(self) -> str:
        return f"{self.month} of {self.org_id}"


class QuotaLease(models.Model):
    """Intuit's limits, shared by every process that works for the company."""

    realm_id = models.TextField(primary_key=True)
    window = models.JSONField(default=dict, db_default={}, encoder=ExactEncoder, decoder=ExactDecoder)
    blocked_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "qbo_quota_lease"
        default_permissions = ()

    def __str__(self) -> str:
        return self.realm_id
