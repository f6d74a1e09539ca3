"""The version that last changed the company of a configuration: one linked away and back between two sweeps was linked anew, too."""

from __future__ import annotations

from django.db import migrations, models

_CHANGED = """
CREATE OR REPLACE FUNCTION qbo_configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A stale version or date written by an ORM's save() does no harm.
    NEW.version := OLD.version + 1;
    {realm_version}NEW.modified_at := now();
    RETURN NEW;
END $$;
"""
_REALM_VERSION = """NEW.realm_version := CASE
        WHEN NEW.realm_id IS DISTINCT FROM OLD.realm_id THEN NEW.version ELSE OLD.realm_version END;
    """


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0011_restores"),
    ]

    operations = [
        migrations.AddField(
            model_name="configuration",
            name="realm_version",
            field=models.BigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.RunSQL(_CHANGED.format(realm_version=_REALM_VERSION), reverse_sql=_CHANGED.format(realm_version="")),
    ]
