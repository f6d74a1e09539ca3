"""Mails to people, on their way or sent, and the notices in them. Written by the notifier."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from admin.quickbooks_online.models.fields import now


class Mail(models.Model):
    """A mail as it was written: kept until the mail server has taken it, and afterwards for who asks."""

    org_id = models.TextField(blank=True, default="", db_default="")
    kind = models.TextField()
    recipients = ArrayField(models.TextField(), default=list, db_default=[])
    delivered = ArrayField(models.TextField(), default=list, db_default=[])
    subject = models.TextField()
    text = models.TextField()
    html = models.TextField()
    message_id = models.TextField(unique=True)
    thread_id = models.TextField(blank=True, default="", db_default="")
    state = models.TextField(default="waiting", db_default="waiting")
    created_at = models.DateTimeField(db_default=now())
    due_at = models.DateTimeField(null=True, blank=True)
    claimed_by = models.TextField(blank=True, default="", db_default="")
    claimed_until = models.DateTimeField(null=True, blank=True)
    attempts = models.IntegerField(default=0, db_default=0)
    last_error = models.TextField(blank=True, default="", db_default="")
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "qbo_mail"
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(kind__in=("digest", "note", "all-clear", "forwarded", "filed")), name="qbo_mail_kind"
            ),
            models.CheckConstraint(
                condition=Q(state__in=("waiting", "sent", "refused", "failed")), name="qbo_mail_state"
            ),
        )
        indexes = (
            models.Index(fields=("due_at",), name="qbo_mail_waiting", condition=Q(state="waiting")),
            models.Index(fields=("org_id", "created_at"), name="qbo_mail_org"),
        )

    def __str__(self) -> str:
        return self.subject


class Notice(models.Model):
    """One thing that was in a mail: a cause with all its records, a failure, or a withdrawn document."""

    org_id = models.TextField(blank=True, default="", db_default="")
    subject = models.TextField()
    cause = models.TextField()
    headline = models.TextField(blank=True, default="", db_default="")
    failure_id = models.BigIntegerField(null=True, blank=True)
    link_id = models.BigIntegerField(null=True, blank=True)
    mail_id = models.BigIntegerField()
    told_at = models.DateTimeField(db_default=now())
    cleared_at = models.DateTimeField(null=True, blank=True)
    all_clear_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        db_table = "qbo_notice"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("org_id", "subject"), condition=Q(cleared_at__isnull=True), name="qbo_notice_told_once"
            ),
        )
        indexes = (
            models.Index(fields=("org_id",), name="qbo_notice_unclear", condition=Q(all_clear_id__isnull=True)),
            models.Index(fields=("mail_id",), name="qbo_notice_mail"),
        )

    def __str__(self) -> str:
        return self.headline or self.cause
