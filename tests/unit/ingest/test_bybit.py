"""Bybit by its documentation: requests, answers, candles, instruments. https://bybit-exchange.github.io/docs/v5/intro"""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest

from ares.clock import HOUR_NS, MINUTE_NS, NANOS_PER_MILLI
from ares.config.settings import VenueConfig
from ares.errors import ConfigError, MalformedFrame
from ares.venues import ccxt_settings
from ingest.books import BookUpdate, Fit
from ingest.funding import FundingUpdate
from ingest.intakes import IDS_WITH_HOLES, has_dense_ids
from ingest.venues.bybit.decoder import follows
from ingest.venues.bybit.dialect import BybitDialect
from ingest.venues.bybit.rest import BybitWords, LinearWords
from ingest.venues.registry import LANGUAGES
from ingest.venues.rest import Asked, channels_of
from ingest.venues.wire import Names
from tests.bybit import Bybit

NOW_NS = 1_800_000_000_000_000_000
SPOT, LINEAR = BybitDialect("spot"), BybitDialect("linear")
NAMES = Names("bybit", {"BTCUSDT": "BTC/USDT"})
ASKED = Asked("bybit", "BTC/USDT", "BTCUSDT", NOW_NS)


def test_a_category_has_an_address_of_its_own() -> None:
    assert SPOT.address(None, "trades") == "wss://stream.bybit.com/v5/public/spot"
    assert LINEAR.address("ws://127.0.0.1:1/", "books") == "ws://127.0.0.1:1/v5/public/linear"


def test_no_request_asks_for_more_than_ten_topics() -> None:
    names = Names("bybit", {f"A{number}USDT": f"A{number}/USDT" for number in range(23)})
    requests = [orjson.loads(request) for request in SPOT.opening("quotes", names, levels=20)]
    assert [len(request["args"]) for request in requests] == [10, 10, 3]
    assert requests[0] == {"op": "subscribe", "args": [f"orderbook.1.A{number}USDT" for number in range(10)]}


def test_a_new_snapshot_comes_with_a_new_subscription() -> None:
    requests = [orjson.loads(request) for request in LINEAR.resubscription("BTC/USDT", NAMES)]
    topics = ["orderbook.200.BTCUSDT"]
    assert requests == [{"op": "unsubscribe", "args": topics}, {"op": "subscribe", "args": topics}]


def test_answers_are_told_from_data() -> None:
    assert (
        SPOT.answer_of(b'{"success":true,"ret_msg":"subscribe","conn_id":"1764937c","op":"subscribe"}') == "confirmed"
    )
    assert SPOT.answer_of(b'{"success":false,"ret_msg":"error:handler not found","conn_id":"1","op":"subscribe"}') == (
        "refused"
    )
    assert SPOT.answer_of(b'{"topic":"publicTrade.BTCUSDT","ts":1,"type":"snapshot","data":[]}') is None


def change(update_id: int) -> BookUpdate:
    frame = orjson.dumps(
        {"topic": "orderbook.200.BTCUSDT", "type": "delta", "ts": 1, "data": Bybit().levels("BTCUSDT")}
    )
    (update,) = SPOT.decode("books", frame.replace(b'"u":1000', b'"u":%d' % update_id), NAMES, NOW_NS)
    assert isinstance(update, BookUpdate)
    return update


def test_changes_of_a_book_follow_one_by_one() -> None:
    assert follows(10, change(11), first=True) is Fit.NEXT
    assert follows(10, change(10), first=False) is Fit.OLD
    assert follows(10, change(12), first=False) is Fit.GAP
    assert change(1).snapshot
    assert not change(2).snapshot


@pytest.mark.parametrize(("category", "most"), [("spot", 60), ("linear", 1_000)])
def test_only_so_many_of_the_newest_trades_are_asked_for(category: str, most: int) -> None:
    words = BybitWords("spot" if category == "spot" else "linear")
    assert words.trades("BTCUSDT", 7, 5_000).params == {"category": category, "symbol": "BTCUSDT", "limit": most}
    assert words.latest_trade("BTCUSDT").params["limit"] == 1


@pytest.mark.parametrize(
    ("change_of", "named"),
    [({"price": "x"}, "price"), ({"execId": "-1"}, "trade_id"), ({"side": "Both"}, "side"), ({"time": None}, "ts")],
)
def test_a_refusal_names_our_field(change_of: dict[str, object], named: str) -> None:
    row = {"execId": "22900", "price": "1", "size": "1", "side": "Buy", "time": "1761520832011", **change_of}
    with pytest.raises(MalformedFrame) as refused:
        BybitWords("spot").read_trade(row, ASKED)
    assert refused.value.field == named


def test_candles_are_asked_for_by_both_ends_and_do_not_tell_how_many_trades_there_were() -> None:
    words, start_ns = BybitWords("linear"), 1_700_000_040_000_000_000
    params = words.bars("BTCUSDT", start_ns, start_ns + 2 * MINUTE_NS).params
    assert (params["start"], params["end"]) == (1_700_000_040_000, 1_700_000_159_999)
    row = ["1700000040000", "3.721", "3.743", "3.677", "3.708", "8422410", "22698348.04"]
    (bar,) = words.read_bars({"result": {"list": [row]}}, ASKED)
    assert (bar.ts_ns, bar.open, bar.high, bar.low, bar.close) == (start_ns, 3.721, 3.743, 3.677, 3.708)
    assert (bar.volume, bar.cost, bar.trades, bar.buy_volume) == (8_422_410.0, 22_698_348.04, None, None)


def test_instruments_have_the_steps_of_their_category() -> None:
    spot = BybitWords("spot").read_instrument({"info": Bybit("spot").listing("BTCUSDT")}, "bybit", "BTC/USDT")
    assert (spot.price_tick, spot.amount_step, spot.cost_min) == (Decimal("0.01"), Decimal("1E-6"), Decimal(1))
    market = {"info": Bybit("linear").listing("BTCUSDT"), "maker": 0.0001, "taker": 0.0006}
    linear = LinearWords().read_instrument(market, "bybit", "BTC/USDT:USDT")
    assert (linear.amount_step, linear.cost_min, linear.taker_fee) == (Decimal("0.001"), Decimal(5), Decimal("0.0006"))
    assert (linear.venue_symbol, linear.symbol, linear.active) == ("BTCUSDT", "BTC/USDT:USDT", True)
    assert (spot.contract, linear.contract, linear.contract_size) == (None, "linear", Decimal(1))


def test_a_venue_that_cannot_be_traded_on_yet_says_so() -> None:
    for protocol in ("bybit", "bybitlinear"):
        config = VenueConfig.model_validate({"protocol": protocol})
        assert not has_dense_ids(config)
        with pytest.raises(ConfigError, match=r"venues\.bybit\.protocol"):
            ccxt_settings("bybit", config, private=True)
    assert has_dense_ids(VenueConfig(protocol="okx"))


def test_trades_are_accounted_for_by_time_at_the_venues_that_tell_only_the_newest() -> None:
    """Only pages of the newest trades can heal a span of time, and nothing else can where there are only these."""
    newest = {name for name, language in LANGUAGES.items() if language.words.paging == "newest"}
    assert newest | {"ccxt"} == IDS_WITH_HOLES


TICKER = {"symbol": "BTCUSDT", "tickDirection": "PlusTick", "lastPrice": "17216.00", "markPrice": "17217.33"}
TICKER |= {"indexPrice": "17227.36", "nextFundingTime": "1673280000000", "fundingRate": "-0.000212", "bid1Price": "1"}


def ticker(kind: str, **said: str) -> FundingUpdate:
    frame = {"topic": "tickers.BTCUSDT", "type": kind, "data": {"symbol": "BTCUSDT", **said}, "cs": 1, "ts": 5}
    (update,) = LINEAR.decode("funding", orjson.dumps(frame), NAMES, NOW_NS)
    assert isinstance(update, FundingUpdate)
    return update


def test_a_ticker_tells_all_of_funding_and_its_changes_what_is_new() -> None:
    whole = ticker("snapshot", **TICKER)
    assert (whole.symbol, whole.rate, whole.funding_at_ns) == ("BTC/USDT", -0.000212, 1_673_280_000_000_000_000)
    assert (whole.mark_price, whole.index_price, whole.ts_ns) == (17217.33, 17227.36, 5 * NANOS_PER_MILLI)
    change = ticker("delta", markPrice="17218", bid1Size="3")
    assert (change.rate, change.funding_at_ns, change.mark_price, change.index_price) == (None, None, 17218.0, None)
    assert change.confirms_rate, "what a change leaves out is as it was"


@pytest.mark.parametrize(("said", "named"), [("fundingRate", "rate"), ("nextFundingTime", "funding_at")])
def test_a_ticker_that_makes_no_sense_is_refused_by_our_name(said: str, named: str) -> None:
    with pytest.raises(MalformedFrame) as refused:
        ticker("delta", **{said: "soon"})
    assert refused.value.field == named


def test_what_was_paid_is_asked_for_by_both_ends_and_read() -> None:
    words, start_ns = LinearWords(), 1_672_012_800_000_000_000
    params = words.funding("BTCUSDT", start_ns, start_ns + 16 * HOUR_NS).params
    assert (params["startTime"], params["endTime"]) == (1_672_012_800_000, 1_672_070_399_999)
    row = {"symbol": "BTCUSDT", "fundingRate": "0.0001", "fundingRateTimestamp": "1672041600000"}
    (paid,) = words.read_funding({"result": {"category": "linear", "list": [row]}}, ASKED)
    assert (paid.kind, paid.rate, paid.funding_at_ns, paid.mark_price) == (
        "settled",
        0.0001,
        1_672_041_600_000_000_000,
        None,
    )


def test_only_linear_markets_have_funding() -> None:
    assert [name for name in ("bybit", "bybitlinear") if "funding" in channels_of(LANGUAGES[name].words)] == [
        "bybitlinear"
    ]
