"""Coinbase: what its recording shows beyond the cases that all venues share."""

from __future__ import annotations

from collections import Counter

import orjson
import pytest

from ares.model.market import Trade
from ingest.books import BookRoom, BookUpdate
from ingest.venues.coinbase.dialect import CoinbaseDialect
from tests.conformance.venues import coinbase

NAMES = coinbase.NAMES
NOW_NS = 1_790_000_000_000_000_000
DIALECT = CoinbaseDialect()
RECORDED = coinbase.recording()
TRADES = [frame for frame in RECORDED if orjson.loads(frame)["channel"] == "market_trades"]
needs_recording = pytest.mark.skipif(not RECORDED, reason="the recording COINBASE.jsonl.zst is not here")


def room() -> BookRoom:
    return BookRoom(DIALECT.book_rules.follows, 20, 0)


@needs_recording
def test_every_recorded_trade_is_read_and_their_ids_have_no_holes() -> None:
    trades: dict[str, list[Trade]] = {"BTC/USD": [], "ETH/USD": []}
    for frame in TRADES:
        for event in DIALECT.decode("trades", frame, NAMES, NOW_NS):
            assert isinstance(event, Trade)
            trades[event.symbol].append(event)
    assert {symbol: len(some) for symbol, some in trades.items()} == {"BTC/USD": 147, "ETH/USD": 132}
    for some in trades.values():
        assert [trade.seq for trade in some] == list(range(some[0].seq, some[0].seq + len(some)))
        assert [trade.ts_ns for trade in some] == sorted(trade.ts_ns for trade in some)
    newest = trades["BTC/USD"][99]
    assert (newest.trade_id, newest.side, newest.price, newest.amount) == ("1068572090", "buy", 65_083.67, 0.002186)
    assert newest.ts_ns == 1_786_309_542_514_318_000


@needs_recording
def test_the_side_is_the_takers_who_buys_at_the_ask_and_sells_at_the_bid() -> None:
    here, seen = room(), Counter[tuple[str, str]]()
    for frame in RECORDED:
        channel = orjson.loads(frame)["channel"]
        if channel == "l2_data":
            for update in DIALECT.decode("books", frame, NAMES, NOW_NS):
                assert isinstance(update, BookUpdate)
                here.take(update)
        if channel == "market_trades" and len(here.books) == 2:
            for trade in DIALECT.decode("trades", frame, NAMES, NOW_NS):
                assert isinstance(trade, Trade)
                best = here.books[trade.symbol].best()
                assert best is not None
                where = "ask" if trade.price == best[1] else "bid" if trade.price == best[0] else "elsewhere"
                seen[trade.side, where] += 1
    elsewhere = seen["buy", "elsewhere"] + seen["sell", "elsewhere"]
    assert (seen["buy", "ask"], seen["sell", "bid"], elsewhere) == (47, 17, 14)
    assert (seen["buy", "bid"], seen["sell", "ask"]) == (0, 0)


@needs_recording
def test_the_books_tell_nearly_twice_as_many_best_prices_as_the_ticker() -> None:
    here, quotes, told = room(), dict[str, list[tuple[float, ...]]](), dict[str, list[tuple[float, ...]]]()
    for frame in RECORDED:
        message = orjson.loads(frame)
        if message["channel"] == "l2_data":
            for update in DIALECT.decode("quotes", frame, NAMES, NOW_NS):
                assert isinstance(update, BookUpdate)
                here.take(update)
                quote = here.new_quote(update.symbol, NOW_NS)
                if quote is not None:
                    values = (quote.bid, quote.bid_amount, quote.ask, quote.ask_amount)
                    quotes.setdefault(quote.symbol, []).append(values)
        if message["channel"] == "ticker" and len(here.books) == 2:
            for ticker in message["events"][0]["tickers"]:
                names = ("best_bid", "best_bid_quantity", "best_ask", "best_ask_quantity")
                values = tuple(float(ticker[name]) for name in names)
                some = told.setdefault(NAMES.symbol(ticker["product_id"]), [])
                if not some or some[-1] != values:
                    some.append(values)
    assert {symbol: len(some) for symbol, some in quotes.items()} == {"BTC/USD": 59, "ETH/USD": 145}
    assert {symbol: len(some) for symbol, some in told.items()} == {"BTC/USD": 44, "ETH/USD": 65}
    unknown = [values for symbol, some in told.items() for values in some if values not in quotes[symbol]]
    assert len(unknown) == 3  # both channels gather what happens within some 50 ms, each in its own rhythm


@needs_recording
def test_frames_of_the_connection_are_counted_without_a_hole_and_trades_are_not() -> None:
    assert [DIALECT.number_of("books", frame) for frame in RECORDED] == list(range(len(RECORDED)))
    assert {DIALECT.number_of("trades", frame) for frame in RECORDED} == {None}
