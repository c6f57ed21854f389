"""What a backtest is fed, as arrays: bars, trades and signals of each symbol. Pure; either tier reads the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from ares.clock import MINUTE_NS
from backtest.outcome import Floats, Ints

Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]
NO_TIMES: Ints = np.empty(0, dtype=np.int64)
NO_NUMBERS: Floats = np.empty(0, dtype=np.float64)
NO_FLAGS: Flags = np.empty(0, dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Bars:
    """Bars of one minute in order: `ts` is the start, UTC ns; prices in quote, `volume` in base, NaN where not known.

    A bar of a gap, or before the first trade, has prices NaN: then nobody knows what the market did.
    """

    ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    def __post_init__(self) -> None:
        columns = (self.open, self.high, self.low, self.close, self.volume)
        assert all(len(column) == len(self.ts) for column in columns), "columns of one length"
        assert bool(np.all(np.diff(self.ts) > 0)), "bars come in order, each once"

    @property
    def ends(self) -> Ints:
        """When each ends, UTC ns: its closing price is known from there on."""
        return self.ts + MINUTE_NS


def joined(parts: Sequence[Mapping[str, Bars]]) -> dict[str, Bars]:
    """The bars of stretches that follow one another, by symbol."""
    symbols = dict.fromkeys(symbol for part in parts for symbol in part)
    return {symbol: _joined([part[symbol] for part in parts if symbol in part]) for symbol in symbols}


def _joined(parts: Sequence[Bars]) -> Bars:
    numbers = [(each.open, each.high, each.low, each.close, each.volume) for each in parts]
    return Bars(np.concatenate([each.ts for each in parts]), *map(np.concatenate, zip(*numbers, strict=True)))


@dataclass(frozen=True, slots=True)
class Trades:
    """Public trades in order of `ts`, UTC ns. `sold`: the taker was the seller, so that a resting buy was met."""

    ts: Ints = field(default_factory=lambda: NO_TIMES)
    price: Floats = field(default_factory=lambda: NO_NUMBERS)
    amount: Floats = field(default_factory=lambda: NO_NUMBERS)
    sold: Flags = field(default_factory=lambda: NO_FLAGS)


@dataclass(frozen=True, slots=True)
class Quoted:
    """A best bid and ask, exact, since `ts_ns`, UTC."""

    ts_ns: int
    bid: Decimal
    ask: Decimal
    bid_amount: Decimal
    ask_amount: Decimal


@dataclass(frozen=True, slots=True)
class Quotes:
    """Best bid and ask as they changed, in order of `ts`: when we had them, UTC ns."""

    ts: Ints = field(default_factory=lambda: NO_TIMES)
    bid: Floats = field(default_factory=lambda: NO_NUMBERS)
    ask: Floats = field(default_factory=lambda: NO_NUMBERS)
    bid_amount: Floats = field(default_factory=lambda: NO_NUMBERS)
    ask_amount: Floats = field(default_factory=lambda: NO_NUMBERS)

    def at(self, index: int) -> Quoted:
        """One of them."""
        columns = (self.bid, self.ask, self.bid_amount, self.ask_amount)
        return Quoted(int(self.ts[index]), *(Decimal(repr(float(column[index]))) for column in columns))


@dataclass(frozen=True, slots=True)
class Signals:
    """A strategy's wishes in order of `known_at`, UTC ns; `ts` is the start of the bar each rests on; NaN: NULL."""

    ts: Ints
    known_at: Ints
    target: Floats
    confidence: Floats

    def __post_init__(self) -> None:
        assert bool(np.all(np.diff(self.known_at) >= 0)), "signals come in the order in which they became known"


@dataclass(frozen=True, slots=True)
class BarsAndSignals:
    """A stretch of the past of some symbols, from `from_ns` up to, not including, `to_ns`: a day, or what fits."""

    from_ns: int
    to_ns: int
    bars: Mapping[str, Bars]
    signals: Mapping[str, Signals]
    trades: Mapping[str, Trades] = field(default_factory=dict)
    quotes: Mapping[str, Quotes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Instrument:
    """What the venue lets an order of a symbol be: steps of price (quote) and amount (base), least cost (quote)."""

    symbol: str
    price_tick: Decimal
    amount_step: Decimal
    cost_min: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
