"""Bybit: what its recordings and its documentation show beyond the cases that all venues share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import MalformedFrame
from ares.model.market import Quote, Trade
from ingest.books import BookRoom, BookUpdate
from ingest.venues.bybit.decoder import decode_bar, decode_instrument, linear_trade_of, placed_rows, spot_trade_of
from ingest.venues.bybit.dialect import BybitDialect
from ingest.venues.bybit.rest import BybitWords
from ingest.venues.rest import Asked
from ingest.venues.wire import Names
from tests.conformance.recordings import cryptofeed
from tests.conformance.venues import bybit, bybitlinear

NAMES = Names("bybit", {**bybit.RECORDED.by_venue_symbol, "BTCUSDT": "BTCUSDT"})
NOW_NS = 1_800_000_000_000_000_000
SPOT, LINEAR = BybitDialect("spot"), BybitDialect("linear")


SENT = {category: cryptofeed(name) for category, name in bybit.QUOTES_FILES.items()}
BOOK = bybit.recorded_book()
needs_recordings = pytest.mark.skipif(not (all(SENT.values()) and BOOK), reason="Bybit's recordings are not here")
SPOT_TRADES, LINEAR_TRADES, TOP = bybit.PUBLIC_TRADE, bybitlinear.PUBLIC_TRADE, bybit.ORDERBOOK
PONG = b'{"success":true,"ret_msg":"pong","conn_id":"0970e817-426e-429a-a679-ff7f55e0b16a","op":"ping"}'


@needs_recordings
def test_a_quote_that_is_sent_again_has_the_id_it_had() -> None:
    """Every three seconds without a change it is sent again: the id tells that it is the same."""
    repeated = 0
    for category, dialect in (("linear", LINEAR), ("spot", SPOT)):
        last: dict[str, Quote] = {}
        for frame in SENT[category]:
            for quote in dialect.decode("quotes", frame, NAMES, NOW_NS) if b'"topic"' in frame else ():
                assert isinstance(quote, Quote)
                before = last.get(quote.symbol)
                if before is not None and before.update_id == quote.update_id:
                    same = (quote.bid, quote.bid_amount, quote.ask, quote.ask_amount)
                    assert same == (before.bid, before.bid_amount, before.ask, before.ask_amount)
                    repeated += 1
                last[quote.symbol] = quote
    assert repeated == 61


def updates_of(frames: Sequence[bytes]) -> list[BookUpdate]:
    updates = [update for frame in frames for update in LINEAR.decode("books", frame, NAMES, NOW_NS)]
    assert all(isinstance(update, BookUpdate) for update in updates)
    return [update for update in updates if isinstance(update, BookUpdate)]


@needs_recordings
@given(place=st.integers(1, 48))
def test_a_change_that_is_lost_is_noticed_with_the_next(place: int) -> None:
    room = BookRoom(LINEAR.book_rules.follows, 20, 0)
    updates = updates_of(BOOK)
    troubles = [room.take(update) for update in [*updates[:place], *updates[place + 1 :]]]
    assert troubles[place] == "id_jump"
    assert set(troubles[:place]) == {None}


@needs_recordings
def test_a_restart_of_the_venue_begins_the_book_anew_whatever_it_calls_it() -> None:
    room = BookRoom(LINEAR.book_rules.follows, 20, 0)
    for update in updates_of(BOOK):
        room.take(update)
    restarted = {**orjson.loads(BOOK[0]), "type": "delta"}
    restarted["data"]["u"] = 1
    following = orjson.loads(BOOK[1])
    following["data"]["u"] = 2
    assert [room.take(each) for each in updates_of([orjson.dumps(restarted), orjson.dumps(following)])] == [None, None]


def test_ids_of_spot_trades_order_them_and_columns_of_a_burst_are_the_trades_themselves() -> None:
    trades = SPOT.decode("trades", SPOT_TRADES, NAMES, NOW_NS)
    first = trades[0]
    assert isinstance(first, Trade)
    assert (first.trade_id, first.seq, first.side) == ("2240000000970263135", 2240000000970263135, "buy")
    assert (first.price, first.amount, first.ts_ns) == (114_520.6, 0.004, 1_761_520_832_011_000_000)
    runs = SPOT.runs([SPOT_TRADES, SPOT_TRADES], NAMES, [NOW_NS, NOW_NS])
    assert runs is not None
    assert runs[0].trades() == [*trades, *trades]
    assert SPOT.runs([SPOT_TRADES, PONG], NAMES, [NOW_NS, NOW_NS]) is None
    assert SPOT.runs([SPOT_TRADES.replace(b"BTCUSDT", b"ETHUSDT")], NAMES, [NOW_NS]) is None
    assert LINEAR.runs([LINEAR_TRADES], NAMES, [NOW_NS]) is None


def test_fills_of_one_linear_order_stand_in_the_order_in_which_it_walked_the_book() -> None:
    trades = LINEAR.decode("trades", LINEAR_TRADES, NAMES, NOW_NS)
    told = [(trade.price, trade.seq) for trade in trades if isinstance(trade, Trade)]
    assert told == [
        (69_916.8, 549792210006 * 1024),
        (69_916.7, 549792210006 * 1024 + 1),
        (69_916.9, 549792210009 * 1024),
    ]


def linear_row(number: int, order: int, price: float, side: str) -> dict[str, object]:
    return {
        "execId": f"{number:08d}-9af7-5113-8a1e-62c6b48a4d03",
        "symbol": "BTCUSDT",
        "price": str(price),
        "size": "0.001",
        "side": side,
        "time": str(1_774_021_164_272 + order),
        "seq": str(549_792_210_000 + order),
        "isBlockTrade": False,
        "isRPITrade": False,
    }


ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["Buy", "Sell"]), st.lists(st.sampled_from([99.0, 100.0, 101.0]), min_size=1, max_size=5)
    ),
    min_size=1,
    max_size=8,
)


@given(orders=ORDERS, random=st.randoms(use_true_random=False))
def test_a_linear_trade_is_the_same_by_stream_and_by_rest_in_whatever_order_it_lists_them(
    orders: list[tuple[str, list[float]]], random: st.DataObject
) -> None:
    rows = [
        linear_row(100 * at + place, at, price, side)
        for at, (side, prices) in enumerate(orders)
        for place, price in enumerate(prices)
    ]
    renamed = {"execId": "i", "price": "p", "size": "v", "side": "S", "time": "T", "seq": "seq", "symbol": "s"}
    deals = [{theirs: row[ours] for ours, theirs in renamed.items()} for row in rows]
    frame = orjson.dumps({"topic": "publicTrade.BTCUSDT", "type": "snapshot", "ts": 1, "data": deals})
    streamed = {
        trade.trade_id: trade for trade in LINEAR.decode("trades", frame, NAMES, NOW_NS) if isinstance(trade, Trade)
    }
    random.shuffle(rows)  # type: ignore[attr-defined]
    words, asked = BybitWords("linear"), Asked("bybit", "BTCUSDT", "BTCUSDT", NOW_NS)
    listed = words.rows_of({"retCode": 0, "result": {"category": "linear", "list": rows}})
    read = [words.read_trade(row, asked) for row in listed]
    assert {trade.trade_id: trade.seq for trade in read} == {key: trade.seq for key, trade in streamed.items()}
    assert all(trade.source == "rest" and trade.price == streamed[trade.trade_id].price for trade in read)
    assert len({trade.seq for trade in read}) == len(rows)


def test_the_oldest_order_of_a_full_answer_may_be_cut_and_is_left_out() -> None:
    rows: list[object] = [linear_row(at, at // 2, 100.0, "Buy") for at in range(9, 0, -1)]
    assert len(placed_rows(rows, 10)) == 9
    kept = placed_rows(rows, 9)
    assert [linear_trade_of(row, "b", "s", 1).trade_id[:8] for row in kept] == [f"{n:08d}" for n in range(9, 1, -1)]
    assert placed_rows(["nonsense", 7], 2) == ["nonsense", 7]


def test_quotes_are_of_the_engines_time_and_a_market_without_a_side_has_none() -> None:
    (quote,) = SPOT.decode("quotes", TOP, NAMES, NOW_NS)
    expected = (24_042_997, 8445.0, 1.5, 8446.0, 95.0, 1_749_833_474_768_000_000, NOW_NS, "venue")
    assert quote == Quote("bybit", "BTCUSDT", *expected)
    assert list(SPOT.decode("quotes", TOP.replace(b'[["8445","1.5"]]', b"[]"), NAMES, NOW_NS)) == []
    with pytest.raises(MalformedFrame, match="type"):
        SPOT.decode("quotes", TOP.replace(b"snapshot", b"delta"), NAMES, NOW_NS)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1", "nan", "Buy"]),
    lambda inner: st.lists(inner, max_size=7) | st.dictionaries(st.sampled_from(["list", "result", "seq"]), inner),
    max_leaves=12,
)
ROW = linear_row(1, 1, 100.0, "Buy")
MARKET = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "status": "Trading",
    "priceFilter": {"tickSize": "0.10"},
    "lotSizeFilter": {"qtyStep": "0.001", "minNotionalValue": "5"},
}


@given(key=st.sampled_from(sorted(ROW)), value=JSON)
def test_a_spoiled_row_of_rest_is_refused_and_spoils_no_other(key: str, value: object) -> None:
    words, asked = BybitWords("linear"), Asked("bybit", "BTCUSDT", "BTCUSDT", NOW_NS)
    rows = words.rows_of({"result": {"list": [{**ROW, key: value}, linear_row(2, 2, 100.0, "Buy")]}})
    assert words.read_trade(rows[1], asked).trade_id.startswith("00000002")
    with suppress(MalformedFrame):
        words.read_trade(rows[0], asked)
    with suppress(MalformedFrame):
        spot_trade_of(rows[0], "bybit", "BTCUSDT", NOW_NS)


@given(value=JSON)
def test_garbage_for_an_answer_raises_nothing_but_malformed_frame(value: object) -> None:
    for words in (BybitWords("linear"), BybitWords("spot")):
        for read in (words.rows_of, lambda said, w=words: w.read_bars(said, Asked("b", "s", "s", NOW_NS))):
            with suppress(MalformedFrame):
                read(value)
            with suppress(MalformedFrame):
                read({"result": {"list": value}})
    with suppress(MalformedFrame):
        decode_bar(value, "bybit", "BTCUSDT", NOW_NS)
    for name in MARKET:
        with suppress(MalformedFrame):
            decode_instrument({**MARKET, name: value}, "bybit", "BTCUSDT", (Decimal(0), Decimal(0)))
