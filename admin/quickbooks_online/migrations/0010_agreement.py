"""The permission to make an agreement sheet, and the ready group has it."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.db import migrations

GROUP = "Quickbooks Online admins"
CODENAME = "agree_configuration"
NAME = "Can make the agreement sheet of a month"


def grant(apps: Apps, schema_editor: Any) -> None:
    # Permissions are usually made after the last migration; the group needs this one now.
    kind, _ = apps.get_model("contenttypes", "ContentType").objects.get_or_create(
        app_label="quickbooks_online", model="configuration"
    )
    permission, _ = apps.get_model("auth", "Permission").objects.get_or_create(
        content_type=kind, codename=CODENAME, defaults={"name": NAME}
    )
    group = apps.get_model("auth", "Group").objects.filter(name=GROUP).first()
    if group is not None:
        group.permissions.add(permission)


class Migration(migrations.Migration):
    dependencies = (("quickbooks_online", "0009_probes"),)

    operations = (
        migrations.AlterModelOptions(
            name="configuration",
            options={
                "ordering": ("org__name",),
                "permissions": (
                    ("authorize_configuration", "Can authorize with QuickbooksOnline and disconnect"),
                    ("test_configuration", "Can test the connection"),
                    (CODENAME, NAME),
                    ("dump_customers", "Can get QBO customers as JSON"),
                    ("dump_jobs", "Can get QBO jobs (sub-customers) as JSON"),
                    ("dump_invoices", "Can get QBO invoices as JSON"),
                ),
            },
        ),
        migrations.RunPython(grant, migrations.RunPython.noop),
    )
