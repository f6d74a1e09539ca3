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

    def _stands_for(kind: type) -> type:
        """A metaclass: every instance of `kind` is one of the class, so that converters give plain values."""
        return type(f"_Like{kind.__name__}", (type,), {"__instancecheck__": kind.__instancecheck__})

    class Money(Decimal, metaclass=_stands_for(Decimal)):
        """An amount: two decimals, or as many more as it takes."""

    class Number(Decimal, metaclass=_stands_for(Decimal)):
        """A rate, percentage or quantity: no more decimals than it takes."""

    class Day(dt.date, metaclass=_stands_for(dt.date)):
        """A date."""

    class Moment(dt.datetime, metaclass=_stands_for(dt.datetime)):
        """An aware datetime in UTC."""
