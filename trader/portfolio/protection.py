"""Which orders protect a position: a pure function of its cost, its quantity and where the market is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from trader.portfolio.money import ZERO, ceil_to, floor_to
from trader.portfolio.orders import STANDING, Order, OrderType
from trader.portfolio.positions import Position
from trader.portfolio.sizing import Grid

BIPS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class ProtectionPolicy:
    """How a strategy's positions are protected: shares of what a unit cost, 0 is off; `trailing_bips` of 10,000."""

    stop_loss: Decimal = ZERO
    take_profit: Decimal = ZERO
    trailing_bips: int = 0

    @property
    def is_on(self) -> bool:
        return bool(self.stop_loss or self.take_profit or self.trailing_bips)


@dataclass(frozen=True, slots=True)
class Leg:
    """A protective sell. Prices in quote; a stop that trails has none."""

    type: OrderType
    price: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_bips: int = 0

    def is_of(self, order: Order) -> bool:
        """Whether an order is this leg, whatever its quantity."""
        intent = order.intent
        theirs = (intent.type, intent.price, intent.stop_price, intent.trailing_bips)
        return theirs == (self.type, self.price, self.stop_price, self.trailing_bips)


@dataclass(frozen=True, slots=True)
class ProtectionPlan:
    """What should stand: `legs` (the one above the market first), each for `quantity` in base.

    `reached`: the market has passed a price of theirs already, so that only selling at market is left.
    `is_sellable`: whether so little may be sold at all.
    """

    legs: tuple[Leg, ...]
    quantity: Decimal
    reached: Literal["", "stop_loss", "take_profit"] = ""
    is_sellable: bool = True

    def is_met_by(self, orders: Sequence[Order]) -> bool:
        """Whether exactly this stands at the venue, as far as the venue said."""
        if not self.quantity or len(orders) != len(self.legs):
            return False
        standing = all(order.state in STANDING and order.remaining == self.quantity for order in orders)
        return standing and all(any(leg.is_of(order) for order in orders) for leg in self.legs)


def plan_protection(
    policy: ProtectionPolicy, position: Position, mark: Decimal | None, grid: Grid, *, was_met: bool = False
) -> ProtectionPlan:
    """What should protect a position now; nothing where the policy is off or nothing is held.

    `mark` (quote per base) None: nobody knows where the market is. Prices are rounded up to the tick: no stop is
    farther from what was paid than it was asked to be. `was_met`: its protection sold a part already;
    then what a trailing stop left is sold too, for nobody remembers the price that it had followed.
    """
    quantity = floor_to(max(position.quantity, ZERO), grid.amount_step)
    if not policy.is_on or not quantity:
        return ProtectionPlan((), ZERO)
    cost, tick = position.average_price, grid.price_tick
    legs: list[Leg] = []
    reached: Literal["", "stop_loss", "take_profit"] = ""
    if policy.take_profit:
        profit = ceil_to(cost * (1 + policy.take_profit), tick)
        legs.append(Leg("limit_maker", price=profit))
        if mark is not None and mark >= profit:
            reached = "take_profit"
    if policy.stop_loss:
        stop = ceil_to(cost * (1 - policy.stop_loss), tick)
        legs.append(Leg("stop_loss", stop_price=stop))
        if mark is not None and mark <= stop:
            reached = "stop_loss"
    elif policy.trailing_bips:
        legs.append(Leg("stop_loss", trailing_bips=policy.trailing_bips))
        reached = "stop_loss" if was_met else reached
    return ProtectionPlan(tuple(legs), quantity, reached, _is_sellable(legs, quantity, mark or cost, grid))


def _is_sellable(legs: Sequence[Leg], quantity: Decimal, mark: Decimal, grid: Grid) -> bool:
    """At every price it may be sold for it must be worth what the venue asks of an order."""
    prices = [leg.price or leg.stop_price or mark * (1 - leg.trailing_bips / BIPS) for leg in legs]
    return quantity * min(*prices, mark) >= grid.cost_min
