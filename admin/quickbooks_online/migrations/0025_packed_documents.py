"""Less of the database for an invoice: documents packed, what is large compressed in its row, no index that another one stands in for.

What is there is taken over as plain JSON, which `store.sql` reads, too; it is packed when it is next written. There is no way back but
a backup: SQL cannot unpack what was written meanwhile.
"""

from __future__ import annotations

from django.db import migrations

import admin.quickbooks_online.models.fields

# Compressed in its row and not moved out of it: of a record the event's bytes too, which Postgres left as they came once the body was
# compressed. All other texts of the row are kept in it, too: with this target they would be moved out.
_INLINE = (
    (
        "qbo_record",
        ("body", "event_value"),
        ("org_id", "kind", "kompass_id", "reference", "topic", "event_key", "event_headers"),
    ),
    (
        "qbo_attempt",
        ("body", "applied"),
        ("realm_id", "phase", "operation", "entity", "object_id", "request_id", "name", "owner", "batch_id"),
    ),
)

DOCUMENTS = (("qbo_link", "applied"), ("qbo_link", "observed"), ("qbo_attempt", "applied"))


def _packed(table: str, column: str) -> str:
    plain = f"'\\x00'::bytea || convert_to({column}::text, 'UTF8')"
    return f"ALTER COLUMN {column} TYPE bytea USING {plain}"


def _inline(table: str, large: tuple[str, ...], small: tuple[str, ...]) -> str:
    kept = ", ".join(f"ALTER COLUMN {column} SET STORAGE MAIN" for column in (*large, *small))
    return f"ALTER TABLE {table} SET (toast_tuple_target = 128), {kept}"


def _moved_out(table: str, large: tuple[str, ...], small: tuple[str, ...]) -> str:
    kept = ", ".join(f"ALTER COLUMN {column} SET STORAGE EXTENDED" for column in (*large, *small))
    return f"ALTER TABLE {table} RESET (toast_tuple_target), {kept}"


class Migration(migrations.Migration):
    dependencies = [
        ("quickbooks_online", "0024_remarks"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            [
                migrations.RunSQL(
                    "ALTER TABLE qbo_link " + ", ".join(_packed(*one) for one in DOCUMENTS if one[0] == "qbo_link")
                ),
                migrations.RunSQL(
                    "ALTER TABLE qbo_attempt "
                    + ", ".join(_packed(*one) for one in DOCUMENTS if one[0] == "qbo_attempt")
                ),
            ],
            [
                migrations.AlterField(
                    table.removeprefix("qbo_"),
                    column,
                    admin.quickbooks_online.models.fields.DocumentField(null=True, blank=True),
                )
                for table, column in DOCUMENTS
            ],
        ),
        *(migrations.RunSQL(_inline(*one), _moved_out(*one)) for one in _INLINE),
        # A row of it lives for as long as a call: a fifth of the table, as Postgres waits for, is never much at a time.
        migrations.RunSQL(
            "ALTER TABLE qbo_attempt SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000)",
            "ALTER TABLE qbo_attempt RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_threshold)",
        ),
        # Names are looked for as QuickBooks compares them: by `qbo_link_folded_name`.
        migrations.RemoveIndex("link", "qbo_link_name"),
    ]
