"""Orders that stand are changed by hand: made smaller where they are, or taken away and asked for anew.

Less at the same price is an amendment of the venue's, which keeps the place in the queue. Everything else is two
steps: the order is cancelled and seen to be gone, then what is left of the wish is an order of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from ares.errors import UnknownName, UsageError, VenueError
from ares.telemetry import get_logger
from trader.account import Account
from trader.command_log import Outcome
from trader.execution.ids import manual_order_id
from trader.execution.tracked import PROTECTION
from trader.manual import ManualOrders
from trader.manual_words import Wish, ended, told_of
from trader.portfolio.money import ZERO
from trader.portfolio.orders import STANDING, Order, OrderState
from trader.portfolio.positions import is_linear

log = get_logger(__name__)


class OrderIsOver(UsageError):
    """The order ended before: there is nothing to cancel or to change."""

    code = "order_is_over"


@dataclass(frozen=True, slots=True)
class Change:
    """What an order shall be: `quantity` in base, what was filled included; `price` in quote. None: as it is."""

    quantity: Decimal | None = None
    price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class AmendParts:
    """What orders are amended with.

    `settle_s_max`: how long the end of an order is waited for; `poll_s`: how often; `is_of_plan`: whether an order is
    a child of a plan that is under way.
    """

    account: Account
    manual: ManualOrders
    is_of_plan: Callable[[str], bool]
    settle_s_max: float
    poll_s: float


class Amending:
    """Changes orders that people ask to be changed, one at a time."""

    def __init__(self, parts: AmendParts) -> None:
        self._parts = parts
        self._account = parts.account
        self._desk = parts.account.parts.desk
        self._clock = parts.account.parts.clock
        self._one_at_a_time = asyncio.Lock()

    async def amend(self, order_id: str, change: Change) -> Outcome:
        """Change an order; what the venue shows then. The lease must be ours. Raises `UsageError`.

        Asked again with the same figures, it is the same change.
        """
        async with self._one_at_a_time:
            order = await self._account.parts.journal.find(order_id)
            if order is None:
                raise UnknownName("order", order_id, [each.intent.order_id for each in self._desk.orders()])
            wish = _wish(order, change)
            name = manual_order_id(self._account.parts.who.account, wish.key)
            replacement = await self._account.parts.journal.find(name)
            if replacement is not None:
                return {"replaces": order_id, **told_of(replacement, repeated=True)}
            if order.amended == wish.quantity and order.intent.price == wish.price:
                return {**told_of(order, repeated=True), "kept_place": True}
            self._check_amendable(order, wish)
            if wish.price == order.intent.price and wish.quantity < order.quantity:
                return await self._make_smaller(order_id, wish.quantity)
            return await self._replace(order, wish)

    async def _make_smaller(self, order_id: str, quantity: Decimal) -> Outcome:
        cause = await self._desk.amend(order_id, quantity)
        await self._desk.follow({order_id})
        after = await self._account.parts.journal.find(order_id)
        assert after is not None, "the journal forgets nothing"
        done = after.quantity == quantity
        reason = None if done else cause or "the venue does not show it yet"
        return {**told_of(after, repeated=False), "kept_place": done, "sent": done, "reason": reason}

    async def _replace(self, order: Order, wish: Wish) -> Outcome:
        order_id = order.intent.order_id
        await self._account.refresh_balances()
        freed = order.remaining * (order.intent.price or ZERO) if order.intent.side == "buy" else ZERO
        objection = await self._parts.manual.objection(_rest(wish, order), without=order_id, freed_quote=freed)
        if objection is not None:
            return {"replaces": order_id, "cancelled": False, **objection}
        words = _words(_rest(wish, order))
        if not await self._gone(order_id):
            still = ended("skip", "it may still stand at the venue")
            return {"replaces": order_id, "cancelled": False, **words, **still}
        after = await self._account.parts.journal.find(order_id)
        assert after is not None, "the journal forgets nothing"
        cancelled, filled = after.state is OrderState.CANCELED, f"{after.filled_quantity:f}"
        about: Outcome = {"replaces": order_id, "cancelled": cancelled, "replaced_filled": filled, **words}
        if wish.quantity <= after.filled_quantity:
            return {**about, **ended("skip", "all of it was filled before")}
        try:
            await self._account.refresh_balances()
            return {**about, **await self._parts.manual.send(_rest(wish, after))}
        except (VenueError, UsageError) as error:
            # It is gone and stays gone: who asked is told so, and decides anew.
            log.warning("amend_left_cancelled", order_id=order_id, cause=str(error))
            return {**about, **ended("skip", str(error))}

    async def _gone(self, order_id: str) -> bool:
        """Cancel an order and wait until it is seen to be over, all it filled in the book."""
        until_s = self._clock.monotonic_s() + self._parts.settle_s_max
        while True:
            await self._desk.cancel(order_id)
            await self._desk.follow({order_id})
            if all(order.intent.order_id != order_id for order in self._desk.orders()):
                return True
            if self._clock.monotonic_s() >= until_s:
                return False
            await self._clock.sleep(self._parts.poll_s)

    def _check_amendable(self, order: Order, wish: Wish) -> None:
        intent, name = order.intent, f"order_id = {order.intent.order_id!r}"
        if order.state.final:
            raise OrderIsOver(f"{name}: it is {order.state} already, nothing is left to change")
        if order.state not in STANDING:
            raise UsageError(f"{name}: it is {order.state}, so nobody knows what would be changed. Ask again later")
        if intent.source == PROTECTION or intent.list_id:
            raise UsageError(f"{name}: it protects a position, and follows it by itself. Change trading.protection")
        if self._parts.is_of_plan(intent.order_id):
            raise UsageError(f"{name}: a plan under way sent it and would send another. Cancel it to end the plan")
        if is_linear(intent.symbol):
            raise UsageError(
                f"{name}: orders of contracts are not amended from here yet. Cancel it and order anew "
                f"(`ares trader cancel`, `ares trader order`)"
            )
        if intent.type != "limit":
            raise UsageError(f"{name}: it is a {intent.type}, and only limit orders are amended. Cancel it, order anew")
        if wish.quantity <= order.filled_quantity:
            raise UsageError(
                f"quantity = {wish.quantity:f}: {order.filled_quantity:f} was filled already. Cancel it to keep that"
            )
        if (wish.quantity, wish.price) == (order.quantity, intent.price):
            raise UsageError(f"{name}: it asks for {wish.quantity:f} at {wish.price:f} already. Say what to change")
        grid = self._account.grid(intent.symbol)
        if grid is not None and wish.quantity % grid.amount_step:
            raise UsageError(
                f"quantity = {wish.quantity:f}: not a multiple of {intent.symbol}'s amount step {grid.amount_step:f}"
            )


def _wish(order: Order, change: Change) -> Wish:
    """The whole order as it shall be; its key names the replacement."""
    intent = order.intent
    quantity = order.quantity if change.quantity is None else change.quantity
    price = intent.price if change.price is None else change.price
    key = f"amend/{intent.order_id}/{quantity.normalize():f}/{'market' if price is None else f'{price.normalize():f}'}"
    return Wish(intent.symbol, intent.side, quantity, price, intent.strategy, key)


def _words(wish: Wish) -> Outcome:
    price = None if wish.price is None else f"{wish.price:f}"
    about: Outcome = {"symbol": wish.symbol, "strategy": wish.strategy, "side": wish.side, "price": price}
    return {**about, "quantity": f"{wish.quantity:f}"}


def _rest(wish: Wish, order: Order) -> Wish:
    """What is still to be asked for of it."""
    return Wish(wish.symbol, wish.side, wish.quantity - order.filled_quantity, wish.price, wish.strategy, wish.key)
