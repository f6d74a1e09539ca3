"""What Django's models cannot say: cascades in the database, the lanes' indexes, and the version that every change raises.

The triggers count ORM and raw SQL alike: a claim never maps with an older configuration than the one in force.
"""

from __future__ import annotations

from django.db import migrations

MAPPINGS = ("qbo_item_service", "qbo_department_class", "qbo_tax_code_vat_rate", "qbo_custom_field")

CASCADES = (
    ("qbo_sweep", "configuration_id", "qbo_configuration"),
    ("qbo_item_service", "configuration_id", "qbo_configuration"),
    ("qbo_item_service", "service_id", "qbo_service"),
    ("qbo_department_class", "configuration_id", "qbo_configuration"),
    ("qbo_department_class", "department_id", "qbo_department"),
    ("qbo_tax_code_vat_rate", "configuration_id", "qbo_configuration"),
    ("qbo_tax_code_vat_rate", "vat_rate_id", "qbo_vat_rate"),
    ("qbo_custom_field", "configuration_id", "qbo_configuration"),
    ("qbo_connection", "configuration_id", "qbo_configuration"),
    ("qbo_intent", "link_id", "qbo_link"),
)

FUNCTIONS = """
CREATE FUNCTION qbo_configuration_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- A stale version or date written by an ORM's save() does no harm.
    NEW.version := OLD.version + 1;
    NEW.modified_at := now();
    RETURN NEW;
END $$;

CREATE FUNCTION qbo_configuration_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('kompass_qbo', 'configuration');
    RETURN NULL;
END $$;

CREATE FUNCTION qbo_mapping_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE qbo_configuration SET version = version + 1
    WHERE id IN (SELECT configuration_id FROM after_rows);
    RETURN NULL;
END $$;

CREATE FUNCTION qbo_mapping_updated() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE qbo_configuration SET version = version + 1
    WHERE id IN (
        SELECT configuration_id FROM (TABLE after_rows EXCEPT TABLE before_rows) AS new_rows
        UNION
        SELECT configuration_id FROM (TABLE before_rows EXCEPT TABLE after_rows) AS old_rows
    );
    RETURN NULL;
END $$;

CREATE FUNCTION qbo_mapping_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE qbo_configuration SET version = version + 1
    WHERE id IN (SELECT configuration_id FROM before_rows);
    RETURN NULL;
END $$;

CREATE FUNCTION qbo_company_facts_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE qbo_configuration SET version = version + 1
    WHERE realm_id = CASE WHEN TG_OP = 'DELETE' THEN OLD.realm_id ELSE NEW.realm_id END;
    RETURN NULL;
END $$;

CREATE FUNCTION qbo_connection_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE qbo_configuration SET version = version + 1
    WHERE id = CASE WHEN TG_OP = 'DELETE' THEN OLD.configuration_id ELSE NEW.configuration_id END;
    RETURN NULL;
END $$;

CREATE TRIGGER qbo_configuration_version BEFORE UPDATE ON qbo_configuration
    FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION qbo_configuration_changed();
CREATE TRIGGER qbo_configuration_notify AFTER INSERT OR UPDATE ON qbo_configuration
    FOR EACH ROW EXECUTE FUNCTION qbo_configuration_news();

CREATE TRIGGER qbo_company_facts_written AFTER INSERT OR DELETE ON qbo_company_facts
    FOR EACH ROW EXECUTE FUNCTION qbo_company_facts_changed();
CREATE TRIGGER qbo_company_facts_updated AFTER UPDATE ON qbo_company_facts
    FOR EACH ROW WHEN (OLD.body IS DISTINCT FROM NEW.body) EXECUTE FUNCTION qbo_company_facts_changed();

CREATE TRIGGER qbo_connection_written AFTER INSERT OR DELETE ON qbo_connection
    FOR EACH ROW EXECUTE FUNCTION qbo_connection_changed();
CREATE TRIGGER qbo_connection_updated AFTER UPDATE ON qbo_connection
    FOR EACH ROW WHEN ((OLD.state, OLD.realm_id) IS DISTINCT FROM (NEW.state, NEW.realm_id))
    EXECUTE FUNCTION qbo_connection_changed();
"""

FUNCTION_NAMES = (
    "qbo_configuration_changed",
    "qbo_configuration_news",
    "qbo_mapping_inserted",
    "qbo_mapping_updated",
    "qbo_mapping_deleted",
    "qbo_company_facts_changed",
    "qbo_connection_changed",
)


def _mapping_triggers(table: str) -> str:
    # One trigger per statement, not per row: an import of 500 rows raises the version once.
    return f"""
CREATE TRIGGER {table}_inserted AFTER INSERT ON {table} REFERENCING NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION qbo_mapping_inserted();
CREATE TRIGGER {table}_updated AFTER UPDATE ON {table} REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows
    FOR EACH STATEMENT EXECUTE FUNCTION qbo_mapping_updated();
CREATE TRIGGER {table}_deleted AFTER DELETE ON {table} REFERENCING OLD TABLE AS before_rows
    FOR EACH STATEMENT EXECUTE FUNCTION qbo_mapping_deleted();
"""


def _cascade(table: str, column: str, target: str) -> migrations.RunSQL:
    name = f"{table}_{column}_cascade"
    return migrations.RunSQL(
        f"ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY ({column}) REFERENCES {target} (id) "
        "ON DELETE CASCADE DEFERRABLE INITIALLY IMMEDIATE",
        f"ALTER TABLE {table} DROP CONSTRAINT {name}",
    )


def _lane(name: str, bit: int) -> migrations.RunSQL:
    return migrations.RunSQL(
        f"CREATE INDEX qbo_link_due_{name} ON qbo_link (realm_id, due_at) "
        f"WHERE due_at IS NOT NULL AND (lanes & {bit}) <> 0",
        f"DROP INDEX qbo_link_due_{name}",
    )


class Migration(migrations.Migration):
    dependencies = (("quickbooks_online", "0001_initial"),)

    operations = (
        *(_cascade(*cascade) for cascade in CASCADES),
        _lane("clients", 1),
        _lane("projects", 2),
        _lane("invoices", 4),
        migrations.RunSQL(
            FUNCTIONS + "".join(_mapping_triggers(table) for table in MAPPINGS),
            "".join(f"DROP FUNCTION {name}() CASCADE;" for name in FUNCTION_NAMES),
        ),
    )
