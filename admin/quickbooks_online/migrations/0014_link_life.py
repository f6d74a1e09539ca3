"""A history entry of its own for what makes a link due, and no `due_since` where no work is queued."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Q

WHAT = ("event", "judged", "called", "failed", "recovered", "asked", "mailed")


class Migration(migrations.Migration):
    dependencies = (("quickbooks_online", "0013_words"),)

    operations = (
        migrations.RemoveConstraint("history", "qbo_history_what"),
        migrations.AddConstraint(
            "history",
            models.CheckConstraint(condition=Q(what__in=(*WHAT, "due")), name="qbo_history_what"),
        ),
        migrations.RunSQL(
            "UPDATE qbo_link SET due_since = NULL WHERE due_at IS NULL AND state NOT IN ('pending', 'retrying')",
            migrations.RunSQL.noop,
        ),
    )
