"""Plays the replays forward in market time: fills orders, sends stream events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ares.telemetry import get_logger
from simulator import render
from simulator.bars import INTERVALS_MS, SECOND_MS, Candle, Grid, candles
from simulator.book import AggEvent, DepthEvent, Event, QuoteEvent, Replay, TradeEvent
from simulator.clock import MarketClock
from simulator.hub import Hub
from simulator.market import Market
from simulator.series import Series

LAG_MS_MAX = 60_000
"""Farther behind than this (a suspended machine) the pump leaves events out; clients see the ids jump."""
AFTER_SECOND_MS = 300
"""Klines and tickers of a second go out this much after it, when its last trades are published."""

log = get_logger(__name__)


class Fills(Protocol):
    """Who must hear of the market to fill resting orders."""

    def on_trade(self, replay: Replay, event: TradeEvent) -> None: ...
    def on_depth(self, replay: Replay, event: DepthEvent) -> None: ...


@dataclass(frozen=True, slots=True)
class Frames:
    """How a market words what it streams."""

    trade: Callable[[Series, TradeEvent], bytes] = render.trade_frame
    agg: Callable[[Series, AggEvent], bytes] = render.agg_frame
    quote: Callable[[Series, QuoteEvent], bytes] = render.quote_frame
    depth: Callable[[Series, DepthEvent], bytes] = render.depth_frame


SPOT = Frames()


class Pump:
    """Owns the replays while it runs."""

    def __init__(self, market: Market, hub: Hub, fills: Fills, frames: Frames = SPOT) -> None:
        self._market = market
        self._clock: MarketClock = market.clock
        self._hub = hub
        self._fills = fills
        self._frames = frames
        self._next_second_ms = 0
        self._slow: dict[str, SlowDepth] = {symbol: SlowDepth() for symbol in market.symbols}
        self._sent_bars: dict[str, Candle] = {}

    def start(self) -> None:
        """Begin at market time now."""
        now_ms = self._clock.now_ms()
        self._market.seek()
        self._next_second_ms = now_ms - now_ms % SECOND_MS + SECOND_MS + AFTER_SECOND_MS

    async def run(self) -> None:
        """Play until cancelled, or until a replay of the past reaches the present."""
        while not self._clock.ended():
            self.play(self._clock.now_ms())
            next_ms = min(replay.next_ms() for replay in self._market.replays.values())
            await self._clock.wait_until(min(next_ms, self._next_second_ms))

    def play(self, now_ms: int) -> None:
        """Everything that is due at `now_ms`."""
        for symbol, replay in self._market.replays.items():
            if now_ms - replay.next_ms() > LAG_MS_MAX:
                log.warning("market_time_jumped", symbol=symbol, behind_ms=now_ms - replay.next_ms())
                replay.seek(now_ms)
                self._slow[symbol].clear()
                self._next_second_ms = max(self._next_second_ms, now_ms - now_ms % SECOND_MS)
            for event in replay.advance(now_ms):
                self._publish(replay, event)
        while now_ms >= self._next_second_ms:
            self._on_second(self._next_second_ms - AFTER_SECOND_MS, now_ms)
            self._next_second_ms += SECOND_MS

    def _publish(self, replay: Replay, event: Event) -> None:
        series, hub, frames = replay.series, self._hub, self._frames
        symbol, name = series.symbol, series.symbol.lower()
        if isinstance(event, QuoteEvent):
            hub.publish(symbol, f"{name}@bookTicker", event.update_id, lambda: frames.quote(series, event))
        elif isinstance(event, DepthEvent):
            self._fills.on_depth(replay, event)
            self._slow[symbol].add(event)
            hub.publish(symbol, f"{name}@depth@100ms", event.last_id, lambda: frames.depth(series, event))
        elif isinstance(event, TradeEvent):
            self._fills.on_trade(replay, event)
            hub.publish(symbol, f"{name}@trade", event.key, lambda: frames.trade(series, event))
        elif isinstance(event, AggEvent):
            hub.publish(symbol, f"{name}@aggTrade", event.key, lambda: frames.agg(series, event))

    def _on_second(self, second_ms: int, now_ms: int) -> None:
        """Streams that come once a second: what they say about the second that ended at `second_ms`."""
        for stream in self._hub.streams():
            name, _, kind = stream.partition("@")
            symbol = name.upper()
            if symbol not in self._market.replays:
                continue
            self._say(stream, kind, second_ms, now_ms)
        for slow in self._slow.values():
            slow.clear()

    def _say(self, stream: str, kind: str, second_ms: int, now_ms: int) -> None:
        """One such stream."""
        if kind.startswith("kline_"):
            self._kline(stream, kind.removeprefix("kline_"), second_ms, now_ms)
        elif kind == "miniTicker":
            self._mini_ticker(stream, now_ms)
        elif kind == "depth":
            self._depth(stream.partition("@")[0].upper(), now_ms)

    def _kline(self, stream: str, interval: str, second_ms: int, now_ms: int) -> None:
        if interval not in INTERVALS_MS:
            return
        series, grid = self._series(stream), Grid.of(interval)
        start_ms = grid.floor(second_ms - 1)
        closed = start_ms + grid.step_ms <= second_ms
        for bar in candles(series, grid, start_ms, start_ms + 1, now_ms):
            if closed or bar != self._sent_bars.get(stream):
                event = render.kline_event(series, bar, interval, grid.step_ms, (now_ms, closed))
                self._hub.publish_json(series.symbol, stream, second_ms, partial(_same, event))
            self._sent_bars[stream] = bar

    def _mini_ticker(self, stream: str, now_ms: int) -> None:
        series = self._series(stream)
        event = render.mini_ticker_event(series, self._market.day(series.symbol, now_ms), now_ms)
        self._hub.publish_json(series.symbol, stream, now_ms, partial(_same, event))

    def _series(self, stream: str) -> Series:
        return self._market.series(stream.partition("@")[0].upper())

    def _depth(self, symbol: str, now_ms: int) -> None:
        event = self._slow[symbol].merged(now_ms)
        if event is not None:
            series = self._market.series(symbol)
            stream = f"{symbol.lower()}@depth"
            self._hub.publish(symbol, stream, event.last_id, lambda: self._frames.depth(series, event))


class SlowDepth:
    """Depth updates of one second, for those who want them once a second."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self._first_id = self._last_id = 0
        self._bids: dict[int, str] = {}
        self._asks: dict[int, str] = {}

    def add(self, event: DepthEvent) -> None:
        self._first_id = self._first_id or event.first_id
        self._last_id = event.last_id
        self._bids.update(event.bids)
        self._asks.update(event.asks)

    def merged(self, sent_ms: int) -> DepthEvent | None:
        """The latest amount of every price that changed; None when nothing did."""
        if not self._last_id:
            return None
        bids, asks = tuple(self._bids.items()), tuple(self._asks.items())
        return DepthEvent(sent_ms, self._first_id, self._last_id, bids, asks)


def _same(event: dict[str, object]) -> object:
    return event
