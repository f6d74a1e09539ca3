"""What people did for an Org in the admin, with what a mapping was before. The admin's alone: the pipeline does not read it."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import now


class Activity(models.Model):
    """One action of a person. ``changes`` holds the mapping rows that it changed, so that it can be undone."""

    org_id = models.TextField()
    at = models.DateTimeField(db_default=now())
    by = models.TextField()
    what = models.TextField()
    about = models.TextField(blank=True, default="", db_default="")
    changes = models.JSONField(default=list, db_default=[], blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "qboadmin_activity"
        default_permissions = ()
        verbose_name_plural = "activities"
        indexes = (models.Index(fields=("org_id", "-id"), name="qboadmin_activity_org"),)

    def __str__(self) -> str:
        return f"{self.by}: {self.what}"
