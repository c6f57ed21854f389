"""The way out of a position, on either side: which order takes from it, which one cuts it into legs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ares.model.market import Side
from trader.portfolio.money import ZERO, floor_to
from trader.portfolio.positions import is_linear
from trader.portfolio.sizing import Grid


@dataclass(frozen=True, slots=True)
class Leg:
    """One order that takes from a position. `quantity` in base."""

    side: Side
    quantity: Decimal


def way_out(held: Decimal) -> Side:
    """The side that closes what is held, in base, below 0 on the short side."""
    return "buy" if held < 0 else "sell"


def closed_by(symbol: str, held: Decimal, side: Side, quantity: Decimal) -> Decimal:
    """How much of an order, in base, does no more than close what is held.

    Coins have no short side: every sale of them closes, whatever is held. Of contracts it is what `held` reaches for.
    """
    if not is_linear(symbol):
        return quantity if side == "sell" else ZERO
    return min(quantity, abs(held)) if held and side == way_out(held) else ZERO


def only_closes(symbol: str, held: Decimal, side: Side, quantity: Decimal) -> bool:
    """Whether nothing of an order would open."""
    return closed_by(symbol, held, side, quantity) == quantity


def next_leg(held: Decimal, mark: Decimal, grid: Grid, order_notional_quote_max: Decimal) -> Leg | None:
    """The next order out of a position, of either side; None when what is left is less than the venue takes.

    At most what the limit on one order allows at `mark` (quote per base), and at least one step: a limit that is less
    than the smallest order would else keep us inside.
    """
    largest = floor_to(order_notional_quote_max / mark, grid.amount_step)
    quantity = min(grid.fitting(abs(held)), max(largest, grid.amount_step))
    if quantity == 0 or quantity * mark < grid.cost_min:
        return None
    return Leg(way_out(held), quantity)
