"""Columns as `store.tables` has them: text without a length, JSON numbers as `Decimal`, moments filled by the database."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib.postgres.functions import TransactionNow
from django.db import models

from store.sql import dumps, pack, pack_applied, unpack, unpack_applied


class ExactEncoder(json.JSONEncoder):
    def encode(self, o: Any) -> str:
        return dumps(o)


class ExactDecoder(json.JSONDecoder):
    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


def now() -> TransactionNow:
    """``now()`` of the database: one clock for every process."""
    return TransactionNow()


if TYPE_CHECKING:
    _Binary = models.BinaryField[Any, Any]
else:
    _Binary = models.BinaryField


class DocumentField(_Binary):
    """What QuickBooks answered, as `store.sql` packs it; a mapping in Python. No query looks into it."""

    def from_db_value(self, value: Any, *_: object) -> Any:
        return unpack(None if value is None else bytes(value))

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(pack(value))


class SentField(_Binary):
    """What we sent, as `store.sql` packs it; an `Applied` in Python. No query looks into it."""

    def from_db_value(self, value: Any, *_: object) -> Any:
        return unpack_applied(None if value is None else bytes(value))

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(pack_applied(value))
