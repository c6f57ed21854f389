"""Kraken: what its recordings show beyond the cases that all venues share; how they are read is said there."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Trade
from ingest.books import BookRoom, BookUpdate
from ingest.venues.kraken.dialect import KrakenDialect
from tests.conformance.venues import kraken

NAMES = kraken.RECORDED
NOW_NS = 1_790_000_000_000_000_000
DIALECT = KrakenDialect()
TRADES, BOOKS = kraken.recorded_trades(), kraken.recorded_books()
needs_recording = pytest.mark.skipif(not BOOKS, reason="the recordings KRAKEN.ws.*.gz are not here")


def updates() -> Iterator[BookUpdate]:
    """The books of the recording. It is of depth 1000, and a snapshot without a checksum is not checked."""
    for frame in BOOKS:
        for update in DIALECT.decode("books", frame, NAMES, NOW_NS):
            assert isinstance(update, BookUpdate)
            checksum = None if update.snapshot else update.checksum
            yield msgspec.structs.replace(update, depth=1_000, checksum=checksum)


def room() -> BookRoom:
    return BookRoom(DIALECT.book_rules.follows, 20, 0, DIALECT.book_rules.checksum)


@needs_recording
def test_every_recorded_trade_is_read_with_the_takers_side_and_its_milliseconds() -> None:
    trades = [event for frame in TRADES for event in DIALECT.decode("trades", frame, NAMES, NOW_NS)]
    assert len(trades) == 10
    first = trades[0]
    assert isinstance(first, Trade)
    assert (first.symbol, first.trade_id, first.side, first.price, first.amount) == (
        *("XMR/USD", "1", "sell"),
        *(354.11, 0.89594024),
    )
    assert first.ts_ns == 1_618_678_142_557 * NANOS_PER_MILLI


@needs_recording
@given(place=st.integers(0, 10_000), digit=st.integers(1, 9))
def test_a_change_of_the_best_ten_levels_that_is_altered_is_noticed_at_once(place: int, digit: int) -> None:
    changes = [update for update in updates() if update.symbol == "BTC/CHF"]
    hit = 1 + place % (len(changes) - 1)
    here = room()
    for update in changes[:hit]:
        assert here.take(update) is None
    price, amount = here.books["BTC/CHF"].best_texts(1)[0][0]
    text = (price, f"{amount}{digit}")
    level = (float(text[0]), float(text[1]))
    update = changes[hit]
    altered = msgspec.structs.replace(update, bids=(*update.bids, level), bid_texts=(*update.bid_texts, text))
    assert here.take(altered) == "checksum"
    assert here.due(NOW_NS) == []


@needs_recording
def test_a_book_of_less_depth_than_the_venue_has_is_right_only_while_it_forgets_what_falls_out() -> None:
    whole, cut = room(), room()
    for update in updates():
        whole.take(update)
        if update.snapshot:
            best = msgspec.structs.replace(update, bids=update.bids[:25], asks=update.asks[:25], depth=25)
            cut.take(best)
            continue
        before = whole.books[update.symbol].top(25, NOW_NS)
        assert before is not None
        # What the venue sends to one who keeps 25 levels: changes among them, and levels that come into sight.
        known = cut.books[update.symbol]
        bids = tuple(level for level in before.bids if known.bids.amounts.get(level[0]) != level[1])
        asks = tuple(level for level in before.asks if known.asks.amounts.get(level[0]) != level[1])
        gone_bids = tuple(level for level in update.bids if level[1] == 0.0 and level[0] in known.bids.amounts)
        gone_asks = tuple(level for level in update.asks if level[1] == 0.0 and level[0] in known.asks.amounts)
        sent = msgspec.structs.replace(
            update, bids=(*gone_bids, *bids), asks=(*gone_asks, *asks), depth=25, checksum=None
        )
        assert cut.take(sent) is None
        top = known.top(100, NOW_NS)
        assert top is not None
        assert (top.bids, top.asks) == (before.bids, before.asks)


@needs_recording
def test_each_change_of_best_price_or_amount_is_a_quote_and_nothing_else_is() -> None:
    here, last, quotes = room(), dict[str, object](), 0
    for update in updates():
        here.take(update)
        quote, top = here.new_quote(update.symbol, NOW_NS), here.books[update.symbol].top(1, NOW_NS)
        assert top is not None
        if last.get(update.symbol) == (top.bids, top.asks):
            assert quote is None
            continue
        last[update.symbol] = (top.bids, top.asks)
        assert quote is not None
        assert (((quote.bid, quote.bid_amount),), ((quote.ask, quote.ask_amount),)) == (top.bids, top.asks)
        quotes += 1
    assert quotes == 810
