"""Screens a strategy's targets over bars: arrays in, fills and worth out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

import numpy as np

from ares.errors import UsageError
from backtest.fast.kernel import REFUSALS, Book, Prices, run_bars
from backtest.fast.settings import UNIT, FastSettings
from backtest.outcome import Fill, Floats, Ints, Outcome, Side, Tested

FILLS_EXPECTED = 65_536
"""Room for fills at first; where they are more, the run is done again with room for all."""


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of some symbols on one grid of time, and what a strategy wants at each bar's end.

    `ts` is a bar's start, UTC ns, `step_ns` its length; the others by bar and symbol. NaN: no bar, or no target. What
    is decided is what is known at the bar's end. Raises `UsageError` for arrays that do not fit together.
    """

    symbols: tuple[str, ...]
    step_ns: int
    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    targets: Floats

    def __post_init__(self) -> None:
        shape = (len(self.ts), len(self.symbols))
        for name in ("open", "high", "low", "close", "targets"):
            found: Floats = getattr(self, name)
            if found.shape != shape:
                raise UsageError(f"{name}: {found.shape} where bars and symbols are {shape}. Give one value for each")
        for name in ("open", "close"):
            if np.any(getattr(self, name) <= 0):
                raise UsageError(f"{name}: a price that is not above 0. Leave such bars out: NaN")
        if len(self.ts) > 1 and np.min(np.diff(self.ts)) < self.step_ns:
            raise UsageError("ts: bars that overlap or go back in time. Sort them, and keep one of each")

    def targeting(self, targets: Floats) -> Series:
        """The same bars with other targets."""
        return Series(self.symbols, self.step_ns, self.ts, self.open, self.high, self.low, self.close, targets)

    def part(self, first: int, last: int) -> Series:
        """The bars from `first` up to, not including, `last`."""
        rows = slice(first, last)
        cut = (self.open[rows], self.high[rows], self.low[rows], self.close[rows], self.targets[rows])
        return Series(self.symbols, self.step_ns, self.ts[rows], *cut)


@dataclass(frozen=True, slots=True)
class Screened:
    """What a run left: arrays, for those who run thousands. `outcome` tells it in the words of both tiers."""

    series: Series
    settings: FastSettings
    bar: Ints
    symbol: Ints
    units: Ints
    ticks: Ints
    equity: Floats
    refused: Ints
    expired: int

    def outcome(self, tested: Tested) -> Outcome:
        """As both tiers tell it. Worth is told at the ends of bars."""
        counted = {name: int(count) for name, count in zip(REFUSALS, self.refused, strict=True) if count}
        ends = self.series.ts + self.series.step_ns
        return Outcome("fast", tested, tuple(self._fills()), ends, self.equity, counted)

    def _fills(self) -> Iterator[Fill]:
        rate = self.settings.costs.taker_fee
        for bar, number, units, ticks in zip(self.bar, self.symbol, self.units, self.ticks, strict=True):
            symbol = self.series.symbols[number]
            amount, price = abs(int(units)) * UNIT, int(ticks) * self.settings.grids[symbol].price_tick
            side: Side = "buy" if units > 0 else "sell"
            order_id = f"{symbol}@{self.series.ts[bar]}"
            fee = fee_quote(side, amount, price, rate)
            yield Fill(int(self.series.ts[bar]), symbol, side, amount, price, fee, "taker", order_id)


def fee_quote(side: Side, amount: Decimal, price: Decimal, rate: Decimal) -> Decimal:
    """A venue's fee in quote: taken from what is received, coins or quote, rounded down to 1e-8 of that."""
    received = amount if side == "buy" else amount * price
    fee = (received * rate).quantize(UNIT, ROUND_DOWN)
    return fee * price if side == "buy" else fee


def screen(series: Series, settings: FastSettings) -> Screened:
    """Run the targets over the bars. Raises `UsageError` for grids that are unknown or too fine.

    A target at a bar's end becomes an order at the next bar's open; which rules hold is told in the guide.
    """
    prices = Prices(series.ts, series.ts + series.step_ns, series.open, series.close, series.targets)
    grids, rules = settings.kernel_grids(series.symbols), settings.rules()
    room = FILLS_EXPECTED
    while True:
        book = _book(room, len(series.ts))
        count = run_bars(prices, grids, rules, float(settings.start_quote), book)
        if count <= room:
            break
        room = count
    cut = (book.bar[:count], book.symbol[:count], book.units[:count], book.ticks[:count])
    return Screened(series, settings, *cut, book.equity, book.refused, int(book.expired[0]))


def _book(room: int, bars: int) -> Book:
    bar, symbol, units, ticks = (np.empty(room, np.int64) for _ in range(4))
    return Book(bar, symbol, units, ticks, np.empty(bars), np.zeros(len(REFUSALS), np.int64), np.zeros(1, np.int64))
