"""Best bids and asks out of books, for a venue whose streams do not tell each change of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.model.market import Entry, Quote, TradeRun
from ares.model.row import Row
from ingest.books import BookRoom, BookUpdate, Fit, Level, OrderBook
from ingest.desk import Desk
from ingest.feed import Channel, Frame
from ingest.validation import Limits

BTC = "BTC/USD"
CLOCK = SystemClock()
T0 = CLOCK.now_ns() - 10**9
BID, ASK = (99.0, 1.0), (101.0, 2.0)


@dataclass
class Passing:
    """A feed whose payloads are the events."""

    resynced: list[tuple[str, Channel]] = field(default_factory=list)

    def decode(self, frame: Frame) -> Sequence[object]:
        return [frame.payload]

    def runs(self, frames: Sequence[Frame]) -> None:
        return None

    def resync(self, symbol: str, channel: Channel) -> None:
        self.resynced.append((symbol, channel))


@dataclass
class Bench:
    """A desk and its feed."""

    feed: Passing = field(default_factory=Passing)
    desk: Desk = field(default_factory=lambda: Desk("v", (BTC,), Limits(60.0, 10.0), CLOCK, BookRoom(follows, 5, 0)))

    def rows_of(self, *updates: BookUpdate, channel: Channel = "quotes") -> list[Entry]:
        frames = [Frame(channel, update, update.received_at_ns) for update in updates]
        return list(self.desk.rows_of(self.feed, frames))  # type: ignore[arg-type] - what is used of a feed


def follows(_last_id: int, _update: BookUpdate, _first: bool) -> Fit:
    return Fit.NEXT


def update(
    number: int, bids: Sequence[Level] = (), asks: Sequence[Level] = (), *, snapshot: bool = False, depth: int = 0
) -> BookUpdate:
    return BookUpdate(
        venue="v",
        symbol=BTC,
        first_id=T0,
        last_id=T0,
        bids=tuple(bids),
        asks=tuple(asks),
        ts_ns=T0 + number * NANOS_PER_MILLI,
        received_at_ns=T0 + number * NANOS_PER_MILLI + 5,
        ts_source="venue",
        snapshot=snapshot,
        in_stream=snapshot,
        depth=depth or None,
    )


def whole(number: int) -> BookUpdate:
    return update(number, [BID, (98.0, 5.0)], [ASK, (102.0, 5.0)], snapshot=True)


def quotes_in(rows: Sequence[Entry]) -> list[tuple[float, float, float, float]]:
    return [(row.bid, row.bid_amount, row.ask, row.ask_amount) for row in rows if isinstance(row, Quote)]


def gaps_in(rows: Sequence[Entry]) -> list[tuple[object, object, object]]:
    gaps = [row for row in rows if isinstance(row, Row) and not isinstance(row, TradeRun) and row.table == "gaps"]
    return [(row.symbols["channel"], row.symbols["status"], row.symbols["cause"]) for row in gaps]


def test_each_change_of_best_price_or_amount_is_a_quote_even_within_one_moment_of_the_venue() -> None:
    there = Bench()
    rows = there.rows_of(
        whole(1),
        update(2, bids=[(97.0, 1.0)]),
        update(2, bids=[(99.0, 3.0)]),
        update(2, asks=[(100.5, 1.0)]),
        update(3, bids=[(99.0, 0.0)]),
    )
    best = [(99.0, 1.0, 101.0, 2.0), (99.0, 3.0, 101.0, 2.0), (99.0, 3.0, 100.5, 1.0), (98.0, 5.0, 100.5, 1.0)]
    assert quotes_in(rows) == best
    first = rows[0]
    assert isinstance(first, Quote)
    assert (first.ts_ns, first.ts_source) == (T0 + NANOS_PER_MILLI, "venue")
    assert first.received_at_ns == T0 + NANOS_PER_MILLI + 5


def test_the_books_behind_quotes_are_not_the_books_that_are_written() -> None:
    there = Bench()
    assert quotes_in(there.rows_of(whole(1))) == [(*BID, *ASK)]
    assert there.desk.room is not None
    assert there.desk.room.books == {}
    rows = there.rows_of(whole(2), channel="books")
    assert [row.table for row in rows] == ["books"]


def test_a_crossed_book_gives_no_quote_until_its_new_snapshot_and_the_outage_is_recorded() -> None:
    there = Bench()
    there.rows_of(whole(1))
    crossed = there.rows_of(update(2, bids=[(101.5, 1.0)]))
    assert quotes_in(crossed) == []
    assert gaps_in(crossed) == [("quotes", "open", "crossed")]
    assert there.feed.resynced == [(BTC, "quotes")]
    assert there.rows_of(update(3, bids=[(100.0, 1.0)])) == []
    back = there.rows_of(whole(4))
    assert quotes_in(back) == [(*BID, *ASK)]
    assert gaps_in(back) == [("quotes", "lost", "crossed")]


def test_a_lost_line_is_forgotten_and_the_same_best_prices_are_told_anew() -> None:
    there = Bench()
    there.rows_of(whole(1))
    assert gaps_in(there.desk.interrupted("quotes", "disconnect")) == [("quotes", "open", "disconnect")]
    assert there.rows_of(update(2, bids=[(99.5, 1.0)])) == []
    assert quotes_in(there.rows_of(whole(3))) == [(*BID, *ASK)]


def test_quotes_that_are_shed_are_an_outage_and_the_next_change_ends_it() -> None:
    there = Bench()
    there.rows_of(whole(1))
    there.desk.shed = frozenset({"quotes"})
    dropped = there.rows_of(update(2, bids=[(99.5, 1.0)]))
    assert (quotes_in(dropped), gaps_in(dropped)) == ([], [("quotes", "open", "shed")])
    there.desk.shed = frozenset()
    told = there.rows_of(update(3, bids=[(97.0, 1.0)]))
    assert (quotes_in(told), gaps_in(told)) == ([(99.5, 1.0, *ASK)], [("quotes", "lost", "shed")])


@pytest.mark.parametrize(("bids", "asks"), [([], [ASK]), ([BID], [])])
def test_a_side_that_is_empty_gives_no_quote(bids: Sequence[Level], asks: Sequence[Level]) -> None:
    assert Bench().rows_of(update(1, bids, asks, snapshot=True)) == []


def test_what_falls_out_of_the_depth_is_forgotten_and_does_not_come_back_when_others_go() -> None:
    book = OrderBook(follows)
    book.apply(update(1, [(99.0, 1.0), (98.0, 1.0)], [ASK], snapshot=True, depth=2))
    book.apply(update(2, [(99.5, 1.0)], depth=2))
    assert sorted(book.bids.amounts) == [99.0, 99.5]
    book.apply(update(3, [(99.0, 0.0), (99.5, 0.0)], depth=2))
    assert book.best() is None


def test_the_best_price_is_right_whatever_comes_and_goes() -> None:
    book = OrderBook(follows)
    book.apply(whole(1))
    for number, levels in enumerate([[(99.5, 1.0)], [(99.5, 0.0)], [(99.0, 0.0), (98.5, 2.0)], [(98.7, 1.0)]]):
        book.apply(update(2 + number, levels))
        best = book.best()
        assert best is not None
        assert best[0] == max(book.bids.amounts)
