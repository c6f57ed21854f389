"""A recording, cut so that it can be chained with itself: it starts and ends with a known book, ids count from 1.

Prices are whole ticks and amounts whole steps (ints), times milliseconds since the start of the recording.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from simulator.capture import Capture, DepthFrame, Level, SnapshotFrame, TradeFrame, read_capture, unusable

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
BookSide = dict[int, str]
"""Price in ticks → amount as the venue writes it."""

GONE = "0.00000000"
DECIMALS_MAX = 8
BAND = 0.2
"""Levels farther from the first best bid than this share are left out: mirrored they could be below zero."""
AFTER_LAST_MS = 100
"""The recording ends one depth interval after its last depth update."""
COST_SUM_MAX = 2**62

TRADE, AGG, QUOTE, DEPTH = range(4)
"""Kinds of events, in their order inside one millisecond: a depth update confirms the quotes before it."""


@dataclass(frozen=True, slots=True)
class TradeTape:
    """Trades as columns. `sum_*[i]` are sums over the first i trades, so a range costs two look-ups."""

    at_ms: Ints
    sent_ms: Ints
    price: Ints
    amount: Ints
    buyer_is_maker: Bools
    amount_text: tuple[str, ...]
    sum_amount: Ints
    sum_cost: Ints
    sum_buy_amount: Ints
    sum_buy_cost: Ints

    def __len__(self) -> int:
        return len(self.amount_text)


@dataclass(frozen=True, slots=True)
class AggTape:
    """Consecutive trades with one time, price and taker side, as one; `last` is inclusive."""

    first: Ints
    last: Ints
    at_ms: Ints
    sent_ms: Ints
    amount_text: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.amount_text)


@dataclass(frozen=True, slots=True)
class DepthChange:
    """A depth update; `first_id`, `last_id` count from 1 behind the starting book."""

    sent_ms: int
    first_id: int
    last_id: int
    bids: tuple[tuple[int, str], ...]
    asks: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class QuoteChange:
    """A book ticker; its time is capture time plus the recording's own median delay, kept between the depth updates."""

    sent_ms: int
    update_id: int
    bid: int
    bid_amount: str
    ask: int
    ask_amount: str


@dataclass(frozen=True, slots=True)
class Recording:
    """Minutes of one symbol's market, ready to be chained. `timeline` is (sent_ms, kind, index) in order of time."""

    symbol: str
    price_decimals: int
    amount_decimals: int
    started_at_ms: int
    length_ms: int
    trades: TradeTape
    aggs: AggTape
    depth: tuple[DepthChange, ...]
    quotes: tuple[QuoteChange, ...]
    start_bids: Mapping[int, str]
    start_asks: Mapping[int, str]
    timeline: tuple[tuple[int, int, int], ...]
    update_ids: int
    """Update ids one segment uses, the one of its starting book included."""
    mirror: int
    """Mirrored prices are this minus the price: best bid plus best ask of the starting book."""
    move: int
    """Ticks from the first best bid to the last."""
    perpetual: bool = False


def load_recording(path: Path, symbol: str | None = None) -> Recording:
    """Read and cut one file; `symbol` renames it, so that one recording can serve as several markets.

    Raises `ConfigError` naming the file and what is wrong with it.
    """
    capture = read_capture(path)
    if capture.snapshot is None:
        raise unusable(path, "has no REST depth snapshot inside, so its book is not known")
    try:
        return _Cutter(capture, capture.snapshot).recording(symbol or capture.symbol)
    except (ValueError, TypeError, KeyError, IndexError):
        raise unusable(path, "holds a book level that is not a price and an amount") from None


def to_units(text: str, decimals: int) -> int:
    """ "61837.63000000", 2 → 6183763."""
    whole, _, fraction = text.partition(".")
    return int(whole + fraction[:decimals].ljust(decimals, "0"))


def to_text(units: int, decimals: int) -> str:
    """6183763, 2 → "61837.63000000": whole units as the venue writes them, eight decimals, cut off there."""
    whole, rest = divmod(units, 10**decimals)
    return f"{whole}.{f'{rest:0{decimals}d}' if decimals else '':0<8.8}"


def apply_levels(side: BookSide, levels: Iterable[tuple[int, str]]) -> None:
    """Change one side of a book as a depth update says."""
    for price, amount in levels:
        if amount == GONE:
            side.pop(price, None)
        else:
            side[price] = amount


def _decimals(texts: Iterable[str]) -> int:
    return max(len(text.partition(".")[2].rstrip("0")) for text in texts)


def _sums(values: Ints) -> Ints:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(values)))


class _Cutter:
    """Turns a capture into a recording; one use."""

    def __init__(self, capture: Capture, snapshot: SnapshotFrame) -> None:
        self._path = capture.path
        self._capture = capture
        self._price_decimals = _decimals(chain((t["p"] for t in capture.trades), (q["b"] for _, q in capture.quotes)))
        self._amount_decimals = _decimals(t["q"] for t in capture.trades)
        if max(self._price_decimals, self._amount_decimals) > DECIMALS_MAX:
            raise unusable(self._path, f"has more than {DECIMALS_MAX} decimals")
        known = [d for d in capture.depth if d["u"] > snapshot["lastUpdateId"]]
        if len(known) < 2 or known[0]["U"] > snapshot["lastUpdateId"] + 1:
            raise unusable(self._path, "its snapshot does not meet its depth updates")
        self._first, self._depth = known[0], known[1:]
        self._start_ms = self._first["E"]
        self._length_ms = self._depth[-1]["E"] + AFTER_LAST_MS - self._start_ms
        self._centre = self._ticks(snapshot["bids"][0][0])
        self._bids = self._start_side(snapshot["bids"], self._first["b"])
        self._asks = self._start_side(snapshot["asks"], self._first["a"])

    def recording(self, symbol: str) -> Recording:
        depth = self._depth_changes()
        quotes = self._quote_changes()
        trades = self._trade_tape()
        aggs = _merge_trades(trades, self._amount_decimals)
        end_bids = dict(self._bids)
        for change in depth:
            apply_levels(end_bids, change.bids)
        start_bid, start_ask = max(self._bids), min(self._asks)
        if start_bid >= start_ask:
            raise unusable(self._path, "its starting book is crossed")
        return Recording(
            symbol=symbol,
            price_decimals=self._price_decimals,
            amount_decimals=self._amount_decimals,
            started_at_ms=self._start_ms,
            length_ms=self._length_ms,
            trades=trades,
            aggs=aggs,
            depth=depth,
            quotes=quotes,
            start_bids=self._bids,
            start_asks=self._asks,
            timeline=_timeline(trades, aggs, depth, quotes),
            update_ids=depth[-1].last_id + 1,
            mirror=start_bid + start_ask,
            move=max(end_bids) - start_bid,
            perpetual=self._capture.perpetual,
        )

    def _ticks(self, price: str) -> int:
        return to_units(price, self._price_decimals)

    def _near(self, levels: Iterable[Level]) -> tuple[tuple[int, str], ...]:
        ticks = ((self._ticks(price), amount) for price, amount in levels)
        return tuple((p, amount) for p, amount in ticks if abs(p - self._centre) <= BAND * self._centre)

    def _start_side(self, snapshot: Sequence[Level], first: Sequence[Level]) -> BookSide:
        side: BookSide = {}
        apply_levels(side, self._near(snapshot))
        apply_levels(side, self._near(first))
        return side

    def _depth_changes(self) -> tuple[DepthChange, ...]:
        for before, after in pairwise([self._first, *self._depth]):
            if after["U"] != before["u"] + 1 or after["E"] < before["E"]:
                raise unusable(self._path, f"its depth updates break at update id {after['U']}")
        return tuple(self._depth_change(frame) for frame in self._depth)

    def _depth_change(self, frame: DepthFrame) -> DepthChange:
        base = self._first["u"]
        return DepthChange(
            frame["E"] - self._start_ms,
            frame["U"] - base,
            frame["u"] - base,
            self._near(frame["b"]),
            self._near(frame["a"]),
        )

    def _quote_changes(self) -> tuple[QuoteChange, ...]:
        """Quotes go out before the depth update that confirms them and behind the one before it, like their ids."""
        base, delay_ms = self._first["u"], median(self._capture.delays_ms)
        last_ids = [frame["u"] for frame in self._depth]
        kept: list[QuoteChange] = []
        for captured_ms, q in self._capture.quotes:
            after = bisect_left(last_ids, q["u"])
            if q["u"] <= base or after == len(last_ids):
                continue
            earliest_ms = (self._depth[after - 1]["E"] if after else self._start_ms) + 1
            sent_ms = min(max(round(captured_ms + delay_ms), earliest_ms), self._depth[after]["E"]) - self._start_ms
            bid, ask = self._ticks(q["b"]), self._ticks(q["a"])
            kept.append(QuoteChange(sent_ms, q["u"] - base, bid, q["B"], ask, q["A"]))
        return tuple(sorted(kept, key=lambda quote: quote.update_id))

    def _trade_tape(self) -> TradeTape:
        end_ms = self._start_ms + self._length_ms
        kept = [t for t in self._capture.trades if t["T"] >= self._start_ms and t["E"] < end_ms]
        if not kept:
            raise unusable(self._path, "has no trade between its first and its last depth update")
        for before, after in pairwise(kept):
            if after["t"] != before["t"] + 1 or after["T"] < before["T"] or after["E"] < before["E"]:
                raise unusable(self._path, f"its trades break at trade id {after['t']}")
        tape = self._columns(kept)
        if float(np.sum(tape.price * tape.amount.astype(np.float64))) > COST_SUM_MAX:
            raise unusable(self._path, "is too long: its turnover does not fit 63 bits")
        return tape

    def _columns(self, kept: Sequence[TradeFrame]) -> TradeTape:
        price = np.array([self._ticks(t["p"]) for t in kept], np.int64)
        amount = np.array([to_units(t["q"], self._amount_decimals) for t in kept], np.int64)
        maker = np.array([t["m"] for t in kept], np.bool_)
        bought = np.where(maker, 0, amount)
        return TradeTape(
            at_ms=np.array([t["T"] - self._start_ms for t in kept], np.int64),
            sent_ms=np.array([t["E"] - self._start_ms for t in kept], np.int64),
            price=price,
            amount=amount,
            buyer_is_maker=maker,
            amount_text=tuple(t["q"] for t in kept),
            sum_amount=_sums(amount),
            sum_cost=_sums(price * amount),
            sum_buy_amount=_sums(bought),
            sum_buy_cost=_sums(price * bought),
        )


def _merge_trades(trades: TradeTape, decimals: int) -> AggTape:
    """Our approximation of the venue's aggregation, which goes by taker order, a thing trades do not tell."""
    same = (
        (np.diff(trades.at_ms) == 0)
        & (np.diff(trades.price) == 0)
        & (trades.buyer_is_maker[1:] == trades.buyer_is_maker[:-1])
    )
    first = np.concatenate((np.zeros(1, np.int64), np.flatnonzero(~same) + 1))
    last = np.concatenate((first[1:] - 1, np.array([len(trades) - 1])))
    amounts = trades.sum_amount[last + 1] - trades.sum_amount[first]
    texts = tuple(to_text(int(amount), decimals) for amount in amounts)
    return AggTape(first, last, trades.at_ms[first], trades.sent_ms[last], texts)


def _timeline(
    trades: TradeTape, aggs: AggTape, depth: Sequence[DepthChange], quotes: Sequence[QuoteChange]
) -> tuple[tuple[int, int, int], ...]:
    events = [(int(ms), TRADE, i) for i, ms in enumerate(trades.sent_ms)]
    events += [(int(ms), AGG, i) for i, ms in enumerate(aggs.sent_ms)]
    events += [(change.sent_ms, DEPTH, i) for i, change in enumerate(depth)]
    events += [(quote.sent_ms, QUOTE, i) for i, quote in enumerate(quotes)]
    # The recorded order inside one millisecond is not kept across streams; inside a stream the sort is stable.
    return tuple(sorted(events))
