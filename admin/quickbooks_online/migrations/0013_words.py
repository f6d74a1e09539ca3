"""The words of the glossary for the states of a link, and for what was sent last and answered last."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

_STATES = (("settled", "synced"), ("held", "retrying"), ("rejected", "failed"))
_FORMER = ("pending", "settled", "skipped", "waiting", "held", "rejected", "withdrawn")
_STATE_NAMES = ("pending", "synced", "skipped", "waiting", "retrying", "failed", "withdrawn")

_COLUMNS = (
    ("sent", "applied"),
    ("theirs", "observed"),
    ("sent_sequence", "applied_sequence"),
    ("settled_at", "synced_at"),
    ("judged_sequence", "decided_sequence"),
    ("judged_version", "decided_version"),
)

_ATTEMPT_CHECKS = (
    ("phase", models.Q(("phase__in", ("send", "lookup")))),
    ("operation", models.Q(("operation__in", ("create", "update", "void", "read")))),
    ("request_id", models.Q(("request_id__regex", "^.{1,50}$"))),
)


def _states(pairs: tuple[tuple[str, str], ...]) -> str:
    return "".join(f"UPDATE qbo_link SET state = '{after}' WHERE state = '{before}';" for before, after in pairs)


def _state_constraint(states: tuple[str, ...]) -> models.CheckConstraint:
    return models.CheckConstraint(condition=models.Q(("state__in", states)), name="qbo_link_state")


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0012_realm_version"),
    ]

    operations = [
        migrations.RemoveConstraint("link", "qbo_link_state"),
        migrations.RunSQL(_states(_STATES), _states(tuple((after, before) for before, after in _STATES))),
        # Rows that were just changed leave deferred events behind, under which no table may be altered.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="link",
            name="state",
            field=models.TextField(
                choices=[(state, state.capitalize()) for state in _STATE_NAMES],
                default="pending",
                db_default="pending",
            ),
        ),
        migrations.AddConstraint("link", _state_constraint(_STATE_NAMES)),
        migrations.RemoveIndex("link", "qbo_link_settled"),
        migrations.RemoveIndex("link", "qbo_link_state_version"),
        *(migrations.RenameField("link", before, after) for before, after in _COLUMNS),
        migrations.AddIndex(
            model_name="link",
            index=models.Index(fields=["realm_id", "state", "decided_version"], name="qbo_link_state_version"),
        ),
        migrations.AddIndex(
            model_name="link",
            index=models.Index(
                condition=models.Q(("synced_at__isnull", False)),
                fields=["realm_id", "synced_at"],
                name="qbo_link_synced",
            ),
        ),
        migrations.RenameModel("Intent", "Attempt"),
        migrations.AlterModelTable("attempt", "qbo_attempt"),
        migrations.RenameField("attempt", "sent", "applied"),
        *(migrations.RemoveConstraint("attempt", f"qbo_intent_{name}") for name, _ in _ATTEMPT_CHECKS),
        *(
            migrations.AddConstraint("attempt", models.CheckConstraint(condition=condition, name=f"qbo_attempt_{name}"))
            for name, condition in _ATTEMPT_CHECKS
        ),
        migrations.RenameIndex("attempt", new_name="qbo_attempt_realm", old_name="qbo_intent_realm"),
        migrations.AlterField(
            "attempt",
            "link",
            models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.CASCADE,
                primary_key=True,
                related_name="attempt",
                serialize=False,
                to="quickbooks_online.link",
            ),
        ),
    ]
