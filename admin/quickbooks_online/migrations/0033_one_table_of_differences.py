"""Keep every difference in one table: of a total, and of what was left out or not taken (a remark until now)."""

from __future__ import annotations

from django.db import migrations, models

_AMOUNTS = ("kompass_total", "kompass_tax", "qbo_total", "qbo_tax")
_COLUMNS = f"link_id, cause, org_id, realm_id, message, found_at, {', '.join(_AMOUNTS)}"
TAKE_OVER = f"INSERT INTO qbo_remark ({_COLUMNS}) SELECT {_COLUMNS} FROM qbo_difference ON CONFLICT DO NOTHING"
GIVE_BACK = f"INSERT INTO qbo_difference ({_COLUMNS}) SELECT {_COLUMNS} FROM qbo_remark WHERE kompass_total IS NOT NULL"
CASCADE = (
    "ALTER TABLE qbo_difference ADD CONSTRAINT qbo_difference_link_id_cascade"
    " FOREIGN KEY (link_id) REFERENCES qbo_link (id) ON DELETE CASCADE"
)
FORGET = "DELETE FROM qbo_remark WHERE kompass_total IS NOT NULL"
# Names that Django gave with the former table.
RENAME = (
    "ALTER TABLE qbo_difference RENAME CONSTRAINT qbo_remark_link_id_cascade TO qbo_difference_link_id_cascade",
    "ALTER TABLE qbo_difference RENAME CONSTRAINT qbo_difference_link_id_cascade TO qbo_remark_link_id_cascade",
)


class Migration(migrations.Migration):
    dependencies = (("quickbooks_online", "0032_notes_apart"),)

    operations = (
        *(
            migrations.AddField("remark", name, models.DecimalField(max_digits=20, decimal_places=5, null=True))
            for name in _AMOUNTS
        ),
        # Backwards: what came from the table of totals goes back to it first.
        migrations.RunSQL(migrations.RunSQL.noop, FORGET),
        migrations.RunSQL(TAKE_OVER, [GIVE_BACK, CASCADE]),
        migrations.DeleteModel("Difference"),
        migrations.RemoveConstraint("remark", "qbo_remark_key"),
        migrations.RenameModel("Remark", "Difference"),
        migrations.AlterModelTable("difference", "qbo_difference"),
        migrations.RunSQL(*RENAME),
        migrations.AlterField(
            "difference",
            "link",
            models.ForeignKey(
                "quickbooks_online.link",
                on_delete=models.deletion.CASCADE,
                db_constraint=False,
                related_name="differences",
            ),
        ),
        migrations.AddConstraint(
            "difference", models.UniqueConstraint(fields=("link", "cause"), name="qbo_difference_key")
        ),
        migrations.AddIndex("difference", models.Index(fields=["realm_id", "cause"], name="qbo_difference_cause")),
    )
