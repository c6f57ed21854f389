"""Goal: the pump plays what is due, in order, and after a sleep of the machine goes on from now."""

from __future__ import annotations

import pytest

from ares.testing.clock import SteppedClock
from simulator.book import DepthEvent, Replay, TradeEvent
from simulator.hub import Hub
from simulator.market import Market
from simulator.misbehaviour import Misbehaviour
from simulator.pump import LAG_MS_MAX, Pump, SlowDepth
from simulator.render import trade_rows


class Heard:
    """Notes the trades it is told of."""

    def __init__(self) -> None:
        self.trades: dict[str, list[int]] = {}

    def on_trade(self, replay: Replay, event: TradeEvent) -> None:
        number = event.segment.index * replay.series.trades_per_segment + event.index + 1
        self.trades.setdefault(replay.series.symbol, []).append(number)

    def on_depth(self, replay: Replay, event: DepthEvent) -> None:
        assert replay.update_id == event.last_id


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def pump(market: Market, heard: Heard) -> Pump:
    playing = Pump(market, Hub(Misbehaviour(1)), heard)
    playing.start()
    return playing


async def test_every_trade_is_played_once_however_unevenly_time_goes(
    pump: Pump, heard: Heard, market: Market, clock: SteppedClock
) -> None:
    start = {symbol: market.series(symbol).trades_sent(market.clock.now_ms()) for symbol in market.symbols}
    for step_s in (0.001, 7.3, 0.2, 30.0, 0.05):
        await clock.advance(step_s)
        pump.play(market.clock.now_ms())
    for symbol, first in start.items():
        last = market.series(symbol).trades_sent(market.clock.now_ms())
        assert heard.trades[symbol] == list(range(first + 1, last + 1))


async def test_after_a_long_sleep_the_market_goes_on_from_now(
    pump: Pump, heard: Heard, market: Market, clock: SteppedClock
) -> None:
    await clock.advance(LAG_MS_MAX / 1_000 * 10)
    now_ms = market.clock.now_ms()
    pump.play(now_ms)
    assert heard.trades == {}
    await clock.advance(5)
    pump.play(market.clock.now_ms())
    series = market.series("BTCUSDT")
    assert heard.trades["BTCUSDT"][0] == series.trades_sent(now_ms) + 1
    assert (
        int(str(trade_rows(series, heard.trades["BTCUSDT"][0], heard.trades["BTCUSDT"][0])[0]["time"]))
        <= now_ms + 5_000
    )


def test_slow_depth_keeps_the_latest_amount_of_each_price() -> None:
    slow = SlowDepth()
    assert slow.merged(5) is None
    slow.add(DepthEvent(1, 10, 12, ((100, "1.0"), (99, "2.0")), ()))
    slow.add(DepthEvent(2, 13, 13, ((100, "0.5"),), ((101, "3.0"),)))
    assert slow.merged(5) == DepthEvent(5, 10, 13, ((100, "0.5"), (99, "2.0")), ((101, "3.0"),))
    slow.clear()
    assert slow.merged(6) is None
