"""Kraken by its documentation: answers, REST, the checksum. https://docs.kraken.com/exchange as of 2026-09."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal

import msgspec
import pytest

from ares.errors import MalformedFrame, VenueRejected
from ares.model.market import Trade
from ingest.books import BookRoom, BookUpdate
from ingest.feed import Channel, Frame
from ingest.venues.kraken.decoder import rest_pair
from ingest.venues.kraken.dialect import KrakenDialect
from ingest.venues.kraken.rest import KrakenWords
from ingest.venues.native_feed import NativeFeed
from ingest.venues.rest import Asked
from ingest.venues.wire import Names
from tests.conformance.venues.kraken import CHECKED, REFUSED, STATUS, SUBSCRIBED, UPDATE
from tests.venue_line import SaidVenue, feed_of, listen

NAMES = Names("kraken", {"BTC/USD": "BTC/USD", "MATIC/USD": "MATIC/USD"})
NOW_NS = 1_790_000_000_000_000_000
ASKED = Asked("kraken", "BTC/USD", "BTC/USD", NOW_NS)
DIALECT, WORDS = KrakenDialect(), KrakenWords()

STREAMED = (
    b'{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":30243.4,"qty":0.34507674,'
    b'"ord_type":"market","trade_id":61044952,"timestamp":"2023-07-06T18:53:17.827736Z"}]}'
)
LISTED = ["30243.40000", "0.34507674", 1688669597.8277369, "b", "m", "", 61044952]
"""https://docs.kraken.com/api-reference/market-data/get-recent-trades"""


def update_of(payload: bytes) -> BookUpdate:
    (update,) = DIALECT.decode("books", payload, NAMES, NOW_NS)
    assert isinstance(update, BookUpdate)
    return update


def room() -> BookRoom:
    return BookRoom(DIALECT.book_rules.follows, 10, 0, DIALECT.book_rules.checksum)


def test_the_documented_snapshot_has_the_documented_checksum_and_another_one_is_refused() -> None:
    assert room().take(update_of(CHECKED)) is None
    assert room().take(update_of(CHECKED.replace(b"3310070434", b"3310070435"))) == "checksum"
    assert room().take(update_of(CHECKED.replace(b"0.10000000", b"0.1"))) == "checksum"  # zeros are digits too


def test_a_book_that_broke_believes_in_the_next_snapshot_whatever_came_before_it() -> None:
    here = room()
    assert here.take(update_of(CHECKED)) is None
    lost = UPDATE.replace(b"MATIC/USD", b"BTC/USD")
    assert here.take(update_of(lost)) == "checksum"
    assert here.take(update_of(lost)) is None  # still coming from the old subscription
    assert here.due(NOW_NS) == []
    assert here.take(update_of(CHECKED)) is None
    assert len(here.due(NOW_NS)) == 1


def test_a_change_has_the_venues_time_and_a_snapshot_without_one_that_of_its_receipt() -> None:
    assert (update_of(UPDATE).ts_ns, update_of(UPDATE).ts_source) == (1_696_613_755_440_295_000, "venue")
    assert (update_of(CHECKED).ts_ns, update_of(CHECKED).ts_source) == (NOW_NS, "receipt")


@pytest.mark.parametrize("micros", [0, 1, 999, 138_228, 139_000, 698_379, 999_999])
def test_a_time_that_went_through_a_float_is_in_the_millisecond_of_the_stream(micros: int) -> None:
    streamed = STREAMED.replace(b"17.827736Z", f"17.{micros:06d}Z".encode())
    (trade,) = DIALECT.decode("trades", streamed, NAMES, NOW_NS)
    row = [*LISTED[:2], float(f"1688669597.{micros:06d}"), *LISTED[3:]]
    assert trade == msgspec.structs.replace(WORDS.read_trade(row, ASKED), source="stream")


def test_an_answer_for_another_number_of_pairs_than_one_makes_no_sense() -> None:
    with pytest.raises(MalformedFrame, match="pairs"):
        WORDS.rows_of({"error": [], "result": {"last": "1"}})


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [(0, "x", "price"), (2, -1.0, "ts"), (2, "nan", "ts"), (3, "q", "side"), (6, 0, "trade_id")],
)
def test_a_refusal_names_our_field(place: int, value: object, named: str) -> None:
    row = [*LISTED[:place], value, *LISTED[place + 1 :]]
    with pytest.raises(MalformedFrame) as refused:
        WORDS.read_trade(row, ASKED)
    assert refused.value.field == named


def test_a_greeting_is_no_answer_and_answers_are_told_from_data() -> None:
    assert DIALECT.answer_of(STATUS) == "greeting"
    assert DIALECT.answer_of(SUBSCRIBED) == "confirmed"
    assert DIALECT.answer_of(REFUSED) == "refused"
    assert DIALECT.answer_of(STREAMED) is None
    assert DIALECT.decode("books", STATUS, NAMES, NOW_NS) == ()


def test_a_candle_tells_its_trades_and_not_what_was_paid() -> None:
    rows = [[1762777020, "106038.2", "106040.0", "106030.1", "106038.9", "106037.5", "1.25", 7]]
    (bar,) = WORDS.read_bars({"error": [], "result": {"XXBTZUSD": rows, "last": 1762776960}}, ASKED)
    assert (bar.ts_ns, bar.open, bar.high, bar.low) == (1_762_777_020 * 10**9, 106_038.2, 106_040.0, 106_030.1)
    assert (bar.close, bar.volume, bar.cost, bar.trades, bar.buy_volume) == (106_038.9, 1.25, None, 7, None)


INFO = {"altname": "XBTUSD", "wsname": "XBT/USD", "pair_decimals": 1, "lot_decimals": 8, "status": "online"}


@pytest.mark.parametrize(
    ("more", "tick", "cost_min", "active"),
    [({"tick_size": "0.1", "costmin": "0.5"}, "0.1", "0.5", True), ({"status": "cancel_only"}, "0.1", "0", False)],
)
def test_an_instrument_has_the_venues_steps_and_the_name_of_the_stream(
    more: Mapping[str, object], tick: str, cost_min: str, active: bool
) -> None:
    instrument = WORDS.read_instrument({"info": {**INFO, **more}, "maker": 0.0025, "taker": 0.004}, "kraken", "BTC/USD")
    assert (instrument.venue_symbol, instrument.base, instrument.quote) == ("BTC/USD", "BTC", "USD")
    assert (instrument.price_tick, instrument.amount_step) == (Decimal(tick), Decimal("1E-8"))
    assert (instrument.cost_min, instrument.taker_fee) == (Decimal(cost_min), Decimal("0.004"))
    assert instrument.active is active


def test_rest_calls_a_pair_by_its_old_name() -> None:
    assert (rest_pair("BTC/USD"), rest_pair("DOGE/BTC"), rest_pair("ETH/EUR")) == ("XBTUSD", "XDGXBT", "ETHEUR")


BTC = {"BTC/USD": "BTC/USD"}


async def taken(feed: NativeFeed, channel: Channel, until: Callable[[list[object]], bool]) -> list[object]:
    """What a line says until that is enough."""
    events: list[object] = []
    async with asyncio.timeout(10), aclosing(feed.frames(channel)) as batches:
        async for frames in batches:
            for frame in frames:
                events += feed.decode(frame)
            if until(events):
                break
    return events


async def test_a_venue_that_only_greeted_has_confirmed_nothing() -> None:
    venue = SaidVenue(lambda _: [], greeting=[STATUS])
    async with (
        feed_of(venue, "kraken", DIALECT, BTC) as feed,
        asyncio.timeout(10),
        aclosing(feed.frames("books")) as batches,
    ):
        async for frames in batches:
            assert not frames
            assert not feed.is_live("books")
            if venue.heard:
                break


async def test_a_refusal_of_a_later_request_keeps_the_frame_and_ends_the_line() -> None:
    venue = SaidVenue(lambda heard: [REFUSED] if "unsubscribe" in heard else [SUBSCRIBED, CHECKED], greeting=[STATUS])
    async with feed_of(venue, "kraken", DIALECT, BTC) as feed:
        refused: list[Frame] = []

        def take(frames: Sequence[Frame]) -> None:
            if frames and not refused:
                feed.resync("BTC/USD", "books")
            for frame in frames:
                try:
                    feed.decode(frame)
                except MalformedFrame:
                    refused.append(frame)

        with pytest.raises(VenueRejected, match="Currency pair not supported"):
            await listen(feed, "books", take)
        assert len(refused) == 1


async def test_trades_are_asked_for_with_the_newest_that_were_before() -> None:
    venue = SaidVenue(lambda _: [SUBSCRIBED, STREAMED], greeting=[STATUS])
    async with feed_of(venue, "kraken", DIALECT, BTC) as feed:
        (trade,) = await taken(feed, "trades", bool)
    assert isinstance(trade, Trade)
    assert json.loads(venue.heard[0])["params"] == {"channel": "trade", "symbol": ["BTC/USD"], "snapshot": True}
