"""Binance spot: the recordings in the repository, and its documentation's messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import orjson

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Quote, Side, Trade
from ingest.feed import Channel
from ingest.venues.binance.rest import BinanceWords
from ingest.venues.rest import Asked
from ingest.venues.wire import Names
from tests.conformance.market import Depth
from tests.conformance.recordings import OURS, hftbacktest
from tests.conformance.specimen import Pair, Payload, Sample, Specimen, binance_file

DOCS = "https://developers.binance.com/docs/binance-spot-api-docs"
STREAMS = f"{DOCS}/web-socket-streams, 2026-09"
REST = f"{DOCS}/rest-api/market-data-endpoints#compressedaggregate-trades-list"
RECORDED_NS = 1_723_161_600_000_000_000
MARKS: Mapping[Channel, bytes] = {"trades": b"@trade", "quotes": b"@bookTicker", "books": b"@depth"}
CHANNELS: Mapping[str, Channel] = {
    "aggTrade": "trades", "bookTicker": "quotes", "depth": "books", "markPrice": "funding",
}  # fmt: skip
NAMES = Names("binance", {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"})
DOCUMENTED = Names("binance", {"BNBBTC": "BNB/BTC"})


SINGLE = "single trades, read as aggregates of one"


def as_aggregate(frame: bytes) -> bytes:
    """Recordings hold single trades, which have the shape of aggregates of one: t is a."""
    return frame.replace(b'"t":', b'"a":')


def recorded(file: str, channel: Channel, symbol: str) -> Callable[[], Sequence[Payload]]:
    """The frames of a channel, and among those of books the answers of REST `depth`."""

    def load() -> Sequence[Payload]:
        frames: list[Payload] = []
        for line in hftbacktest(OURS / file):
            if MARKS[channel] in line[:40]:
                frames.append(as_aggregate(line) if channel == "trades" else line)
            elif channel == "books" and not line.startswith(b'{"stream"'):
                asked = Asked("binance", symbol, symbol.replace("/", ""), RECORDED_NS)
                frames.append(BinanceWords().read_book(orjson.loads(line), asked))
        return frames

    return load


def recording(symbol: str, counts: tuple[int, int, int]) -> list[Sample]:
    """What there is of a symbol: how many trades, quotes, and snapshots and changes of the book."""
    name = symbol.replace("/", "")
    file = f"spot_{name.lower()}_20240808.gz"
    names = Names("binance", {name: symbol})
    return [
        Sample(
            channel, f"simulator/recordings/{file}", names, recorded(file, channel, symbol), events,
            adapted=SINGLE if channel == "trades" else "",
        )
        for channel, events in zip(MARKS, counts, strict=True)
    ]  # fmt: skip


AGG_TRADE = (
    b'{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,'
    b'"T":1672515782136,"m":true,"M":true}'
)
BOOK_TICKER = b'{"u":400900217,"s":"BNBBTC","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}'
DEPTH_UPDATE = (
    b'{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"]],"a":[["0.0026","100"]]}'
)
SUBSCRIBED = b'{"result":null,"id":1}'


def documented(channel: Channel, frames: list[Payload], events: int, answers: int = 0) -> Sample:
    """Messages of the documentation."""
    return Sample(channel, STREAMS, DOCUMENTED, lambda: frames, events, answers, recorded=False, follows=False)


SAMPLES = (
    *recording("BTC/USDT", (9_757, 28_040, 3_452)),
    *recording("ETH/USDT", (6_106, 24_077, 3_435)),
    documented("trades", [AGG_TRADE], 1),
    documented("quotes", [BOOK_TICKER], 1),
    documented("books", [DEPTH_UPDATE, SUBSCRIBED], 1, answers=1),
)


def pair(venue: str, symbol: str, why: str, seq: int, *, buyer_is_maker: bool) -> Pair:
    """The stream's `aggTrade` and a row of REST `aggTrades`; `m`: "Was the buyer the maker?"."""
    row = {"a": seq, "p": "61837.63", "q": "0.5", "f": 9, "l": 9, "T": 1_700_000_000_123, "m": buyer_is_maker}
    frame = {"e": "aggTrade", "E": 1_700_000_000_130, "s": "BTCUSDT", **row}
    ts_ns = 1_700_000_000_123 * NANOS_PER_MILLI
    side: Side = "sell" if buyer_is_maker else "buy"
    trade = Trade(venue, symbol, str(seq), seq, side, 61_837.63, 0.5, ts_ns, 0, "stream")
    return Pair(orjson.dumps(frame), [row], trade, why)


class Speaker:
    """Raw streams at `/ws`, REST below `/api/v3`."""

    def subscribed(self, message: bytes, path: str) -> Sequence[tuple[Channel, str]]:
        assert path.endswith("/ws")
        order = orjson.loads(message)
        parts = [stream.split("@") for stream in order["params"] if order["method"] == "SUBSCRIBE"]
        return [(CHANNELS[part[1]], part[0].upper()) for part in parts]

    def confirmation(self) -> bytes:
        return SUBSCRIBED

    def trade(self, trade: Trade, venue_symbol: str) -> bytes:
        ms = trade.ts_ns // NANOS_PER_MILLI
        return orjson.dumps({"e": "aggTrade", "E": ms + 1, "s": venue_symbol, **agg_trade(trade)})

    def listed(self, trades: Sequence[Trade], venue_symbol: str) -> object:
        return [agg_trade(trade) for trade in trades]

    def quote(self, quote: Quote, venue_symbol: str) -> bytes:
        sides = {"b": repr(quote.bid), "B": repr(quote.bid_amount), "a": repr(quote.ask), "A": repr(quote.ask_amount)}
        return orjson.dumps({"u": quote.update_id, "s": venue_symbol, **sides})

    def depth(self, depth: Depth) -> bytes:
        if depth.snapshot:
            return orjson.dumps({"lastUpdateId": depth.last_id, "bids": depth.bids, "asks": depth.asks})
        ids = {"U": depth.first_id, "u": depth.last_id, "b": depth.bids, "a": depth.asks}
        return orjson.dumps({"e": "depthUpdate", "E": depth.ts_ms, "s": depth.venue_symbol, **ids})


def agg_trade(trade: Trade) -> dict[str, object]:
    """A row of `aggTrades`."""
    ids = {"a": trade.seq, "p": repr(trade.price), "q": repr(trade.amount), "f": trade.seq, "l": trade.seq}
    return {**ids, "T": trade.ts_ns // NANOS_PER_MILLI, "m": trade.side == "sell", "M": True}


REFUSED = b'{"code":0,"msg":"Unknown property","id":1,"error":{"code":2,"msg":"Invalid request"}}'
SHUTDOWN = b'{"e":"serverShutdown","E":1770123456789}'
COUNTS_NOTHING = "it does not count the frames of a line; ids of changes tell what is missing"
NO_CHECKSUM = "it sends none; ids of changes tell what is missing"
PINGS = "WebSocket's own pings keep its lines alive"

SPECIMEN = Specimen(
    name="binance",
    protocol_date="2026-09",
    names=NAMES,
    samples=SAMPLES,
    pairs=[pair("binance", "BTC/USDT", REST, 7 + maker, buyer_is_maker=bool(maker)) for maker in (0, 1)],
    refused=[REFUSED],
    leaving=[SHUTDOWN, b'{"stream":"x","data":' + SHUTDOWN + b"}", b'{"subscriptionId":1,"event":' + SHUTDOWN + b"}"],
    speaker=Speaker,
    file=binance_file,
    excused={"V11": COUNTS_NOTHING, "V12": NO_CHECKSUM, "V17": PINGS},
)
