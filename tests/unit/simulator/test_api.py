"""Goal: requests are understood, refused and paged as the venue does it; no socket needed to say so."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from decimal import Decimal
from inspect import isawaitable
from pathlib import Path
from typing import cast

import orjson
import pytest

from ares.clock import NANOS_PER_MILLI
from ares.errors import ConfigError
from ares.testing.clock import SteppedClock
from simulator.account_api import AccountApi
from simulator.auth import Keys, signed_text, verify
from simulator.book import TradeEvent
from simulator.clock import MarketClock
from simulator.desk import Desk
from simulator.journal import Journal
from simulator.market import Fees, Market, load_market, rules_of, split_symbol
from simulator.matching.types import Refusal
from simulator.order_rows import text
from simulator.params import Params
from simulator.public_api import PublicApi
from simulator.recording import Recording
from simulator.series import EPOCH_MS, Series
from simulator.streams import wanted

Json = dict[str, object]
KEYS = Keys("key", "secret")
NOW_MS = 1_700_000_000_000


@pytest.fixture
def public(market: Market) -> PublicApi:
    return PublicApi(market)


@pytest.fixture
def desk(market: Market, tmp_path: Path) -> Iterator[Desk]:
    open_desk = Desk(market, Journal(tmp_path / "journal.jsonl"), {"USDT": Decimal(20_000), "BTC": Decimal(1)})
    yield open_desk
    open_desk.close()


@pytest.fixture
def account(desk: Desk, market: Market) -> AccountApi:
    return AccountApi(desk, market.clock.now_ms)


def asked(**values: object) -> Params:
    return Params({name: str(value) for name, value in values.items()})


def rows(answer: object) -> list[Json]:
    loaded: object = orjson.loads(answer) if isinstance(answer, bytes) else answer
    return cast("list[Json]", loaded)


async def bars(public: PublicApi, **values: object) -> list[list[object]]:
    answer = public.klines(asked(symbol="BTCUSDT", **values))
    assert isawaitable(answer)
    return cast("list[list[object]]", await answer)


def order(**values: object) -> Params:
    return asked(**{"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"} | values)


def test_exchange_info_tells_the_grid_of_the_recording(public: PublicApi) -> None:
    info = cast("dict[str, list[dict[str, list[Json]]]]", public.exchange_info(asked()))
    assert [symbol["symbol"] for symbol in info["symbols"]] == ["BTCUSDT", "ETHUSDT"]
    filters = {f["filterType"]: f for f in info["symbols"][0]["filters"]}
    assert filters["PRICE_FILTER"]["tickSize"] == "0.01000000"
    assert filters["LOT_SIZE"]["stepSize"] == "0.00001000"
    one = cast("dict[str, list[Json]]", public.exchange_info(asked(symbols='["ETHUSDT"]')))
    assert [symbol["symbol"] for symbol in one["symbols"]] == ["ETHUSDT"]


def test_aggregates_page_by_id_without_hole_or_repeat(public: PublicApi, market: Market) -> None:
    latest = rows(public.agg_trades(asked(symbol="BTCUSDT", limit=1_000)))
    first = cast("int", latest[0]["a"])
    page = rows(public.agg_trades(asked(symbol="BTCUSDT", fromId=first, limit=400)))
    rest = rows(public.agg_trades(asked(symbol="BTCUSDT", fromId=first + 400, limit=5_000)))
    assert page + rest == latest
    assert latest[-1]["a"] == market.series("BTCUSDT").aggs_sent(market.clock.now_ms())


def test_aggregates_by_time_include_both_ends(public: PublicApi, market: Market) -> None:
    sample = rows(public.agg_trades(asked(symbol="BTCUSDT", limit=300)))
    start, end = cast("int", sample[50]["T"]), cast("int", sample[250]["T"])
    found = rows(public.agg_trades(asked(symbol="BTCUSDT", startTime=start, endTime=end)))
    assert found == [row for row in sample if start <= cast("int", row["T"]) <= end]
    until = rows(public.agg_trades(asked(symbol="BTCUSDT", endTime=end, limit=10)))
    assert until == found[-10:]
    since = rows(public.agg_trades(asked(symbol="BTCUSDT", startTime=start, limit=7)))
    assert since == found[:7]


def test_nothing_of_the_future_is_told(public: PublicApi, market: Market) -> None:
    now_ms = market.clock.now_ms()
    assert rows(public.agg_trades(asked(symbol="BTCUSDT", startTime=now_ms + 1))) == []
    assert rows(public.historical_trades(asked(symbol="BTCUSDT", fromId=10**15))) == []
    assert all(cast("int", row["T"]) <= now_ms for row in rows(public.agg_trades(asked(symbol="BTCUSDT"))))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"fromId": 1, "startTime": 1}, -1128),
        ({"startTime": 1, "endTime": 3_600_002}, -1127),
        ({"limit": 0}, -1130),
        ({"limit": "many"}, -1100),
        ({"symbol": "NOSUCH"}, -1121),
        ({"symbol": ""}, -1102),
    ],
)
def test_wrong_questions_get_the_venues_codes(values: Json, code: int, public: PublicApi) -> None:
    with pytest.raises(Refusal, match=str(code)):
        public.agg_trades(asked(**{"symbol": "BTCUSDT"} | values))


async def test_klines_count_back_from_now_and_end_with_the_open_bar(public: PublicApi, market: Market) -> None:
    now_ms = market.clock.now_ms()
    found = await bars(public, interval="1m", limit=3)
    assert [row[0] for row in found] == [now_ms - now_ms % 60_000 - 60_000 * n for n in (2, 1, 0)]
    assert all(len(row) == 12 for row in found)
    assert await bars(public, interval="1m", endTime=found[1][0], limit=2) == await bars(
        public, interval="1m", startTime=cast("int", found[0][0]), limit=2
    )


async def test_klines_from_a_start_begin_at_the_next_whole_bar(public: PublicApi, market: Market) -> None:
    start_ms = market.clock.now_ms() // 60_000 * 60_000 - 600_000
    found = await bars(public, interval="1m", startTime=start_ms + 1, endTime=start_ms + 180_000)
    assert [row[0] for row in found] == [start_ms + 60_000, start_ms + 120_000, start_ms + 180_000]
    assert await bars(public, interval="1m", startTime=start_ms, endTime=start_ms - 5) == []


async def test_long_history_is_answered_whole(public: PublicApi) -> None:
    found = await bars(public, interval="15m", limit=1_000)
    assert len(found) == 1_000
    assert sum(cast("int", row[8]) for row in found) > 10_000_000


async def test_klines_before_the_epoch_do_not_exist(public: PublicApi) -> None:
    found = await bars(public, interval="1d", startTime=0, endTime=EPOCH_MS + 86_400_000 - 1)
    assert [row[0] for row in found] == [EPOCH_MS]


async def test_unknown_interval_is_refused(public: PublicApi) -> None:
    with pytest.raises(Refusal, match="-1120"):
        await bars(public, interval="7m")


def test_depth_is_cut_to_the_limit_and_sorted(public: PublicApi, market: Market) -> None:
    book = cast(
        "dict[str, list[list[str]]]", orjson.loads(cast("bytes", public.depth(asked(symbol="BTCUSDT", limit=5))))
    )
    assert len(book["bids"]) == len(book["asks"]) == 5
    bids, asks = ([Decimal(price) for price, _ in book[side]] for side in ("bids", "asks"))
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert bids[0] < asks[0]
    assert cast("int", book["lastUpdateId"]) == market.replay("BTCUSDT").update_id


def test_tickers_answer_one_or_all(public: PublicApi) -> None:
    for ticker in (public.ticker_price, public.ticker_book, public.ticker_day):
        assert len(rows(ticker(asked()))) == 2
        assert cast("Json", ticker(asked(symbol="ETHUSDT")))["symbol"] == "ETHUSDT"
    day = cast("dict[str, str]", public.ticker_day(asked(symbol="BTCUSDT")))
    assert Decimal(day["lowPrice"]) <= Decimal(day["weightedAvgPrice"]) <= Decimal(day["highPrice"])
    assert Decimal(day["lastPrice"]) - Decimal(day["openPrice"]) == Decimal(day["priceChange"])


async def test_day_before_there_was_a_trade_is_empty(btc: Recording) -> None:
    clock = SteppedClock((EPOCH_MS + 1) * NANOS_PER_MILLI)
    young = Market([Series(btc, 1)], MarketClock(clock), Fees(Decimal(0), Decimal(0)))
    young.seek()
    assert cast("Json", PublicApi(young).ticker_day(asked(symbol="BTCUSDT")))["count"] == 0
    assert cast("Json", PublicApi(young).ticker_price(asked(symbol="BTCUSDT")))["price"] == "0.00000000"


def test_order_is_placed_found_and_cancelled_by_its_client_id(account: AccountApi, desk: Desk) -> None:
    placed = cast("Json", account.place(order(quantity="0.001", price="50000", newClientOrderId="mine")))
    assert (placed["status"], placed["fills"], placed["price"]) == ("NEW", [], "50000.00000000")
    assert cast("Json", account.order(asked(symbol="BTCUSDT", origClientOrderId="mine")))["orderId"] == 1
    assert len(rows(account.open_orders(asked(symbol="BTCUSDT")))) == len(rows(account.open_orders(asked()))) == 1
    gone = cast("Json", account.cancel(asked(symbol="BTCUSDT", origClientOrderId="mine", newClientOrderId="c-1")))
    assert (gone["status"], gone["clientOrderId"], gone["origClientOrderId"]) == ("CANCELED", "c-1", "mine")
    assert desk.submissions == {"mine": 1}


def test_all_open_orders_are_cancelled_at_once(account: AccountApi) -> None:
    for _ in range(2):
        account.place(order(quantity="0.001", price="50000"))
    assert len(rows(account.cancel_all(asked(symbol="BTCUSDT")))) == 2
    with pytest.raises(Refusal, match="-2011"):
        account.cancel_all(asked(symbol="BTCUSDT"))


def test_market_order_reports_its_fills_and_moves_the_account(account: AccountApi) -> None:
    market_order = order(type="MARKET", quantity="0.01", timeInForce="")
    placed = cast("dict[str, list[Json]]", account.place(market_order))
    assert Decimal(str(placed["fills"][0]["commission"])) == Decimal("0.00001")
    assert "fills" not in cast("Json", account.place(order(type="MARKET", quoteOrderQty="50", timeInForce="",
                                                         newOrderRespType="RESULT")))  # fmt: skip
    acknowledged = cast("Json", account.place(order(quantity="0.001", price="50000", newOrderRespType="ACK")))
    assert "status" not in acknowledged
    mine = rows(account.my_trades(asked(symbol="BTCUSDT")))
    assert [row["isBuyer"] for row in mine] == [True, True]
    assert rows(account.my_trades(asked(symbol="BTCUSDT", fromId=mine[1]["id"]))) == mine[1:]
    assert rows(account.my_trades(asked(symbol="BTCUSDT", orderId=1))) == mine[:1]
    assert rows(account.my_trades(asked(symbol="BTCUSDT", startTime=10**14))) == []
    assert rows(account.my_trades(asked(symbol="BTCUSDT", endTime=1))) == []
    balances = cast("dict[str, list[dict[str, str]]]", account.account(asked(omitZeroBalances="true")))["balances"]
    assert {b["asset"] for b in balances} == {"BTC", "USDT"}
    assert len(rows(account.all_orders(asked(symbol="BTCUSDT", orderId=2)))) == 2
    assert len(rows(account.all_orders(asked(symbol="BTCUSDT", limit=1)))) == 1


def test_account_says_what_its_key_may_do(account: AccountApi) -> None:
    assert cast("Json", account.restrictions(asked()))["enableWithdrawals"] is False
    assert rows(account.trade_fee(asked(symbol="BTCUSDT"))) == [
        {"symbol": "BTCUSDT", "makerCommission": "0.00100000", "takerCommission": "0.00100000"}
    ]
    assert len(rows(account.trade_fee(asked()))) == 2


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"side": "UP"}, -1117),
        ({"type": "STOP"}, -1116),
        ({"timeInForce": ""}, -1102),
        ({"timeInForce": "GTX"}, -1115),
        ({"type": "LIMIT_MAKER"}, -1106),
        ({"type": "MARKET", "timeInForce": "", "price": "1"}, -1106),
        ({"type": "MARKET", "timeInForce": "", "price": "", "quantity": ""}, -1102),
        ({"price": ""}, -1102),
        ({"quantity": ""}, -1102),
        ({"quoteOrderQty": "5"}, -1106),
        ({"quantity": "-1"}, -1100),
        ({"quantity": "1e5"}, -1100),
        ({"symbol": "NOSUCH"}, -1121),
    ],
)
def test_order_in_the_wrong_words_is_refused(values: Json, code: int, account: AccountApi, desk: Desk) -> None:
    with pytest.raises(Refusal, match=str(code)):
        account.place(order(**{"quantity": "0.001", "price": "50000"} | values))
    assert desk.ledger.orders == {}


def test_order_can_be_tried_without_placing_it(account: AccountApi, desk: Desk) -> None:
    assert account.test(order(quantity="0.001", price="50000")) == {}
    assert desk.ledger.orders == {}


@pytest.mark.parametrize(
    ("values", "code"), [({}, -1102), ({"orderId": 9}, -2013), ({"orderId": 9, "symbol": "NOSUCH"}, -1121)]
)
def test_order_that_is_not_there_is_not_found(values: Json, code: int, account: AccountApi) -> None:
    with pytest.raises(Refusal, match=str(code)):
        account.order(asked(**{"symbol": "BTCUSDT"} | values))


def test_cancel_with_a_bad_id_is_refused(account: AccountApi) -> None:
    account.place(order(quantity="0.001", price="50000"))
    with pytest.raises(Refusal, match="-1100"):
        account.cancel(asked(symbol="BTCUSDT", orderId=1, newClientOrderId="no spaces"))


def test_resting_order_is_filled_when_the_market_comes(account: AccountApi, desk: Desk, market: Market) -> None:
    replay = market.replay("BTCUSDT")
    told: list[str] = []
    desk.listen(lambda event, _order: told.append(type(event).__name__))
    price = text(replay.displayed().bids[0][0])
    account.place(order(quantity="0.001", price=price, type="LIMIT_MAKER", timeInForce=""))
    for event in replay.advance(market.clock.now_ms() + 300_000):
        if isinstance(event, TradeEvent):
            desk.on_trade(replay, event)
    assert told[0] == "Accepted"
    assert set(told[1:]) == {"Filled"}
    assert rows(account.all_orders(asked(symbol="BTCUSDT")))[0]["status"] == "FILLED"


def test_desk_goes_on_where_its_journal_ends(market: Market, tmp_path: Path) -> None:
    first = Desk(market, Journal(tmp_path / "j"), {"USDT": Decimal(20_000)})
    AccountApi(first, market.clock.now_ms).place(order(quantity="0.001", price="50000", newClientOrderId="kept"))
    first.close()
    second = Desk(market, Journal(tmp_path / "j"), {"USDT": Decimal(1)})
    assert [o.accepted.client_id for o in second.ledger.open_orders()] == ["kept"]
    assert second.ledger.balances == first.ledger.balances
    second.close()


def sign(query: str) -> Params:
    signature = hmac.new(KEYS.api_secret.encode(), query.encode(), hashlib.sha256).hexdigest()
    return Params(dict(part.split("=") for part in f"{query}&signature={signature}".split("&")))


def test_signed_request_inside_its_window_passes() -> None:
    query = f"timestamp={NOW_MS - 4_000}&recvWindow=5000"
    verify(KEYS, "key", query, sign(query), NOW_MS)
    assert signed_text(f"{query}&signature=abc") == query
    assert signed_text(query) == query


@pytest.mark.parametrize(
    ("key", "query", "text_signed", "refusal"),
    [
        (None, "timestamp=1", None, "-2014: API-key format invalid."),
        ("other", "timestamp=1", None, "-2015: Invalid API-key, IP, or permissions for action."),
        ("key", f"timestamp={NOW_MS}", "timestamp=2", "-1022: Signature for this request is not valid."),
        ("key", f"timestamp={NOW_MS - 5_001}", None, "-1021: Timestamp for this request is outside of the recvWindow."),
        ("key", f"timestamp={NOW_MS + 1_000}", None, "-1021: Timestamp for this request was 1000ms ahead"),
        ("key", f"timestamp={NOW_MS}&recvWindow=60001", None, "-1131: recvWindow must be less than 60000"),
        ("key", "recvWindow=5", None, "-1102: Mandatory parameter 'timestamp' was not sent"),
    ],
)
def test_unsigned_late_and_early_requests_are_refused(
    key: str | None, query: str, text_signed: str | None, refusal: str
) -> None:
    with pytest.raises(Refusal, match=refusal):
        verify(KEYS, key, text_signed or query, sign(query), NOW_MS)


def test_exchange_without_keys_refuses_every_key() -> None:
    with pytest.raises(Refusal, match="-2015"):
        verify(None, "key", "timestamp=1", sign("timestamp=1"), NOW_MS)


def test_streams_may_be_named_in_the_address() -> None:
    assert wanted("/stream", "btcusdt@trade/ethusdt@trade") == (["btcusdt@trade", "ethusdt@trade"], True)
    assert wanted("/ws/btcusdt@trade", "") == (["btcusdt@trade"], False)
    assert wanted("/stream/ws/0", "") == ([], False)


def test_symbols_split_at_their_quote_currency(tiny: Recording) -> None:
    assert split_symbol("ETHBTC") == ("ETH", "BTC")
    with pytest.raises(ConfigError, match="quote currency is not known"):
        split_symbol("USDT")
    assert rules_of(Series(tiny, 1), Fees(Decimal(0), Decimal(0))).base == "TINY"


def test_market_reads_names_and_defaults(clock: SteppedClock, eth: Recording) -> None:
    file = "simulator/recordings/spot_ethusdt_20240808.gz"
    fees = Fees(Decimal(0), Decimal(0))
    renamed = load_market([eth, Path(f"{file}#SOLUSDT")], 1, MarketClock(clock), fees)
    assert renamed.symbols == ["ETHUSDT", "SOLUSDT"]
    with pytest.raises(ConfigError, match="a second recording of ETHUSDT"):
        load_market([eth, eth], 1, MarketClock(clock), fees)
    assert load_market([], 1, MarketClock(clock), fees).symbols == ["BTCUSDT", "ETHUSDT"]


def test_numbers_are_written_as_the_venue_writes_them() -> None:
    assert text(Decimal(0)) == "0.00000000"
    assert text(Decimal("12.5")) == "12.50000000"
    assert text(Decimal("0.0000000012")) == "0.0000000012"
