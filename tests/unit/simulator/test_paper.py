"""Goal: what a venue streams becomes fills once each, and nothing is matched beside a book that is not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from ares.clock import NANOS_PER_MILLI
from ares.config import load_config
from ares.errors import ConfigError, MalformedFrame, VenueRejected
from ares.telemetry import metrics
from ares.testing.clock import SteppedClock
from simulator.account_api import AccountApi
from simulator.clock import MarketClock
from simulator.desk import Desk
from simulator.hub import Hub
from simulator.journal import Journal
from simulator.market import Fees
from simulator.matching.types import Refusal, Rules
from simulator.misbehaviour import Misbehaviour
from simulator.paper.book import FollowedBook
from simulator.paper.intake import Intake
from simulator.paper.market import PaperMarket
from simulator.paper.public_api import refused
from simulator.paper.words import Depth, Listing, Quote, Snapshot, number, read, rules_of
from simulator.params import Params
from simulator.service import options_of

FEES = Fees(Decimal("0.001"), Decimal("0.002"))
NOW_MS = 1_700_000_000_000
SILENCE_MS = 5_000
D = Decimal


def rules(symbol: str) -> Rules:
    return Rules(symbol, symbol[:3], "USDT", D("0.01"), D("0.00001"), FEES.maker, FEES.taker)


@dataclass
class Bench:
    """A paper account on two symbols, whose venue is the test."""

    clock: SteppedClock
    market: PaperMarket
    desk: Desk
    intake: Intake
    account: AccountApi
    wanted: list[str] = field(default_factory=list)

    def snapshot(self, symbol: str = "BTCUSDT", update_id: int = 10) -> None:
        said = Snapshot(update_id, (("100.00", "2"), ("99.00", "5")), (("100.10", "1"), ("101.00", "4")))
        self.intake.load(symbol, said, self.market.clock.now_ms())

    def frame(self, stream: str, **data: object) -> None:
        self.intake.take(orjson.dumps({"stream": stream, "data": data}))

    def trade(self, trade_id: int, price: str, amount: str = "1", *, maker: bool = True) -> None:
        now_ms = self.market.clock.now_ms()
        said = {"e": "trade", "E": now_ms, "T": now_ms, "t": trade_id, "p": price, "q": amount, "m": maker}
        self.frame("btcusdt@trade", **said)

    def depth(self, first: int, last: int, asks: list[list[str]] | None = None, sent_ms: int | None = None) -> None:
        now_ms = self.market.clock.now_ms() if sent_ms is None else sent_ms
        self.frame("btcusdt@depth@100ms", E=now_ms, U=first, u=last, b=[], a=asks or [])

    def buy(self, price: str, amount: str = "1") -> str:
        asked = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
        answer = self.account.place(Params(asked | {"price": price, "quantity": amount}))
        assert isinstance(answer, dict)
        return str(answer["status"])

    @property
    def bought(self) -> Decimal:
        return self.desk.ledger.total("BTC")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = SteppedClock(NOW_MS * NANOS_PER_MILLI)
    market = PaperMarket({one: rules(one) for one in ("BTCUSDT", "ETHUSDT")}, MarketClock(clock), SILENCE_MS)
    desk = Desk(market, Journal(tmp_path / "journal.jsonl"), {"USDT": D(100_000)})
    wanted: list[str] = []
    intake = Intake(market, Hub(Misbehaviour(1)), desk, wanted.append)
    yield Bench(clock, market, desk, intake, AccountApi(desk, market.clock.now_ms), wanted)
    desk.close()


def test_an_order_takes_the_snapshot_brought_up_to_the_updates(bench: Bench) -> None:
    bench.snapshot()
    bench.depth(11, 12, [["100.10", "0"], ["100.20", "3"]])
    assert bench.buy("100.20", "2") == "FILLED"
    assert bench.desk.ledger.orders[1].fills[0].price == D("100.20")


def test_a_quote_newer_than_the_updates_is_the_top_and_an_older_one_is_not(bench: Bench) -> None:
    bench.snapshot()
    bench.frame("btcusdt@bookTicker", u=12, s="BTCUSDT", b="100.00", B="2", a="100.30", A="0.5")
    assert bench.market.book("BTCUSDT").asks[0] == (D("100.30"), D("0.5"))
    assert bench.market.books["BTCUSDT"].top.ask == D("100.30")
    bench.depth(11, 13)
    assert bench.market.book("BTCUSDT").asks[0] == (D("100.10"), D(1))
    assert bench.market.books["BTCUSDT"].top.ask == D("100.10")


def test_a_trade_that_comes_twice_fills_once(bench: Bench) -> None:
    bench.snapshot()
    repeated = metrics.FEED_TRADES_REPEATED.labels("BTCUSDT")
    before = repeated._value.get()
    bench.buy("99.50", "3")
    for _ in range(2):
        bench.trade(7, "99.40", "1")
    assert bench.bought == D("0.999")
    assert repeated._value.get() == before + 1


def test_a_hole_in_the_trades_is_counted_and_matching_goes_on(bench: Bench) -> None:
    bench.snapshot()
    missed = metrics.FEED_TRADES_MISSED.labels("BTCUSDT")
    before = missed._value.get()
    bench.buy("99.50", "3")
    bench.trade(7, "100.10")
    bench.trade(11, "99.40")
    assert missed._value.get() == before + 3
    assert bench.bought == D("0.999")


def test_trades_before_the_snapshot_are_held_and_matched_after_it(bench: Bench) -> None:
    bench.snapshot()
    bench.buy("99.50")
    bench.intake.lose()
    bench.trade(7, "99.40")
    assert bench.bought == 0
    bench.snapshot(update_id=20)
    assert bench.bought == D("0.999")


def test_a_broken_chain_asks_for_a_snapshot_and_takes_no_orders_until_then(bench: Bench) -> None:
    bench.snapshot()
    bench.depth(13, 14)
    assert bench.wanted == ["BTCUSDT"]
    with pytest.raises(Refusal, match="-1016"):
        bench.buy("100.10")
    bench.snapshot(update_id=12)
    assert bench.market.books["BTCUSDT"].update_id == 14
    assert bench.buy("100.10", "0.5") == "FILLED"


def test_a_snapshot_that_is_older_than_what_was_held_is_asked_for_again(bench: Bench) -> None:
    bench.depth(13, 14)
    bench.snapshot(update_id=11)
    assert bench.wanted == ["BTCUSDT"]
    assert not bench.market.is_open("BTCUSDT")
    bench.snapshot(update_id=13)
    assert (bench.market.is_open("BTCUSDT"), bench.market.books["BTCUSDT"].update_id) == (True, 14)


async def test_a_book_that_nothing_was_heard_of_takes_no_orders(bench: Bench) -> None:
    bench.snapshot()
    bench.buy("99.50")
    await bench.clock.advance(SILENCE_MS / 1_000)
    assert bench.buy("99.00") == "NEW"
    await bench.clock.advance(0.001)
    with pytest.raises(Refusal, match="-1016") as told:
        bench.buy("100.10")
    assert told.value.http_status == 503
    bench.trade(7, "99.40")
    assert bench.bought == 0
    bench.depth(11, 12)
    assert bench.bought == D("0.999")


async def test_a_line_that_brings_what_is_old_is_as_good_as_a_silent_one(bench: Bench) -> None:
    bench.snapshot()
    await bench.clock.advance(60)
    bench.depth(11, 12, sent_ms=NOW_MS + 50_000)
    assert not bench.market.is_open("BTCUSDT")
    bench.depth(13, 14, sent_ms=NOW_MS + 999_000)
    assert bench.market.books["BTCUSDT"].seen_ms == bench.market.clock.now_ms()


async def test_a_trade_that_comes_too_late_fills_no_order_that_came_after_it(bench: Bench) -> None:
    await bench.clock.advance(60)
    bench.snapshot()
    bench.buy("99.50")
    late = {"t": 7, "p": "99.40", "q": "1", "m": True}
    bench.frame("btcusdt@trade", E=NOW_MS + 60_000 - SILENCE_MS - 1, **late)
    assert bench.bought == 0
    bench.frame("btcusdt@trade", E=NOW_MS + 60_000 - SILENCE_MS, **{**late, "t": 8})
    assert bench.bought == D("0.999")


async def test_a_trade_that_came_in_time_and_waited_for_its_snapshot_is_matched_however_long(bench: Bench) -> None:
    bench.snapshot()
    bench.buy("99.50")
    bench.intake.lose()
    bench.trade(7, "99.40")
    await bench.clock.advance(60)
    bench.snapshot(update_id=20)
    assert bench.bought == D("0.999")


def test_one_symbol_may_rest_while_another_trades(bench: Bench) -> None:
    bench.snapshot("ETHUSDT")
    with pytest.raises(Refusal, match=r"-1013: Market is closed\."):
        bench.buy("100.10")


def test_open_orders_stand_and_can_be_cancelled_while_nothing_is_known(bench: Bench) -> None:
    bench.snapshot()
    bench.buy("99.50")
    bench.intake.lose()
    assert len(bench.desk.ledger.open_orders()) == 1
    bench.account.cancel(Params({"symbol": "BTCUSDT", "orderId": "1"}))
    assert bench.desk.ledger.open_orders() == []


def test_an_account_with_orders_of_a_symbol_that_is_no_longer_followed_says_so(bench: Bench, tmp_path: Path) -> None:
    bench.snapshot()
    bench.buy("99.50")
    bench.desk.close()
    market = PaperMarket({"ETHUSDT": rules("ETHUSDT")}, bench.market.clock, SILENCE_MS)
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(ConfigError, match=r"symbols = 'ETHUSDT': the account has orders of BTCUSDT"):
        Desk(market, journal, {})
    journal.close()


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"stream":"btcusdt@trade","data":{"t":1}}',
        '{"stream":"btcusdt@trade","data":{"E":1,"t":1,"p":"-3","q":"1","m":true}}',
        '{"stream":"btcusdt@trade","data":{"E":1,"t":2,"p":"NaN","q":"1","m":true}}',
        '{"stream":"btcusdt@bookTicker","data":{"u":1,"b":"x","B":"1","a":"1","A":"1"}}',
    ],
)
def test_what_the_venue_does_not_document_ends_the_line(bench: Bench, text: str) -> None:
    bench.snapshot()
    with pytest.raises(MalformedFrame):
        bench.intake.take(text)


def test_a_refused_subscription_ends_the_line_and_others_markets_are_no_concern(bench: Bench) -> None:
    bench.intake.take('{"result":null,"id":1}')
    bench.intake.take('{"stream":"bnbusdt@trade","data":{}}')
    with pytest.raises(VenueRejected, match="too many"):
        bench.intake.take('{"error":{"code":2,"msg":"too many"},"id":1}')


def test_a_crossed_snapshot_is_not_believed() -> None:
    book = FollowedBook()
    with pytest.raises(MalformedFrame, match="best bid"):
        book.load(Snapshot(1, (("100", "1"),), (("100", "1"),)), NOW_MS)
    assert not book.whole


def test_a_snapshot_confirms_a_book_that_is_newer() -> None:
    book = FollowedBook()
    book.load(Snapshot(10, (("99", "1"),), (("100", "1"),)), 1)
    assert book.follow(Depth(2, 11, 12, (("98", "3"),), ()), 9)
    book.load(Snapshot(11, (("1", "1"),), ()), 7)
    assert (book.update_id, book.seen_ms, book.amount("BUY", D(98))) == (12, 7, D(3))
    book.quote(Quote(13, "0", "0", "100", "1"))
    assert book.displayed(D(0)).bids == ()


FILTERS: tuple[dict[str, object], ...] = (
    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
    {"filterType": "LOT_SIZE", "minQty": "0.00010", "maxQty": "9000.0", "stepSize": "0.00001"},
    {"filterType": "NOTIONAL", "minNotional": "5.0", "applyMinToMarket": True},
    {"filterType": "TRAILING_DELTA", "minTrailingBelowDelta": 20, "maxTrailingBelowDelta": 1_000},
)


def test_the_venues_filters_are_what_orders_must_obey() -> None:
    found = rules_of(Listing("BTCUSDT", "BTC", "USDT", FILTERS), FEES)
    assert (found.tick, found.step, found.cost_min, found.amount_min) == (D("0.01"), D("0.00001"), D(5), D("0.0001"))
    assert (found.amount_max, found.price_max, found.trailing_delta_min) == (D(9000), D(1_000_000), 20)
    assert (found.maker_fee, found.taker_fee) == (FEES.maker, FEES.taker)


def test_a_listing_without_a_filter_for_prices_is_refused_and_one_without_a_tick_has_the_finest() -> None:
    with pytest.raises(MalformedFrame, match="PRICE_FILTER"):
        rules_of(Listing("BTCUSDT", "BTC", "USDT", FILTERS[1:]), FEES)
    free = ({"filterType": "PRICE_FILTER", "tickSize": "0.00000000"}, *FILTERS[1:])
    assert rules_of(Listing("BTCUSDT", "BTC", "USDT", free), FEES).tick == D("0.00000001")


def test_an_amount_below_the_least_lot_is_refused(bench: Bench) -> None:
    bench.market.rules = {"BTCUSDT": rules_of(Listing("BTCUSDT", "BTC", "USDT", FILTERS), FEES)}
    bench.desk.ledger.rules.update(bench.market.rules)
    bench.snapshot()
    with pytest.raises(Refusal, match="LOT_SIZE"):
        bench.buy("100.00", "0.00009")


def test_the_venues_refusal_is_passed_on_in_its_words() -> None:
    told = refused(429, b'{"code":-1003,"msg":"Too much."}', 7)
    assert (told.code, told.message, told.http_status, told.retry_after_s) == (-1003, "Too much.", 429, 7)
    assert refused(502, b"<html>", 0).code == -1016


@pytest.mark.parametrize("text", ["", "-1", "Infinity", "1e", "0x1"])
def test_what_is_no_number_is_no_price(text: str) -> None:
    with pytest.raises(MalformedFrame):
        number(text)


def test_words_say_which_field_is_wrong() -> None:
    with pytest.raises(MalformedFrame, match=r"Snapshot.*lastUpdateId"):
        read(b'{"bids":[],"asks":[]}', Snapshot)


def test_the_feeds_addresses_are_the_venues_own_unless_set_and_its_keys_are_not_read(tmp_path: Path) -> None:
    environ = {"ARES_SIMULATOR__FEED": "live", "ARES_VENUES__LIVE__API_KEY": "never-told"}
    feed = options_of(load_config(environ=environ), tmp_path).feed
    assert feed is not None
    assert (feed.rest_url, feed.ws_url) == ("https://api.binance.com", "wss://stream.binance.com:9443")
    assert feed.symbols == ("BTCUSDT", "ETHUSDT")
    assert "never-told" not in repr(feed)
