"""Goal: what the streams of perpetuals say is what the collector's decoder of USD-M understands, without a hole."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from ares.clock import NANOS_PER_MILLI
from ares.testing.clock import SteppedClock
from ingest.books import Fit
from ingest.venues.binance.decoder import decode_depth, decode_quote, decode_trade
from ingest.venues.binanceusdm.decoder import decode_mark_price, follows
from ingest.venues.wire import Names
from simulator.book import AggEvent, DepthEvent, QuoteEvent
from simulator.clock import MarketClock
from simulator.market import BUNDLED_PERPETUALS, PACKAGE, load_market
from simulator.perpetual.market import FEES, Funding, Perpetuals
from simulator.perpetual.render import FRAMES, mark_event
from simulator.recording import load_recording
from simulator.series import EPOCH_MS

NAMES = Names("sim", {"BTCUSDT": "BTC/USDT:USDT"})
NOW_MS = EPOCH_MS + 86_400_000
FUNDING = Funding(Decimal("0.0001"), 8 * 3_600_000)


@pytest.fixture(scope="module")
def perpetuals() -> Perpetuals:
    clock = MarketClock(SteppedClock(NOW_MS * NANOS_PER_MILLI))
    recording = load_recording(PACKAGE / "recordings" / BUNDLED_PERPETUALS[0])
    return Perpetuals(load_market([recording], 1, clock, FEES, perpetual=True), FUNDING)


def test_books_name_the_change_before_and_never_break_over_the_turns_of_the_recording(perpetuals: Perpetuals) -> None:
    replay = perpetuals.market.replay("BTCUSDT")
    series = replay.series
    replay.seek(NOW_MS)
    last_id, seen = replay.update_id, 0
    for event in replay.advance(NOW_MS + 2 * series.recording.length_ms):
        if isinstance(event, DepthEvent):
            update = decode_depth(FRAMES.depth(series, event), NAMES, 1)
            assert follows(last_id, update, first=False) is Fit.NEXT
            last_id, seen = update.last_id, seen + 1
    assert seen > 2 * len(series.recording.depth) - 2


def test_trades_and_quotes_are_those_of_the_market_with_the_venues_time(perpetuals: Perpetuals) -> None:
    replay = perpetuals.market.replay("BTCUSDT")
    series = replay.series
    replay.seek(NOW_MS)
    trades, quotes = 0, 0
    for event in replay.advance(NOW_MS + 30_000):
        if isinstance(event, AggEvent):
            trade = decode_trade(FRAMES.agg(series, event), NAMES, 1)
            assert trade.symbol == "BTC/USDT:USDT"
            trades += 1
        elif isinstance(event, QuoteEvent):
            quote = decode_quote(FRAMES.quote(series, event), NAMES, 1)
            assert quote.ts_ns == event.sent_ms * NANOS_PER_MILLI
            quotes += 1
    assert trades
    assert quotes


def test_mark_price_is_the_last_price_and_the_same_for_ever(perpetuals: Perpetuals) -> None:
    event = mark_event(perpetuals, "BTCUSDT", NOW_MS)
    update = decode_mark_price(orjson.dumps(event), NAMES, 1)
    assert update.mark_price == float(perpetuals.mark("BTCUSDT", NOW_MS))
    assert (update.rate, update.funding_at_ns) == (0.0001, (NOW_MS + FUNDING.interval_ms) * NANOS_PER_MILLI)
    assert mark_event(perpetuals, "BTCUSDT", NOW_MS) == event


def test_times_of_funding_lie_on_the_grid_and_both_ends_count() -> None:
    step = FUNDING.interval_ms
    assert list(FUNDING.times(2 * step, 4 * step)) == [2 * step, 3 * step, 4 * step]
    assert list(FUNDING.times(2 * step + 1, 4 * step - 1)) == [3 * step]
