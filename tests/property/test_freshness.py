"""Goal: a stream is suspected only while it stands still and another view goes away from it; no quiet market is."""

from __future__ import annotations

from hypothesis import assume, given
from hypothesis import strategies as st

from ingest.freshness import LOOKS, Suspicion, Top, evidence_of

prices = st.integers(1, 1_000_000).map(lambda cents: cents / 100)
ids = st.one_of(st.none(), st.integers(1, 10**12))


@st.composite
def tops(draw: st.DrawFn) -> Top:
    bid = draw(prices)
    return Top(bid, bid + draw(prices), draw(ids))


def is_suspected(looks: list[tuple[Top | None, Top | None]]) -> bool:
    """Whether looks, one after the other, end in certainty before one of them speaks against it."""
    suspicion = Suspicion()
    for ours, theirs in looks:
        if not suspicion.grows(ours, theirs):
            return False
        if suspicion.is_certain:
            return True
    return False


@given(top=tops(), count=st.integers(1, 10))
def test_a_quiet_market_looks_the_same_from_both_sides_and_is_never_suspected(top: Top, count: int) -> None:
    assert not is_suspected([(top, top)] * count)


@given(ours=tops(), theirs=st.lists(tops(), min_size=LOOKS, max_size=8))
def test_a_stream_that_moves_between_looks_is_never_suspected(ours: Top, theirs: list[Top]) -> None:
    moving = [Top(ours.bid + step, ours.ask + step, ours.last_id) for step in range(len(theirs))]
    assert not is_suspected(list(zip(moving, theirs, strict=True)))


@given(ours=tops(), first_id=st.integers(1, 10**12), steps=st.lists(st.integers(0, 1_000), min_size=LOOKS, max_size=8))
def test_a_book_that_stands_still_while_the_venues_number_is_beyond_it_is_found_out(
    ours: Top, first_id: int, steps: list[int]
) -> None:
    still = Top(ours.bid, ours.ask, first_id)
    ahead = [Top(ours.bid, ours.ask, first_id + 1 + sum(steps[:place])) for place in range(len(steps))]
    assert is_suspected([(still, theirs) for theirs in ahead])


@given(ours=tops(), theirs=tops(), away=st.lists(st.floats(0, 10), min_size=LOOKS, max_size=8))
def test_best_prices_that_differ_in_one_direction_look_after_look_are_found_out(
    ours: Top, theirs: Top, away: list[float]
) -> None:
    ours, theirs = Top(ours.bid, ours.ask), Top(theirs.bid, theirs.ask)
    evidence = evidence_of(ours, theirs)
    assume(evidence is not None)
    assert evidence is not None
    views = [Top(theirs.bid + step * evidence[0], theirs.ask + step * evidence[1]) for step in away]
    assert is_suspected([(ours, view) for view in views])


@given(ours=tops(), step=prices, count=st.integers(2, 10))
def test_best_prices_that_differ_now_this_way_now_that_are_not_suspected(ours: Top, step: float, count: int) -> None:
    ours = Top(ours.bid, ours.ask)
    views = [Top(ours.bid + step * (-1) ** place, ours.ask + step * (-1) ** place) for place in range(count)]
    assert not is_suspected([(ours, view) for view in views])


@given(looks=st.lists(st.tuples(st.none() | tops(), st.none() | tops()), max_size=10))
def test_what_cannot_be_compared_is_no_evidence_and_certainty_takes_several_looks(
    looks: list[tuple[Top | None, Top | None]],
) -> None:
    if is_suspected(looks):
        assert len(looks) >= LOOKS
        assert all(ours == looks[0][0] and theirs is not None for ours, theirs in looks[:LOOKS])
