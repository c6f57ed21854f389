"""Goal: versions are compared without losing a row, and judged by all that is known of their minutes."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from analytics.datasets.verdicts import BarState, Grade, judged
from ares.clock import MINUTE_NS
from ares.lake.frame import Column, Frame, FrameCell, difference, frame_of
from ares.lake.versions import digest_of

KEYS = (Column("ts", "moment"), Column("symbol", "text"))
NAMES = ("close", "rsi_14_v1", "status")
KINDS = {"close": "number", "rsi_14_v1": "number", "status": "text"}
cells = st.one_of(st.none(), st.sampled_from([0.5, 1.0, 1e300]))


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    names = draw(st.lists(st.sampled_from(NAMES[:2]), unique=True))
    columns = [*KEYS, *(Column(name, "number") for name in names)]
    keys = draw(st.lists(st.tuples(st.integers(0, 5).map(lambda m: m * MINUTE_NS), st.sampled_from("AB")), unique=True))
    rows: list[list[FrameCell]] = [[*key, *(draw(cells) for _ in names)] for key in keys]
    return frame_of(columns, 2, rows)


def by_key(frame: Frame) -> dict[tuple[FrameCell, ...], dict[str, FrameCell]]:
    return {record[:2]: dict(zip(frame.names, record, strict=True)) for record in frame.records()}


@given(frames(), frames())
def test_difference_leads_from_the_first_to_the_second_frame(first: Frame, second: Frame) -> None:
    found = difference(first, second)
    before, after = by_key(first), by_key(second)
    assert (set(before) | set(found.added)) - set(found.removed) == set(after)
    shared = set(first.names) & set(second.names)
    for key in set(before) & set(after):
        same = all(before[key][name] == after[key][name] for name in shared)
        assert (key in found.changed) == (not same)
    assert set(found.columns_added) == set(second.names) - set(first.names)
    assert set(found.columns_removed) == set(first.names) - set(second.names)


@given(frames(), frames())
def test_difference_of_the_other_way_round_is_the_mirror_image(first: Frame, second: Frame) -> None:
    there, back = difference(first, second), difference(second, first)
    assert (there.added, there.removed) == (back.removed, back.added)
    assert (set(there.changed), there.changed_columns) == (set(back.changed), back.changed_columns)


@given(frames(), frames())
def test_frames_are_the_same_just_where_their_digests_are(first: Frame, second: Frame) -> None:
    if set(first.columns) == set(second.columns):
        assert difference(first, second).same == (digest_of(first) == digest_of(second))
    elif first.rows or second.rows:
        assert digest_of(first) != digest_of(second)


@given(frames(), st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_count(frame: Frame, chance: object) -> None:
    rows = [list(record) for record in frame.records()]
    assert hasattr(chance, "shuffle")
    chance.shuffle(rows)
    assert digest_of(frame_of(frame.columns, frame.keys, rows)) == digest_of(frame)


bars = st.lists(
    st.builds(
        BarState,
        st.sampled_from("AB"),
        st.integers(0, 4).map(lambda m: m * MINUTE_NS),
        st.sampled_from(["traded", "quiet", "gap"]),
    ),
    unique_by=lambda bar: (bar.symbol, bar.ts_ns),
)
grades = st.lists(
    st.builds(
        Grade,
        st.sampled_from(["stale", "off_tick"]),
        st.sampled_from(["", "A", "C"]),
        st.just("trades"),
        st.sampled_from(["ok", "warn", "fail"]),
    )
)


@given(bars, st.integers(0, 2), grades)
def test_version_is_whole_only_if_every_minute_of_every_symbol_is_there(
    found: list[BarState], unhealed: int, said: list[Grade]
) -> None:
    verdict = judged(found, (0, 5 * MINUTE_NS), {"A": unhealed, "B": 0}, said)
    whole = len(found) == 10 and all(bar.status != "gap" for bar in found) and not unhealed
    assert verdict.gaps == ("unknown" if not found else "whole" if whole else "gaps")
    assert verdict.missing_bars == 10 - len(found)


@given(bars, grades)
def test_quality_is_the_worst_grade_of_its_own_symbols(found: list[BarState], said: list[Grade]) -> None:
    verdict = judged(found, (0, 5 * MINUTE_NS), {"A": 0, "B": 0}, said)
    mine = [each.grade for each in said if each.symbol in {"", "A", "B"}]
    worst = next((grade for grade in ("fail", "warn", "ok") if grade in mine), "unknown")
    assert verdict.quality == worst
    foreign = replace(verdict, not_ok=[])
    assert foreign == replace(
        judged(found, (0, 5 * MINUTE_NS), {"A": 0, "B": 0}, [g for g in said if g.symbol != "C"]), not_ok=[]
    )
