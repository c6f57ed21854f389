"""Goal: which of the statements that run are cancelled, and which never are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ares.config.analysts import AnalystsConfig
from ares.service.analysts import verdicts
from ares.store.pool import OURS, as_ours
from ares.store.running import Running

LIMITS = AnalystsConfig(statement_s_max=10, statements_max=2, memory_mb_max=64)
RUNNING = st.builds(
    Running,
    query_id=st.integers(0, 10**6),
    seconds=st.floats(0, 100),
    text=st.sampled_from(["SELECT 1", "trades", f"SELECT 1\n{OURS}", "INSERT INTO a SELECT 1", "(WITH b AS (c) b)"]),
)


def theirs(query_id: int, seconds: float) -> Running:
    return Running(query_id, seconds, "SELECT 1")


def test_a_statement_is_cancelled_once_it_is_older_than_the_limit() -> None:
    found = list(verdicts([theirs(1, 10.5), theirs(2, 9.5)], 0.0, LIMITS))
    assert [(each.statement.query_id, each.cause, each.observed, each.limit) for each in found] == [
        (1, "too_long", 10.5, 10.0)
    ]


def test_of_too_many_the_newest_go() -> None:
    found = list(verdicts([theirs(1, 3), theirs(2, 2), theirs(3, 1)], 0.0, LIMITS))
    assert [(each.statement.query_id, each.cause) for each in found] == [(3, "too_many")]


def test_memory_costs_one_statement_a_look() -> None:
    running = [theirs(1, 3), theirs(2, 2)]
    assert [(v.statement.query_id, v.cause) for v in verdicts(running, 65.0, LIMITS)] == [(1, "too_much_memory")]
    assert list(verdicts(running, 63.0, LIMITS)) == []
    assert list(verdicts([], 65.0, LIMITS)) == []


@given(st.lists(RUNNING, unique_by=lambda each: each.query_id), st.floats(0, 1_000))
def test_nothing_of_ours_is_cancelled_and_nothing_twice(running: list[Running], held_mb: float) -> None:
    found = [each.statement for each in verdicts(running, held_mb, LIMITS)]
    assert not [each for each in found if each.is_ours]
    assert len({each.query_id for each in found}) == len(found)
    left = [each for each in running if not each.is_ours and each not in found]
    assert len(left) <= LIMITS.statements_max
    assert all(each.seconds <= LIMITS.statement_s_max for each in left)


def test_what_asks_says_that_it_is_ours_and_what_writes_is_left_as_it_is() -> None:
    for text in ("SELECT 1", "-- why\n  select 1", "WITH a AS (b) a", "DECLARE @a := 1 SELECT @a", "SELECT 1 -- one"):
        assert as_ours(text) == f"{text}\n{OURS}"
    for text in ("INSERT INTO a VALUES (1)", "SHOW TABLES", "CREATE VIEW a AS (SELECT 1)"):
        assert as_ours(text) == text
