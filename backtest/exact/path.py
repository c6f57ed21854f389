"""The way of the market through a stretch: its trades or, where there are none, the path of its bars. Pure.

Of a bar only four prices are known, and not their order. It is taken to go from the open to the extreme that lies
against the bar's direction, then to the other one, then to the close: an up bar (close >= open) open, low, high, close,
a down bar open, high, low, close. That is the reading of most backtesters, and gives a stop that lies within the bar no
better fill than a limit that does. The four come at the bar's start, after 20 s, after 40 s, and in its last
millisecond; each stands for a quarter of the volume.
"""

from __future__ import annotations

import numpy as np

from ares.clock import MINUTE_NS, NANOS_PER_MILLI, NANOS_PER_SECOND
from backtest.outcome import Floats, Ints
from backtest.tape import Bars, Trades

OFFSETS_NS = (0, 20 * NANOS_PER_SECOND, 40 * NANOS_PER_SECOND, MINUTE_NS - NANOS_PER_MILLI)


def path_of(bars: Bars, trades: Trades | None = None) -> Trades:
    """What the market did, as trades in order: a bar within which trades are known is those trades."""
    known = ~(np.isnan(bars.open) | np.isnan(bars.high) | np.isnan(bars.low) | np.isnan(bars.close))
    if trades is None or not len(trades.ts):
        return _of_bars(bars, known)
    first, after = np.searchsorted(trades.ts, bars.ts), np.searchsorted(trades.ts, bars.ends)
    walked = _of_bars(bars, known & (first == after))
    return _in_order(walked, trades)


def _of_bars(bars: Bars, which: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Trades:
    opening, high, low, close = bars.open[which], bars.high[which], bars.low[which], bars.close[which]
    up = close >= opening
    prices = np.stack((opening, np.where(up, low, high), np.where(up, high, low), close), axis=1)
    ts: Ints = (bars.ts[which][:, None] + np.array(OFFSETS_NS, dtype=np.int64)).reshape(-1)
    amount: Floats = np.repeat(np.nan_to_num(bars.volume[which]) / len(OFFSETS_NS), len(OFFSETS_NS))
    price: Floats = prices.reshape(-1)
    before = np.concatenate((price[:1], price[:-1]))
    return Trades(ts, price, amount, price < before)


def _in_order(one: Trades, other: Trades) -> Trades:
    ts = np.concatenate((one.ts, other.ts))
    order = np.argsort(ts, kind="stable")
    price = np.concatenate((one.price, other.price))
    amount = np.concatenate((one.amount, other.amount))
    return Trades(ts[order], price[order], amount[order], np.concatenate((one.sold, other.sold))[order])
