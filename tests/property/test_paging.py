"""Goal: where a venue pages by time a trade is found by its id, where it pages by id by a moment, in few questions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.model.market import Trade
from ingest.venues.paging import Moment, Search

PAGE = 10
QUESTIONS_MAX = 60
ORIGIN_NS = 1_400_000_000_000_000_000

steps_ns = st.one_of(st.integers(1, 1_000), st.integers(1_000_000, 10**9), st.integers(10**12, 10**15))


@st.composite
def histories(draw: st.DrawFn) -> list[Trade]:
    """A venue's trades: bursts and days of silence, an id missing now and then."""
    ts_ns, seq, trades = ORIGIN_NS, 0, []
    for _ in range(draw(st.integers(1, 200))):
        ts_ns += draw(steps_ns)
        seq += draw(st.sampled_from((1, 1, 1, 1, 1, 2)))
        trades.append(Trade("v", "BTC/USD", str(seq), seq, "buy", 1.0, 1.0, ts_ns, ts_ns, "rest"))
    return trades


def search_for(wanted: int, trades: list[Trade]) -> tuple[list[Trade], int]:
    """The page that holds the id, or the place where it would be, and how many questions that took."""
    search = Search(wanted, (0, 0), (trades[-1].seq, trades[-1].ts_ns), PAGE)
    for asked in range(1, QUESTIONS_MAX + 1):
        since_ns = search.next_since_ns()
        last = since_ns is None
        from_ns = search.low[1] if since_ns is None else since_ns
        page = [trade for trade in trades if trade.ts_ns > from_ns][:PAGE]
        if last or search.saw(from_ns, page):
            return page, asked
    return [], QUESTIONS_MAX + 1


@given(trades=histories(), place=st.floats(0, 1))
def test_a_trade_that_exists_is_on_the_page(trades: list[Trade], place: float) -> None:
    wanted = trades[round(place * (len(trades) - 1))].seq
    page, asked = search_for(wanted, trades)
    assert wanted in [trade.seq for trade in page]
    assert asked <= QUESTIONS_MAX


@given(trades=histories(), place=st.floats(0, 1))
def test_for_a_missing_id_the_page_goes_on_after_it(trades: list[Trade], place: float) -> None:
    present = {trade.seq for trade in trades}
    missing = [seq for seq in range(1, trades[-1].seq) if seq not in present]
    if not missing:
        return
    wanted = missing[round(place * (len(missing) - 1))]
    page, asked = search_for(wanted, trades)
    following = min(seq for seq in present if seq > wanted)
    assert following in [trade.seq for trade in page]
    assert asked <= QUESTIONS_MAX


@given(trades=histories(), place=st.floats(0, 1), nudge=st.sampled_from((-1, 0, 1)), gone=st.floats(0, 1))
def test_the_first_trade_since_a_moment_is_found_where_old_ones_are_listed_no_longer(
    trades: list[Trade], place: float, nudge: int, gone: float
) -> None:
    listed = trades[int(gone * len(trades)) :] or trades[-1:]
    since_ns = min(trades[-1].ts_ns, trades[round(place * (len(trades) - 1))].ts_ns + nudge)
    search = Moment(since_ns, listed[-1], PAGE)
    for _ in range(QUESTIONS_MAX):
        ids = search.next_ids()
        if ids is None:
            break
        first, count = ids
        assert 1 <= count <= PAGE
        search.saw(first, count, [trade for trade in listed if first <= trade.seq < first + count])
    assert search.next_ids() is None
    assert search.high == next(trade for trade in listed if trade.ts_ns >= since_ns)
