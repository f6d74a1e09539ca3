"""Lists of a QBO company for people to pick from, kept for an hour. The admin's alone: the pipeline does not read them."""

from __future__ import annotations

from django.db import models

from admin.quickbooks_online.models.fields import ExactDecoder, ExactEncoder


class CompanyList(models.Model):
    realm_id = models.TextField()
    what = models.TextField()
    fetched_at = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    problem = models.TextField(blank=True, default="", db_default="")
    body = models.JSONField(default=list, db_default=[], encoder=ExactEncoder, decoder=ExactDecoder)

    class Meta:
        db_table = "qboadmin_company_list"
        default_permissions = ()
        constraints = (models.UniqueConstraint(fields=("realm_id", "what"), name="qboadmin_company_list_key"),)

    def __str__(self) -> str:
        return f"{self.what} of {self.realm_id}"
