"""Open lots, oldest first: what first-in-first-out profit is worked out from.

A lot keeps what it was opened with, so the cost of what is left of it is rounded once, however often some was taken.
Costs include fees, so two lots hardly ever cost the same for a unit, and none are merged for their price.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trader.portfolio.money import ZERO, share

LOTS_MAX = 500
"""Lots kept for a position. Beyond that the two smallest neighbours become one, at what they cost together."""


@dataclass(frozen=True, slots=True)
class Lot:
    """What one fill opened: `quantity` in base and `cost` in quote, both below 0 on the short side; `left` is open."""

    quantity: Decimal
    cost: Decimal
    left: Decimal

    @property
    def open_cost(self) -> Decimal:
        """What is left of it cost, in quote."""
        return self.cost if self.left == self.quantity else share(self.cost, self.left, self.quantity)


Lots = tuple[Lot, ...]


def cost_of(lots: Lots) -> Decimal:
    """What is open cost, in quote, the oldest having gone first."""
    return sum((lot.open_cost for lot in lots), ZERO)


def open_lot(lots: Lots, quantity: Decimal, cost: Decimal, lots_max: int = LOTS_MAX) -> Lots:
    """The lots with one more, at most `lots_max` of them."""
    grown = (*lots, Lot(quantity, cost, quantity))
    return _merged(grown) if len(grown) > lots_max else grown


def close_lots(lots: Lots, quantity: Decimal) -> Lots:
    """The lots after the oldest `quantity` went, in base, above 0 whatever the side."""
    for number, lot in enumerate(lots):
        if quantity < abs(lot.left):
            left = lot.left - quantity.copy_sign(lot.left)
            return (replace(lot, left=left), *lots[number + 1 :])
        quantity -= abs(lot.left)
    assert quantity == 0, "no more is closed than is open"
    return ()


def _merged(lots: Sequence[Lot]) -> Lots:
    at = min(range(len(lots) - 1), key=lambda i: abs(lots[i].left + lots[i + 1].left))
    one, other = lots[at], lots[at + 1]
    left = one.left + other.left
    return (*lots[:at], Lot(left, one.open_cost + other.open_cost, left), *lots[at + 2 :])
