"""Stretches of the past as one grid of bars and wishes: what the fast tier makes of what both tiers read. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from backtest.fast.screen import Series
from backtest.outcome import Floats, Ints
from backtest.tape import Bars, BarsAndSignals, Signals, joined

KNOWN_S_MAX = 15
"""A signal that was known so soon after a bar's end counts as known at it: its order meets the next bar's open."""


def series_of(stretches: Sequence[BarsAndSignals], symbols: tuple[str, ...], signal_age_s_max: float) -> Series:
    """The bars of all symbols on one grid, NaN where one has none, and at each bar's end the wish that was known then.

    Of wishes that were known the one of the latest bar counts, as the trader reads them; one that is older than
    `signal_age_s_max` is none.
    """
    bars = joined([stretch.bars for stretch in stretches])
    return on_grid(bars, targets_of(stretches, symbols), symbols, signal_age_s_max)


def targets_of(stretches: Sequence[BarsAndSignals], symbols: tuple[str, ...]) -> dict[str, Signals]:
    """The signals of stretches that follow one another, by symbol."""
    return {
        symbol: _signals([each.signals[symbol] for each in stretches if symbol in each.signals]) for symbol in symbols
    }


def _signals(parts: Sequence[Signals]) -> Signals:
    if not parts:
        return Signals(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0), np.empty(0))
    return Signals(
        np.concatenate([each.ts for each in parts]),
        np.concatenate([each.known_at for each in parts]),
        np.concatenate([each.target for each in parts]),
        np.concatenate([each.confidence for each in parts]),
    )


def on_grid(
    bars: Mapping[str, Bars], signals: Mapping[str, Signals], symbols: tuple[str, ...], signal_age_s_max: float
) -> Series:
    """Bars and signals by symbol as one series of minutes."""
    starts = sorted(set(chain.from_iterable(each.ts.tolist() for each in bars.values())))
    ts: Ints = np.array(starts, dtype=np.int64)
    columns = {name: np.full((len(ts), len(symbols)), np.nan) for name in ("open", "high", "low", "close", "targets")}
    for number, symbol in enumerate(symbols):
        mine = bars.get(symbol)
        if mine is not None and len(mine.ts):
            places = np.searchsorted(ts, mine.ts)
            for name in ("open", "high", "low", "close"):
                columns[name][places, number] = getattr(mine, name)
        columns["targets"][:, number] = _wished(signals[symbol], ts + MINUTE_NS, signal_age_s_max)
    return Series(symbols, MINUTE_NS, ts, **columns)


def _wished(signals: Signals, ends: Ints, signal_age_s_max: float) -> Floats:
    """The wish that counts at each moment; NaN where there is none, or too old a one."""
    if not len(signals.ts):
        return np.full(len(ends), np.nan)
    newest = _newest(signals.ts)
    places = np.searchsorted(signals.known_at - KNOWN_S_MAX * NANOS_PER_SECOND, ends, side="right") - 1
    chosen = newest[np.maximum(places, 0)]
    age_s = (ends - signals.known_at[chosen]) / NANOS_PER_SECOND
    wished: Floats = np.where((places >= 0) & (age_s <= signal_age_s_max), signals.target[chosen], np.nan)
    return wished


def _newest(ts: Ints) -> Ints:
    """Of the signals up to each, which one is of the latest bar; of two of one bar the later."""
    highest = np.maximum.accumulate(ts)
    places = np.where(ts == highest, np.arange(len(ts)), 0)
    newest: Ints = np.maximum.accumulate(places)
    return newest
