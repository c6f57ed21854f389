"""Goal: one continuous market for all times: prices chain, ids and times run on, a seed repeats it, nothing drifts."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from simulator.bars import Grid, candles
from simulator.book import DepthEvent, QuoteEvent, Replay
from simulator.recording import Recording
from simulator.series import BLOCK_SEGMENTS_MAX, EPOCH_MS, Series


def plain_series(recording: Recording) -> Series:
    """A series whose first segment plays the recording as it was, at its own time and prices."""
    found = (Series(recording, seed, recording.started_at_ms) for seed in range(64))
    return next(series for series in found if not series.segment(0).mirrored)


def test_replayed_trades_make_the_venues_own_five_minute_kline(btc: Recording) -> None:
    series = plain_series(btc)
    start_ms = 1_723_161_300_000
    [bar] = candles(series, Grid.of("5m"), start_ms, start_ms + 1, start_ms + 301_000)
    assert (bar.open, bar.high, bar.low, bar.close) == (6182800, 6186080, 6158322, 6168599)
    assert Decimal(bar.amount).scaleb(-5) == Decimal("199.42863")
    assert Decimal(bar.cost).scaleb(-7) == Decimal("12304668.02540550")
    assert bar.count == 8863
    assert Decimal(bar.buy_amount).scaleb(-5) == Decimal("90.18301")
    assert Decimal(bar.buy_cost).scaleb(-7) == Decimal("5563967.33325070")


def test_partly_covered_bar_does_not_match_the_venues(btc: Recording, shared_data: Path) -> None:
    rows = (shared_data / "pairs" / "spot_BTCUSDT_klines_5m_20240808.csv").read_text().splitlines()
    count = next(int(row.split(",")[8]) for row in rows if row.startswith("1723161000000"))
    start_ms = 1_723_161_000_000
    [bar] = candles(plain_series(btc), Grid.of("5m"), start_ms, start_ms + 1, start_ms + 600_000)
    assert 0 < bar.count < count


def test_top_of_the_replayed_book_is_the_latest_quote(btc: Recording, eth: Recording) -> None:
    for recording in (btc, eth):
        replay = Replay(plain_series(recording))
        replay.seek(recording.started_at_ms)
        quotes: list[QuoteEvent] = []
        checked = 0
        for event in replay.advance(recording.started_at_ms + recording.length_ms - 1):
            if isinstance(event, QuoteEvent):
                quotes.append(event)
            elif isinstance(event, DepthEvent) and quotes:
                known = [q for q in quotes if q.update_id <= event.last_id]
                if known:
                    bid, ask = max(replay.bids), min(replay.asks)
                    best = (bid, replay.bids[bid], ask, replay.asks[ask])
                    top = known[-1]
                    assert (top.bid, top.bid_amount, top.ask, top.ask_amount) == best
                    quotes = quotes[-50:]
                    checked += 1
        assert checked > 3_000


def test_block_returns_to_the_price_it_began_with(btc: Recording) -> None:
    series = Series(btc, 7)
    for block in (0, 1, 2_000):
        assert series.segment(block * BLOCK_SEGMENTS_MAX).shift == 0
    flips = [series.segment(i).mirrored for i in range(BLOCK_SEGMENTS_MAX)]
    assert flips.count(True) == flips.count(False)


def test_blocks_get_shorter_for_a_recording_that_moves_far(btc: Recording) -> None:
    series = Series(replace(btc, move=btc.mirror // 8), 1)
    assert all(series.segment(i).shift == 0 for i in range(0, 1_000, 4))


def test_same_seed_is_the_same_market_and_another_is_not(btc: Recording) -> None:
    def flips(seed: int) -> list[bool]:
        series = Series(btc, seed)
        return [series.segment(i).mirrored for i in range(100_000, 100_100)]

    assert flips(1) == flips(1)
    assert flips(1) != flips(2)


def test_symbols_move_independently(btc: Recording) -> None:
    one, other = Series(btc, 1), Series(replace(btc, symbol="OTHERUSDT"), 1)
    assert [one.segment(i).mirrored for i in range(64)] != [other.segment(i).mirrored for i in range(64)]


def test_before_the_epoch_there_is_nothing(btc: Recording) -> None:
    series = Series(btc, 1)
    assert series.trades_sent(EPOCH_MS - 1) == 0
    assert series.first_agg_at(0) == 1
    assert list(series.trade_pieces(-5, 0)) == []


def test_ids_fit_a_signed_64_bit_number_for_centuries(btc: Recording) -> None:
    assert Series(btc, 1).start_update_id(10**9) < 2**63


@pytest.mark.parametrize("seed", range(4))
def test_book_is_never_crossed_and_its_ids_never_break_across_segments(tiny: Recording, seed: int) -> None:
    series = Series(tiny, seed)
    replay = Replay(series)
    replay.seek(EPOCH_MS)
    last_id = replay.update_id
    events = 0
    for event in replay.advance(EPOCH_MS + 40 * tiny.length_ms):
        if isinstance(event, DepthEvent):
            assert event.first_id == last_id + 1
            assert max(replay.bids) < min(replay.asks)
            last_id = event.last_id
            events += 1
        elif isinstance(event, QuoteEvent):
            assert event.bid < event.ask
            assert last_id <= event.update_id
    assert events == 40 * (len(tiny.depth) + 1)


def test_real_book_is_never_crossed_across_a_turn_of_direction(btc: Recording) -> None:
    series = Series(btc, 1)
    turn = next(i for i in range(1, 99) if series.segment(i).mirrored != series.segment(i - 1).mirrored)
    replay = Replay(series)
    start_ms = series.segment(turn).start_ms
    replay.seek(start_ms - 30_000)
    last_id = replay.update_id
    for event in replay.advance(start_ms + 30_000):
        assert max(replay.bids) < min(replay.asks)
        if isinstance(event, DepthEvent):
            assert event.first_id == last_id + 1
            last_id = event.last_id


def test_prices_chain_where_segments_meet(btc: Recording, eth: Recording) -> None:
    for recording in (btc, eth):
        series = Series(recording, 3)
        replay = Replay(series)
        for index in range(1, 6):
            start_ms = series.segment(index).start_ms
            replay.seek(start_ms - 1)
            before = max(replay.bids)
            replay.seek(start_ms)
            assert abs(max(replay.bids) - before) <= 2


def test_seek_and_play_reach_the_same_book(eth: Recording) -> None:
    series = Series(eth, 1)
    played, jumped = Replay(series), Replay(series)
    start_ms = series.segment(5).start_ms - 3_000
    played.seek(start_ms)
    assert sum(1 for _ in played.advance(start_ms + 9_000)) > 100
    jumped.seek(start_ms + 9_000)
    assert (played.bids, played.asks, played.update_id) == (jumped.bids, jumped.asks, jumped.update_id)
    assert played.top == jumped.top
    assert played.next_ms() == jumped.next_ms()


def test_displayed_book_follows_the_latest_quote(tiny: Recording) -> None:
    series = plain_series(tiny)
    replay = Replay(series)
    replay.seek(series.epoch_ms)
    assert replay.top.bid == 1000
    assert replay.displayed().asks[0] == (Decimal("100.1"), Decimal("2.00"))
    replay.seek(series.epoch_ms + tiny.quotes[0].sent_ms)
    book = replay.displayed()
    assert book.bids[0] == (Decimal("100.0"), Decimal("1.00"))
    assert book.asks[0] == (Decimal("100.2"), Decimal("2.00"))
    assert replay.displayed_amount("BUY", Decimal("99.0")) == Decimal("5.00")
    assert replay.displayed_amount("SELL", Decimal("99.0")) == 0
