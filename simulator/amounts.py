"""Numbers on the wire are JSON numbers; inside they are `Decimal`. These are the only places that convert."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ZERO = Decimal(0)
CENT = Decimal("0.01")
HUNDRED = Decimal(100)


def dec(value: Any) -> Decimal:
    """Wire number (or nothing) → Decimal. The shortest form of a double is what the sender wrote, up to 15 digits."""
    if value is None or value == "":
        return ZERO
    return value if isinstance(value, Decimal) else Decimal(str(value))


def number(value: Decimal) -> int | float:
    """Decimal → wire number."""
    return int(value) if value == value.to_integral_value() else float(value)


def cents(value: Decimal) -> Decimal:
    """Rounded half-up to the cent, as Intuit's amount check does it."""
    return value.quantize(CENT, ROUND_HALF_UP)
