"""Authorisations that were started and have not come back from Intuit. The admin's alone: the pipeline does not read them."""

from __future__ import annotations

from django.db import models


class PendingAuthorization(models.Model):
    """One way to Intuit and back. The request that deletes the row has used it: two callbacks at once cannot both."""

    state_digest = models.TextField(primary_key=True)
    browser_digest = models.TextField()
    configuration_id = models.BigIntegerField()
    user_id = models.BigIntegerField()
    until = models.DateTimeField()

    class Meta:
        db_table = "qboadmin_authorization"
        default_permissions = ()

    def __str__(self) -> str:
        return f"of configuration {self.configuration_id}"
