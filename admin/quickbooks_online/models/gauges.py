"""The one process that counts the gauges for all."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import now


class GaugeKeeper(models.Model):
    """One row: who counts, and until when nobody else does."""

    id = models.IntegerField(primary_key=True)
    owner = models.TextField()
    until = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_gauge_keeper"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.owner} until {self.until}"
