"""The settings of every process, from the environment. `docs/settings.md` lists them."""

from sync.settings.addresses import MetricsAddress, read_database, read_registry
from sync.settings.declarations import DEMO_DEFAULTS
from sync.settings.environment import BadSetting, Environment
from sync.settings.kafka import read_kafka, silent
from sync.settings.policies import AttemptPolicy, CompanyPolicy, ProcessPolicy, RetentionPolicy, RetryPolicy
from sync.settings.settings import (
    Settings,
    SharedSettings,
    SiteSettings,
    read_log_format,
    settings_from,
    site_settings_from,
)

__all__ = [
    "DEMO_DEFAULTS",
    "AttemptPolicy",
    "BadSetting",
    "CompanyPolicy",
    "Environment",
    "MetricsAddress",
    "ProcessPolicy",
    "RetentionPolicy",
    "RetryPolicy",
    "Settings",
    "SharedSettings",
    "SiteSettings",
    "read_database",
    "read_kafka",
    "read_log_format",
    "read_registry",
    "settings_from",
    "silent",
    "site_settings_from",
]
