"""Decides what becomes of orders: fees, price–time priority, the venue's refusals. It moves nothing itself.

Taker orders walk the displayed book. Resting orders wait behind what was displayed at their price and are filled as
maker by later trades at or through it. Contingent orders wait off the book until the market trades at their trigger;
of an OCO pair one leg's coming to the book, or execution, ends the other. Our fills neither print on the public tape
nor take from the replayed book.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal

from simulator.matching.filters import check, check_smaller, failed
from simulator.matching.ledger import Ledger
from simulator.matching.prices import NewPair, check_not_met, check_pair
from simulator.matching.queue import PublicTrade, Queue, by_priority
from simulator.matching.types import (
    AT_MARKET,
    CONTINGENT,
    NEVER_MS,
    NO_LIST,
    STOP_LOSSES,
    ZERO,
    Accepted,
    Amended,
    Closed,
    DisplayedBook,
    Event,
    Filled,
    NewOrder,
    Order,
    Refusal,
    Rules,
    Side,
    TimeInForce,
    Tracked,
    Triggered,
    Why,
)

FEE_STEP = Decimal("0.00000001")
NO_MONEY = "Account has insufficient balance for requested action."
DUPLICATE = "Duplicate order sent."
UNKNOWN = "Unknown order sent."
UNFILLED: dict[TimeInForce, Why] = {
    "IOC": "UNFILLED_IOC_QUANTITY_EXPIRED",
    "FOK": "UNFILLED_FOK_ORDER_EXPIRED",
}

Take = tuple[Decimal, Decimal]
"""Price and amount of one level taken."""


class Engine:
    """Pure decisions over a ledger: each method returns the events that must happen, and the caller applies them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._queue = Queue()

    def place(self, new: NewOrder, book: DisplayedBook, now_ms: int) -> list[Event]:
        """Accept an order and everything that follows at once. Raises `Refusal`."""
        rules = self._rules(new.symbol)
        check(new, rules)
        if self._is_open(new):
            raise Refusal(-2010, DUPLICATE)
        if new.type in CONTINGENT:
            check_not_met(new, book.last)
            self._check_free(new, rules, _needed(new, book))
            return self._wait(new, book, now_ms)
        takes = _walk(new, book, rules)
        taken = sum((amount for _, amount in takes), ZERO)
        cost = sum((price * amount for price, amount in takes), ZERO)
        self._check_market(new, rules, takes, cost)
        self._check_money(new, rules, taken, cost)
        amount = new.amount if new.amount is not None else taken
        accepted = self._accepted(new, amount, now_ms)
        return [accepted, *self._execute(accepted, takes, book, now_ms)]

    def place_pair(self, pair: NewPair, book: DisplayedBook, now_ms: int) -> list[Event]:
        """Accept an OCO pair; both legs or neither. Raises `Refusal`."""
        rules = self._rules(pair.above.symbol)
        legs = (pair.above, pair.below)
        for leg in legs:
            check(leg, rules)
        twice = pair.above.client_id == pair.below.client_id
        in_use = self._ledger.find_list(None, pair.client_id)
        if twice or any(self._is_open(leg) for leg in legs) or (in_use is not None and in_use.open):
            raise Refusal(-2010, DUPLICATE)
        check_pair(pair, book.last)
        for leg in legs:
            self._check_market(leg, rules, _walk(leg, book, rules) if leg.type == "LIMIT_MAKER" else [], ZERO)
        self._check_free(pair.above, rules, max(_needed(leg, book) for leg in legs))
        events: list[Event] = []
        its_list = (self._ledger.next_list_id, pair.client_id)
        for number, leg in enumerate(sorted(legs, key=lambda leg: leg.type not in STOP_LOSSES)):
            events += self._wait(leg, book, now_ms, number=number, its_list=its_list)
        return events

    def cancel(self, order: Order, cancel_id: str, now_ms: int) -> list[Event]:
        """End an open order, and with it the list it belongs to. Raises `Refusal` when there is nothing to cancel."""
        if not order.open:
            raise Refusal(-2011, UNKNOWN)
        ending = [order, *self._ledger.siblings(order)]
        return [Closed(one.order_id, now_ms, "CANCELED", cancel_id) for one in sorted(ending, key=_order_id)]

    def check(self, new: NewOrder) -> None:
        """Form and filters, whatever the account has. Raises `Refusal`."""
        check(new, self._rules(new.symbol))

    def amend(self, order: Order, amount: Decimal, client_id: str, now_ms: int) -> list[Event]:
        """Make an open order smaller; a pair stays of one size. Raises `Refusal`."""
        a = order.accepted
        if not order.open:
            raise Refusal(-2038, UNKNOWN)
        check_smaller(amount, a.price, self._rules(a.symbol))
        if amount > a.amount:
            raise Refusal(-2038, "Order amend (quantity increase) is not supported.")
        if amount == a.amount:
            raise Refusal(-2038, "The requested action would change no state; rejecting.")
        if amount <= order.filled:
            raise Refusal(-2038, "The new quantity is not above what was executed.")
        if len(order.amendments) >= self._rules(a.symbol).amends_max:
            raise Refusal(-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")
        user = self._ledger.find(a.symbol, None, client_id)
        if user is not None and user is not order and user.open:
            raise Refusal(-2038, DUPLICATE)
        other = [Amended(leg.order_id, now_ms, amount, leg.accepted.client_id) for leg in self._ledger.siblings(order)]
        return [*other, Amended(order.order_id, now_ms, amount, client_id)]

    def on_trade(self, trade: PublicTrade) -> list[Event]:
        """Executions of resting orders by a trade of the replayed market; together never more than its amount."""
        events: list[Event] = []
        left = trade.amount
        rules = self._rules(trade.symbol)
        fill_id = self._ledger.next_fill_id
        for order in by_priority(self._ledger.resting(trade.symbol)):
            part = self._queue.reached(order, trade, left)
            if part > 0:
                events += self._end_siblings(order, trade.ts_ms)
                events.append(
                    _filled(order.accepted, rules, (order.accepted.price, part, fill_id), trade.ts_ms, maker=True)
                )
                fill_id += 1
                left -= part
        return events

    def on_price(self, trade: PublicTrade, book: DisplayedBook) -> list[Event]:
        """What happens to the next contingent order whose condition this trade meets; ask again until nothing does."""
        stops = self._ledger.stops[trade.symbol]
        stops.move(trade.price)
        found = stops.due(trade.price)
        if found is None:
            return []
        order = self._ledger.orders[found]
        if order.accepted.trailing_delta and order.trailing_ms == NEVER_MS:
            return [Tracked(found, trade.ts_ms, trade.price)]
        return self._trigger(order, trade, book)

    def on_book(self, symbol: str, displayed: Callable[[Side, Decimal], Decimal]) -> None:
        """The displayed book changed: nobody waits behind more than is displayed at the price."""
        self._queue.see(self._ledger.resting(symbol), displayed)

    def forget_closed(self) -> None:
        """Drop what is remembered about orders that are no longer open."""
        self._queue.keep(lambda order_id: self._ledger.orders[order_id].open)

    def _rules(self, symbol: str) -> Rules:
        rules = self._ledger.rules.get(symbol)
        if rules is None:
            raise Refusal(-1121, "Invalid symbol.")
        return rules

    def _is_open(self, new: NewOrder) -> bool:
        latest = self._ledger.find(new.symbol, None, new.client_id)
        return latest is not None and latest.open and latest.accepted.client_id == new.client_id

    def _check_market(self, new: NewOrder, rules: Rules, takes: Sequence[Take], cost: Decimal) -> None:
        if new.type == "LIMIT_MAKER" and takes:
            raise Refusal(-2010, "Order would immediately match and take.")
        if new.type == "MARKET" and takes and cost < rules.cost_min and new.quote_amount is None:
            raise failed("NOTIONAL")
        if new.quote_amount is not None and not takes:
            raise failed("LOT_SIZE")

    def _check_money(self, new: NewOrder, rules: Rules, taken: Decimal, cost: Decimal) -> None:
        needed = max(new.amount or ZERO, taken)
        if new.side == "BUY":
            needed = needed * new.price if new.price is not None else cost
        self._check_free(new, rules, needed)

    def _check_free(self, new: NewOrder, rules: Rules, needed: Decimal) -> None:
        if needed > self._ledger.balances[rules.quote if new.side == "BUY" else rules.base].free:
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
            new.stop_price or ZERO,
            new.trailing_delta,
        )

    def _wait(
        self,
        new: NewOrder,
        book: DisplayedBook,
        now_ms: int,
        *,
        number: int = 0,
        its_list: tuple[int, str] = (NO_LIST, ""),
    ) -> list[Event]:
        """Accept an order that does not take now: a contingent one, or a leg that is a maker."""
        assert new.amount is not None, new
        accepted = replace(
            self._accepted(new, new.amount, now_ms),
            order_id=self._ledger.next_order_id + number,
            hold_price=_hold_price(new, book),
            list_id=its_list[0],
            list_client_id=its_list[1],
        )
        if not accepted.contingent:
            self._queue.join(accepted.order_id, _displayed(accepted, book))
        elif accepted.trailing_delta and not accepted.stop_price and book.last:
            return [accepted, Tracked(accepted.order_id, now_ms, book.last)]
        return [accepted]

    def _trigger(self, order: Order, trade: PublicTrade, book: DisplayedBook) -> list[Event]:
        """A contingent order goes to the book, and its other leg is over."""
        a, rules, events = order.accepted, self._rules(trade.symbol), self._end_siblings(order, trade.ts_ms)
        takes = _walk(a, book, rules)
        cost = sum((price * amount for price, amount in takes), ZERO)
        free = self._ledger.balances[rules.quote].free + self._ledger.held(order)
        if a.side == "BUY" and a.type in AT_MARKET and cost > free:
            return [*events, Closed(a.order_id, trade.ts_ms, "EXPIRED", reason="REJECTED")]
        events.append(Triggered(a.order_id, trade.ts_ms, trade.price))
        return events + self._execute(a, takes, book, trade.ts_ms)

    def _execute(self, order: Accepted, takes: list[Take], book: DisplayedBook, now_ms: int) -> list[Event]:
        """What follows when an order comes to the book: it takes, and what is left rests or expires."""
        taken = sum((amount for _, amount in takes), ZERO)
        if order.time_in_force == "FOK" and taken < order.amount:
            takes, taken = [], ZERO
        rules = self._rules(order.symbol)
        events: list[Event] = []
        for number, (price, part) in enumerate(takes):
            fill_id = self._ledger.next_fill_id + number
            events.append(_filled(order, rules, (price, part, fill_id), now_ms, maker=False))
        if taken < order.amount or order.amount == 0:
            if order.type in AT_MARKET:
                events.append(Closed(order.order_id, now_ms, "EXPIRED", reason="INSUFFICIENT_LIQUIDITY"))
            elif order.time_in_force != "GTC":
                events.append(Closed(order.order_id, now_ms, "EXPIRED", reason=UNFILLED[order.time_in_force]))
            else:
                self._queue.join(order.order_id, _displayed(order, book))
        return events

    def _end_siblings(self, order: Order, now_ms: int) -> list[Event]:
        others = self._ledger.siblings(order)
        return [Closed(other.order_id, now_ms, "EXPIRED", reason="OCO_TRIGGER") for other in others]


def _order_id(order: Order) -> int:
    return order.order_id


def _walk(order: NewOrder | Accepted, book: DisplayedBook, rules: Rules) -> list[Take]:
    """What an order takes of the displayed levels, as far as its price allows."""
    takes: list[Take] = []
    left, left_cost = order.amount, order.quote_amount
    if left_cost:
        left = None
    for price, shown in book.asks if order.side == "BUY" else book.bids:
        if order.price and (price > order.price if order.side == "BUY" else price < order.price):
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


def _needed(new: NewOrder, book: DisplayedBook) -> Decimal:
    """What an order that waits will hold."""
    assert new.amount is not None, new
    return new.amount * (new.price or _hold_price(new, book)) if new.side == "BUY" else new.amount


def _hold_price(new: NewOrder, book: DisplayedBook) -> Decimal:
    """At market nobody knows what a base will cost: as much as where it triggers, or as now."""
    return (new.stop_price or book.last) if new.type in AT_MARKET else ZERO


def _displayed(order: Accepted, book: DisplayedBook) -> Decimal:
    levels = book.bids if order.side == "BUY" else book.asks
    return next((amount for price, amount in levels if price == order.price), ZERO)


def _filled(order: Accepted, rules: Rules, what: tuple[Decimal, Decimal, int], ts_ms: int, *, maker: bool) -> Filled:
    price, amount, fill_id = what
    received, asset = (amount, rules.base) if order.side == "BUY" else (amount * price, rules.quote)
    share = rules.maker_fee if maker else rules.taker_fee
    fee = (received * share).quantize(FEE_STEP, ROUND_DOWN)
    return Filled(order.order_id, ts_ms, fill_id, price, amount, maker, fee, asset)
