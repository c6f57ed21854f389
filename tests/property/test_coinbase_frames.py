"""Coinbase: the recorded market is understood frame by frame, and nothing done to its frames breaks a decoder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.errors import MalformedFrame
from ares.model.market import Trade
from ares.store.lines import Lines
from ingest.books import BookRoom, BookUpdate
from ingest.feed import Channel
from ingest.validation import Limits, Validator
from ingest.venues.coinbase.dialect import CoinbaseDialect
from ingest.venues.wire import Names

RECORDING = (
    Path(__file__).resolve().parents[3] / "shared" / "data" / "raw_ws" / "cryptofeed_v3_AGPL" / "COINBASE.jsonl.zst"
)
NAMES = Names("coinbase", {"BTC-USD": "BTC/USD", "ETH-USD": "ETH/USD"})
NOW_NS = 1_790_000_000_000_000_000
DIALECT = CoinbaseDialect()
LINES = Lines()
EXAMPLES: Mapping[str, bytes] = {
    "market_trades": (
        b'{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":0,'
        b'"events":[{"type":"snapshot","trades":[{"trade_id":"12345","product_id":"ETH-USD","price":"1260.01",'
        b'"size":"0.3","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}'
    ),
    "l2_data": (
        b'{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,"events":'
        b'[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2023-02-09T20:32:50Z",'
        b'"price_level":"21921.73","new_quantity":"0.06317902"},{"side":"offer","event_time":"2023-02-09T20:32:50Z",'
        b'"price_level":"21921.74","new_quantity":"0.02"}]}]}'
    ),
}
"""https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels; an offer was added."""


def recorded() -> list[bytes]:
    """Every frame of the recording: five channels on one connection, in order."""
    if not RECORDING.exists():
        return []
    with pa.CompressedInputStream(pa.OSFile(str(RECORDING)), "zstd") as file:
        lines = [orjson.loads(line) for line in file.read().splitlines()]
    return [line["data"].encode() for line in lines if line["t"] == "recv"]


RECORDED = recorded()
NEEDED: Mapping[Channel, str] = {"trades": "market_trades", "quotes": "l2_data", "books": "l2_data"}


def frames_of(channel: Channel) -> list[bytes]:
    """The frames of a connection: its channel, heartbeats, answers. Without a recording, the venue's examples."""
    told = (NEEDED[channel], "heartbeats", "subscriptions")
    return [frame for frame in RECORDED if orjson.loads(frame)["channel"] in told] or [EXAMPLES[NEEDED[channel]]]


TRADES, BOOKS = frames_of("trades"), frames_of("books")
needs_recording = pytest.mark.skipif(not RECORDED, reason="the recording COINBASE.jsonl.zst is not here")


def updates() -> Iterator[BookUpdate]:
    for frame in BOOKS:
        for update in DIALECT.decode("books", frame, NAMES, NOW_NS):
            assert isinstance(update, BookUpdate)
            yield update


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
def test_columns_of_a_burst_are_the_trades_themselves() -> None:
    receipts = [NOW_NS + place for place in range(len(TRADES))]
    runs = DIALECT.runs(TRADES, NAMES, receipts)
    assert runs is not None
    one_by_one: list[object] = []
    for frame, receipt_ns in zip(TRADES, receipts, strict=True):
        one_by_one += DIALECT.decode("trades", frame, NAMES, receipt_ns)
    at_once = [trade for run in runs for trade in run.trades()]
    assert sorted(at_once, key=repr) == sorted(one_by_one, key=repr)


@needs_recording
def test_books_of_the_recording_are_whole_and_never_crossed() -> None:
    here, taken = room(), Counter[bool]()
    for update in updates():
        assert here.take(update) is None
        taken[update.snapshot] += 1
        best = here.books[update.symbol].best()
        assert best is not None
        assert best[0] < best[1]
    assert taken == {True: 2, False: 773}
    sizes = {symbol: (len(book.bids.amounts), len(book.asks.amounts)) for symbol, book in here.books.items()}
    assert sizes["BTC/USD"] > (18_000, 27_000)


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


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Channel, bytes]:
    """A real frame with bytes changed, cut out or put in."""
    channel: Channel = draw(st.sampled_from(("trades", "quotes", "books")))
    small = [frame for frame in (TRADES if channel == "trades" else BOOKS) if len(frame) < 20_000]
    frame = bytearray(draw(st.sampled_from(small)))
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(frame) - 1)))
        frame[place : place + draw(st.integers(0, 3))] = draw(
            st.binary(max_size=3) | st.sampled_from([b"0", b"-1", b"e9", b'"nan"', b"null", b"\\n", b"\xd9\xa3"])
        )
    return channel, bytes(frame)


@given(case=mutated())
def test_mutated_frames_give_sound_events_or_a_refusal(case: tuple[Channel, bytes]) -> None:
    channel, frame = case
    validator = Validator(Limits(60.0, 10.0))
    assert DIALECT.answer_of(frame) in (None, "confirmed", "refused")
    number = DIALECT.number_of(channel, frame)
    assert number is None or number >= 0
    with suppress(MalformedFrame):
        for event in DIALECT.decode(channel, frame, NAMES, NOW_NS):
            if isinstance(event, BookUpdate):
                assert all(price > 0 and amount >= 0 for price, amount in (*event.bids, *event.asks))
                assert room().take(event) in (None, "crossed")
            elif validator.fault_of(event, NOW_NS) is None:
                assert LINES.of([event])
    runs = DIALECT.runs([frame], NAMES, [NOW_NS]) if channel == "trades" else None
    for run in runs or ():
        assert all(seq > 0 for seq in run.seqs)
