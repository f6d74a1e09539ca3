"""Find the dead letter of a place in a topic: an unreadable record that is delivered again has one already."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0022_folded_names"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="failure",
            index=models.Index(
                fields=["topic", "partition", "offset"],
                condition=models.Q(("stage", "decode")),
                name="qbo_failure_place",
            ),
        ),
    ]
