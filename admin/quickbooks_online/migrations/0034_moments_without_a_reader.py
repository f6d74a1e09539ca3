"""Three moments that nothing reads: when an Org came first, when a Configuration was last saved, and when a restore was noted."""

from __future__ import annotations

from django.db import migrations

_CHANGED = """
CREATE OR REPLACE FUNCTION qbo_configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A stale version written by an ORM's save() does no harm.
    NEW.version := OLD.version + 1;
    NEW.realm_version := CASE
        WHEN NEW.realm_id IS DISTINCT FROM OLD.realm_id THEN NEW.version ELSE OLD.realm_version END;
    {modified}RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = (("quickbooks_online", "0033_one_table_of_differences"),)

    operations = (
        migrations.RunSQL(
            _CHANGED.format(modified=""), reverse_sql=_CHANGED.format(modified="NEW.modified_at := now();\n    ")
        ),
        migrations.RemoveField("configuration", "modified_at"),
        migrations.RemoveField("org", "first_seen_at"),
        migrations.RemoveField("restore", "restored_at"),
    )
