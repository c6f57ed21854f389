"""Goal: the trades of a batch are counted by minute whatever their order."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ares.clock import MINUTE_NS
from ares.model.market import Trade, TradeRun
from ingest.batches import moments_by_minute, trades_by_minute

moments = st.lists(st.integers(0, 10 * MINUTE_NS) | st.integers(0, 10).map(lambda n: n * MINUTE_NS), max_size=50)


@given(times_ns=moments)
def test_moments_are_counted_in_the_minute_they_lie_in(times_ns: list[int]) -> None:
    assert moments_by_minute(times_ns) == Counter(ts_ns // MINUTE_NS for ts_ns in times_ns)


@given(times_ns=moments.filter(bool))
def test_a_run_counts_like_its_trades(times_ns: list[int]) -> None:
    count = len(times_ns)
    seqs = list(range(1, count + 1))
    run = TradeRun("v", "BTC/USDT", "stream", seqs, ["buy"] * count, [1.0] * count, [1.0] * count, times_ns, times_ns)
    trades: list[Trade] = run.trades()
    assert trades_by_minute([run]) == trades_by_minute(trades)
