"""OKX by its documentation: answers, REST, the line's heartbeat. https://www.okx.com/docs-v5/en/ as of 2026-11."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pytest
from aiohttp import WSMsgType, web

from ares.clock import SystemClock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import ConfigError, MalformedFrame
from ares.model.market import Instrument, Trade
from ares.venues import ccxt_settings
from ingest.books import BookUpdate, Fit
from ingest.venues.dialect import Snapshots
from ingest.venues.native_feed import NativeFeed, Parts
from ingest.venues.okx.decoder import follows
from ingest.venues.okx.dialect import OkxDialect
from ingest.venues.okx.rest import OkxWords
from ingest.venues.registry import create_feed
from ingest.venues.rest import Asked
from ingest.venues.wire import Names

NAMES = Names("okx", {"BTC-USDT": "BTC/USDT"})
NOW_NS = 1_700_000_000_000_000_000
ASKED = Asked("okx", "BTC/USDT", "BTC-USDT", NOW_NS)
DIALECT, WORDS = OkxDialect(), OkxWords()
STREAMED = (
    b'{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",'
    b'"px":"42219.9","sz":"0.12060306","side":"buy","source":"0","ts":"1630048897897"}]}'
)
LISTED = {
    "instId": "BTC-USDT",
    "side": "buy",
    "sz": "0.12060306",
    "source": "0",
    "px": "42219.9",
    "tradeId": "130639474",
    "ts": "1630048897897",
}
SUBSCRIBED = b'{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}'
ERROR = b'{"event":"error","code":"60012","msg":"Invalid request: {}","connId":"a4d3ae55"}'
NOTICE = b'{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade."}'
SNAPSHOT = (
    b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["8476.98","415","0","13"]],'
    b'"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","checksum":0,"prevSeqId":-1,"seqId":123456}]}'
)


def test_a_trade_is_the_same_by_stream_and_by_rest() -> None:
    (streamed,) = DIALECT.decode("trades", STREAMED, NAMES, NOW_NS)
    assert isinstance(streamed, Trade)
    (row,) = WORDS.rows_of({"code": "0", "msg": "", "data": [LISTED]})
    assert WORDS.read_trade(row, ASKED) == msgspec.structs.replace(streamed, source="rest")


def test_a_page_of_trades_is_asked_for_backwards_from_the_id_after_its_last() -> None:
    question = WORDS.trades("BTC-USDT", 101, 100)
    assert question.params == {"instId": "BTC-USDT", "type": "1", "after": 201, "limit": 100}


def test_a_candle_counts_once_its_minute_is_over() -> None:
    closed = ["1597026360000", "3.721", "3.743", "3.677", "3.708", "8422410", "22698348.04", "12698348.04", "1"]
    answer = {"code": "0", "data": [["1597026420000", *closed[1:8], "0"], closed]}
    (bar,) = WORDS.read_bars(answer, ASKED)
    assert (bar.ts_ns, bar.open, bar.high, bar.low, bar.close) == (1_597_026_360 * 10**9, 3.721, 3.743, 3.677, 3.708)
    assert (bar.volume, bar.cost, bar.trades, bar.buy_volume) == (8_422_410.0, 12_698_348.04, None, None)
    assert "trades" in bar.columns


def test_an_instrument_has_the_venues_steps_and_no_least_cost() -> None:
    info = {"instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "tickSz": "0.1", "lotSz": "0.00000001"}
    market = {"info": {**info, "state": "live"}, "maker": 0.0008, "taker": 0.001}
    instrument = WORDS.read_instrument(market, "okx", "BTC/USDT")
    assert (instrument.price_tick, instrument.amount_step) == (Decimal("0.1"), Decimal("1E-8"))
    assert (instrument.maker_fee, instrument.taker_fee) == (Decimal("0.0008"), Decimal("0.001"))
    assert instrument.active


@pytest.mark.parametrize(
    ("change", "named"),
    [({"px": "x"}, "price"), ({"tradeId": "-1"}, "trade_id"), ({"side": "both"}, "side"), ({"ts": None}, "ts")],
)
def test_a_refusal_names_our_field(change: Mapping[str, object], named: str) -> None:
    with pytest.raises(MalformedFrame) as refused:
        WORDS.read_trade({**LISTED, **change}, ASKED)
    assert refused.value.field == named


def test_answers_are_told_from_data() -> None:
    assert DIALECT.answer_of(SUBSCRIBED) == "confirmed"
    assert DIALECT.answer_of(ERROR) == "refused"
    assert DIALECT.answer_of(STREAMED) is None
    assert DIALECT.answer_of(NOTICE) == "leaving"
    assert DIALECT.answer_of(NOTICE.replace(b"64008", b"1")) == "confirmed"


def change(prev_id: int, last_id: int) -> BookUpdate:
    (update,) = DIALECT.decode("books", SNAPSHOT, NAMES, NOW_NS)
    assert isinstance(update, BookUpdate)
    return msgspec.structs.replace(update, snapshot=False, prev_id=prev_id, first_id=last_id, last_id=last_id)


def test_changes_of_a_book_follow_by_the_id_before_them() -> None:
    assert follows(10, change(10, 15), first=True) is Fit.NEXT
    assert follows(15, change(15, 15), first=False) is Fit.NEXT  # nothing changed for a minute
    assert follows(15, change(15, 3), first=False) is Fit.NEXT  # ids begin anew after maintenance
    assert follows(15, change(10, 15), first=False) is Fit.OLD
    assert follows(15, change(17, 20), first=False) is Fit.GAP


def test_a_checksum_of_zero_is_none() -> None:
    (update,) = DIALECT.decode("books", SNAPSHOT, NAMES, NOW_NS)
    assert isinstance(update, BookUpdate)
    assert update.checksum is None


@dataclass
class Okx:
    """A venue that says nothing but answers: what it heard, by connection."""

    heard: list[str] = field(default_factory=list)

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        line = web.WebSocketResponse()
        await line.prepare(request)
        async for message in line:
            if message.type is not WSMsgType.TEXT:
                continue
            self.heard.append(message.data)
            if message.data == "ping":
                await line.send_str("pong")
            elif '"subscribe"' in message.data:
                await line.send_str(SUBSCRIBED.decode())
                await line.send_str(SNAPSHOT.decode())
        return line


@asynccontextmanager
async def serving(venue: Okx) -> AsyncIterator[int]:
    app = web.Application()
    app.router.add_get("/ws/v5/{kind}", venue.talk)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def markets(_symbols: Sequence[str]) -> Sequence[Instrument]:
    step, fee = Decimal("0.01"), Decimal("0.001")
    return [Instrument("okx", "BTC/USDT", "BTC-USDT", "BTC", "USDT", step, step, step, fee, fee)]


def no_snapshots(_symbols: Mapping[str, str]) -> Snapshots:
    class Nowhere:
        async def book(self, symbol: str) -> BookUpdate:
            raise AssertionError(f"the stream brings the book of {symbol}")

        async def close(self) -> None:
            return

    return Nowhere()


async def test_a_silent_line_is_kept_alive_by_the_venues_own_word_and_asked_for_a_book_only_when_it_broke() -> None:
    venue = Okx()
    async with serving(venue) as port:
        config = VenueConfig(protocol="okx", ws_url=f"ws://127.0.0.1:{port}", ping_s=0.2)
        ingest = IngestConfig(venue="okx", symbols=("BTC/USDT",), book_s_min=0.05)
        feed = NativeFeed("okx", Parts(DIALECT, markets, no_snapshots), config, ingest, SystemClock())
        await feed.open()
        books: list[object] = []
        async with asyncio.timeout(10), aclosing(feed.frames("books")) as batches:
            async for frames in batches:
                assert all(frame.payload != b"pong" for frame in frames)
                books += [event for frame in frames for event in feed.decode(frame)]
                if venue.heard.count("ping") >= 2 and len(books) == 1:
                    assert [word for word in venue.heard if "unsubscribe" in word] == []
                    feed.resync("BTC/USDT", "books")
                if len(books) == 2:
                    break
    assert len([word for word in venue.heard if "unsubscribe" in word]) == 1


def test_ccxt_collects_only_what_it_was_built_for() -> None:
    with pytest.raises(ConfigError, match=r"venues\.okx\.feed"):
        create_feed("okx", VenueConfig(protocol="okx", feed="ccxt"), IngestConfig(), SystemClock())


def test_a_venue_that_cannot_be_traded_on_yet_says_so() -> None:
    with pytest.raises(ConfigError, match=r"venues\.okx\.protocol"):
        ccxt_settings("okx", VenueConfig(protocol="okx"), private=True)
