"""From a wish in [-1, 1] to an order's quantity, on the venue's grid."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from ares.model.market import Side
from trader.portfolio.money import ZERO, ceil_to, floor_to


@dataclass(frozen=True, slots=True)
class Grid:
    """What the venue lets an order of one symbol be: steps of price (quote) and amount (base), least cost (quote).

    `amount_max` (base) is the most that every kind of order may have; None: nothing was said.
    """

    price_tick: Decimal
    amount_step: Decimal
    cost_min: Decimal
    amount_max: Decimal | None = None

    def fitting(self, quantity: Decimal) -> Decimal:
        """The most of a quantity that one order can be, in base; what is less than a step is nothing."""
        most = quantity if self.amount_max is None else min(quantity, self.amount_max)
        return floor_to(most, self.amount_step)


@dataclass(frozen=True, slots=True)
class SizingPolicy:
    """`max_position_quote` is the position at target 1; shares and slippage are parts of 1."""

    max_position_quote: Decimal
    rebalance_share_min: Decimal
    slippage_max: Decimal
    order_notional_quote_max: Decimal


@dataclass(frozen=True, slots=True)
class Move:
    """What would bring the position nearer to its target; `side` None means nothing, and `reason` says why.

    `target_quantity` is where it should end, in base, below 0 on the short side.
    """

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


def size(
    target: Decimal, held: Decimal, mark: Decimal, grid: Grid, policy: SizingPolicy, *, shorts: bool = False
) -> Move:
    """The order for a target. `held` in base, `mark` in quote per base; `shorts`: whether it can be held below zero.

    Without shorts (spot) a target below 0 means flat. With them, a target on the other side than what is held is two
    orders: what is held is closed first, and what is wanted is opened once that was filled. An order that closes can be
    sent so that it never opens anything, whatever happened meanwhile; one that crosses zero cannot. Only dust that the
    venue would not take alone is crossed in one.

    What closes is cut to the notional limit, so that a limit on orders never keeps us inside a position; the rest
    follows in the next cycles. What opens is not cut: that is the limit's own business, and its refusal is a row.
    Either is cut to what the venue takes in one order.
    """
    wish = min(max(target, Decimal(-1) if shorts else ZERO), Decimal(1))
    most = floor_to(abs(wish) * policy.max_position_quote / mark, grid.amount_step)
    wanted = -most if wish < 0 else most
    first = ZERO if wanted * held < 0 and _closes_alone(held, mark, grid, policy) else wanted
    difference = first - held
    side: Side = "buy" if difference > 0 else "sell"
    price = limit_price(side, mark, policy.slippage_max, grid.price_tick)
    quantity = grid.fitting(abs(difference))
    if difference * held < 0 and abs(difference) <= abs(held):
        quantity = min(quantity, floor_to(policy.order_notional_quote_max / mark, grid.amount_step))
    closing = first == 0 and held != 0
    if quantity == 0:
        return Move(None, ZERO, price, wanted, "at_target")
    if not closing and abs(difference) * mark < policy.rebalance_share_min * policy.max_position_quote:
        return Move(None, ZERO, price, wanted, "below_rebalance_share")
    if quantity * min(price, mark) < grid.cost_min:
        return Move(None, ZERO, price, wanted, "below_cost_min")
    reason = "to_target" if not closing else "closing" if wanted == 0 else "closing_before_flip"
    return Move(side, quantity, price, wanted, reason)


def _closes_alone(held: Decimal, mark: Decimal, grid: Grid, policy: SizingPolicy) -> bool:
    """Whether the venue takes an order for what is held and nothing else."""
    price = limit_price("buy" if held < 0 else "sell", mark, policy.slippage_max, grid.price_tick)
    quantity = floor_to(abs(held), grid.amount_step)
    return quantity > 0 and quantity * min(price, mark) >= grid.cost_min
