"""Books of a real recording equal the venue's own best bid and ask, and doubtful ones are thrown away."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.model.market import Quote
from ingest.books import LEVELS_MAX, WAITING_MAX, BookRoom, BookUpdate, Fit, OrderBook
from ingest.venues.binance.decoder import decode_depth, decode_quote, decode_snapshot, follows
from ingest.venues.wire import Names

RECORDINGS = Path(__file__).resolve().parents[3] / "simulator" / "recordings"
T0 = 1_700_000_000_000_000_000


def update(first: int, last: int, **changes: object) -> BookUpdate:
    base = BookUpdate(
        venue="sim",
        symbol="BTC/USDT",
        first_id=first,
        last_id=last,
        bids=((99.0, 1.0),),
        asks=((101.0, 1.0),),
        ts_ns=T0 + last,
        received_at_ns=T0 + last,
        ts_source="venue",
    )
    return msgspec.structs.replace(base, **changes)


def snapshot(last: int, **changes: object) -> BookUpdate:
    return update(last, last, snapshot=True, **changes)


def recorded(name: str, symbol: str) -> Iterator[BookUpdate | Quote]:
    """What a recording of a spot market says of its book, in the order of arrival."""
    names = Names("binance", {name.upper(): symbol})
    with gzip.open(RECORDINGS / f"spot_{name}_20240808.gz", "rb") as lines:
        for line in lines:
            stamp, _, text = line.strip().partition(b" ")
            if b"@depth" in text[:40]:
                yield decode_depth(text, names, int(stamp))
            elif b"@bookTicker" in text[:40]:
                yield decode_quote(text, names, int(stamp))
            elif b'"lastUpdateId"' in text[:60]:
                yield decode_snapshot(text, "binance", symbol, int(stamp))


@pytest.mark.parametrize(("name", "symbol"), [("btcusdt", "BTC/USDT"), ("ethusdt", "ETH/USDT")])
def test_book_of_a_recording_shows_the_venues_own_best_bid_and_ask(name: str, symbol: str) -> None:
    book, troubles, compared = OrderBook(follows), 0, 0
    quotes = {each.update_id: each for each in recorded(name, symbol) if isinstance(each, Quote)}
    ids = sorted(quotes)
    position = 0
    for event in recorded(name, symbol):
        if isinstance(event, Quote):
            continue
        troubles += book.apply(event) is not None
        top = book.top(1, event.received_at_ns)
        if top is None or event.snapshot:
            continue
        while position + 1 < len(ids) and ids[position + 1] <= event.last_id:
            position += 1
        if ids[position] > event.last_id:
            continue
        quote = quotes[ids[position]]
        assert (top.bids[0], top.asks[0]) == ((quote.bid, quote.bid_amount), (quote.ask, quote.ask_amount))
        compared += 1
    assert troubles == 0
    assert compared > 3_000


def test_changes_before_the_snapshot_wait_for_it_and_old_ones_are_dropped() -> None:
    book = OrderBook(follows)
    assert book.apply(update(5, 9, bids=((98.0, 7.0),))) is None
    assert book.apply(update(10, 12, bids=((97.0, 3.0),))) is None
    assert not book.is_whole
    assert book.apply(snapshot(9)) is None
    top = book.top(10, T0)
    assert top is not None
    assert (top.update_id, top.bids) == (12, ((99.0, 1.0), (97.0, 3.0)))


def test_first_change_may_begin_before_the_snapshot_ends_and_later_ones_must_not() -> None:
    assert follows(10, update(8, 10), True) is Fit.OLD
    assert follows(10, update(8, 11), True) is Fit.NEXT
    assert follows(10, update(12, 13), True) is Fit.GAP
    assert follows(10, update(8, 11), False) is Fit.GAP
    assert follows(10, update(11, 13), False) is Fit.NEXT


def test_snapshot_older_than_what_waits_is_refused_and_a_newer_one_is_spliced() -> None:
    book = OrderBook(follows)
    book.apply(update(20, 21))
    assert book.apply(snapshot(10)) == "id_jump"
    assert not book.is_whole
    assert book.apply(snapshot(20)) is None
    assert book.is_whole


def test_jump_of_ids_ends_the_book_and_the_change_waits_for_the_next_snapshot() -> None:
    book = OrderBook(follows)
    book.apply(snapshot(10))
    assert book.apply(update(13, 14)) == "id_jump"
    assert book.top(1, T0) is None
    assert book.apply(snapshot(13)) is None
    assert book.newest is not None
    assert book.newest.last_id == 14


def test_book_whose_bid_reaches_its_ask_is_no_book() -> None:
    book = OrderBook(follows)
    book.apply(snapshot(10))
    assert book.apply(update(11, 11, bids=((101.0, 2.0),))) == "crossed"
    assert book.apply(snapshot(12, bids=((102.0, 1.0),))) == "crossed"
    assert not book.is_whole


def test_checksum_that_does_not_match_ends_the_book() -> None:
    book = OrderBook(follows, checksum=lambda one: len(one.bids.texts))
    texts = (("99.0", "1.00"),)
    assert book.apply(snapshot(10, bid_texts=texts, checksum=1)) is None
    assert book.best_texts(5) == ([("99.0", "1.00")], [])
    assert book.apply(update(11, 11, checksum=2)) == "checksum"


def test_level_with_amount_zero_is_gone_and_an_empty_side_has_no_top() -> None:
    book = OrderBook(follows)
    book.apply(snapshot(10))
    assert book.apply(update(11, 11, bids=((99.0, 0.0),), asks=())) is None
    assert book.top(5, T0) is None


def test_what_waits_and_what_lies_far_from_the_best_is_bounded() -> None:
    book = OrderBook(follows)
    for number in range(WAITING_MAX + 10):
        book.apply(update(number + 1, number + 1))
    assert len(book._waiting) == WAITING_MAX
    deep = tuple((90.0 - number / 1_000, 1.0) for number in range(2 * LEVELS_MAX + 1))
    book = OrderBook(follows)
    book.apply(snapshot(10, bids=deep))
    assert len(book.bids.amounts) == LEVELS_MAX
    assert max(book.bids.amounts) == 90.0


def test_tops_are_handed_out_once_in_each_slot_of_the_clock_and_none_is_forgotten() -> None:
    room = BookRoom(follows, levels=5, every_ns=100)
    room.take(snapshot(10))
    assert [book.update_id for book in room.due(T0 + 10)] == [10]
    room.take(update(11, 11))
    assert room.due(T0 + 50) == []
    room.take(update(12, 12))
    assert [(book.update_id, book.received_at_ns) for book in room.due(T0 + 100)] == [(12, T0 + 12)]
    assert room.due(T0 + 500) == []


@given(receipts=st.lists(st.integers(0, 1_000), min_size=1, max_size=40).map(sorted), cuts=st.sets(st.integers(0, 40)))
def test_how_changes_are_cut_into_batches_changes_no_top(receipts: list[int], cuts: set[int]) -> None:
    changes = [update(11 + at, 11 + at, received_at_ns=T0 + ns) for at, ns in enumerate(receipts)]

    def tops(ends: set[int]) -> list[tuple[int, int]]:
        room = BookRoom(follows, levels=5, every_ns=100)
        room.take(snapshot(10, received_at_ns=T0))
        seen = room.due(T0)
        for at, change in enumerate(changes):
            seen += room.due(change.received_at_ns)
            room.take(change)
            if at in ends:
                seen += room.due(change.received_at_ns)
        return [(book.update_id, book.received_at_ns) for book in [*seen, *room.due(T0 + 2_000)]]

    assert tops(cuts) == tops(set()) == tops(set(range(len(changes))))


def test_book_that_broke_is_not_handed_out() -> None:
    room = BookRoom(follows, levels=5, every_ns=100)
    room.take(snapshot(10))
    assert room.take(update(15, 15)) == "id_jump"
    assert room.due(T0) == []
    room.reset()
    assert room.due(T0 + 1_000) == []
