"""The ready group "Quickbooks Online admins": every permission of this app."""

from __future__ import annotations

from typing import Any

from django.apps.registry import Apps
from django.contrib.auth.management import create_permissions
from django.db import migrations

GROUP = "Quickbooks Online admins"


def make_group(apps: Apps, schema_editor: Any) -> None:
    # Permissions are usually made after the last migration; the group needs them now.
    config: Any = apps.get_app_config("quickbooks_online")
    config.models_module = True
    create_permissions(config, verbosity=0, using=schema_editor.connection.alias, apps=apps)
    config.models_module = None
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    permissions = apps.get_model("auth", "Permission").objects.filter(content_type__app_label="quickbooks_online")
    group.permissions.add(*permissions)


class Migration(migrations.Migration):
    dependencies = (
        ("quickbooks_online", "0002_triggers"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
    )

    operations = (migrations.RunPython(make_group, migrations.RunPython.noop),)
