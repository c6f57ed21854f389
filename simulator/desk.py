"""The account's desk: takes orders, lets the market fill them, writes all down first, then tells who listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Literal

from ares.errors import ConfigError
from simulator.book import DepthEvent, Replay, TradeEvent
from simulator.journal import Journal
from simulator.market import opening_assets
from simulator.matching import Engine, Event, Ledger, NewOrder, NewPair, Order, OrderList
from simulator.matching.queue import PublicTrade
from simulator.matching.types import NEVER_MS, Accepted, Amended, Side
from simulator.prices import Prices

Listener = Callable[[Event, Order], None]
ListStatus = Literal["EXEC_STARTED", "UPDATED", "ALL_DONE"]
"""What became of an order list (`listStatusType`): it was placed, a client id in it changed, or it is over."""
ListListener = Callable[[OrderList, ListStatus], None]


class Desk:
    """One account at the exchange. Events are durable before they are applied, and applied before they are told."""

    def __init__(self, market: Prices, journal: Journal, balances: Mapping[str, Decimal]) -> None:
        opening, past = journal.open(opening_assets(market.rules, balances))
        self.ledger = Ledger(market.rules.values(), opening)
        for event in past:
            if isinstance(event, Accepted) and event.symbol not in market.rules:
                way_out = "List it again, or begin anew in another environment.state_dir"
                problem = f"the account has orders of {event.symbol}"
                raise ConfigError("symbols", ", ".join(market.symbols), problem, way_out)
            self.ledger.apply(event)
        self.submissions: Counter[str] = Counter()
        """How often each client id was sent to us since the start, refusals included."""
        self._engine = Engine(self.ledger)
        self._market = market
        self._journal = journal
        self._listeners: list[Listener] = []
        self._list_listeners: list[ListListener] = []
        self._catch_up()

    def listen(self, listener: Listener) -> None:
        """Be told every event, with the order as it is after it."""
        self._listeners.append(listener)

    def listen_to_lists(self, listener: ListListener) -> None:
        """Be told what becomes of order lists, after the events of their legs."""
        self._list_listeners.append(listener)

    def now_ms(self) -> int:
        """Market time."""
        return self._market.clock.now_ms()

    def check(self, new: NewOrder) -> None:
        """Only form, filters, and whether the market takes orders. Raises `Refusal`."""
        self._market.require_open(new.symbol)
        self._engine.check(new)

    def place(self, new: NewOrder) -> Order:
        """Take an order. Raises `Refusal`."""
        self.submissions[new.client_id] += 1
        self._market.require_open(new.symbol)
        events = self._engine.place(new, self._market.book(new.symbol), self.now_ms())
        return self._commit(events)[0]

    def place_pair(self, pair: NewPair) -> OrderList:
        """Take an OCO pair. Raises `Refusal`."""
        for leg in (pair.above, pair.below):
            self.submissions[leg.client_id] += 1
        self._market.require_open(pair.above.symbol)
        events = self._engine.place_pair(pair, self._market.book(pair.above.symbol), self.now_ms())
        return self.ledger.lists[self._commit(events)[0].accepted.list_id]

    def cancel(self, order: Order, cancel_id: str) -> Order:
        """End an open order, and with it its list. Raises `Refusal`."""
        self._commit(self._engine.cancel(order, cancel_id, self.now_ms()))
        return order

    def amend(self, order: Order, amount: Decimal, client_id: str) -> Order:
        """Make an open order smaller. Raises `Refusal`."""
        self._commit(self._engine.amend(order, amount, client_id, self.now_ms()))
        return order

    def on_trade(self, replay: Replay, event: TradeEvent) -> None:
        """The replayed market traded."""
        self.take(replay.public_trade(event))

    def on_depth(self, replay: Replay, _event: DepthEvent) -> None:
        """The replayed book changed."""
        self.see(replay.series.symbol, replay.displayed_amount)

    def take(self, trade: PublicTrade) -> None:
        """The market traded: resting orders may be filled, contingent ones triggered."""
        symbol = trade.symbol
        self._market.traded(symbol, trade.price)
        stops = self.ledger.stops[symbol]
        if not stops and not self.ledger.resting(symbol):
            return
        events = self._engine.on_trade(trade)
        if events:
            self._commit(events)
        while stops and (events := self._engine.on_price(trade, self._market.book(symbol))):
            self._commit(events)

    def see(self, symbol: str, displayed: Callable[[Side, Decimal], Decimal]) -> None:
        """The book changed: what resting orders wait behind may have shrunk."""
        self._engine.on_book(symbol, displayed)

    def close(self) -> None:
        self._journal.close()

    def _catch_up(self) -> None:
        """Trailing stops that a restart brought back have seen what the market did meanwhile, where that is known."""
        now_ms = self.now_ms()
        for order in self.ledger.open_orders():
            if order.working or order.trailing_ms == NEVER_MS:
                continue
            a = order.accepted
            between = self._market.extremes(a.symbol, order.trailing_ms + 1, now_ms)
            if between is None:
                continue
            lowest, highest = between
            best = min(order.trailing_from, lowest) if a.side == "BUY" else max(order.trailing_from, highest)
            self.ledger.stops[a.symbol].restart(order, best)

    def _commit(self, events: Sequence[Event]) -> list[Order]:
        """The orders that the events are about, in their order."""
        # The write blocks the loop for the fsync, which keeps decisions in the order of the journal.
        self._journal.append(events)
        orders: list[Order] = []
        renamed: set[int] = set()
        for event in events:
            if isinstance(event, Amended) and event.client_id != self.ledger.orders[event.order_id].accepted.client_id:
                renamed.add(event.order_id)
            order = self.ledger.apply(event)
            orders.append(order)
            for listener in self._listeners:
                listener(event, order)
        self._tell_lists(events, renamed)
        self._engine.forget_closed()
        return orders

    def _tell_lists(self, events: Sequence[Event], renamed: set[int]) -> None:
        for its_list in {id(one): one for one in map(self._list_of, events) if one is not None}.values():
            legs = {leg.order_id for leg in its_list.legs}
            status: ListStatus | None = None
            if not its_list.open:
                status = "ALL_DONE"
            elif any(isinstance(event, Accepted) and event.order_id in legs for event in events):
                status = "EXEC_STARTED"
            elif renamed & legs:
                status = "UPDATED"
            if status is None:
                continue
            for listener in self._list_listeners:
                listener(its_list, status)

    def _list_of(self, event: Event) -> OrderList | None:
        return self.ledger.list_of(self.ledger.orders[event.order_id])
