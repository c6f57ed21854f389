"""From a wish in [-1, 1] to an order's quantity, on the venue's grid."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ares.model.market import Side
from trader.portfolio.money import ZERO, ceil_to, floor_to


@dataclass(frozen=True, slots=True)
class Grid:
    """What the venue lets an order of one symbol be: steps of price (quote) and amount (base), least cost (quote)."""

    price_tick: Decimal
    amount_step: Decimal
    cost_min: Decimal


@dataclass(frozen=True, slots=True)
class SizingPolicy:
    """`max_position_quote` is the position at target 1; shares and slippage are parts of 1."""

    max_position_quote: Decimal
    rebalance_share_min: Decimal
    slippage_max: Decimal
    order_notional_quote_max: Decimal


@dataclass(frozen=True, slots=True)
class Move:
    """What would bring the position to its target; `side` None means nothing, and `reason` says why."""

    side: Side | None
    quantity: Decimal
    price: Decimal
    target_quantity: Decimal
    reason: str


def limit_price(side: Side, mark: Decimal, slippage_max: Decimal, tick: Decimal) -> Decimal:
    """The worst price we take, in quote per base; rounding never makes it worse than `slippage_max`."""
    if side == "buy":
        return floor_to(mark * (1 + slippage_max), tick)
    return ceil_to(mark * (1 - slippage_max), tick)


def size(target: Decimal, held: Decimal, mark: Decimal, grid: Grid, policy: SizingPolicy) -> Move:
    """The order for a target. Spot: below 0 means flat. `held` in base, `mark` in quote per base.

    A sell is cut to the notional limit, so that a limit on orders never keeps us inside a position; the rest follows
    in the next cycles. A buy is not cut: that is the limit's own business, and its refusal is a row.
    """
    wanted = floor_to(min(max(target, ZERO), Decimal(1)) * policy.max_position_quote / mark, grid.amount_step)
    difference = wanted - held
    side: Side = "buy" if difference > 0 else "sell"
    price = limit_price(side, mark, policy.slippage_max, grid.price_tick)
    quantity = floor_to(abs(difference), grid.amount_step)
    if side == "sell":
        quantity = min(quantity, floor_to(policy.order_notional_quote_max / mark, grid.amount_step))
    closing = wanted == 0 and held > 0
    if quantity == 0:
        return Move(None, ZERO, price, wanted, "at_target")
    if not closing and abs(difference) * mark < policy.rebalance_share_min * policy.max_position_quote:
        return Move(None, ZERO, price, wanted, "below_rebalance_share")
    if quantity * min(price, mark) < grid.cost_min:
        return Move(None, ZERO, price, wanted, "below_cost_min")
    return Move(side, quantity, price, wanted, "closing" if closing else "to_target")
