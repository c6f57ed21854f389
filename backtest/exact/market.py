"""One symbol's market in a backtest: its trades as far as they were played, and what is quoted at that moment."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from ares.clock import MINUTE_NS, NANOS_PER_MILLI, NANOS_PER_SECOND
from backtest.exact.settings import BPS, Frictions
from backtest.outcome import Side
from backtest.tape import Instrument, Quoted, Quotes, Trades
from simulator.matching.queue import PublicTrade
from trader.portfolio.money import ZERO, ceil_to, floor_to, from_market

NOTHING, UNSEEN = Trades(), Quotes()


class Tape:
    """One symbol's market: how far it was played, and what it said last."""

    def __init__(self, instrument: Instrument, frictions: Frictions) -> None:
        self.instrument = instrument
        self._frictions = frictions
        self._trades = NOTHING
        self._next = 0
        self.price = ZERO
        """Of the last trade; 0 before the first."""
        self.price_ns = 0
        self._minute_amount = ZERO
        self._minute_ns = 0
        self._quotes = UNSEEN
        self._quoted: Quoted | None = None
        self._now_ns = 0

    def load(self, trades: Trades, quotes: Quotes) -> None:
        """Go on with the next stretch; the one before was played to its end."""
        assert self._next == len(self._trades.ts), "a stretch is played before the next one"
        self.minute_amount()  # of the stretch that ends: it still counts until something is traded
        self._trades, self._next, self._quotes = trades, 0, quotes

    def first_ns(self) -> int:
        """When the first trade of what was loaded is, UTC ns; 0 if there is none."""
        return int(self._trades.ts[0]) if len(self._trades.ts) else 0

    def until(self, now_ns: int) -> int:
        """The first trade that comes after a moment."""
        return int(np.searchsorted(self._trades.ts, now_ns, side="right"))

    def reaching(self, end: int, low: float, high: float) -> Iterable[int]:
        """Of the trades before `end` that were not played, those at or below `low`, or at or above `high`."""
        price = self._trades.price[self._next : end]
        return (np.flatnonzero((price <= low) | (price >= high)) + self._next).tolist()

    def first_reaching_ns(self, low: float, high: float) -> int | None:
        """When the next trade that was not played comes at or below `low`, or at or above `high`; None: in no trade."""
        price = self._trades.price[self._next :]
        reaching = (price <= low) | (price >= high)
        first = int(np.argmax(reaching)) if len(price) else 0
        return int(self._trades.ts[self._next + first]) if len(price) and reaching[first] else None

    def pass_to(self, end: int, now_ns: int = 0) -> int:
        """Everything before `end` was traded; returns how many trades that were. `now_ns`: 0 is at the last of them."""
        passed = end - self._next
        self._now_ns = now_ns or int(self._trades.ts[end - 1])
        if passed > 0:
            self._next = end
            self.price = from_market(float(self._trades.price[end - 1]))
            self.price_ns = int(self._trades.ts[end - 1])
        return passed

    def trade(self, index: int) -> PublicTrade:
        """One trade in the matching's words."""
        t = self._trades
        amount = floor_to(from_market(float(t.amount[index])), self.instrument.amount_step)
        ts_ms = int(t.ts[index]) // NANOS_PER_MILLI
        price = from_market(float(t.price[index]))
        return PublicTrade(self.instrument.symbol, price, amount, bool(t.sold[index]), ts_ms)

    @property
    def is_priced(self) -> bool:
        """Whether anybody traded yet, or quotes now."""
        return bool(self.price) or self.quoted() is not None

    def quoted(self) -> Quoted | None:
        """The quote that stands now, if one was recorded and is not too old to be taken for standing."""
        index = int(np.searchsorted(self._quotes.ts, self._now_ns, side="right")) - 1
        if index >= 0 and (self._quoted is None or self._quoted.ts_ns != self._quotes.ts[index]):
            self._quoted = self._quotes.at(index)
        found = self._quoted
        stands = found is not None and self._now_ns - found.ts_ns <= self._frictions.quote_stands_s * NANOS_PER_SECOND
        return found if stands else None

    def bid(self, worse_bps: Decimal = ZERO) -> Decimal:
        """The best price for who sells: the recorded one, or what is supposed to lie below the last trade."""
        best, away_bps = self._best(None if (quoted := self.quoted()) is None else quoted.bid)
        return floor_to(best * (1 - (away_bps + worse_bps) / BPS), self.instrument.price_tick)

    def ask(self, worse_bps: Decimal = ZERO) -> Decimal:
        """The best price for who buys."""
        best, away_bps = self._best(None if (quoted := self.quoted()) is None else quoted.ask)
        return ceil_to(best * (1 + (away_bps + worse_bps) / BPS), self.instrument.price_tick)

    def _best(self, quoted: Decimal | None) -> tuple[Decimal, Decimal]:
        """A price, and how far from it the best lies."""
        return (self.price, self._frictions.half_spread_bps) if quoted is None else (quoted, ZERO)

    def before_us(self, side: Side, price: Decimal) -> Decimal:
        """What stands at a price before an order that comes to rest there: what a quote shows, or what is supposed."""
        quoted = self.quoted()
        if quoted is None:
            return self.traded_share(self._frictions.queue_share)
        best, amount = (quoted.bid, quoted.bid_amount) if side == "buy" else (quoted.ask, quoted.ask_amount)
        return amount if price == best else ZERO if _betters(side, price, best) else self.minute_amount()

    def minute_amount(self) -> Decimal:
        """What was traded within the minute that ended with the last trade, in base."""
        if self._minute_ns != self.price_ns:
            first = int(np.searchsorted(self._trades.ts, self.price_ns - MINUTE_NS, side="right"))
            self._minute_amount = from_market(float(self._trades.amount[first : self._next].sum()))
            self._minute_ns = self.price_ns
        return self._minute_amount

    def traded_share(self, share: Decimal) -> Decimal:
        """A share of that, on the venue's grid."""
        return floor_to(self.minute_amount() * share, self.instrument.amount_step)


def _betters(side: Side, price: Decimal, best: Decimal) -> bool:
    return price > best if side == "buy" else price < best
