"""When the facts of a company are to be fetched again before they are old, and whether the last fetch said anything new."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0017_exchange_rates"),
    ]

    operations = [
        migrations.AddField(
            model_name="companyfacts",
            name="refetch_at",
            field=models.DateTimeField(null=True, blank=True),
        ),
        migrations.AddField(
            model_name="companyfacts",
            name="unchanged",
            field=models.BooleanField(default=False, db_default=False),
        ),
    ]
