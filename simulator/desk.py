"""The account's desk: takes orders, lets the market fill them, writes all down first, then tells who listens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from simulator.book import DepthEvent, Replay, TradeEvent
from simulator.journal import Journal
from simulator.market import Market, opening_assets
from simulator.matching import Engine, Event, Ledger, NewOrder, Order
from simulator.matching.engine import PublicTrade
from simulator.recording import to_text

Listener = Callable[[Event, Order], None]


class Desk:
    """One account at the exchange. Events are durable before they are applied, and applied before they are told."""

    def __init__(self, market: Market, journal: Journal, balances: Mapping[str, Decimal]) -> None:
        opening, past = journal.open(opening_assets(market.rules, balances))
        self.ledger = Ledger(market.rules.values(), opening)
        for event in past:
            self.ledger.apply(event)
        self.submissions: Counter[str] = Counter()
        """How often each client id was sent to us since the start, refusals included."""
        self._engine = Engine(self.ledger)
        self._market = market
        self._journal = journal
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Be told every event, with the order as it is after it."""
        self._listeners.append(listener)

    def place(self, new: NewOrder) -> Order:
        """Take an order. Raises `Refusal`."""
        self.submissions[new.client_id] += 1
        book = self._market.replay(new.symbol).displayed()
        return self._commit(self._engine.place(new, book, self._market.clock.now_ms()))

    def cancel(self, order: Order, cancel_id: str) -> Order:
        """End an open order. Raises `Refusal`."""
        return self._commit(self._engine.cancel(order, cancel_id, self._market.clock.now_ms()))

    def on_trade(self, replay: Replay, event: TradeEvent) -> None:
        """The market traded: resting orders may be filled."""
        series = replay.series
        if not self.ledger.open_orders(series.symbol):
            return
        tape, i = series.recording.trades, event.index
        trade = PublicTrade(
            series.symbol,
            Decimal(to_text(event.segment.price(int(tape.price[i])), series.recording.price_decimals)),
            Decimal(tape.amount_text[i]),
            bool(tape.buyer_is_maker[i]) != event.segment.mirrored,
            event.sent_ms,
        )
        events = self._engine.on_trade(trade)
        if events:
            self._commit(events)

    def on_depth(self, replay: Replay, _event: DepthEvent) -> None:
        """The book changed: what resting orders wait behind may have shrunk."""
        self._engine.on_book(replay.series.symbol, replay.displayed_amount)

    def close(self) -> None:
        self._journal.close()

    def _commit(self, events: Sequence[Event]) -> Order:
        # The write blocks the loop for the fsync, which keeps decisions in the order of the journal.
        self._journal.append(events)
        order: Order | None = None
        for event in events:
            order = self.ledger.apply(event)
            for listener in self._listeners:
                listener(event, order)
        self._engine.forget_closed()
        assert order is not None
        return order
