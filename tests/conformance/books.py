"""Books: begun, followed and thrown away as the venue prescribes."""

from __future__ import annotations

import os
from dataclasses import replace

from ares.model.market import Book
from ingest.books import BookRoom, OrderBook
from ingest.venues.dialect import NumbersFrames
from tests.conformance.bench import bench_of, room_of, unhealed, updates_of
from tests.conformance.case import Case
from tests.conformance.frames import said
from tests.conformance.schedules import play
from tests.conformance.specimen import Payload, Sample, Specimen

DROPS = 20
SCHEDULES = int(os.environ.get("ARES_TEST_EXAMPLES", "60"))
SPOILED_AMOUNT = "77"


def has_checksum(specimen: Specimen) -> bool:
    """Whether the venue says what its books must come to."""
    return specimen.dialect.book_rules.checksum is not None


def numbers_frames(specimen: Specimen) -> bool:
    """Whether the venue counts the frames of a line."""
    return isinstance(specimen.dialect, NumbersFrames)


async def snapshot_and_changes_make_the_book(specimen: Specimen) -> None:
    """V09. A snapshot of the stream comes in its place; one of REST at any time after it was made."""
    for snapshot_after in range(5):
        bench = await bench_of(specimen, seed=snapshot_after)
        symbol = specimen.symbols[0]
        arriving: list[Payload] = []
        snapshot: Payload | None = None
        for number in range(5):
            if number == snapshot_after:
                snapshot = bench.snapshot(symbol)
                if specimen.snapshots_by_stream:
                    arriving.append(snapshot)
            arriving.append(bench.move(symbol))
        assert snapshot is not None
        if not specimen.snapshots_by_stream:
            arriving.insert(bench.market.rng.randint(max(snapshot_after, 1), len(arriving)), snapshot)
        for payload in arriving:
            bench.hear("books", [payload])
        assert bench.book_is_true(symbol), f"snapshot after {snapshot_after} changes"
        bench.hear("books", [bench.move(symbol)])
        assert bench.book_is_true(symbol)
        assert bench.feed.resynced == []


async def missing_change_is_noticed(specimen: Specimen) -> None:
    """V10. By an id or a checksum; a change that the next one makes again is not missed by a checksum."""
    noticed = 0
    for seed in range(DROPS):
        bench = await bench_of(specimen, seed)
        lost, kept = specimen.symbols[:2]
        bench.begin_books()
        if seed % 2:  # venues prescribe for the first change after a snapshot what holds for no other
            bench.hear("books", [bench.move(lost)])
        bench.move(lost)
        bench.hear("books", [bench.move(kept), bench.move(lost)])
        assert bench.feed.resynced in ([], [lost]), "only of the symbol that lost something"
        assert bench.book_is_true(kept)
        assert bool(bench.feed.resynced) != bench.book_is_true(lost), "noticed, or nothing was lost by it"
        if bench.feed.resynced:
            noticed += 1
            assert len(unhealed(bench.rows, "books", lost)) == 1
            bench.hear("books", [bench.snapshot(lost)])
            bench.hear("books", [bench.move(lost)])
            assert bench.book_is_true(lost)
            assert unhealed(bench.rows, "books", kept) == []
    assert noticed > DROPS // 2


async def lost_frame_ends_the_line(specimen: Specimen) -> None:
    """V11. Whose change it was cannot be known, so all books begin anew."""
    bench = await bench_of(specimen)
    lost, kept = specimen.symbols[:2]
    bench.begin_books()
    bench.move(lost)
    bench.hear("books", [bench.move(kept)])
    assert bench.breaks == 1
    assert not any(book.is_whole for book in bench.room.books.values())
    assert len(unhealed(bench.rows, "books", lost)) == len(unhealed(bench.rows, "books", kept)) == 1
    bench.begin_books()
    assert bench.book_is_true(lost)
    assert bench.breaks == 1


async def wrong_checksum_is_noticed(specimen: Specimen) -> None:
    """V12."""
    bench = await bench_of(specimen)
    symbol, other = specimen.symbols[:2]
    bench.begin_books()
    true = bench.market.change(symbol, {"99.5": "5"}, {})
    bench.hear("books", [bench.payload(replace(true, bids=(("99.5", SPOILED_AMOUNT),))), bench.move(other)])
    assert bench.feed.resynced == [symbol]
    assert bench.book_is_true(other)
    assert not bench.room.books[symbol].is_whole
    (gap,) = unhealed(bench.rows, "books", symbol)
    assert gap.symbols["cause"] == "checksum"


async def crossed_book_is_never_written(specimen: Specimen) -> None:
    """V13. And the recorded ones come to their end with the venue's own checksum at every change."""
    bench = await bench_of(specimen)
    symbol = specimen.symbols[0]
    bench.begin_books()
    rows = bench.hear("books", [bench.payload(bench.market.change(symbol, {"100.5": "1"}, {}))])
    assert [row for row in rows if isinstance(row, Book)] == []
    assert bench.feed.resynced == [symbol]
    for sample in specimen.samples:
        if sample.channel == "books" and sample.follows:
            follow(specimen, sample)


def follow(specimen: Specimen, sample: Sample) -> BookRoom:
    """Take the frames of a sample in, and look at the book after each."""
    room = room_of(specimen)
    for frame in sample.frames:
        if isinstance(frame, bytes) and specimen.dialect.answer_of(frame) is not None:
            continue
        for update in updates_of(said(specimen, "books", frame, sample.names)):
            assert room.take(update) is None, (sample.origin, update.symbol, update.last_id)
            assert is_uncrossed(room.books[update.symbol]), (sample.origin, update.symbol, update.last_id)
    assert all(book.is_whole for book in room.books.values()), sample.origin
    return room


def is_uncrossed(book: OrderBook) -> bool:
    """Whether the best bid is below the best ask, where there are both."""
    best = book.best()
    return best is None or best[0] < best[1]


async def schedules_are_accounted_for(specimen: Specimen) -> None:
    """V14."""
    for seed in range(SCHEDULES):
        await play(specimen, seed)


CASES = (
    Case("V09", "snapshot and changes make the venue's book, in whatever order they may arrive",
         snapshot_and_changes_make_the_book),
    Case("V10", "a missing change is noticed, and that symbol alone begins anew", missing_change_is_noticed,
         lambda specimen: not numbers_frames(specimen)),
    Case("V11", "a lost frame of a line whose frames are counted ends it", lost_frame_ends_the_line, numbers_frames),
    Case("V12", "a wrong checksum is noticed, and that symbol alone begins anew", wrong_checksum_is_noticed,
         has_checksum),
    Case("V13", "a crossed book is never written; recorded books follow to their end, uncrossed and checked",
         crossed_book_is_never_written),
    Case("V14", "frames dropped, repeated, reordered, replayed, spoiled: a trade is stored once, a hole is a gap, "
         "no book is false", schedules_are_accounted_for),
)  # fmt: skip
