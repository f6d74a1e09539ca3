"""What tells a database that was restored from one that was not, and what was found in QuickBooks afterwards. For the consumers."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import ExactDecoder, ExactEncoder, now


class Reached(models.Model):
    """How far a partition of a topic was read."""

    topic = models.TextField()
    partition = models.IntegerField()
    offset = models.BigIntegerField()

    class Meta:
        db_table = "qbo_reached"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("topic", "partition"), name="qbo_reached_place"),)

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}@{self.offset}"


class Restore(models.Model):
    """An operator's word that the database was restored."""

    since = models.DateTimeField()

    class Meta:
        db_table = "qbo_restore"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.since:%Y-%m-%d %H:%M}"


class Stocktaking(models.Model):
    """A company that was looked through after a restore."""

    realm_id = models.TextField(primary_key=True)
    restore_id = models.BigIntegerField()
    taken_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_stocktaking"
        default_permissions = ()

    def __str__(self) -> str:
        return self.realm_id


class Stock(models.Model):
    """An object that a company got after the backup and that no link stands for yet."""

    realm_id = models.TextField()
    entity = models.TextField()
    qbo_id = models.TextField()
    name = models.TextField(blank=True, default="", db_default="")
    kompass_id = models.TextField(blank=True, default="", db_default="")
    body = models.JSONField(encoder=ExactEncoder, decoder=ExactDecoder)

    class Meta:
        db_table = "qbo_stock"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("realm_id", "entity", "qbo_id"), name="qbo_stock_object"),)

    def __str__(self) -> str:
        return f"{self.entity} {self.qbo_id}"
