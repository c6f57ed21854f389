"""Goal: freezing loses nothing, repeats nothing, and never says that it knew before it could."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from analytics.facts import Frozen, Span, Values, chunks, due_ns, knowledge, newest_due, revised, same, spans_to_recheck
from ares.clock import MINUTE_NS

values = st.tuples(st.none() | st.floats(-1e9, 1e9), st.sampled_from(["traded", "quiet", "gap"]))
minutes = st.integers(0, 5_000).map(lambda n: n * MINUTE_NS)
readings = st.lists(st.dictionaries(st.integers(0, 8), values, max_size=8), max_size=6)


@given(readings)
def test_freezing_again_and_again_ends_with_the_truth_and_counts_every_change_once(
    steps: list[dict[int, Values]],
) -> None:
    frozen: dict[int, Frozen] = {}
    history: dict[tuple[int, int], Values] = {}
    for truth in steps:
        for key, revision in revised(truth, frozen).items():
            assert (key, revision) not in history, "a revision is written once"
            assert revision == (frozen[key].revision + 1 if key in frozen else 0)
            history[key, revision] = truth[key]
            frozen[key] = Frozen(revision, truth[key])
        assert all(same(frozen[key].values, truth[key]) for key in truth)
        assert revised(truth, frozen) == {}


@given(minutes, st.integers(0, 3), st.integers(0, 10**15), st.integers(0, 10**10))
def test_nothing_is_known_before_it_was_due(ts_ns: int, revision: int, waited_ns: int, lateness_ns: int) -> None:
    due = due_ns(ts_ns, lateness_ns)
    known = knowledge(ts_ns, revision, due + waited_ns, lateness_ns)
    assert due <= known.at_ns <= due + waited_ns
    assert known.kind == "live" or revision == 0


@given(st.integers(10 * MINUTE_NS, 10**15), st.integers(0, MINUTE_NS))
def test_newest_due_bar_is_due_and_the_next_is_not(watermark_ns: int, lateness_ns: int) -> None:
    newest = newest_due(watermark_ns, lateness_ns)
    assert newest % MINUTE_NS == 0
    assert due_ns(newest, lateness_ns) <= watermark_ns < due_ns(newest + MINUTE_NS, lateness_ns)


@given(minutes, st.integers(0, 500), st.integers(1, 100))
def test_chunks_hold_every_bar_once_the_newest_first(start_ns: int, bars: int, bars_max: int) -> None:
    span = Span(start_ns, start_ns + bars * MINUTE_NS)
    pieces = chunks(span, bars_max)
    assert sorted(ts for piece in pieces for ts in piece.bars()) == span.bars()
    assert all(len(piece.bars()) <= bars_max for piece in pieces)
    assert [piece.end_ns for piece in pieces] == sorted((piece.end_ns for piece in pieces), reverse=True)


@given(st.lists(minutes, max_size=30), st.integers(0, 120))
def test_every_bar_that_a_change_may_touch_is_rechecked_once(changed: list[int], warm_up_bars: int) -> None:
    spans = spans_to_recheck(changed, warm_up_bars)
    touched = {ts_ns + n * MINUTE_NS for ts_ns in changed for n in range(warm_up_bars + 1)}
    covered = [ts_ns for span in spans for ts_ns in span.bars()]
    assert len(covered) == len(set(covered))
    assert touched == set(covered)
