"""Kompass's earlier events of an Org, which the consumers read again once it has a Configuration."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.configuration import Configuration
from admin.quickbooks_online.models.fields import now


class Backfill(models.Model):
    """Asked for with a new Configuration; the consumers write how far it is."""

    configuration = models.OneToOneField(
        Configuration, on_delete=models.CASCADE, primary_key=True, db_constraint=False, related_name="backfill"
    )
    asked_at = models.DateTimeField(db_default=now())
    owner = models.TextField(blank=True, default="", db_default="")
    beat_at = models.DateTimeField(null=True)
    total = models.BigIntegerField(default=0, db_default=0)
    read = models.BigIntegerField(default=0, db_default=0)
    of_org = models.BigIntegerField(default=0, db_default=0)
    oldest_at = models.DateTimeField(null=True)
    oldest_of_org_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    problem = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "qbo_backfill"
        default_permissions = ()

    def __str__(self) -> str:
        return f"Earlier events of {self.configuration}"
