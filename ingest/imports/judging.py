"""Columns of a file become trades and candles; a row that cannot be one is refused with its field and reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.model.market import Bar, Side, TradeRun
from ares.model.row import Row, Storable, UtcNs
from ingest.feed import Rejected, clean
from ingest.imports.columns import Block, Floats, Integers
from ingest.validation import Fault, bar_fault, positive

CHANNEL = "import"
"""Of refused rows, in `quarantine`."""
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Target:
    """Whose data these are, and when they came (UTC ns); nothing of a file is younger than `latest_ns`."""

    venue: str
    symbol: str
    received_at_ns: int
    latest_ns: int


@dataclass(frozen=True, slots=True)
class TradeColumns:
    """Trades as a layout reads them; `buys` is 1 where the taker bought, 0 where the taker sold."""

    seqs: Integers
    times_ns: Integers
    prices: Floats
    amounts: Floats
    buys: Integers


@dataclass(frozen=True, slots=True)
class CandleColumns:
    """One-minute candles as a layout reads them; None: the layout does not know this."""

    times_ns: Integers
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    cost: Floats | None = None
    trades: Integers | None = None
    buy_volume: Floats | None = None


def judged_trades(block: Block, read: TradeColumns, target: Target) -> tuple[TradeRun, list[Rejected]]:
    """What is sound, in order of id and each id once, and what is refused."""
    sound: Mask = (read.seqs >= 0) & (read.times_ns > 0) & (read.times_ns <= target.latest_ns) & (read.buys >= 0)
    for numbers in (read.prices, read.amounts):
        sound &= np.isfinite(numbers) & (numbers > 0)
    refused = [
        _refused(block, int(place), _trade_fault(read, int(place), target), target) for place in np.flatnonzero(~sound)
    ]
    _, firsts = np.unique(read.seqs[sound], return_index=True)
    chosen = np.flatnonzero(sound)[firsts]
    sides: list[Side] = ["buy" if buy else "sell" for buy in read.buys[chosen].tolist()]
    run = TradeRun(
        target.venue,
        target.symbol,
        "import",
        read.seqs[chosen].tolist(),
        sides,
        read.prices[chosen].tolist(),
        read.amounts[chosen].tolist(),
        read.times_ns[chosen].tolist(),
        [target.received_at_ns] * len(chosen),
    )
    return run, refused


def _trade_fault(read: TradeColumns, place: int, target: Target) -> Fault:
    if read.seqs[place] < 0:
        return Fault("trade_id", "not a whole number from 0 up")
    fault = _time_fault(int(read.times_ns[place]), target)
    if fault is not None:
        return fault
    if read.buys[place] < 0:
        return Fault("side", "says neither that the taker bought nor that the taker sold")
    fault = positive("price", float(read.prices[place])) or positive("amount", float(read.amounts[place]))
    assert fault is not None, "only asked of what is not sound"
    return fault


def _time_fault(ts_ns: int, target: Target) -> Fault | None:
    if ts_ns <= 0:
        return Fault("ts", "not a moment after 1973 in ms, µs or ns")
    ahead_s = (ts_ns - target.latest_ns) / NANOS_PER_SECOND
    return Fault("ts", f"{ahead_s:.3f} s later than anything can be now") if ahead_s > 0 else None


def judged_candles(block: Block, read: CandleColumns, target: Target) -> tuple[list[Storable], list[Rejected]]:
    """Sound candles as rows, and what is refused. What a layout does not know is NULL in the row."""
    sound: list[Storable] = []
    refused: list[Rejected] = []
    for place, bar in enumerate(_bars(read, target)):
        fault = _time_fault(bar.ts_ns, target)
        if fault is None and bar.ts_ns % MINUTE_NS:
            fault = Fault("ts", "not the start of a minute")
        fault = fault or bar_fault(bar)
        if fault is None:
            sound.append(bar if read.cost is not None else _without_cost(bar))
        else:
            refused.append(_refused(block, place, fault, target))
    return sound, refused


def _bars(read: CandleColumns, target: Target) -> Iterator[Bar]:
    nothing = np.zeros(len(read.times_ns))
    columns = [getattr(read, field.name) for field in fields(read)]
    lists = [(nothing if column is None else column).tolist() for column in columns]
    for ts_ns, first, high, low, last, volume, cost, trades, buy_volume in zip(*lists, strict=True):
        candle = (first, high, low, last, volume, cost, int(trades), buy_volume)
        yield Bar(target.venue, target.symbol, ts_ns, *candle, target.received_at_ns)


def _without_cost(bar: Bar) -> Row:
    known = {name: bar.columns[name] for name in ("open", "high", "low", "close", "volume")}
    return Row(bar.table, bar.ts_ns, bar.symbols, {**known, "received_at": UtcNs(bar.received_at_ns)})


def _refused(block: Block, place: int, fault: Fault, target: Target) -> Rejected:
    text = clean(block.text(place))
    return Rejected(CHANNEL, fault.field, fault.reason, text, target.received_at_ns, target.symbol)


def contradictions(run: TradeRun, stored: Sequence[tuple[int, int, float, float, str]]) -> tuple[set[int], list[int]]:
    """Ids of a run that are stored, and those among them that are stored as another trade.

    `stored` holds seq, ts (ns), price, amount and side. Times may differ by less than a millisecond: some files are
    finer than the venue's stream.
    """
    known = {seq: (ts_ns, price, amount, side) for seq, ts_ns, price, amount, side in stored}
    columns = zip(run.seqs, run.times_ns, run.prices, run.amounts, run.sides, strict=True)
    there: set[int] = set()
    other: list[int] = []
    for seq, ts_ns, *rest in columns:
        found = known.get(seq)
        if found is None:
            continue
        there.add(seq)
        if abs(found[0] - ts_ns) >= NANOS_PER_SECOND // 1_000 or list(found[1:]) != rest:
            other.append(seq)
    return there, other
