"""Which orders protect a position: a pure function of its cost, its quantity and where the market is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from ares.model.market import Side
from trader.portfolio.legs import way_out
from trader.portfolio.money import ZERO, ceil_to, floor_to
from trader.portfolio.orders import STANDING, Order, OrderType
from trader.portfolio.positions import Position, is_linear
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
    """A protective order. Prices in quote; a stop that trails has none."""

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
    """What should stand: `legs` (the one that takes profit first), each for `quantity` in base and of `side`.

    `reached`: the market has passed a price of theirs already, so that only closing at market is left.
    `is_sellable`: whether so little may be closed at all.
    """

    legs: tuple[Leg, ...]
    quantity: Decimal
    reached: Literal["", "stop_loss", "take_profit"] = ""
    is_sellable: bool = True
    side: Side = "sell"

    def is_met_by(self, orders: Sequence[Order]) -> bool:
        """Whether exactly this stands at the venue, as far as the venue said."""
        if not self.quantity or len(orders) != len(self.legs):
            return False
        standing = all(order.state in STANDING and order.remaining == self.quantity for order in orders)
        return (
            standing
            and all(order.intent.side == self.side for order in orders)
            and all(any(leg.is_of(order) for order in orders) for leg in self.legs)
        )


def plan_protection(
    policy: ProtectionPolicy, position: Position, mark: Decimal | None, grid: Grid, *, was_met: bool = False
) -> ProtectionPlan:
    """What should protect a position now; nothing where the policy is off or nothing is held.

    `mark` (quote per base) None: nobody knows where the market is. Prices are rounded up to the tick, of shorts down:
    no stop is farther from what was paid than it was asked to be. `was_met`: its protection closed a part already;
    then what a trailing stop left is closed too, for nobody remembers the price that it had followed.
    """
    contract = is_linear(position.symbol)
    held = position.quantity if contract else max(position.quantity, ZERO)
    quantity, side = grid.fitting(abs(held)), way_out(held)
    if not policy.is_on or not quantity:
        return ProtectionPlan((), ZERO)
    profit, stop = _prices(policy, position, grid, side)
    legs: list[Leg] = []
    reached: Literal["", "stop_loss", "take_profit"] = ""
    if policy.take_profit:
        legs.append(Leg("take_profit", stop_price=profit) if contract else Leg("limit_maker", price=profit))
        if mark is not None and _is_past(mark, profit, rising=side == "sell"):
            reached = "take_profit"
    if policy.stop_loss:
        legs.append(Leg("stop_loss", stop_price=stop))
        if mark is not None and _is_past(mark, stop, rising=side == "buy"):
            reached = "stop_loss"
    elif policy.trailing_bips:
        legs.append(Leg("stop_loss", trailing_bips=policy.trailing_bips))
        reached = "stop_loss" if was_met else reached
    # What only reduces a contract may be worth as little as it is.
    is_sellable = contract or _is_sellable(legs, quantity, mark or position.average_price, grid)
    return ProtectionPlan(tuple(legs), quantity, reached, is_sellable, side)


def _prices(policy: ProtectionPolicy, position: Position, grid: Grid, side: Side) -> tuple[Decimal, Decimal]:
    """Where profit is taken and where loss is stopped."""
    cost, tick = position.average_price, grid.price_tick
    if side == "sell":
        return ceil_to(cost * (1 + policy.take_profit), tick), ceil_to(cost * (1 - policy.stop_loss), tick)
    profit = max(tick, floor_to(cost * (1 - policy.take_profit), tick))
    return profit, floor_to(cost * (1 + policy.stop_loss), tick)


def _is_past(mark: Decimal, price: Decimal, *, rising: bool) -> bool:
    return mark >= price if rising else mark <= price


def _is_sellable(legs: Sequence[Leg], quantity: Decimal, mark: Decimal, grid: Grid) -> bool:
    """At every price it may be sold for it must be worth what the venue asks of an order."""
    prices = [leg.price or leg.stop_price or mark * (1 - leg.trailing_bips / BIPS) for leg in legs]
    return quantity * min(*prices, mark) >= grid.cost_min
