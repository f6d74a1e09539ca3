"""Keep what of a record is not in QBO as Kompass says, although the record is there."""

from __future__ import annotations

import django.contrib.postgres.functions
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0023_failure_places"),
    ]

    operations = [
        migrations.CreateModel(
            name="Remark",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cause", models.TextField()),
                ("org_id", models.TextField()),
                ("realm_id", models.TextField()),
                ("message", models.TextField()),
                ("found_at", models.DateTimeField(db_default=django.contrib.postgres.functions.TransactionNow())),
                (
                    "link",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="remarks",
                        to="quickbooks_online.link",
                    ),
                ),
            ],
            options={
                "db_table": "qbo_remark",
                "default_permissions": (),
                "constraints": [models.UniqueConstraint(fields=("link", "cause"), name="qbo_remark_key")],
            },
        ),
        migrations.RunSQL(
            "ALTER TABLE qbo_remark ADD CONSTRAINT qbo_remark_link_id_cascade"
            " FOREIGN KEY (link_id) REFERENCES qbo_link (id) ON DELETE CASCADE",
            "ALTER TABLE qbo_remark DROP CONSTRAINT qbo_remark_link_id_cascade",
        ),
    ]
