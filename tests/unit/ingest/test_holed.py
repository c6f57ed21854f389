"""What a capture has of trades whose ids have holes: spans of time between those that it lacks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.model.market import Trade
from ingest.replay.holed import FAR_NS, between, pieces_of

HOLES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)).map(lambda each: (each[0], each[0] + each[1])))


def trade(seq: int, ts_ns: int) -> Trade:
    return Trade("v", "BTC/USDT", str(seq), seq, "buy", 1.0, 1.0, ts_ns, ts_ns, "stream")


@given(holes=HOLES, first=st.integers(0, 40), length=st.integers(0, 40))
def test_what_is_there_and_what_is_not_are_all_of_the_time(
    holes: list[tuple[int, int]], first: int, length: int
) -> None:
    spans = between(first, first + length, holes)
    assert all(first <= start <= end <= first + length for start, end in spans)
    for moment in range(first, first + length + 1):
        covered = any(start <= moment <= end for start, end in spans)
        assert not (covered and any(start < moment < end for start, end in holes))
        assert covered or any(start <= moment <= end for start, end in holes)


def test_trades_far_apart_are_asked_for_apart() -> None:
    trades = [trade(3, 2 * FAR_NS + 1), trade(1, 0), trade(2, FAR_NS)]
    assert [[each.seq for each in piece] for piece in pieces_of(trades)] == [[1, 2], [3]]
    assert pieces_of([]) == []
