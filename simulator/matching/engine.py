"""Decides what becomes of orders: fees, price–time priority, the venue's refusals. It moves nothing itself.

Taker orders walk the displayed book. Resting orders wait behind what was displayed at their price and are filled as
maker by later trades at or through it. Our fills neither print on the public tape nor take from the replayed book.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from simulator.matching.filters import check, failed
from simulator.matching.ledger import Ledger
from simulator.matching.types import (
    ZERO,
    Accepted,
    Closed,
    DisplayedBook,
    Event,
    Filled,
    Levels,
    NewOrder,
    Order,
    Refusal,
    Rules,
    Side,
)

FEE_STEP = Decimal("0.00000001")
NO_MONEY = "Account has insufficient balance for requested action."

Take = tuple[Decimal, Decimal]
"""Price and amount of one level taken."""


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade of the replayed market."""

    symbol: str
    price: Decimal
    amount: Decimal
    buyer_is_maker: bool
    ts_ms: int


class Engine:
    """Pure decisions over a ledger: each method returns the events that must happen, and the caller applies them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ahead: dict[int, Decimal] = {}
        """Displayed amount that an open order still waits behind; unknown after a restart until the book is seen."""

    def place(self, new: NewOrder, book: DisplayedBook, now_ms: int) -> list[Event]:
        """Accept an order and everything that follows at once. Raises `Refusal`."""
        rules = self._rules(new.symbol)
        check(new, rules)
        if self._is_open(new):
            raise Refusal(-2010, "Duplicate order sent.")
        takes = self._walk(new, book.asks if new.side == "BUY" else book.bids, rules)
        taken = sum((amount for _, amount in takes), ZERO)
        cost = sum((price * amount for price, amount in takes), ZERO)
        self._check_market(new, rules, takes, cost)
        self._check_money(new, rules, taken, cost)
        if new.time_in_force == "FOK" and new.amount is not None and taken < new.amount:
            takes, taken = [], ZERO
        amount = new.amount if new.amount is not None else taken
        accepted = self._accepted(new, amount, now_ms)
        events: list[Event] = [accepted]
        for number, (price, part) in enumerate(takes):
            fill_id = self._ledger.next_fill_id + number
            events.append(_filled(accepted, rules, (price, part, fill_id), now_ms, maker=False))
        if taken < amount or amount == 0:
            if new.type == "MARKET" or new.time_in_force != "GTC":
                events.append(Closed(accepted.order_id, now_ms, "EXPIRED"))
            else:
                self._ahead[accepted.order_id] = _displayed(new, book)
        return events

    def cancel(self, order: Order, cancel_id: str, now_ms: int) -> list[Event]:
        """End an open order. Raises `Refusal` when there is nothing to cancel."""
        if not order.open:
            raise Refusal(-2011, "Unknown order sent.")
        return [Closed(order.order_id, now_ms, "CANCELED", cancel_id)]

    def on_trade(self, trade: PublicTrade) -> list[Event]:
        """Executions of resting orders by a trade of the replayed market; together never more than its amount."""
        events: list[Event] = []
        left = trade.amount
        rules = self._rules(trade.symbol)
        for order in self._by_priority(trade.symbol):
            part = self._reached(order, trade, left)
            if part > 0:
                fill_id = self._ledger.next_fill_id + len(events)
                events.append(
                    _filled(order.accepted, rules, (order.accepted.price, part, fill_id), trade.ts_ms, maker=True)
                )
                left -= part
        return events

    def on_book(self, symbol: str, displayed: Callable[[Side, Decimal], Decimal]) -> None:
        """The displayed book changed: nobody waits behind more than is displayed at the price."""
        for order in self._ledger.open_orders(symbol):
            shown = displayed(order.accepted.side, order.accepted.price)
            self._ahead[order.order_id] = min(shown, self._ahead.get(order.order_id, shown))

    def forget_closed(self) -> None:
        """Drop what is remembered about orders that are no longer open."""
        self._ahead = {i: ahead for i, ahead in self._ahead.items() if self._ledger.orders[i].open}

    def _rules(self, symbol: str) -> Rules:
        rules = self._ledger.rules.get(symbol)
        if rules is None:
            raise Refusal(-1121, "Invalid symbol.")
        return rules

    def _is_open(self, new: NewOrder) -> bool:
        return any(o.accepted.client_id == new.client_id for o in self._ledger.open_orders(new.symbol))

    def _check_market(self, new: NewOrder, rules: Rules, takes: Sequence[Take], cost: Decimal) -> None:
        if new.type == "LIMIT_MAKER" and takes:
            raise Refusal(-2010, "Order would immediately match and take.")
        if new.type == "MARKET" and takes and cost < rules.cost_min and new.quote_amount is None:
            raise failed("NOTIONAL")
        if new.quote_amount is not None and not takes:
            raise failed("LOT_SIZE")

    def _check_money(self, new: NewOrder, rules: Rules, taken: Decimal, cost: Decimal) -> None:
        needed = max(new.amount or ZERO, taken)
        asset = rules.base
        if new.side == "BUY":
            asset = rules.quote
            needed = needed * new.price if new.price is not None else cost
        if needed > self._ledger.balances[asset].free:
            raise Refusal(-2010, NO_MONEY)

    def _accepted(self, new: NewOrder, amount: Decimal, now_ms: int) -> Accepted:
        return Accepted(
            self._ledger.next_order_id,
            now_ms,
            new.symbol,
            new.side,
            new.type,
            new.client_id,
            new.time_in_force,
            new.price or ZERO,
            amount,
            new.quote_amount or ZERO,
        )

    def _walk(self, new: NewOrder, levels: Levels, rules: Rules) -> list[Take]:
        takes: list[Take] = []
        left, left_cost = new.amount, new.quote_amount
        for price, shown in levels:
            if new.price is not None and (price > new.price if new.side == "BUY" else price < new.price):
                break
            if left is not None:
                part = min(left, shown)
                left -= part
            else:
                assert left_cost is not None
                part = min(shown, left_cost / price // rules.step * rules.step)
                left_cost -= part * price
            if part <= 0:
                break
            takes.append((price, part))
        return takes

    def _by_priority(self, symbol: str) -> list[Order]:
        """Best price first, the older first; buyers and sellers never compete for one trade."""

        def rank(order: Order) -> tuple[Decimal, int]:
            price = order.accepted.price
            return (-price if order.accepted.side == "BUY" else price), order.order_id

        return sorted(self._ledger.open_orders(symbol), key=rank)

    def _reached(self, order: Order, trade: PublicTrade, left: Decimal) -> Decimal:
        """How much of the order this trade executes; takes from the queue ahead of it on the way."""
        buying, price = order.accepted.side == "BUY", order.accepted.price
        if trade.price > price if buying else trade.price < price:
            return ZERO
        # At our price by the other side's maker means that the other side came to us: nobody is ahead any more.
        if trade.price != price or trade.buyer_is_maker != buying:
            self._ahead[order.order_id] = ZERO
            return min(order.remaining, left)
        ahead = self._ahead.get(order.order_id)
        if ahead is None:
            return ZERO
        waited = min(ahead, trade.amount)
        self._ahead[order.order_id] = ahead - waited
        return max(ZERO, min(order.remaining, left - waited))


def _displayed(new: NewOrder, book: DisplayedBook) -> Decimal:
    levels = book.bids if new.side == "BUY" else book.asks
    return next((amount for price, amount in levels if price == new.price), ZERO)


def _filled(order: Accepted, rules: Rules, what: tuple[Decimal, Decimal, int], ts_ms: int, *, maker: bool) -> Filled:
    price, amount, fill_id = what
    received, asset = (amount, rules.base) if order.side == "BUY" else (amount * price, rules.quote)
    share = rules.maker_fee if maker else rules.taker_fee
    fee = (received * share).quantize(FEE_STEP, ROUND_DOWN)
    return Filled(order.order_id, ts_ms, fill_id, price, amount, maker, fee, asset)
