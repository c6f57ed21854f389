"""The venue of a backtest: the simulator's matching and balances, over the way the market went.

The market is played when somebody looks: whoever asks or sends at a moment finds everything that was traded up to and
including it done, in its order, with its own times. In between nothing of ours can happen, so nothing is missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import numpy as np

from ares.clock import NANOS_PER_MILLI
from backtest.exact.market import NOTHING, UNSEEN, Tape
from backtest.exact.path import path_of
from backtest.exact.settings import Frictions
from backtest.outcome import Fill
from backtest.tape import BarsAndSignals, Instrument
from simulator.matching import DisplayedBook, Engine, Event, Ledger, NewOrder, NewPair, Order, Refusal, Rules
from simulator.matching.types import Accepted, Filled
from trader.portfolio.money import ZERO

AMOUNT_MAX = Decimal(1_000_000_000)
"""Instruments' rows do not say how much one order may be."""


class Venue:
    """One spot account on the played markets. `settle` every look first."""

    def __init__(
        self, instruments: Iterable[Instrument], frictions: Frictions, opening: Mapping[str, Decimal], start_ns: int
    ) -> None:
        self.tapes = {each.symbol: Tape(each, frictions) for each in instruments}
        self.ledger = Ledger([rules_of(tape.instrument) for tape in self.tapes.values()], opening)
        self.engine = Engine(self.ledger)
        self.fills: list[Fill] = []
        """All executions in the order in which they were found; `ts_ns` may be of another symbol's past."""
        self.executed: dict[str, list[tuple[Order, Filled]]] = {symbol: [] for symbol in self.tapes}
        self.ticks = 0
        """Trades of the market that were played."""
        self._frictions = frictions
        self._now_ns = start_ns

    def load(self, stretch: BarsAndSignals) -> None:
        """Go on with the next stretch of the past."""
        for symbol, tape in self.tapes.items():
            bars, trades = stretch.bars.get(symbol), stretch.trades.get(symbol)
            tape.load(NOTHING if bars is None else path_of(bars, trades), stretch.quotes.get(symbol, UNSEEN))

    def priced_from_ns(self, symbols: Iterable[str]) -> int:
        """From when on all of these have a price in the stretch that was loaded, UTC ns; 0 if none is asked for."""
        return max((self.tapes[symbol].first_ns() for symbol in symbols if symbol in self.tapes), default=0)

    def play(self, now_ns: int) -> None:
        """Let the markets trade up to and including a moment."""
        assert now_ns >= self._now_ns, "time does not go back"
        self._now_ns = now_ns
        for symbol, tape in self.tapes.items():
            end = tape.until(now_ns)
            if len(self.ledger.stops[symbol]):
                self._play_each(symbol, tape, end)
            elif self.ledger.resting(symbol):
                self._play_reaching(symbol, tape, end)
            self.ticks += tape.pass_to(end, now_ns)

    def silent_until_ns(self, until_ns: int) -> int:
        """Until when nothing can happen to what is open, if nobody sends anything: `until_ns`, if it is not before.

        An order is touched by a trade at its price, or at its trigger. One that trails may be by any trade.
        """
        for symbol in {order.accepted.symbol for order in self.ledger.open_orders()}:
            low, high = _bounds([order.accepted for order in self.ledger.open_orders(symbol)])
            reached_ns = self.tapes[symbol].first_reaching_ns(low, high)
            until_ns = until_ns if reached_ns is None else min(until_ns, reached_ns)
        return until_ns

    def place(self, new: NewOrder) -> Order:
        """Take an order. Raises `Refusal`."""
        return self._apply(self.engine.place(new, self._book(new.symbol, new), self._now_ms()))[0]

    def place_pair(self, pair: NewPair) -> list[Order]:
        """Take an OCO pair; both legs. Raises `Refusal`."""
        orders = self._apply(self.engine.place_pair(pair, self._book(pair.above.symbol), self._now_ms()))
        return list({order.order_id: order for order in orders}.values())

    def cancel(self, symbol: str, client_id: str) -> None:
        """End an open order. Raises `Refusal`."""
        self._apply(self.engine.cancel(self._order(symbol, client_id), client_id, self._now_ms()))

    def amend(self, symbol: str, client_id: str, amount: Decimal) -> None:
        """Make an open order smaller. Raises `Refusal`."""
        self._apply(self.engine.amend(self._order(symbol, client_id), amount, client_id, self._now_ms()))

    def _order(self, symbol: str, client_id: str) -> Order:
        found = self.ledger.find(symbol, None, client_id)
        if found is None:
            raise Refusal(-2011, "Unknown order sent.")
        return found

    def _play_reaching(self, symbol: str, tape: Tape, end: int) -> None:
        """Only trades that reach an order that rests say anything to it."""
        resting = [order.accepted for order in self.ledger.resting(symbol)]
        low = max((float(a.price) for a in resting if a.side == "BUY"), default=-np.inf)
        high = min((float(a.price) for a in resting if a.side == "SELL"), default=np.inf)
        for index in tape.reaching(end, low, high):
            self._apply(self.engine.on_trade(tape.trade(index)))

    def _play_each(self, symbol: str, tape: Tape, end: int) -> None:
        """Orders that wait for a price, or follow it, see every trade."""
        for index in tape.reaching(end, np.inf, np.inf):
            self.ticks += tape.pass_to(index + 1)
            trade = tape.trade(index)
            self._apply(self.engine.on_trade(trade))
            while len(self.ledger.stops[symbol]) and (events := self.engine.on_price(trade, self._book(symbol))):
                self._apply(events)

    def _book(self, symbol: str, new: NewOrder | None = None) -> DisplayedBook:
        """What an order meets: one level of the other side, and on its own what it would wait behind."""
        tape = self.tapes.get(symbol)
        if tape is None:
            raise Refusal(-1121, "Invalid symbol.")
        if not tape.is_priced:
            return DisplayedBook((), ())
        f = self._frictions
        depth = self.ledger.rules[symbol].amount_max if f.depth_share is None else tape.traded_share(f.depth_share)
        # Who only makes meets the best as it is shown; slippage is what taking costs beyond it.
        worse_bps = ZERO if new is not None and new.type == "LIMIT_MAKER" else f.slippage_bps
        bids, asks = ((tape.bid(worse_bps), depth),), ((tape.ask(worse_bps), depth),)
        if new is not None and new.price is not None:
            own = ((new.price, tape.before_us("buy" if new.side == "BUY" else "sell", new.price)),)
            bids, asks = (own, asks) if new.side == "BUY" else (bids, own)
        return DisplayedBook(bids, asks, tape.price)

    def _now_ms(self) -> int:
        return self._now_ns // NANOS_PER_MILLI

    def _apply(self, events: Iterable[Event]) -> list[Order]:
        orders: list[Order] = []
        for event in events:
            order = self.ledger.apply(event)
            orders.append(order)
            if isinstance(event, Filled):
                self.executed[order.accepted.symbol].append((order, event))
                self.fills.append(fill_of(order, event))
        if orders:
            self.engine.forget_closed()
        return orders


def _bounds(orders: Iterable[Accepted]) -> tuple[float, float]:
    """Prices at or below the first, and at or above the second, may touch one of these orders."""
    low, high = -np.inf, np.inf
    for a in orders:
        if a.trailing_delta:
            return np.inf, np.inf
        price = float(a.stop_price if a.contingent else a.price)
        if a.rising if a.contingent else a.side == "SELL":
            high = min(high, price)
        else:
            low = max(low, price)
        if a.contingent and a.price:  # once triggered it rests at its own price, on either side of the trigger
            low, high = max(low, float(a.price)), min(high, float(a.price))
    return low, high


def rules_of(instrument: Instrument) -> Rules:
    """What the matching holds orders to."""
    base, quote = instrument.symbol.split("/")
    return Rules(
        instrument.symbol,
        base,
        quote,
        tick=instrument.price_tick,
        step=instrument.amount_step,
        maker_fee=instrument.maker_fee,
        taker_fee=instrument.taker_fee,
        cost_min=instrument.cost_min,
        amount_max=AMOUNT_MAX,
    )


def fill_of(order: Order, event: Filled) -> Fill:
    """An execution as an outcome tells it: the fee, taken of what is received, in quote at the fill's price."""
    a = order.accepted
    fee = event.fee * event.price if a.side == "BUY" else event.fee
    return Fill(
        ts_ns=event.ts_ms * NANOS_PER_MILLI,
        symbol=a.symbol,
        side="buy" if a.side == "BUY" else "sell",
        amount=event.amount,
        price=event.price,
        fee=fee,
        liquidity="maker" if event.maker else "taker",
        order_id=a.client_id,
    )
