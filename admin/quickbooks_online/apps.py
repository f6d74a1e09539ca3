"""The app as Django knows it."""

from __future__ import annotations

from django.apps import AppConfig


class QuickbooksOnlineConfig(AppConfig):
    name = "admin.quickbooks_online"
    label = "quickbooks_online"
    verbose_name = "Quickbooks Online"
    default_auto_field = "django.db.models.BigAutoField"
