"""When syncing was switched on, and up to when a company is known: what was typed in between is read before anything is made."""

from __future__ import annotations

from django.db import migrations, models

ENABLED_AT = """
CREATE FUNCTION qbo_configuration_switched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A stale moment written by an ORM's save() does no harm.
    IF TG_OP = 'UPDATE' AND OLD.enabled = NEW.enabled THEN
        NEW.enabled_at := OLD.enabled_at;
    ELSE
        NEW.enabled_at := CASE WHEN NEW.enabled THEN now() END;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER qbo_configuration_enabled BEFORE INSERT OR UPDATE ON qbo_configuration
    FOR EACH ROW EXECUTE FUNCTION qbo_configuration_switched();
"""

# The keys of what was read before this version are others: it is read again.
READ_AGAIN = "UPDATE qbo_inventory SET entity = 'Customer', start = 1, taken_at = NULL"
# A company that was linked before it was read at all counts as known from now on.
KNOWN_FROM_NOW = (
    "INSERT INTO qbo_inventory (realm_id, begun_at, as_of, taken_at) SELECT realm_id, now(), now() - interval '5 minutes', now()"
    " FROM qbo_connection ON CONFLICT DO NOTHING"
)


class Migration(migrations.Migration):
    dependencies = (("quickbooks_online", "0030_backfills"),)

    operations = (
        migrations.AddField("configuration", "enabled_at", models.DateTimeField(null=True, editable=False)),
        migrations.AddField("inventory", "since", models.DateTimeField(null=True)),
        migrations.AddField("inventory", "as_of", models.DateTimeField(null=True)),
        migrations.AddField("inventory", "begun_at", models.DateTimeField(null=True)),
        migrations.RunSQL(ENABLED_AT, "DROP FUNCTION qbo_configuration_switched() CASCADE"),
        migrations.RunSQL(READ_AGAIN, migrations.RunSQL.noop),
        migrations.RunSQL(KNOWN_FROM_NOW, migrations.RunSQL.noop),
    )
