"""What a newly linked company had before us. For the consumers, and for the page on which a person links it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Inventory(models.Model):
    """How far a newly linked company was looked through."""

    realm_id = models.TextField(primary_key=True)
    asked_at = models.DateTimeField(null=True)
    entity = models.TextField(default="Customer", db_default="Customer")
    start = models.BigIntegerField(default=1, db_default=1)
    reads = models.BigIntegerField(default=0, db_default=0)
    unreadable = models.BigIntegerField(default=0, db_default=0)
    since = models.DateTimeField(null=True)
    as_of = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "qbo_inventory"
        default_permissions = ()

    def __str__(self) -> str:
        return self.realm_id


class Existing(models.Model):
    """A customer or document that it had."""

    realm_id = models.TextField()
    entity = models.TextField()
    qbo_id = models.TextField()
    name = models.TextField(blank=True, default="", db_default="")
    parent_id = models.TextField(blank=True, default="", db_default="")
    customer_id = models.TextField(blank=True, default="", db_default="")
    date = models.DateField(null=True)
    total = models.DecimalField(max_digits=20, decimal_places=5, null=True)
    currency = models.TextField(blank=True, default="", db_default="")
    kompass_id = models.TextField(blank=True, default="", db_default="")
    keys = ArrayField(models.TextField(), default=list, db_default=[])

    class Meta:
        db_table = "qbo_existing"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("realm_id", "entity", "qbo_id"), name="qbo_existing_object"),)
        indexes = (GinIndex(fields=("keys",), name="qbo_existing_keys"),)

    def __str__(self) -> str:
        return f"{self.entity} {self.qbo_id}"
