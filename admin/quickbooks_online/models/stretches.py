"""Records of a partition that a person has to know of. For the consumers."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import now


class Stretch(models.Model):
    """Records that Kafka deleted before they were read, or that an operator accepted as unreadable."""

    what = models.TextField()
    topic = models.TextField()
    partition = models.IntegerField()
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    by = models.TextField(blank=True, default="", db_default="")
    reason = models.TextField(blank=True, default="", db_default="")
    at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_stretch"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(fields=("what", "topic", "partition", "first"), name="qbo_stretch_place"),
        )

    def __str__(self) -> str:
        return f"{self.what} {self.topic}/{self.partition}@{self.first}-{self.last}"
