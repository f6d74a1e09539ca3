"""Our notes stand apart from the members that we sent; what an attempt says of its link beyond them has columns.

A link's row is read in either form, and written in the new one: to write all of them again would take hours. Attempts are the few calls
without an answer.
"""

from __future__ import annotations

from django.db import migrations, models

import admin.quickbooks_online.models.fields

# Byte 0: JSON as it is, which is how attempts were written.
ATTEMPTS = """
UPDATE qbo_attempt a SET voided = coalesce((n.said ->> '#voided')::boolean, false), temporary = coalesce(n.said ->> '#temporary', '')
FROM (SELECT link_id, convert_from(substr(applied, 2), 'UTF8')::jsonb AS said FROM qbo_attempt WHERE get_byte(applied, 0) = 0) n
WHERE n.link_id = a.link_id AND n.said ?| ARRAY['#voided', '#temporary']
"""


class Migration(migrations.Migration):
    dependencies = (("quickbooks_online", "0031_inventory_again"),)

    operations = (
        migrations.AddField("attempt", "voided", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("attempt", "temporary", models.TextField(blank=True, default="", db_default="")),
        migrations.RunSQL(ATTEMPTS, migrations.RunSQL.noop),
        migrations.AlterField(
            "attempt", "applied", admin.quickbooks_online.models.fields.SentField(null=True, blank=True)
        ),
        migrations.AlterField(
            "link", "applied", admin.quickbooks_online.models.fields.SentField(null=True, blank=True)
        ),
    )
