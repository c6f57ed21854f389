"""OKX by its documentation: answers, REST, the line's heartbeat. https://www.okx.com/docs-v5/en/ as of 2026-11."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from ares.clock import SystemClock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import ConfigError, MalformedFrame
from ares.venues import ccxt_settings
from ingest.books import BookUpdate, Fit
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


def test_ccxt_collects_only_what_it_was_built_for() -> None:
    with pytest.raises(ConfigError, match=r"venues\.okx\.feed"):
        create_feed("okx", VenueConfig(protocol="okx", feed="ccxt"), IngestConfig(), SystemClock())


def test_a_venue_that_cannot_be_traded_on_yet_says_so() -> None:
    with pytest.raises(ConfigError, match=r"venues\.okx\.protocol"):
        ccxt_settings("okx", VenueConfig(protocol="okx"), private=True)
