"""Decimal steps and scales. Money is exact: floats come in through `from_market` alone."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

ZERO = Decimal(0)
SCALE = Decimal("0.0000000001")
"""Ten digits after the point: what the trading tables hold (DECIMAL(28,10))."""


def from_market(value: float) -> Decimal:
    """A float of market data as the decimal that it was meant to be (its shortest repr)."""
    return Decimal(repr(value))


def to_scale(value: Decimal) -> Decimal:
    """Rounded half-even to what the tables hold."""
    return value.quantize(SCALE, rounding=ROUND_HALF_EVEN)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`; a step of 0 leaves it as it is."""
    if step <= 0:
        return value
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`."""
    return -floor_to(-value, step)
