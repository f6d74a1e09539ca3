"""What could not be pushed, and the dead letters on their way to the topic."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from admin.quickbooks_online.models.fields import ExactDecoder, ExactEncoder, now
from admin.quickbooks_online.models.links import Link


class Failure(models.Model):
    """A Sync error. It closes when the link settles."""

    org_id = models.TextField(blank=True, default="", db_default="")
    realm_id = models.TextField(blank=True, default="", db_default="")
    link = models.ForeignKey(
        Link, on_delete=models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_index=False, related_name="+"
    )
    kind = models.TextField(blank=True, default="", db_default="")
    kompass_id = models.TextField(blank=True, default="", db_default="")
    reference = models.TextField(blank=True, default="", db_default="")
    sequence = models.BigIntegerField(null=True, blank=True)
    stage = models.TextField()
    cause = models.TextField()
    message = models.TextField(blank=True, default="", db_default="")
    remedy = models.TextField(blank=True, default="", db_default="")
    field = models.TextField(blank=True, default="", db_default="")
    value = models.TextField(blank=True, default="", db_default="")
    detail = models.JSONField(default=dict, db_default={}, encoder=ExactEncoder, decoder=ExactDecoder)
    intuit_tid = models.TextField(blank=True, default="", db_default="")
    attempts = models.IntegerField(default=1, db_default=1)
    first_failed_at = models.DateTimeField(db_default=now())
    last_failed_at = models.DateTimeField(db_default=now())
    replay_count = models.IntegerField(default=0, db_default=0)
    replay_asked_at = models.DateTimeField(null=True, blank=True)
    topic = models.TextField(blank=True, default="", db_default="")
    partition = models.IntegerField(default=-1, db_default=-1)
    offset = models.BigIntegerField(default=-1, db_default=-1)
    event_timestamp = models.DateTimeField(null=True, blank=True)
    event_key = models.BinaryField(null=True, blank=True)
    event_value = models.BinaryField(null=True, blank=True)
    event_headers = models.JSONField(default=list, db_default=[])
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_because = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "qbo_failure"
        verbose_name = "Sync error"
        default_permissions = ("view",)
        permissions = (("retry_failure", "Can try a failed record again"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(stage__in=("decode", "map", "push", "connect")), name="qbo_failure_stage"
            ),
            models.CheckConstraint(condition=Q(attempts__gte=0, replay_count__gte=0), name="qbo_failure_counts"),
            models.UniqueConstraint(
                fields=("link",),
                condition=Q(closed_at__isnull=True, link__isnull=False),
                name="qbo_failure_one_open_per_link",
            ),
        )
        indexes = (
            models.Index(fields=("org_id", "cause"), name="qbo_failure_open", condition=Q(closed_at__isnull=True)),
            models.Index(fields=("last_failed_at",), name="qbo_failure_last_failed"),
            models.Index(
                fields=("topic", "partition", "offset"), name="qbo_failure_place", condition=Q(stage="decode")
            ),
        )

    def __str__(self) -> str:
        return self.message or self.cause


class Outbox(models.Model):
    """A dead letter that the broker has not acknowledged yet."""

    topic = models.TextField()
    key = models.BinaryField(null=True, blank=True)
    value = models.BinaryField(null=True, blank=True)
    headers = models.JSONField(default=list, db_default=[])
    failure_id = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_outbox"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.topic} {self.pk}"


class Probe(models.Model):
    """When one record was last tried for all that wait for the same change in QBO."""

    realm_id = models.TextField()
    cause = models.TextField()
    about = models.TextField()
    link_id = models.BigIntegerField()
    waiting = models.BigIntegerField()
    probed_at = models.DateTimeField()

    class Meta:
        db_table = "qbo_probe"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("realm_id", "cause", "about"), name="qbo_probe_key"),)
        indexes = (models.Index(fields=("link_id",), name="qbo_probe_link"),)

    def __str__(self) -> str:
        return f"{self.cause} {self.about}"
