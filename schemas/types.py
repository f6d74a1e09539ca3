"""The types of single values in a record, as far as Python's own say too little.

A type checker sees `Decimal`, `date` and `datetime`. At run time `Money`, `Number`, `Day` and `Moment` are classes of their
own, so that msgspec hands their values to the converters in `schemas.values`: Avro has bytes and numbers for them, JSON texts.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

IS_ID = {"id": True}
"""Marks a Kompass id: JSON may give it as a whole number, which becomes its digits."""

Id = Annotated[str, Meta(extra=IS_ID)]
Key = Annotated[str, Meta(min_length=1, extra=IS_ID)]
"""An id under which something is kept, and which therefore cannot be empty."""
Whole32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Whole64 = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

if TYPE_CHECKING:
    Money = Decimal
    Number = Decimal
    Day = dt.date
    Moment = dt.datetime
else:

    class _Alias(type):
        def __instancecheck__(cls, value: object) -> bool:
            return isinstance(value, cls.__base__)

    class Money(Decimal, metaclass=_Alias):
        """An amount: two decimals, or as many more as it takes."""

    class Number(Decimal, metaclass=_Alias):
        """A rate, percentage or quantity: no more decimals than it takes."""

    class Day(dt.date, metaclass=_Alias):
        """A date."""

    class Moment(dt.datetime, metaclass=_Alias):
        """An aware datetime in UTC."""
