"""Coinbase by its documentation: answers, REST. https://docs.cdp.coinbase.com as of 2026-09."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from decimal import Decimal

import msgspec
import pytest

from ares.errors import MalformedFrame
from ingest.books import BookRoom, BookUpdate
from ingest.feed import ChainBroken, Frame
from ingest.venues.coinbase.dialect import CoinbaseDialect
from ingest.venues.coinbase.rest import CoinbaseWords
from ingest.venues.rest import Asked
from ingest.venues.wire import Names
from tests.venue_line import SaidVenue, feed_of, listen

NAMES = Names("coinbase", {"BTC-USD": "BTC/USD", "ETH-USD": "ETH/USD"})
NOW_NS = 1_790_000_000_000_000_000
ASKED = Asked("coinbase", "BTC/USD", "BTC-USD", NOW_NS)
DIALECT, WORDS = CoinbaseDialect(), CoinbaseWords()

STREAMED = (
    b'{"channel":"market_trades","client_id":"","timestamp":"2025-02-09T20:19:35.39625135Z","sequence_num":7,'
    b'"events":[{"type":"update","trades":[{"trade_id":"75","product_id":"BTC-USD","price":"10.5",'
    b'"size":"0.010","side":"SELL","time":"2025-02-09T20:19:35.2788Z"},{"trade_id":"74","product_id":"BTC-USD",'
    b'"price":"10.00","size":"0.01000000","side":"BUY","time":"2025-02-09T20:19:35.278554Z"}]}]}'
)
"""https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels"""
LISTED = {
    "time": "2025-02-09T20:19:35.278554Z",
    "trade_id": 74,
    "price": "10.00000000",
    "size": "0.01000000",
    "side": "buy",
}
"""https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades"""
HEARTBEAT = (
    b'{"channel":"heartbeats","client_id":"","timestamp":"2023-06-23T20:31:26.122969572Z","sequence_num":0,"events":'
    b'[{"current_time":"2023-06-23 20:31:56.121961769 +0000 UTC m=+91717.525857105","heartbeat_counter":"3049"}]}'
)
SUBSCRIBED = (
    b'{"channel":"subscriptions","client_id":"","timestamp":"2023-06-23T20:31:26.122969572Z","sequence_num":1,"events":'
    b'[{"subscriptions":{"level2":["BTC-USD"]}}]}'
)
ERROR = b'{"type":"error","message":"BTC-XYZ is not a valid product"}'
SNAPSHOT = (
    b'{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":2,"events":'
    b'[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2023-02-09T20:32:50.7Z",'
    b'"price_level":"21921.73","new_quantity":"0.06317902"},{"side":"offer","event_time":"2023-02-09T20:32:50.65Z",'
    b'"price_level":"21921.74","new_quantity":"0.02"}]}]}'
)


def test_a_page_of_trades_is_asked_for_backwards_from_the_id_after_its_last() -> None:
    assert WORDS.trades("BTC-USD", 101, 100).params == {"id": "BTC-USD", "after": 201, "limit": 100}


def test_candles_are_asked_for_by_their_first_and_their_last_minute() -> None:
    params = WORDS.bars("BTC-USD", 1_739_132_340 * 10**9, 1_739_132_460 * 10**9).params
    assert (params["start"], params["end"]) == ("2025-02-09T20:19:00Z", "2025-02-09T20:20:00Z")
    (bar,) = WORDS.read_bars([[1415398768, 0.32, 4.2, 0.35, 4.1, 12.3]], ASKED)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (0.35, 4.2, 0.32, 4.1, 12.3)
    assert (bar.ts_ns, bar.cost, bar.trades, bar.buy_volume) == (1_415_398_768 * 10**9, None, None, None)


def test_an_instrument_has_the_venues_steps() -> None:
    info = {"id": "BTC-USD", "base_currency": "BTC", "quote_currency": "USD", "quote_increment": "0.01"}
    info |= {"base_increment": "0.00000001", "min_market_funds": "1", "status": "online"}
    instrument = WORDS.read_instrument({"info": info, "maker": 0.004, "taker": 0.006}, "coinbase", "BTC/USD")
    assert (instrument.venue_symbol, instrument.price_tick) == ("BTC-USD", Decimal("0.01"))
    assert (instrument.amount_step, instrument.cost_min) == (Decimal("1E-8"), Decimal(1))
    assert instrument.active


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"price": "x"}, "price"),
        ({"trade_id": "-1"}, "trade_id"),
        ({"side": "both"}, "side"),
        ({"time": "2025-02-30T20:19:35Z"}, "ts"),
        ({"time": "2025-02-09T20:19:35.278554"}, "ts"),
    ],
)
def test_a_refusal_names_our_field(change: Mapping[str, object], named: str) -> None:
    with pytest.raises(MalformedFrame) as refused:
        WORDS.read_trade({**LISTED, **change}, ASKED)
    assert refused.value.field == named


def test_answers_and_heartbeats_are_told_from_data() -> None:
    assert DIALECT.answer_of(SUBSCRIBED) == "confirmed"
    assert DIALECT.answer_of(ERROR) == "refused"
    assert DIALECT.answer_of(STREAMED) is None
    for payload in (SUBSCRIBED, HEARTBEAT):
        assert DIALECT.decode("trades", payload, NAMES, NOW_NS) == []
        assert DIALECT.decode("books", payload, NAMES, NOW_NS) == []


def test_a_message_of_trades_without_trades_is_refused_and_not_taken_for_a_quiet_market() -> None:
    with pytest.raises(MalformedFrame):
        DIALECT.decode("trades", STREAMED.replace(b'"trades"', b'"deals"'), NAMES, NOW_NS)
    with pytest.raises(MalformedFrame):
        DIALECT.decode("books", SNAPSHOT.replace(b'"updates"', b'"levels"'), NAMES, NOW_NS)


def test_a_book_has_the_time_of_its_newest_change_and_the_number_of_when_it_was_sent() -> None:
    (update,) = DIALECT.decode("books", SNAPSHOT, NAMES, NOW_NS)
    assert isinstance(update, BookUpdate)
    assert (update.ts_ns, update.last_id) == (1_675_974_770_700_000_000, 1_675_974_770_714_964_855)
    assert (update.snapshot, update.in_stream, update.bids) == (True, True, ((21_921.73, 0.06317902),))


def test_a_new_snapshot_replaces_what_came_before_it() -> None:
    room = BookRoom(DIALECT.book_rules.follows, 5, 0)
    (update,) = DIALECT.decode("books", SNAPSHOT, NAMES, NOW_NS)
    assert isinstance(update, BookUpdate)
    assert room.take(msgspec.structs.replace(update, snapshot=False, in_stream=False, bids=((1.0, 1.0),))) is None
    assert room.due(NOW_NS) == []
    assert room.take(update) is None
    assert [book.bids for book in room.due(NOW_NS)] == [update.bids]


def counted(number: int, payload: bytes = SNAPSHOT) -> bytes:
    return payload.replace(b'"sequence_num":2', f'"sequence_num":{number}'.encode())


CHANGE = SNAPSHOT.replace(b'"snapshot"', b'"update"')
CONFIRMED = SUBSCRIBED.replace(b'"sequence_num":1', b'"sequence_num":2')
BTC = {"BTC-USD": "BTC/USD"}


async def test_a_frame_that_was_lost_ends_the_line_of_books_and_what_came_before_it_is_kept() -> None:
    said = [counted(0), counted(1, CONFIRMED), counted(2, CHANGE), counted(4, CHANGE)]
    venue = SaidVenue(lambda heard: said if "level2" in heard else [])
    events: list[object] = []
    async with feed_of(venue, "coinbase", DIALECT, BTC) as feed:

        def take(frames: Sequence[Frame]) -> None:
            events.extend([event for frame in frames for event in feed.decode(frame)])

        with pytest.raises(ChainBroken, match="after number 2"):
            await listen(feed, "quotes", take)
    assert len(events) == 2
    assert [json.loads(word)["channel"] for word in venue.heard] == ["heartbeats", "level2"]


async def test_a_line_of_trades_goes_on_after_a_frame_that_was_lost_for_ids_tell_what_it_held() -> None:
    trades = STREAMED.replace(b'"sequence_num":7', b'"sequence_num":2')
    said = [counted(0, trades), counted(1, CONFIRMED), counted(9, trades)]
    venue = SaidVenue(lambda heard: said if "market_trades" in heard else [])
    events: list[object] = []
    async with (
        feed_of(venue, "coinbase", DIALECT, BTC) as feed,
        asyncio.timeout(10),
        aclosing(feed.frames("trades")) as batches,
    ):
        async for frames in batches:
            events += [event for frame in frames for event in feed.decode(frame)]
            if len(events) == 4:
                break
    assert feed.is_live("trades") is False
