"""What QuickBooks answered last is kept from every answer, with the members that people changed or chose there."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models

# So far an observed object was only kept while somebody else's write was to be compared: it was read, and its own edits count.
_BY_HAND = "UPDATE qbo_link SET sync_token = NULL WHERE observed IS NOT NULL AND qbo_id IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0014_link_life"),
    ]

    operations = [
        migrations.AddField("link", "by_hand", ArrayField(models.TextField(), default=list, db_default=[], blank=True)),
        migrations.AddField("link", "kept", ArrayField(models.TextField(), default=list, db_default=[], blank=True)),
        migrations.RunSQL(_BY_HAND, migrations.RunSQL.noop),
    ]
