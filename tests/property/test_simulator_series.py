"""Goal: whatever the moment, seed and interval, history agrees with itself: bars, aggregates, trades and counts."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from itertools import pairwise
from pathlib import Path

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.bars import INTERVALS_MS, Grid, candles
from simulator.recording import Recording, load_recording
from simulator.render import agg_rows, kline_row, trade_rows
from simulator.series import EPOCH_MS, Series

RECORDINGS = Path(__file__).resolve().parents[2] / "simulator" / "recordings"

moments = st.integers(EPOCH_MS, EPOCH_MS + 20 * 365 * 86_400_000)
seeds = st.integers(0, 50)


@cache
def eth() -> Recording:
    return load_recording(RECORDINGS / "spot_ethusdt_20240808.gz")


@given(moments, seeds, st.sampled_from(["1s", "1m", "3m"]))
@settings(max_examples=25, deadline=None)
def test_kline_is_what_its_trades_add_up_to(ms: int, seed: int, interval: str) -> None:
    series, grid = Series(eth(), seed), Grid.of(interval)
    start_ms = grid.floor(ms)
    first, last = series.first_trade_at(start_ms), series.first_trade_at(start_ms + grid.step_ms) - 1
    rows = [(Decimal(str(r["price"])), Decimal(str(r["qty"])), r) for r in trade_rows(series, first, last)]
    bars = candles(series, grid, start_ms, start_ms + 1, start_ms + 10 * grid.step_ms)
    if not bars:  # before the first trade of all
        assert first == 1
        return
    k = kline_row(series, bars[0], grid.step_ms)
    assert k[8] == len(rows)
    assert Decimal(str(k[5])) == sum((q for _, q, _ in rows), Decimal(0))
    assert Decimal(str(k[7])) == sum((p * q for p, q, _ in rows), Decimal(0))
    assert Decimal(str(k[9])) == sum((q for _, q, r in rows if not r["isBuyerMaker"]), Decimal(0))
    assert Decimal(str(k[10])) == sum((p * q for p, q, r in rows if not r["isBuyerMaker"]), Decimal(0))
    if rows:
        prices = [p for p, _, _ in rows]
        assert [Decimal(str(x)) for x in k[1:5]] == [prices[0], max(prices), min(prices), prices[-1]]


@given(moments, seeds, st.sampled_from(sorted(INTERVALS_MS)))
@settings(max_examples=25, deadline=None)
def test_bar_of_a_longer_interval_is_its_shorter_bars_together(ms: int, seed: int, interval: str) -> None:
    series, grid = Series(eth(), seed), Grid.of(interval)
    parts = grid.step_ms // 60_000 or 1
    small = Grid(grid.step_ms // parts)
    if parts > 300:
        return
    start_ms = grid.floor(ms)
    stop_ms = start_ms + grid.step_ms
    whole = candles(series, grid, start_ms, start_ms + 1, stop_ms * 2)
    pieces = candles(series, small, start_ms, stop_ms, stop_ms * 2)
    if whole:
        assert whole[0].amount == sum(c.amount for c in pieces)
        assert whole[0].cost == sum(c.cost for c in pieces)
        assert whole[0].count == sum(c.count for c in pieces)
        assert whole[0].high == max(c.high for c in pieces)
        assert whole[0].low == min(c.low for c in pieces)
        assert whole[0].close == pieces[-1].close


@given(moments, seeds, st.integers(1, 3_000))
@settings(max_examples=25, deadline=None)
def test_aggregates_hold_every_trade_once_and_in_order(ms: int, seed: int, count: int) -> None:
    series = Series(eth(), seed)
    first = series.first_agg_at(ms)
    aggs = orjson.loads(agg_rows(series, first, first + count - 1))
    assert [agg["a"] for agg in aggs] == list(range(first, first + count))
    assert all(after["f"] == before["l"] + 1 for before, after in pairwise(aggs))
    assert all(before["T"] <= after["T"] for before, after in pairwise(aggs))
    trades = {r["id"]: r for r in trade_rows(series, aggs[0]["f"], aggs[-1]["l"])}
    for agg in aggs:
        parts = [trades[i] for i in range(agg["f"], agg["l"] + 1)]
        assert {(r["price"], r["time"], r["isBuyerMaker"]) for r in parts} == {(agg["p"], agg["T"], agg["m"])}
        assert sum((Decimal(str(r["qty"])) for r in parts), Decimal(0)) == Decimal(agg["q"])


@given(moments, seeds)
@settings(max_examples=100, deadline=None)
def test_counts_by_time_and_ids_by_time_agree(ms: int, seed: int) -> None:
    series = Series(eth(), seed)
    assert series.trades_sent(ms - 1) <= series.trades_sent(ms)
    first = series.first_trade_at(ms)
    assert series.trades_sent(ms - 1) < first  # nothing is published before it happens
    [row] = trade_rows(series, first, first)
    assert int(str(row["time"])) >= ms
    assert all(int(str(r["time"])) < ms for r in trade_rows(series, first - 1, first - 1))
    assert series.first_agg_at(ms) <= first


@given(moments, seeds, st.integers(0, 5_000))
@settings(max_examples=30, deadline=None)
def test_what_was_answered_once_does_not_change_later(ms: int, seed: int, later_ms: int) -> None:
    series, grid = Series(eth(), seed), Grid.of("1m")
    last = series.aggs_sent(ms)
    assert agg_rows(series, last - 20, last) == agg_rows(Series(eth(), seed), last - 20, last)
    start_ms = grid.floor(ms) - 60_000
    settled_ms = start_ms + 61_000
    assert candles(series, grid, start_ms, start_ms + 1, settled_ms) == candles(
        series, grid, start_ms, start_ms + 1, settled_ms + later_ms
    )
