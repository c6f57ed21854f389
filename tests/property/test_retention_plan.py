"""Whatever the facts, the plan drops nothing that is not proved, is still needed, or is younger than its rule says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.clock import DAY_NS, to_datetime
from ares.config.lake import TierRule
from ares.store import Record
from backup.tiers.facts import whole_partitions
from backup.tiers.model import ColdDay, DayKey, Hold, HotPartition, State, Surroundings, TableFacts
from backup.tiers.plan import MARGIN_DAYS, needs_copy, plan
from backup.tiers.querying import Span, source_of, sources

NOW_NS = 20_500 * DAY_NS + DAY_NS // 3
DAYS = 8
SYMBOLS = ("A/B", "C/D")
states: st.SearchStrategy[State] = st.sampled_from(["copied", "proved", "dropped"])
rules = st.builds(
    TierRule,
    table=st.just("trades"),
    parquet_after_days=st.integers(0, 4),
    cold_after_days=st.integers(1, 2),
    drop_after_days=st.integers(3, 5),
)


@st.composite
def facts(draw: st.DrawFn) -> TableFacts:
    partitions, hot, cold = [], {}, {}
    for back in range(DAYS, -1, -1):
        day_ns = NOW_NS - NOW_NS % DAY_NS - back * DAY_NS
        rows = draw(st.integers(0, 3))
        for symbol in SYMBOLS[:rows]:
            hot[DayKey(day_ns, "v", symbol)] = draw(st.integers(1, 3))
        for symbol in SYMBOLS:
            if draw(st.booleans()):
                state, copied = draw(states), draw(st.integers(1, 3))
                recorded_ns = day_ns + draw(st.integers(1, 9)) * DAY_NS
                cold[DayKey(day_ns, "v", symbol)] = ColdDay(
                    state, 1, copied, "", 1, recorded_ns, was_proved=state != "copied"
                )
        count = sum(n for day, n in hot.items() if day.day_ns == day_ns)
        if count:
            name = f"{to_datetime(day_ns):%Y-%m-%d}"
            partitions.append(HotPartition(name, count, count * 10, draw(st.booleans()), active=back == 0))
    return TableFacts("trades", tuple(partitions), hot, cold, feeds_views=draw(st.booleans()))


@st.composite
def surroundings(draw: st.DrawFn) -> Surroundings:
    holds = []
    for _ in range(draw(st.integers(0, 3))):
        from_ns = NOW_NS - draw(st.integers(0, DAYS * 24)) * (DAY_NS // 24)
        symbol = draw(st.none() | st.sampled_from(SYMBOLS))
        tables = draw(st.none() | st.sampled_from([frozenset({"trades"}), frozenset({"quotes"})]))
        holds.append(Hold("needed", from_ns, from_ns + draw(st.integers(1, 3 * DAY_NS)), tables, "v", symbol))
    proved = draw(st.none() | st.integers(NOW_NS - DAYS * DAY_NS, NOW_NS))
    return Surroundings(NOW_NS, tuple(holds), proved, draw(st.integers(0, 6)))


@given(rules, facts(), surroundings())
def test_what_is_dropped_is_old_proved_in_a_backup_and_needed_by_nobody(
    rule: TierRule, known: TableFacts, around: Surroundings
) -> None:
    ends = {part.name: part.end_ns for part in known.partitions}
    for step in plan(rule, known, around):
        if step.action != "drop" or step.refusals:
            continue
        assert all(ends[name] + rule.drop_after_days * DAY_NS <= NOW_NS for name in step.partitions)
        inside = [day for day in known.hot if day.date in step.partitions]
        assert set(inside) == set(step.days)
        for day in inside:
            assert known.cold[day].state == "proved"
            assert known.cold[day].rows >= known.hot[day]
            assert around.proved_ns is None or around.proved_ns >= known.cold[day].recorded_ns
            assert not any(hold.touches("trades", day) for hold in around.holds)


@given(rules, facts(), surroundings())
def test_where_rows_go_by_age_nothing_goes_before_something_older_and_what_is_next_is_proved(
    rule: TierRule, known: TableFacts, around: Surroundings
) -> None:
    drops = [step for step in plan(rule, known, around) if step.action == "drop"]
    free = [not step.refusals for step in drops]
    if not known.feeds_views or not any(free):
        return
    assert free == sorted(free, reverse=True)
    assert 0 < around.late_trades_days < rule.drop_after_days
    last = max(part.end_ns for part in known.partitions if part.name in drops[sum(free) - 1].partitions)
    beyond = [day for day in known.hot if last <= day.day_ns < last + MARGIN_DAYS * DAY_NS]
    assert not any(needs_copy(known, day) for day in beyond)


@given(rules, facts(), surroundings())
def test_every_old_day_that_the_cold_tier_lacks_is_copied(
    rule: TierRule, known: TableFacts, around: Surroundings
) -> None:
    copied = {day for step in plan(rule, known, around) if step.action == "copy" for day in step.days}
    for day in known.hot:
        old = day.day_ns + (1 + rule.cold_after_days) * DAY_NS <= NOW_NS
        assert (day in copied) == (old and needs_copy(known, day))


@given(facts())
def test_every_day_is_read_from_where_all_its_rows_are(known: TableFacts) -> None:
    found = sources(known.hot, known.cold, Span(0, NOW_NS + DAY_NS))
    assert set(found) == set(known.hot) | set(known.cold)
    for day, source in found.items():
        cold = known.cold.get(day)
        if cold is None or not cold.was_proved:
            assert source == "hot"
        elif day not in known.hot:
            assert source == "cold"
        assert source != "cold" or source_of(known.hot.get(day, 0), cold) == "cold"


def test_partition_that_lies_in_parts_is_one() -> None:
    """QuestDB lets rows that come out of order lie in a part of their own, named by its first moment."""

    def row(name: str, unit: str, rows: int, *, active: bool = False) -> Record:
        return {
            "name": name,
            "unit": unit,
            "rows": rows,
            "size_bytes": rows * 10,
            "is_parquet": False,
            "active": active,
        }

    parts = [
        row("2026-11-01T00", "HOUR", 3),
        row("2026-11-01T01", "HOUR", 5),
        row("2026-11-01T015000-000000001", "HOUR", 2, active=True),
    ]
    found = whole_partitions(parts)
    assert [(part.name, part.rows, part.size_bytes, part.active) for part in found] == [
        ("2026-11-01T00", 3, 30, False),
        ("2026-11-01T01", 7, 70, True),
    ]
    days = whole_partitions([row("2026-11-01", "DAY", 1), row("2026-11-01T204000-000000001", "DAY", 1)])
    assert [(part.name, part.end_ns - part.start_ns) for part in days] == [("2026-11-01", DAY_NS)]


@given(st.sampled_from(["2026-01", "2026-12", "2026-02-28", "2026-12-31", "2026-06-01T23"]))
def test_partition_ends_where_the_next_begins(name: str) -> None:
    part = HotPartition(name, 1, 1, is_parquet=False, active=False)
    after = to_datetime(part.end_ns)
    assert part.start_ns < part.end_ns
    expected = {"2026-01": "2026-02", "2026-12": "2027-01", "2026-02-28": "2026-03-01", "2026-12-31": "2027-01-01"}
    assert f"{after:%Y-%m-%dT%H}".startswith(expected.get(name, "2026-06-02T00"))
