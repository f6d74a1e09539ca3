"""Columns as `store.tables` has them: text without a length, JSON numbers as `Decimal`, moments filled by the database."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from django.contrib.postgres.functions import TransactionNow

from store.json import dumps


class ExactEncoder(json.JSONEncoder):
    def encode(self, o: Any) -> str:
        return dumps(o)


class ExactDecoder(json.JSONDecoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


def now() -> TransactionNow:
    """``now()`` of the database: one clock for every process."""
    return TransactionNow()
