"""What of a record is not in QBO as Kompass says, although the record is there. Written by the pipeline, gone when both agree."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import now
from admin.quickbooks_online.models.links import Link


class Remark(models.Model):
    link = models.ForeignKey(Link, on_delete=models.CASCADE, db_constraint=False, related_name="remarks")
    cause = models.TextField()
    org_id = models.TextField()
    realm_id = models.TextField()
    message = models.TextField()
    found_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_remark"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("link", "cause"), name="qbo_remark_key"),)

    def __str__(self) -> str:
        return self.message
