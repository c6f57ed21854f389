"""Klines: exact bars of a series' own trades, in whole ticks and steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from simulator.series import Piece, Segment, Series

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000
WEEK_OFFSET_MS = 4 * DAY_MS
"""1970-01-05 was the first Monday: the venue's weeks begin there."""

INTERVALS_MS = {
    "1s": SECOND_MS,
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": HOUR_MS,
    "2h": 2 * HOUR_MS,
    "4h": 4 * HOUR_MS,
    "6h": 6 * HOUR_MS,
    "8h": 8 * HOUR_MS,
    "12h": 12 * HOUR_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
}


@dataclass(frozen=True, slots=True)
class Grid:
    """Where bars begin: at offset_ms + n × step_ms."""

    step_ms: int
    offset_ms: int = 0

    @classmethod
    def of(cls, interval: str) -> Grid:
        return cls(INTERVALS_MS[interval], WEEK_OFFSET_MS if interval == "1w" else 0)

    def floor(self, ms: int) -> int:
        """Start of the bar that holds `ms`."""
        return ms - (ms - self.offset_ms) % self.step_ms


@dataclass(slots=True)
class Candle:
    """A bar: prices in ticks, amounts in steps, costs in ticks × steps; `first_id`, `last_id` are trade ids."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    amount: int = 0
    cost: int = 0
    count: int = 0
    buy_amount: int = 0
    buy_cost: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, later: Candle) -> None:
        """Take in a part of the same bar that comes after this one."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.amount += later.amount
        self.cost += later.cost
        self.count += later.count
        self.buy_amount += later.buy_amount
        self.buy_cost += later.buy_cost
        self.last_id = later.last_id


def candles(series: Series, grid: Grid, start_ms: int, end_ms: int, now_ms: int) -> list[Candle]:
    """Bars that begin in [start_ms, end_ms) and had a beginning by `now_ms`, from trades published by then.

    `start_ms` must lie on the grid. A bar without trades carries the last price and zero amounts; bars before the
    first trade of all are left out.
    """
    stop_ms = min(grid.floor(end_ms - 1), grid.floor(now_ms)) + grid.step_ms
    first_id = series.first_trade_at(start_ms)
    last_id = min(series.first_trade_at(stop_ms) - 1, series.trades_sent(now_ms))
    traded: dict[int, Candle] = {}
    for piece in series.trade_pieces(first_id, last_id):
        for part in _parts(series, grid, piece):
            bar = traded.setdefault(part.start_ms, part)
            if bar is not part:
                bar.add(part)
    return _fill(traded, range(start_ms, stop_ms, grid.step_ms), last_price(series, first_id - 1))


def last_price(series: Series, trade_id: int) -> int | None:
    """Price of one trade in ticks; None when nothing was traded yet."""
    for piece in series.trade_pieces(trade_id, trade_id):
        return piece.segment.price(int(series.recording.trades.price[piece.start]))
    return None


def _fill(traded: dict[int, Candle], starts: range, price: int | None) -> list[Candle]:
    filled: list[Candle] = []
    for start_ms in starts:
        bar = traded.get(start_ms)
        if bar is None:
            if price is None:
                continue
            bar = Candle(start_ms, price, price, price, price)
        price = bar.close
        filled.append(bar)
    return filled


def _parts(series: Series, grid: Grid, piece: Piece) -> Iterator[Candle]:
    """The piece of one segment, cut at the grid."""
    tape = series.recording.trades
    at_ms = tape.at_ms
    segment = piece.segment
    first_bar = grid.floor(segment.start_ms + int(at_ms[piece.start]))
    if first_bar == grid.floor(segment.start_ms + int(at_ms[piece.stop - 1])):
        yield _part(series, segment, first_bar, (piece.start, piece.stop))
        return
    bars = (segment.start_ms - grid.offset_ms + at_ms[piece.start : piece.stop]) // grid.step_ms
    cuts = (np.flatnonzero(np.diff(bars)) + 1 + piece.start).tolist()
    for start, stop in zip([piece.start, *cuts], [*cuts, piece.stop], strict=True):
        yield _part(series, segment, grid.floor(segment.start_ms + int(at_ms[start])), (start, stop))


def _part(series: Series, segment: Segment, bar_ms: int, span: tuple[int, int]) -> Candle:
    tape = series.recording.trades
    start, stop = span
    prices = tape.price[start:stop]
    one, other = segment.price(int(prices.max())), segment.price(int(prices.min()))
    amount = int(tape.sum_amount[stop] - tape.sum_amount[start])
    cost = int(tape.sum_cost[stop] - tape.sum_cost[start])
    bought = int(tape.sum_buy_amount[stop] - tape.sum_buy_amount[start])
    bought_cost = int(tape.sum_buy_cost[stop] - tape.sum_buy_cost[start])
    if segment.mirrored:  # buyers are the recording's sellers, and each price is (shift + mirror) − price
        bought, bought_cost = amount - bought, cost - bought_cost
        base = segment.shift + segment.mirror
        cost, bought_cost = base * amount - cost, base * bought - bought_cost
    else:
        cost, bought_cost = cost + segment.shift * amount, bought_cost + segment.shift * bought
    return Candle(
        bar_ms,
        open=segment.price(int(prices[0])),
        high=max(one, other),
        low=min(one, other),
        close=segment.price(int(prices[-1])),
        amount=amount,
        cost=cost,
        count=stop - start,
        buy_amount=bought,
        buy_cost=bought_cost,
        first_id=segment.index * len(tape) + start + 1,
        last_id=segment.index * len(tape) + stop,
    )
