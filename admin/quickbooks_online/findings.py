"""What a check of the company finds: green, amber or red, with a remedy each; and the rows that count for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.db import models

from admin.quickbooks_online.models import Configuration
from admin.quickbooks_online.models import Mapping as MappingRow

Row = TypeVar("Row", bound=MappingRow)

GREEN, AMBER, RED = "green", "amber", "red"
LEVELS = {GREEN: "Passed", AMBER: "Warning", RED: "Problem"}


@dataclass(frozen=True, slots=True)
class Finding:
    level: str
    what: str
    message: str
    remedy: str = ""

    @property
    def label(self) -> str:
        return LEVELS[self.level]


def rows_of(model: type[Row], configuration: Configuration) -> models.QuerySet[Row]:
    """Give the rows of the company that is linked now."""
    return model._default_manager.filter(configuration=configuration, realm_id=configuration.realm_id)
