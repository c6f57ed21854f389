"""Decimal steps and scales. Money is exact: floats come in through `from_market` alone."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal

ZERO = Decimal(0)
SCALE = Decimal("0.0000000001")
"""Ten digits after the point: what the trading tables hold (DECIMAL(28,10))."""
EXACT = Context(prec=120, rounding=ROUND_HALF_EVEN)
"""Products of numbers of 28 digits are exact in it, and no quotient of such a product by a third comes to lie on a tie
that it is not on: what is worked out here and brought to scale was rounded once.
"""


def from_market(value: float) -> Decimal:
    """A float of market data as the decimal that it was meant to be (its shortest repr)."""
    return Decimal(repr(value))


def to_scale(value: Decimal) -> Decimal:
    """Rounded half-even to what the tables hold."""
    return value.quantize(SCALE, rounding=ROUND_HALF_EVEN)


def product(one: Decimal, other: Decimal) -> Decimal:
    """The product, rounded once, to scale."""
    return to_scale(EXACT.multiply(one, other))


def share(whole: Decimal, part: Decimal, of: Decimal) -> Decimal:
    """`whole` × `part` / `of`, rounded once, to scale."""
    return to_scale(EXACT.divide(EXACT.multiply(whole, part), of))


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above `value`; a step of 0 leaves it as it is."""
    if step <= 0:
        return value
    return (value / step).to_integral_value(rounding=ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of `step` that is not below `value`."""
    return -floor_to(-value, step)
