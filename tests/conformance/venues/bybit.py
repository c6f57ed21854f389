"""Bybit spot: a recording of 2025 that is not ours to copy, and the documentation's messages."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from functools import cache

import orjson

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Quote, Side, Trade
from ingest.feed import Channel
from ingest.venues.wire import Names
from tests.conformance.market import Depth
from tests.conformance.recordings import cryptofeed
from tests.conformance.specimen import Pair, Payload, Sample, Specimen, freqtrade
from tests.conftest import shared_folder

DOCS = "https://bybit-exchange.github.io/docs/v5"
QUOTES_FILES = {"linear": "BYBIT.ws.1.0.gz", "spot": "BYBIT.ws.2.0.gz"}
BOOKS_FILE = "l2/bybit_XRPUSDT_ob500_20241201.data.zip"
RECORDED_PAIRS = (
    "BANDUSDT", "RADUSDT", "SNTUSDT", "AIOZUSDT", "OPUSDC", "TUSDUSDT", "KCSUSDT", "CPOOLUSDT", "ARBUSDC", "MASAUSDT",
    "XRPUSDT",
)  # fmt: skip
RECORDED = Names("bybit", {name: name for name in RECORDED_PAIRS})
NAMES = Names("bybit", {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"})
STREAM = {"trade_id": "i", "ts": "T", "price": "p", "amount": "v", "side": "S"}
ROW = {"trade_id": "execId", "ts": "time", "price": "price", "amount": "size", "side": "side"}


def quotes(category: str) -> Callable[[], Sequence[Payload]]:
    """The recorded line of best bids and asks, answers included."""
    return lambda: cryptofeed(QUOTES_FILES[category])


@cache
def recorded_book() -> list[bytes]:
    """A recorded book of a linear market, 500 levels deep."""
    path = shared_folder() / BOOKS_FILE
    if not path.exists():
        return []
    with zipfile.ZipFile(path) as archive:
        return archive.read(archive.namelist()[0]).splitlines()


PUBLIC_TRADE = (
    b'{"topic":"publicTrade.BTCUSDT","ts":1761520832013,"type":"snapshot","data":['
    b'{"i":"2240000000970263135","T":1761520832011,"p":"114520.6","v":"0.004","S":"Buy","seq":111156152059,'
    b'"s":"BTCUSDT","BT":false,"RPI":false},'
    b'{"i":"2240000000970263141","T":1761520832011,"p":"114520.7","v":"0.0008","S":"Buy","seq":111156152059,'
    b'"s":"BTCUSDT","BT":false,"RPI":false}]}'
)
ORDERBOOK = (
    b'{"topic":"orderbook.1.BTCUSDT","type":"snapshot","ts":1749833474773,"data":{"s":"BTCUSDT","b":[["8445","1.5"]],'
    b'"a":[["8446","95"]],"u":24042997,"seq":209972815373},"cts":1749833474768}'
)
SUBSCRIBED = b'{"success":true,"ret_msg":"subscribe","conn_id":"0970e817-426e-429a-a679-ff7f55e0b16a","op":"subscribe"}'
REFUSED = b'{"success":false,"ret_msg":"error:handler not found","conn_id":"1","op":"subscribe"}'


def documented(channel: Channel, frame: bytes, names: Names, events: int = 1) -> Sample:
    """A message of the documentation and an answer."""
    frames = [SUBSCRIBED, frame]
    place = {"trades": "trade", "funding": "ticker"}.get(channel, "orderbook")
    origin = f"{DOCS}/websocket/public/{place}, 2026-11"
    return Sample(channel, origin, names, lambda: frames, events, 1, recorded=False)


def deal(trade: Trade, names: dict[str, str], venue_symbol: str) -> dict[str, object]:
    """A trade in the words of stream or REST; `seq` is the cross sequence, which linear ones are ordered by."""
    values = {
        "trade_id": trade.trade_id,
        "ts": trade.ts_ns // NANOS_PER_MILLI,
        "price": repr(trade.price),
        "amount": repr(trade.amount),
        "side": trade.side.capitalize(),
    }
    said = {name: values[ours] for ours, name in names.items()}
    return {**said, "seq": str(trade.seq // 1_024), "s" if names is STREAM else "symbol": venue_symbol}


class Speaker:
    """Lines of a category at `/v5/public/…`, ten topics a request; REST newest first."""

    category = "spot"

    def subscribed(self, message: bytes, path: str) -> Sequence[tuple[Channel, str]]:
        assert path == f"/v5/public/{self.category}"
        order = orjson.loads(message)
        topics: dict[str, Channel] = {"publicTrade": "trades", "orderbook.1": "quotes", "orderbook.200": "books"}
        topics["tickers"] = "funding"
        parts = [topic.rpartition(".") for topic in order["args"]] if order["op"] == "subscribe" else []
        assert len(parts) <= 10
        return [(topics[topic], name) for topic, _, name in parts]

    def confirmation(self) -> bytes:
        return SUBSCRIBED

    def trade(self, trade: Trade, venue_symbol: str) -> bytes:
        ms = trade.ts_ns // NANOS_PER_MILLI
        data = [deal(trade, STREAM, venue_symbol)]
        return orjson.dumps({"topic": f"publicTrade.{venue_symbol}", "ts": ms, "type": "snapshot", "data": data})

    def listed(self, trades: Sequence[Trade], venue_symbol: str) -> object:
        rows = [deal(trade, ROW, venue_symbol) for trade in reversed(trades)]
        return {"retCode": 0, "retMsg": "OK", "result": {"category": self.category, "list": rows}}

    def quote(self, quote: Quote, venue_symbol: str) -> bytes:
        levels = [[repr(quote.bid), repr(quote.bid_amount)]], [[repr(quote.ask), repr(quote.ask_amount)]]
        data = {"s": venue_symbol, "b": levels[0], "a": levels[1], "u": quote.update_id, "seq": quote.update_id}
        return orderbook(1, "snapshot", data, quote.ts_ns // NANOS_PER_MILLI)

    def depth(self, depth: Depth) -> bytes:
        data = {"s": depth.venue_symbol, "b": depth.bids, "a": depth.asks, "u": depth.number, "seq": depth.last_id}
        return orderbook(200, "snapshot" if depth.snapshot else "delta", data, depth.ts_ms)


def orderbook(levels: int, kind: str, data: dict[str, object], ms: int) -> bytes:
    """A message of `orderbook`; `cts` is the engine's time."""
    topic = f"orderbook.{levels}.{data['s']}"
    return orjson.dumps({"topic": topic, "type": kind, "ts": ms + 1, "data": data, "cts": ms})


def pair(venue: str, symbol: str, trade_id: str, seq: tuple[str, int], side: Side) -> Pair:
    """A trade of `publicTrade` and a row of `recent-trade`; `S`, `side`: "Side of taker". `seq`: theirs, and ours."""
    word = side.capitalize()
    deal = {"i": trade_id, "T": 1_761_520_832_011, "p": "114520.6", "v": "0.004366", "S": word, "seq": int(seq[0])}
    deal |= {"s": "BTCUSDT", "BT": False, "RPI": False}
    stream = {"topic": "publicTrade.BTCUSDT", "ts": 1_761_520_832_013, "type": "snapshot", "data": [deal]}
    row: dict[str, object] = {
        "execId": trade_id,
        "symbol": "BTCUSDT",
        "price": "114520.6",
        "size": "0.004366",
        "side": word,
    }
    row |= {"time": "1761520832011", "isBlockTrade": False, "isRPITrade": False, "seq": seq[0]}
    answer = {"retCode": 0, "retMsg": "OK", "result": {"category": "spot", "list": [row]}}
    ts_ns = 1_761_520_832_011 * NANOS_PER_MILLI
    trade = Trade(venue, symbol, trade_id, seq[1], side, 114_520.6, 0.004366, ts_ns, 0, "stream")
    return Pair(orjson.dumps(stream), answer, trade, f"{DOCS}/market/recent-trade")


def shared_ids(of_symbol: int, of_market: int) -> tuple[str, int]:
    """Ids that grow, and of which those of one symbol have holes."""
    seq = 2_290_000_000_000_000_000 + 3 * of_market
    return str(seq), seq


COUNTS_NOTHING = "it does not count the frames of a line; ids of changes tell what is missing"
NO_CHECKSUM = "it sends none; ids of changes tell what is missing"
NO_NOTICE = "it announces nothing on the stream"

SPECIMEN = Specimen(
    name="bybit",
    protocol_date="2026-11",
    names=NAMES,
    samples=[
        Sample("quotes", f"raw_ws/cryptofeed/{QUOTES_FILES['spot']}", RECORDED, quotes("spot"), 139, answers=6),
        documented("trades", PUBLIC_TRADE, NAMES, 2),
        documented("quotes", ORDERBOOK, NAMES),
        documented("books", ORDERBOOK.replace(b"orderbook.1", b"orderbook.200"), NAMES),
    ],
    pairs=[
        pair("bybit", "BTC/USDT", "2290000000000000001", ("7", 2290000000000000001), "sell"),
        pair("bybit", "BTC/USDT", "2290000000000000004", ("8", 2290000000000000004), "buy"),
    ],
    refused=[REFUSED],
    speaker=Speaker,
    file=freqtrade,
    ids=shared_ids,
    excused={"V11": COUNTS_NOTHING, "V12": NO_CHECKSUM, "V18": NO_NOTICE},
)
