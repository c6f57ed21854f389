"""Goal: what waits for a slow reader is bounded, loses nothing unsaid, and shows the newest of what only holds now."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from api.stream.channels import BY_NAME
from api.stream.pending import Item, Pending

BATCHES = st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 50)), max_size=10), max_size=20)


def quote(symbol: int, update: int) -> Item:
    row = {"ts": str(update), "venue": "sim", "symbol": str(symbol), "update_id": update}
    return Item(row, str(update).encode(), BY_NAME["quotes"].subject_of(row))


def trade(number: int) -> Item:
    row = {"ts": "", "venue": "sim", "symbol": "", "trade_id": str(number)}
    return Item(row, str(number).encode(), BY_NAME["trades"].subject_of(row))


@given(BATCHES)
def test_of_what_only_holds_now_the_newest_of_each_subject_waits(batches: list[list[tuple[int, int]]]) -> None:
    pending = Pending()
    newest: dict[int, int] = {}
    for batch in batches:
        pending.put([quote(*each) for each in batch])
        newest.update(dict(batch))
    items, lost = pending.take()
    assert ({int(str(item.row["symbol"])): int(item.text) for item in items}, lost) == (newest, 0)
    assert pending.take() == ([], 0)


@given(st.integers(1, 30), st.lists(st.integers(0, 100), unique=True))
def test_of_facts_every_one_waits_or_is_counted_as_lost_the_oldest_first(items_max: int, numbers: list[int]) -> None:
    pending = Pending(items_max)
    for number in numbers:
        pending.put([trade(number)])
        assert len(pending) <= items_max
    items, lost = pending.take()
    assert [int(item.text) for item in items] == numbers[lost:]
    assert lost == max(0, len(numbers) - items_max)


def test_rows_that_never_came_count_as_one_at_least_until_it_was_told() -> None:
    pending = Pending()
    pending.put([trade(1)])
    pending.miss()
    items, lost = pending.take()
    assert ([int(item.text) for item in items], lost) == ([1], 1)
    assert pending.take() == ([], 0)
