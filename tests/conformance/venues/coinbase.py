"""Coinbase spot: a recording of 2026 that is not ours to copy, and the documentation's messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import orjson
import pyarrow as pa

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, isoformat
from ares.model.market import Quote, Side, Trade
from ingest.feed import Channel
from ingest.venues.wire import Names
from tests.conformance.market import Depth
from tests.conformance.specimen import Pair, Payload, Sample, Specimen, nautilus
from tests.conftest import shared_folder

DOCS = "https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels, 2026-09"
REST = "https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades"
FILE = "raw_ws/cryptofeed_v3_AGPL/COINBASE.jsonl.zst"
NAMES = Names("coinbase", {"BTC-USD": "BTC/USD", "ETH-USD": "ETH/USD"})


@cache
def recording() -> list[bytes]:
    """Every frame of the recording: five channels on one connection, in order."""
    path = shared_folder() / FILE
    if not path.exists():
        return []
    with pa.CompressedInputStream(pa.OSFile(str(path)), "zstd") as file:
        lines = [orjson.loads(line) for line in file.read().splitlines()]
    return [line["data"].encode() for line in lines if line["t"] == "recv"]


def recorded(*channels: str) -> Callable[[], Sequence[Payload]]:
    """The frames of these channels."""
    return lambda: [frame for frame in recording() if orjson.loads(frame)["channel"] in channels]


MARKET_TRADES = (
    b'{"channel":"market_trades","client_id":"","timestamp":"2023-02-09T20:19:35.39625135Z","sequence_num":0,'
    b'"events":[{"type":"snapshot","trades":[{"trade_id":"12345","product_id":"ETH-USD","price":"1260.01",'
    b'"size":"0.3","side":"BUY","time":"2019-08-14T20:42:27.265Z"}]}]}'
)
LEVEL2 = (
    b'{"channel":"l2_data","client_id":"","timestamp":"2023-02-09T20:32:50.714964855Z","sequence_num":0,"events":'
    b'[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2023-02-09T20:32:50Z",'
    b'"price_level":"21921.73","new_quantity":"0.06317902"},{"side":"offer","event_time":"2023-02-09T20:32:50Z",'
    b'"price_level":"21921.74","new_quantity":"0.02"}]}]}'
)
HEARTBEAT = (
    b'{"channel":"heartbeats","client_id":"","timestamp":"2023-06-23T20:31:26.122969572Z","sequence_num":0,"events":'
    b'[{"current_time":"2023-06-23 20:31:56.121961769 +0000 UTC m=+91717.525857105","heartbeat_counter":"3049"}]}'
)
SUBSCRIBED = (
    b'{"channel":"subscriptions","client_id":"","timestamp":"2023-06-23T20:31:26.122969572Z","sequence_num":0,"events":'
    b'[{"subscriptions":{"level2":["BTC-USD"]}}]}'
)
ERROR = b'{"type":"error","message":"BTC-XYZ is not a valid product"}'


def documented(channel: Channel, frame: bytes) -> Sample:
    """A message of the documentation, with a heartbeat and an answer."""
    return Sample(channel, DOCS, NAMES, lambda: [frame, HEARTBEAT, SUBSCRIBED], 1, answers=1, recorded=False)


def pair(trade_id: int, maker: str) -> Pair:
    """A trade of `market_trades` and a row of the Exchange's `trades`, both of which tell the maker's side."""
    deal = {"trade_id": str(trade_id), "price": "10.00", "size": "0.01000000", "time": "2025-02-09T20:19:35.278554Z"}
    event = {"type": "update", "trades": [{**deal, "product_id": "BTC-USD", "side": maker}]}
    frame = {"channel": "market_trades", "timestamp": "2025-02-09T20:19:35.39625135Z", "sequence_num": 7}
    row = {**deal, "trade_id": trade_id, "side": maker.lower()}
    ts_ns = 1_739_132_375_278_554_000
    side: Side = "sell" if maker == "BUY" else "buy"
    trade = Trade("coinbase", "BTC/USD", str(trade_id), trade_id, side, 10.0, 0.01, ts_ns, 0, "stream")
    return Pair(orjson.dumps({**frame, "events": [event]}), [row], trade, REST)


class Speaker:
    """One address for everything; frames of a line are counted from 0. REST newest first."""

    def __init__(self) -> None:
        self.said = 0

    def subscribed(self, message: bytes, path: str) -> Sequence[tuple[Channel, str]]:
        order = orjson.loads(message)
        topics: dict[str, Channel] = {"market_trades": "trades", "level2": "books"}
        channel = topics.get(order["channel"]) if order["type"] == "subscribe" else None
        return [(channel, name) for name in order["product_ids"]] if channel else []

    def confirmation(self) -> bytes:
        number, self.said = self.said, self.said + 1
        return SUBSCRIBED.replace(b'"sequence_num":0', b'"sequence_num":%d' % number)

    def trade(self, trade: Trade, venue_symbol: str) -> bytes:
        deal = {**self.row(trade), "trade_id": trade.trade_id, "product_id": venue_symbol}
        deal["side"] = deal["side"].upper()
        return self.frame("market_trades", trade.ts_ns, {"type": "update", "trades": [deal]})

    def listed(self, trades: Sequence[Trade], venue_symbol: str) -> object:
        return [{**self.row(trade), "trade_id": trade.seq} for trade in reversed(trades)]

    def row(self, trade: Trade) -> dict[str, str]:
        maker = "sell" if trade.side == "buy" else "buy"
        return {"price": repr(trade.price), "size": repr(trade.amount), "side": maker, "time": moment(trade.ts_ns)}

    def quote(self, quote: Quote, venue_symbol: str) -> bytes:
        raise AssertionError("books tell the best bid and ask")

    def depth(self, depth: Depth) -> bytes:
        at_ns = depth.ts_ms * NANOS_PER_MILLI
        updates = [
            {"side": side, "event_time": moment(at_ns), "price_level": price, "new_quantity": amount}
            for side, levels in (("bid", depth.bids), ("offer", depth.asks))
            for price, amount in levels
        ]
        kind = "snapshot" if depth.snapshot else "update"
        return self.frame("l2_data", at_ns, {"type": kind, "product_id": depth.venue_symbol, "updates": updates})

    def frame(self, channel: str, at_ns: int, event: object) -> bytes:
        number, self.said = self.said, self.said + 1
        head = {"channel": channel, "client_id": "", "timestamp": moment(at_ns), "sequence_num": number}
        return orjson.dumps({**head, "events": [event]})


def moment(ns: int) -> str:
    """RFC 3339 with all nine digits."""
    return f"{isoformat(ns)[:19]}.{ns % NANOS_PER_SECOND:09d}Z"


SPECIMEN = Specimen(
    name="coinbase",
    protocol_date="2026-11",
    names=NAMES,
    samples=[
        Sample("trades", FILE, NAMES, recorded("market_trades", "heartbeats"), 279),
        Sample("trades", FILE, NAMES, recorded("subscriptions"), 0, answers=5),
        Sample("quotes", FILE, NAMES, recorded("l2_data"), 775),
        Sample("books", FILE, NAMES, recorded("l2_data", "heartbeats"), 775),
        documented("trades", MARKET_TRADES),
        documented("quotes", LEVEL2),
        documented("books", LEVEL2),
    ],
    pairs=[pair(74, "BUY"), pair(75, "SELL")],
    refused=[ERROR],
    speaker=Speaker,
    file=nautilus,
    quotes_of_books=True,
    excused={
        "V10": "its books have neither ids nor a checksum: whose change was lost cannot be known",
        "V12": "it sends none; the frames of a line are counted",
        "V17": "heartbeats are a channel that is subscribed to",
        "V18": "it announces nothing",
    },
)
