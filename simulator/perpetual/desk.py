"""The futures account's desk: takes orders, lets the market fill them, pays funding and liquidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal

from simulator.book import DepthEvent, Replay, TradeEvent
from simulator.journal import EventJournal
from simulator.matching import DisplayedBook
from simulator.matching.conditional import (
    Awaited,
    Conditional,
    Dropped,
    Followed,
    NewConditional,
    Sprung,
    WorkingType,
)
from simulator.matching.conditional_engine import ConditionalEngine, Look
from simulator.matching.contracts import (
    Cleared,
    ContractOrder,
    Entered,
    Funded,
    Levered,
    MarginEvent,
    NewContractOrder,
)
from simulator.matching.margin import Standing, standing
from simulator.matching.margin_engine import MarginEngine
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.types import Closed, Filled
from simulator.perpetual.market import Perpetuals

KINDS: dict[str, type[MarginEvent]] = {
    "entered": Entered,
    "filled": Filled,
    "closed": Closed,
    "funded": Funded,
    "levered": Levered,
    "cleared": Cleared,
    "awaited": Awaited,
    "followed": Followed,
    "sprung": Sprung,
    "dropped": Dropped,
}
Listener = Callable[[MarginEvent, ContractOrder | None], None]
DecisionListener = Callable[[Sequence[MarginEvent]], None]
"""Is told everything that one decision led to, when all of it is done."""


class MarginDesk:
    """One account of perpetuals. Events are durable before they are applied, and applied before they are told.

    Whatever happens, what was due before is paid first, so that funding of a moment is of the positions of that moment
    even when the exchange was down then.
    """

    def __init__(self, perpetuals: Perpetuals, journal: EventJournal[MarginEvent], wallet: Decimal) -> None:
        contracts = perpetuals.contracts
        asset = next(iter(contracts.values())).quote
        opening, past = journal.open({asset: wallet})
        self.ledger = MarginLedger(contracts.values(), opening[asset])
        for event in past:
            self.ledger.apply(event)
        self.submissions: Counter[str] = Counter()
        """How often each client id was sent to us since the start, refusals included."""
        self._engine = MarginEngine(self.ledger)
        self._conditional = ConditionalEngine(self.ledger, self._engine)
        self._perpetuals = perpetuals
        self._journal = journal
        self._listeners: list[Listener] = []
        self._decision_listeners: list[DecisionListener] = []
        self._paid_ms = self.ledger.last_ms
        self._catch_up()
        self.settle()

    def listen(self, listener: Listener) -> None:
        """Be told every event, with the order as it is after it."""
        self._listeners.append(listener)

    def listen_to_decisions(self, listener: DecisionListener) -> None:
        """Be told of each decision, after its events."""
        self._decision_listeners.append(listener)

    def now_ms(self) -> int:
        """Market time."""
        return self._perpetuals.now_ms()

    def standing(self) -> Standing:
        """The account at the mark prices of now."""
        return standing(self.ledger, self._perpetuals.marks(self.now_ms()))

    def check(self, new: NewContractOrder) -> None:
        """Only form and filters. Raises `Refusal`."""
        self._engine.contract(new.symbol)
        self._engine.check(new, self._perpetuals.marks(self.now_ms()))

    def place(self, new: NewContractOrder) -> ContractOrder:
        """Take an order. Raises `Refusal`."""
        self.submissions[new.client_id] += 1
        self._engine.contract(new.symbol)
        now_ms = self.settle()
        order_id = self.ledger.next_order_id
        self._commit(self._engine.place(new, self._book(new.symbol), self._perpetuals.marks(now_ms), now_ms))
        return self.ledger.orders[order_id]

    def cancel(self, order: ContractOrder, cancel_id: str = "") -> ContractOrder:
        """End an open order. Raises `Refusal`."""
        self._commit(self._engine.cancel(order, cancel_id, self.settle()))
        return order

    def place_conditional(self, new: NewConditional) -> Conditional:
        """Take an order that waits for a price. Raises `Refusal`."""
        self.submissions[new.client_id] += 1
        self._engine.contract(new.symbol)
        now_ms, algo_id = self.settle(), self.ledger.next_algo_id
        self._commit(self._conditional.place(new, self._perpetuals.marks(now_ms), now_ms))
        return self.ledger.algos[algo_id]

    def cancel_conditional(self, order: Conditional) -> Conditional:
        """End one that waits. Raises `Refusal`."""
        self._commit(self._conditional.cancel(order, self.settle()))
        return order

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Raises `Refusal`."""
        now_ms = self.settle()
        self._engine.contract(symbol)
        self._commit(self._engine.set_leverage(symbol, leverage, self._perpetuals.marks(now_ms), now_ms))

    def on_trade(self, replay: Replay, event: TradeEvent) -> None:
        """The market traded: resting orders may be filled, and the account may be lost."""
        series = replay.series
        waiting = self.ledger.waiting(series.symbol)
        if (
            not waiting
            and not self.ledger.open_orders(series.symbol)
            and not self.ledger.positions[series.symbol].amount
        ):
            return
        self.settle()
        trade = replay.public_trade(event)
        self._commit(self._engine.on_trade(trade))
        self.look("CONTRACT_PRICE", series.symbol, trade.price)
        self._liquidate()

    def on_depth(self, replay: Replay, _event: DepthEvent) -> None:
        """The book changed: what resting orders wait behind may have shrunk."""
        self._engine.on_book(replay.series.symbol, replay.displayed_amount)

    def on_second(self) -> None:
        """Mark prices are published: orders that wait for one see it."""
        marks = self._perpetuals.marks(self.settle())
        for symbol, mark in marks.items():
            self.look("MARK_PRICE", symbol, mark)

    def look(self, working: WorkingType, symbol: str, price: Decimal) -> None:
        """Let orders that wait for a price of this kind see it, the earliest first."""
        if not self.ledger.waiting(symbol):
            return
        now_ms = self.now_ms()
        marks = self._perpetuals.marks(now_ms)
        while events := self._conditional.on_price(symbol, working, Look(price, self._book(symbol), marks, now_ms)):
            self._commit(events)

    def settle(self) -> int:
        """Pay the funding that is due by now, and see whether the account is lost. Returns market time."""
        now_ms = self.now_ms()
        funding = self._perpetuals.funding
        if funding.next_ms(self._paid_ms) <= now_ms:
            for at_ms in funding.times(self._paid_ms + 1, now_ms):
                if not any(position.amount for position in self.ledger.positions.values()):
                    break
                self._commit(self._engine.fund(funding.rate, self._perpetuals.marks(at_ms), at_ms))
            self._paid_ms = now_ms
            self._liquidate()
        return now_ms

    def _liquidate(self) -> None:
        if any(position.amount for position in self.ledger.positions.values()):
            now_ms = self.now_ms()
            self._commit(self._engine.liquidate(self._perpetuals.marks(now_ms), now_ms))

    def _catch_up(self) -> None:
        """Trailing orders that a restart brought back have seen what the market did meanwhile: it is on the tape."""
        now_ms = self.now_ms()
        for symbol in self.ledger.contracts:
            for order in self.ledger.waiting(symbol):
                if order.followed_ms:
                    for price in self._perpetuals.extremes(symbol, order.followed_ms + 1, now_ms):
                        order.see(price)

    def _book(self, symbol: str) -> DisplayedBook:
        return self._perpetuals.displayed(symbol)

    def _commit(self, events: Sequence[MarginEvent]) -> None:
        if not events:
            return
        # The write blocks the loop for the fsync, which keeps decisions in the order of the journal.
        self._journal.append(events)
        for event in events:
            order = self.ledger.apply(event)
            for listener in self._listeners:
                listener(event, order)
        self._engine.forget_closed()
        for decision_listener in self._decision_listeners:
            decision_listener(events)
