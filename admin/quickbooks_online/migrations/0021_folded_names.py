"""Find names as QuickBooks compares them: neither case nor the number of inner spaces counts."""

from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0020_gauge_keeper"),
    ]

    operations = [
        migrations.RunSQL(
            r"CREATE INDEX qbo_link_folded_name ON qbo_link"
            r" (realm_id, lower(regexp_replace(btrim(name), '\s+', ' ', 'g'))) WHERE name <> ''",
            "DROP INDEX qbo_link_folded_name",
        ),
    ]
