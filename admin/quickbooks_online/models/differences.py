"""What is in QBO otherwise than Kompass says, although the record is there. Written by the pipeline, gone when both agree."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import now
from admin.quickbooks_online.models.links import Link


class Difference(models.Model):
    link = models.ForeignKey(Link, on_delete=models.CASCADE, db_constraint=False, related_name="differences")
    cause = models.TextField()
    org_id = models.TextField()
    realm_id = models.TextField()
    message = models.TextField()
    found_at = models.DateTimeField(db_default=now())
    # Of a total that is another; NULL of what was left out or not taken.
    kompass_total = models.DecimalField(max_digits=20, decimal_places=5, null=True)
    kompass_tax = models.DecimalField(max_digits=20, decimal_places=5, null=True)
    qbo_total = models.DecimalField(max_digits=20, decimal_places=5, null=True)
    qbo_tax = models.DecimalField(max_digits=20, decimal_places=5, null=True)

    class Meta:
        db_table = "qbo_difference"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("link", "cause"), name="qbo_difference_key"),)
        indexes = (models.Index(fields=("realm_id", "cause"), name="qbo_difference_cause"),)

    def __str__(self) -> str:
        return self.message
