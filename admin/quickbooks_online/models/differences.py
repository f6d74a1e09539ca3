"""Documents whose total in QBO is another than what Kompass billed. Written by the pipeline, gone when both agree."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import now
from admin.quickbooks_online.models.links import Link


class Difference(models.Model):
    link = models.OneToOneField(
        Link, on_delete=models.CASCADE, primary_key=True, db_constraint=False, related_name="difference"
    )
    org_id = models.TextField()
    realm_id = models.TextField()
    cause = models.TextField()
    kompass_total = models.DecimalField(max_digits=20, decimal_places=5)
    kompass_tax = models.DecimalField(max_digits=20, decimal_places=5)
    qbo_total = models.DecimalField(max_digits=20, decimal_places=5)
    qbo_tax = models.DecimalField(max_digits=20, decimal_places=5)
    message = models.TextField()
    found_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_difference"
        default_permissions = ()
        indexes = (models.Index(fields=("realm_id", "cause"), name="qbo_difference_cause"),)

    def __str__(self) -> str:
        return self.message
