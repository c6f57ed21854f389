"""OKX: what its recording shows beyond the cases that all venues share."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.model.market import Quote
from ingest.books import BookRoom, BookUpdate
from ingest.venues.okx.dialect import OkxDialect
from ingest.venues.wire import Names
from tests.conformance.venues import okx

NAMES = Names("okx", {name: name for name in okx.RECORDED.by_venue_symbol})
NOW_NS = 1_700_000_000_000_000_000
DIALECT = OkxDialect()
BOOKS = [frame for frame in okx.recorded("books")() if isinstance(frame, bytes)]
TRADES = [frame for frame in okx.recorded("trades")() if isinstance(frame, bytes)]
TOP = okx.BBO_TBT
needs_recording = pytest.mark.skipif(not BOOKS, reason="the recording OKX.ws.1.0.gz is not here")


@needs_recording
@given(place=st.integers(1, 10_000), digit=st.integers(1, 9))
def test_a_change_that_is_lost_or_altered_is_noticed(place: int, digit: int) -> None:
    rules = DIALECT.book_rules
    frames = [frame for frame in BOOKS if b'"BTC-USDT"' in frame]
    hit = 1 + place % (len(frames) - 1)
    room = BookRoom(rules.follows, 20, 0, rules.checksum)
    troubles = []
    for number, frame in enumerate(frames[: hit + 2]):
        if number == hit and digit > 5:
            continue
        for update in DIALECT.decode("books", frame, NAMES, NOW_NS):
            assert isinstance(update, BookUpdate)
            altered = update
            if number == hit:
                price, amount = room.books["BTC-USDT"].best_texts(1)[0][0]
                text = (price, f"{amount}{digit}")
                altered = with_level(update, text)
            troubles.append(room.take(altered))
    if hit + 1 < len(frames):
        assert any(trouble is not None for trouble in troubles)


def with_level(update: BookUpdate, text: tuple[str, str]) -> BookUpdate:
    """The change with one more level in it."""
    level = (float(text[0]), float(text[1]))
    return msgspec.structs.replace(update, bids=(*update.bids, level), bid_texts=(*update.bid_texts, text))


def test_the_best_bid_and_ask_are_read_with_the_venues_time() -> None:
    (quote,) = DIALECT.decode("quotes", TOP, NAMES, NOW_NS)
    assert quote == Quote(
        "okx", "BTC-USDT", 363_996_337, 8445.0, 1.5, 8446.0, 95.0, 1_597_026_383_085_000_000, NOW_NS, "venue"
    )
