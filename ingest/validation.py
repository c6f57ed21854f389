"""Is what the venue says plausible? Pure; a refusal names the field and the reason and becomes a `quarantine` row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from operator import lt

from ares.clock import NANOS_PER_SECOND
from ares.model.market import Bar, Book, Funding, Quote, Trade, TradeRun

FUNDING_RATE_MAX = 1.0
"""No perpetual pays more than the position in one payment; venues cap theirs at a few per cent."""
FUNDING_AHEAD_S_MAX = 32 * 86_400
"""Perpetuals pay every few hours; a payment in months is a number of something else."""
REFUSALS_TO_REBASE = 20
"""So many price jumps in a row mean that the market moved, not that the frames are wrong."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a piece of market data."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """`event_ahead_s_max`: how far an event may lie ahead of our clock; `price_jump_max`: ratio to the last price."""

    event_ahead_s_max: float
    price_jump_max: float


@dataclass(slots=True)
class Validator:
    """Checks every event of one venue; remembers the last price of each symbol, nothing else.

    >>> Validator(Limits(60.0, 10.0)).fault_of(trade, now_ns) is None
    True
    """

    limits: Limits
    last_prices: dict[str, float] = field(default_factory=dict)
    jumps_in_a_row: dict[str, int] = field(default_factory=dict)

    def fault_of(self, event: Trade | Quote | Book | Funding, now_ns: int) -> Fault | None:
        """None if the event is plausible."""
        if event.ts_ns > self._latest_ns(now_ns):
            return Fault("ts", f"{(event.ts_ns - now_ns) / NANOS_PER_SECOND:.3f} s ahead of our clock")
        if isinstance(event, Trade):
            return positive("price", event.price) or positive("amount", event.amount) or self._jump_of(event)
        if isinstance(event, Quote):
            return quote_fault(event)
        if isinstance(event, Funding):
            return funding_fault(event)
        return book_fault(event)

    def passes_run(self, run: TradeRun, now_ns: int) -> bool:
        """Whether all trades are plausible, seen at once; False means: look at each."""
        last = self.last_prices.get(run.symbol, run.prices[0])
        low, high = min(last, *run.prices), max(last, *run.prices)
        return (
            run.symbol not in self.jumps_in_a_row
            and low > 0.0
            and min(run.amounts) > 0.0
            and isfinite(sum(run.prices) + sum(run.amounts))
            and high <= low * self.limits.price_jump_max
            and max(run.times_ns) <= self._latest_ns(now_ns)
        )

    def passes_quotes(self, quotes: Sequence[Quote], now_ns: int) -> bool:
        """Whether all quotes are plausible, seen at once; False means: look at each."""
        bids, asks = [quote.bid for quote in quotes], [quote.ask for quote in quotes]
        sizes = [quote.bid_amount for quote in quotes] + [quote.ask_amount for quote in quotes]
        return (
            min(bids) > 0.0
            and min(sizes) > 0.0
            and all(map(lt, bids, asks))
            and isfinite(sum(asks) + sum(sizes))
            and max([quote.ts_ns for quote in quotes]) <= self._latest_ns(now_ns)
        )

    def _latest_ns(self, now_ns: int) -> float:
        return now_ns + self.limits.event_ahead_s_max * NANOS_PER_SECOND

    def _jump_of(self, trade: Trade) -> Fault | None:
        last = self.last_prices.get(trade.symbol, trade.price)
        ratio = max(trade.price / last, last / trade.price)
        if ratio <= self.limits.price_jump_max:
            self.last_prices[trade.symbol] = trade.price
            self.jumps_in_a_row.pop(trade.symbol, None)
            return None
        jumps = self.jumps_in_a_row.get(trade.symbol, 0) + 1
        self.jumps_in_a_row[trade.symbol] = jumps
        if jumps >= REFUSALS_TO_REBASE:
            self.last_prices[trade.symbol] = trade.price
        return Fault("price", f"{ratio:.4g} times away from the last price")


def quote_fault(quote: Quote) -> Fault | None:
    """Prices and amounts positive, bid below ask."""
    fault = positive("bid", quote.bid) or positive("ask", quote.ask)
    fault = fault or positive("bid_amount", quote.bid_amount) or positive("ask_amount", quote.ask_amount)
    if fault is None and quote.bid >= quote.ask:
        fault = Fault("bid", "not below the ask")
    return fault


def book_fault(book: Book) -> Fault | None:
    """Both sides there, positive, best first, bid below ask."""
    for name, side, rising in (("bids", book.bids, False), ("asks", book.asks, True)):
        if not side:
            return Fault(name, "empty")
        for price, amount in side:
            fault = positive(name, price) or positive(name, amount)
            if fault is not None:
                return fault
        if any((after <= before) if rising else (after >= before) for (before, _), (after, _) in pairwise(side)):
            return Fault(name, "not best first")
    return Fault("bids", "not below the asks") if book.bids[0][0] >= book.asks[0][0] else None


def funding_fault(funding: Funding) -> Fault | None:
    """A rate that somebody can pay, soon; prices positive where there are any."""
    if not (isfinite(funding.rate) and abs(funding.rate) <= FUNDING_RATE_MAX):
        return Fault("rate", f"{funding.rate!r} is not between -{FUNDING_RATE_MAX:g} and {FUNDING_RATE_MAX:g}")
    away_s = abs(funding.funding_at_ns - funding.ts_ns) / NANOS_PER_SECOND
    if away_s > FUNDING_AHEAD_S_MAX:
        return Fault("funding_at", f"{away_s / 86_400:.0f} days away")
    for name, price in (("mark_price", funding.mark_price), ("index_price", funding.index_price)):
        fault = None if price is None else positive(name, price)
        if fault is not None:
            return fault
    return None


def bar_fault(bar: Bar) -> Fault | None:
    """Prices positive and ordered, quantities not negative."""
    for name, price in (("open", bar.open), ("high", bar.high), ("low", bar.low), ("close", bar.close)):
        fault = positive(name, price)
        if fault is not None:
            return fault
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        return Fault("high", "open or close outside of low to high")
    for name, amount in (("volume", bar.volume), ("cost", bar.cost), ("buy_volume", bar.buy_volume)):
        if amount is not None and (not isfinite(amount) or amount < 0):
            return Fault(name, "not a finite number from zero up")
    return None


def positive(name: str, value: float) -> Fault | None:
    """A price or an amount must be finite and greater than zero."""
    return None if isfinite(value) and value > 0 else Fault(name, f"{value!r} is not finite and positive")
