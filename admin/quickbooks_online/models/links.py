"""Links: one row per thing that a company should have in QBO. Customers, Projects and Invoices are links, by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from admin.quickbooks_online.models.fields import DocumentField, ExactDecoder, ExactEncoder, SentField, now
from admin.quickbooks_online.models.kompass import KINDS
from schemas.link_state import LinkState

STATES = tuple(state.value for state in LinkState)


class Link(models.Model):
    org_id = models.TextField()
    realm_id = models.TextField("Company id")
    kind = models.TextField()
    kompass_id = models.TextField()
    party_id = models.TextField(blank=True, default="", db_default="")
    currency = models.TextField(blank=True, default="", db_default="")
    reference = models.TextField(blank=True, default="", db_default="")
    # What QBO has
    entity = models.TextField(blank=True, default="", db_default="")
    qbo_id = models.TextField("QBO id", null=True, blank=True)
    sync_token = models.TextField(null=True, blank=True)
    applied = SentField(null=True, blank=True)
    line_ids = ArrayField(models.TextField(), default=list, db_default=[], blank=True)
    name = models.TextField(blank=True, default="", db_default="")
    qbo_total = models.DecimalField("Total in QBO", max_digits=20, decimal_places=5, null=True, blank=True)
    qbo_tax = models.DecimalField("Tax in QBO", max_digits=20, decimal_places=5, null=True, blank=True)
    voided = models.BooleanField(default=False, db_default=False)
    observed = DocumentField(null=True, blank=True)
    by_hand = ArrayField(models.TextField(), default=list, db_default=[], blank=True)
    kept = ArrayField(models.TextField(), default=list, db_default=[], blank=True)
    applied_sequence = models.BigIntegerField(null=True, blank=True)
    synced_at = models.DateTimeField(null=True, blank=True)
    # What the admin wants of it
    name_override = models.TextField("DisplayName", blank=True, default="", db_default="")
    refresh_names = models.BooleanField(default=False, db_default=False)
    overwrite = models.BooleanField(default=False, db_default=False)
    adopted = models.BooleanField(default=False, db_default=False)
    # The state
    state = models.TextField(
        choices=[(state, state.capitalize()) for state in STATES],
        default=LinkState.PENDING.value,
        db_default=LinkState.PENDING.value,
    )
    cause = models.TextField(blank=True, default="", db_default="")
    reason = models.TextField(blank=True, default="", db_default="")
    depends_on = models.ForeignKey(
        "self",
        on_delete=models.DO_NOTHING,
        db_column="depends_on",
        db_constraint=False,
        db_index=False,
        null=True,
        blank=True,
        related_name="dependants",
    )
    decided_sequence = models.BigIntegerField(null=True, blank=True)
    decided_version = models.BigIntegerField(null=True, blank=True)
    attempts = models.IntegerField(default=0, db_default=0)
    first_failed_at = models.DateTimeField(null=True, blank=True)
    last_failed_at = models.DateTimeField(null=True, blank=True)
    event_created_at = models.DateTimeField(null=True, blank=True)
    # The work
    due_at = models.DateTimeField(null=True, blank=True)
    again = models.BooleanField(default=False, db_default=False)
    due_since = models.DateTimeField(null=True, blank=True)
    lanes = models.IntegerField(default=0, db_default=0)
    epoch = models.BigIntegerField(default=0, db_default=0)
    batch_most = models.IntegerField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=now())

    class Meta:
        db_table = "qbo_link"
        default_permissions = ()
        constraints = (
            models.UniqueConstraint(
                fields=("realm_id", "kind", "kompass_id", "party_id", "currency"), name="qbo_link_key"
            ),
            models.CheckConstraint(condition=Q(kind__in=KINDS), name="qbo_link_kind"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="qbo_link_state"),
            models.CheckConstraint(condition=Q(lanes__gte=0, lanes__lte=7), name="qbo_link_lanes"),
            models.CheckConstraint(condition=Q(attempts__gte=0), name="qbo_link_attempts"),
            models.CheckConstraint(condition=~Q(realm_id=""), name="qbo_link_realm_id"),
            models.CheckConstraint(condition=~Q(qbo_id=""), name="qbo_link_qbo_id"),
        )
        # Three more, for the work of each lane, are in migration 0002: they test a bit of `lanes`.
        indexes = (
            models.Index(fields=("depends_on",), name="qbo_link_dependants", condition=Q(depends_on__isnull=False)),
            models.Index(fields=("realm_id", "state", "decided_version"), name="qbo_link_state_version"),
            models.Index(fields=("org_id", "kind", "kompass_id"), name="qbo_link_record"),
            models.Index(fields=("realm_id", "qbo_id"), name="qbo_link_object", condition=Q(qbo_id__isnull=False)),
            models.Index(
                fields=("realm_id", "synced_at"), name="qbo_link_synced", condition=Q(synced_at__isnull=False)
            ),
        )

    def __str__(self) -> str:
        # A customer of a second currency has no reference of its own.
        return (self.reference if self.reference != self.kompass_id else "") or self.name or self.kompass_id

    def save(self, *arguments: Any, **named: Any) -> NoReturn:
        """Refuse to write a whole row: `sync.link` writes links, a column at a time and under a lock."""
        raise TypeError("links are written by sync.link, not through the model")


if TYPE_CHECKING:
    _Manager = models.Manager[Link]
else:
    _Manager = models.Manager


class _KindManager(_Manager):
    """The links of one kind."""

    def __init__(self, kind: str = "client") -> None:
        super().__init__()
        self._kind = kind

    def get_queryset(self) -> models.QuerySet[Link]:
        return super().get_queryset().filter(kind=self._kind)


_LINK_PERMISSIONS = ("view", "change")


class Customer(Link):
    """A Kompass Client (and currency) as a QBO customer."""

    objects = _KindManager("client")  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        default_permissions = ("add", *_LINK_PERMISSIONS)
        permissions = (("resend_customer", "Can resend a customer and settle its conflicts"),)


class Project(Link):
    """A Kompass Project as a QBO sub-customer (Job) of its billing client."""

    objects = _KindManager("project")  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        default_permissions = _LINK_PERMISSIONS
        permissions = (("resend_project", "Can resend a project and settle its conflicts"),)


class Invoice(Link):
    """A Kompass invoice or credit note as a QBO Invoice or CreditMemo."""

    objects = _KindManager("invoice")  # type: ignore[assignment,misc]

    class Meta:
        proxy = True
        default_permissions = _LINK_PERMISSIONS
        permissions = (("resend_invoice", "Can resend an invoice and settle its conflicts"),)


class Attempt(models.Model):
    """What is being sent, or may have been: at most one per link."""

    link = models.OneToOneField(
        Link, on_delete=models.CASCADE, primary_key=True, db_constraint=False, related_name="attempt"
    )
    realm_id = models.TextField()
    epoch = models.BigIntegerField()
    phase = models.TextField(default="send", db_default="send")
    operation = models.TextField()
    entity = models.TextField()
    object_id = models.TextField(null=True, blank=True)
    body = models.TextField(blank=True, default="", db_default="")
    request_id = models.TextField()
    applied = SentField(null=True, blank=True)
    name = models.TextField(blank=True, default="", db_default="")
    sequence = models.BigIntegerField()
    configuration_version = models.BigIntegerField()
    attempt = models.IntegerField(default=1, db_default=1)
    owner = models.TextField()
    heartbeat_at = models.DateTimeField(db_default=now())
    first_sent_at = models.DateTimeField(db_default=now())
    resend_after = models.DateTimeField(db_default=now())
    batch_id = models.TextField(blank=True, default="", db_default="")
    voided = models.BooleanField(default=False, db_default=False)
    temporary = models.TextField(blank=True, default="", db_default="")

    class Meta:
        db_table = "qbo_attempt"
        default_permissions = ()
        constraints = (
            models.CheckConstraint(condition=Q(phase__in=("send", "lookup")), name="qbo_attempt_phase"),
            models.CheckConstraint(
                condition=Q(operation__in=("create", "update", "void", "read")), name="qbo_attempt_operation"
            ),
            # Intuit's limit on request ids.
            models.CheckConstraint(condition=Q(request_id__regex=r"^.{1,50}$"), name="qbo_attempt_request_id"),
        )
        indexes = (models.Index(fields=("realm_id",), name="qbo_attempt_realm"),)

    def __str__(self) -> str:
        return f"{self.operation} {self.entity} for link {self.link_id}"


class History(models.Model):
    """What happened to a record, as `kompass-qbo why` tells it."""

    at = models.DateTimeField(db_default=now())
    org_id = models.TextField()
    realm_id = models.TextField(blank=True, default="", db_default="")
    kind = models.TextField()
    kompass_id = models.TextField()
    link = models.ForeignKey(
        Link, on_delete=models.DO_NOTHING, null=True, blank=True, db_constraint=False, db_index=False, related_name="+"
    )
    what = models.TextField()
    outcome = models.TextField(blank=True, default="", db_default="")
    message = models.TextField(blank=True, default="", db_default="")
    intuit_tid = models.TextField(blank=True, default="", db_default="")
    detail = models.JSONField(default=dict, db_default={}, encoder=ExactEncoder, decoder=ExactDecoder)

    class Meta:
        db_table = "qbo_history"
        default_permissions = ()
        constraints = (
            models.CheckConstraint(
                condition=Q(what__in=("event", "judged", "called", "failed", "recovered", "asked", "mailed", "due")),
                name="qbo_history_what",
            ),
        )
        indexes = (
            models.Index(fields=("org_id", "kind", "kompass_id", "id"), name="qbo_history_record"),
            models.Index(fields=("at",), name="qbo_history_at"),
            # `store.tidying.DETAIL`
            models.Index(
                fields=("at",),
                condition=Q(what__in=("judged", "due", "failed", "recovered")),
                name="qbo_history_detail",
            ),
        )

    def __str__(self) -> str:
        return f"{self.what} {self.outcome}"
