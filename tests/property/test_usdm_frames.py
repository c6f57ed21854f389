"""Binance USD-M: what its recordings show beyond the cases that all venues share.

The recordings of 2024 hold single trades, which have the shape of aggregates of one; those of 2021 hold aggregates.
No recording holds mark prices: their frames are the documentation's.
"""

from __future__ import annotations

import csv
import gzip
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import MINUTE_NS, NANOS_PER_MILLI
from ares.model.market import Quote, Trade
from ingest.books import BookRoom, BookUpdate, Fit
from ingest.feed import Channel, MarketEvent
from ingest.funding import FundingUpdate
from ingest.venues.binance.decoder import decode_snapshot
from ingest.venues.binanceusdm.decoder import follows
from ingest.venues.binanceusdm.dialect import UsdmDialect
from ingest.venues.wire import Names
from tests.conformance.recordings import cryptofeed, hftbacktest
from tests.conformance.venues import binance, binanceusdm

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BINANCE, CRYPTOFEED = DATA / "raw_ws" / "binance", DATA / "raw_ws" / "cryptofeed"
KLINES = DATA / "pairs" / "usdm_BTCUSDT_klines_1m_20240718-19.csv"
PERPETUALS = ("BTCUSDT", "ETHUSDT", "DENTUSDT", "KSMUSDT", "XMRUSDT", "YFIUSDT")
NAMES = Names("binanceusdm", {name: f"{name.removesuffix('USDT')}/USDT:USDT" for name in PERPETUALS})
NOW_NS = 1_721_347_500_000_000_000
DIALECT = UsdmDialect()
KINDS: dict[bytes, Channel] = {
    b"@trade": "trades",
    b"@aggTrade": "trades",
    b"@bookTicker": "quotes",
    b"@depth": "books",
}
needs_recordings = pytest.mark.skipif(not BINANCE.exists(), reason="the recordings of Binance USD-M are not here")

Recorded = list[tuple[Channel | None, bytes]]
"""Frames by channel, None for an answer of REST `depth`."""


def channel_of(text: bytes) -> Channel | None:
    head = text[:50]
    return next((channel for mark, channel in KINDS.items() if mark in head), None)


@cache
def recorded(symbol: str) -> Recorded:
    """The recording of 2024-07-18 and 19: lines are "<capture ns> <json>"."""
    found: Recorded = []
    for day in (18, 19):
        for text in hftbacktest(BINANCE / f"usdm_{symbol.lower()}_202407{day}.gz"):
            channel = channel_of(text)
            found.append((channel, binance.as_aggregate(text) if channel == "trades" else text))
    return found


@cache
def recorded_aggregates() -> Recorded:
    """The recording of 2021-04-17, four perpetuals: lines are "<capture s>: <json>"."""
    return [(channel_of(text), text) for text in cryptofeed(binanceusdm.AGGREGATES) if channel_of(text) is not None]


def events_of(recording: Recorded, channel: Channel) -> Iterator[MarketEvent]:
    for kind, text in recording:
        if kind == channel:
            yield from DIALECT.decode(channel, text, NAMES, NOW_NS)


@needs_recordings
def test_ids_of_recorded_aggregates_have_no_holes_and_their_times_are_the_matching_engines() -> None:
    by_symbol: dict[str, list[Trade]] = {}
    for event in events_of(recorded_aggregates(), "trades"):
        assert isinstance(event, Trade)
        by_symbol.setdefault(event.symbol, []).append(event)
    assert sum(map(len, by_symbol.values())) == 185
    assert all(after.seq == one.seq + 1 for trades in by_symbol.values() for one, after in pairwise(trades))
    first = by_symbol["YFI/USDT:USDT"][0]
    assert (first.seq, first.side, first.price, first.amount) == (52_599_685, "buy", 49_966.7, 0.001)
    assert first.ts_ns == 1_618_677_448_084 * NANOS_PER_MILLI


@needs_recordings
@pytest.mark.skipif(not KLINES.exists(), reason="the candles are not here")
def test_recorded_trades_make_the_venues_own_candles_and_cut_minutes_do_not() -> None:
    by_minute: dict[int, list[Trade]] = {}
    for event in events_of(recorded("BTCUSDT"), "trades"):
        assert isinstance(event, Trade)
        by_minute.setdefault(event.ts_ns // MINUTE_NS, []).append(event)
    with KLINES.open(encoding="utf-8") as file:
        candles = {int(row["open_time"]) * NANOS_PER_MILLI // MINUTE_NS: row for row in csv.DictReader(file)}
    equal = [minute for minute, row in candles.items() if is_candle(row, by_minute[minute])]
    assert equal == sorted(candles)[1:8]
    assert len(candles) == 9


def is_candle(row: dict[str, str], trades: Sequence[Trade]) -> bool:
    in_order = sorted(trades, key=lambda trade: trade.seq)
    prices = [trade.price for trade in in_order]
    bought = [trade for trade in trades if trade.side == "buy"]
    ours = [prices[0], max(prices), min(prices), prices[-1], sum(trade.amount for trade in trades)]
    ours += [sum(t.price * t.amount for t in trades), len(trades), sum(trade.amount for trade in bought)]
    names = ("open", "high", "low", "close", "volume", "quote_volume", "count", "taker_buy_volume")
    return ours == pytest.approx([float(row[name]) for name in names], rel=1e-12, abs=1e-6)


def shown_by_quotes(recording: Recorded) -> Callable[[str, int], Quote | None]:
    """The venue's best bid and ask of a symbol at an id."""
    quotes: dict[str, list[Quote]] = {}
    for event in events_of(recording, "quotes"):
        assert isinstance(event, Quote)
        quotes.setdefault(event.symbol, []).append(event)
    ids = {symbol: [quote.update_id for quote in some] for symbol, some in quotes.items()}

    def at(symbol: str, update_id: int) -> Quote | None:
        place = bisect_right(ids[symbol], update_id)
        return quotes[symbol][place - 1] if place else None

    return at


def compared(recording: Recorded, updates: Iterator[BookUpdate], levels: int = 1) -> int:
    """Follow the books and hold them to the venue's own best at every change; how many changes were compared."""
    at = shown_by_quotes(recording)
    room = BookRoom(DIALECT.book_rules.follows, levels, 0)
    count = 0
    for update in updates:
        assert room.take(update) is None
        book = room.books[update.symbol]
        if not book.is_whole or update.snapshot:
            continue
        top, shown = book.top(1, NOW_NS), at(update.symbol, update.last_id)
        assert top is not None
        assert top.bids[0][0] < top.asks[0][0]
        if shown is not None:
            assert (shown.bid, shown.bid_amount, shown.ask, shown.ask_amount) == (*top.bids[0], *top.asks[0])
            count += 1
    return count


@needs_recordings
@pytest.mark.parametrize(("symbol", "changes"), [("BTCUSDT", 9_016), ("ETHUSDT", 8_922)])
def test_followed_books_show_the_venues_own_best_at_every_change(symbol: str, changes: int) -> None:
    def updates() -> Iterator[BookUpdate]:
        for kind, text in recorded(symbol):
            if kind is None:
                yield decode_snapshot(orjson.loads(text), "binanceusdm", f"{symbol[:3]}/USDT:USDT", NOW_NS)
            elif kind == "books":
                for event in DIALECT.decode("books", text, NAMES, NOW_NS):
                    assert isinstance(event, BookUpdate)
                    yield event

    assert compared(recorded(symbol), updates()) == changes


@needs_recordings
def test_books_of_four_perpetuals_splice_with_their_snapshots_of_rest() -> None:
    def updates() -> Iterator[BookUpdate]:
        with gzip.open(CRYPTOFEED / "BINANCE_FUTURES.http.4.0.gz", "rb") as lines:
            for line in lines:
                head, _, text = line.partition(b": ")
                if text:
                    name = head.partition(b"symbol=")[2].partition(b"&")[0].decode()
                    yield decode_snapshot(orjson.loads(text), "binanceusdm", NAMES.symbol(name), NOW_NS)

    def changes() -> Iterator[BookUpdate]:
        for event in events_of(recorded_aggregates(), "books"):
            assert isinstance(event, BookUpdate)
            yield event

    waiting = list(changes())
    assert len(waiting) == 1_016
    order = [*waiting[:200], *updates(), *waiting[200:]]
    assert compared(recorded_aggregates(), iter(order)) == 816


@needs_recordings
@given(place=st.integers(0, 10_000))
def test_a_change_that_is_lost_is_noticed_at_the_next_one(place: int) -> None:
    changes = [event for event in events_of(recorded_aggregates()[:1_000], "books") if isinstance(event, BookUpdate)]
    mine = [update for update in changes if update.symbol == changes[0].symbol]
    lost = 1 + place % (len(mine) - 2)
    assert follows(mine[lost - 1].last_id, mine[lost], first=False) is Fit.NEXT
    assert follows(mine[lost - 1].last_id, mine[lost + 1], first=False) is Fit.GAP
    assert follows(mine[lost].last_id, mine[lost - 1], first=False) is Fit.OLD


@given(prev=st.integers(1, 50), begins=st.integers(1, 5), length=st.integers(0, 5), snapshot=st.integers(1, 70))
def test_the_first_change_reaches_over_the_snapshot_and_nothing_lies_between(
    prev: int, begins: int, length: int, snapshot: int
) -> None:
    first_id, last_id = prev + begins, prev + begins + length
    update = BookUpdate(
        venue="x", symbol="x", first_id=first_id, last_id=last_id, prev_id=prev, bids=(), asks=(),
        ts_ns=1, received_at_ns=1, ts_source="venue",
    )  # fmt: skip
    fit = follows(snapshot, update, first=True)
    assert (fit is Fit.OLD) == (last_id < snapshot)
    assert (fit is Fit.GAP) == (prev > snapshot)
    if first_id <= snapshot <= last_id:
        assert fit is Fit.NEXT, "the venue's own rule"


def test_a_mark_price_tells_the_rate_and_its_moment() -> None:
    (update,) = DIALECT.decode("funding", binanceusdm.MARK_PRICE, NAMES, NOW_NS)
    assert update == FundingUpdate(
        venue="binanceusdm",
        symbol="BTC/USDT:USDT",
        ts_ns=1_721_347_499_000 * NANOS_PER_MILLI,
        received_at_ns=NOW_NS,
        rate=-0.00038167,
        funding_at_ns=1_721_347_500_000 * NANOS_PER_MILLI,
        mark_price=63_940.15,
        index_price=63_962.62659091,
    )


def test_quotes_and_books_have_the_matching_engines_time() -> None:
    quote = (
        b'{"e":"bookTicker","u":7,"s":"BTCUSDT","b":"9","B":"1","a":"10","A":"1","T":1721347022507,"E":1721347022511}'
    )
    (event,) = DIALECT.decode("quotes", quote, NAMES, NOW_NS)
    assert isinstance(event, Quote)
    assert (event.ts_ns, event.ts_source) == (1_721_347_022_507 * NANOS_PER_MILLI, "venue")
