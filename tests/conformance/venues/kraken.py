"""Kraken spot: recordings of 2021 that are not ours to copy, and the documentation's messages.

The recordings are of version 1 of the protocol, whose books have the digits and the checksum of version 2's: its
messages are told again in the words of version 2. Trades of version 1 have no ids; they are numbered here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from zlib import crc32

import msgspec
import orjson

from ares.clock import NANOS_PER_MICRO, NANOS_PER_MILLI, NANOS_PER_SECOND, isoformat
from ares.model.market import Quote, Side, Trade
from ingest.books import BookUpdate
from ingest.feed import Channel
from ingest.venues.kraken.decoder import RENAMED, decode_depths
from ingest.venues.wire import Names
from tests.conformance.market import Depth
from tests.conformance.recordings import cryptofeed
from tests.conformance.specimen import Pair, Payload, Sample, Specimen, freqtrade

DOCS = "https://docs.kraken.com/exchange/api-reference/spot-websocket-v2"
REST = "https://docs.kraken.com/api-reference/market-data/get-recent-trades"
TRADES_FILE, BOOKS_FILE = "KRAKEN.ws.48.0.gz", "KRAKEN.ws.50.0.gz"
PAIRS = (
    "ADA/BTC", "BTC/CHF", "ETH/CHF", "GRT/ETH", "KSM/BTC", "OCEAN/BTC", "OMG/USD", "SC/EUR", "WAVES/EUR", "XMR/USD",
)  # fmt: skip
RECORDED = Names("kraken", {name: name for name in PAIRS})
NAMES = Names("kraken", {"BTC/USD": "BTC/USD", "ETH/USD": "ETH/USD"})
DOCUMENTED = Names("kraken", {"BTC/USD": "BTC/USD", "MATIC/USD": "MATIC/USD"})
RETOLD = "version 1, told again in the words of version 2"
RECORDED_NS = 1_618_678_142_000_000_000


def messages_of(file: str) -> Iterator[list[object]]:
    """The data of a recording of version 1: [channel, data…, name, pair]."""
    for text in cryptofeed(file):
        if text.startswith(b"["):
            yield orjson.loads(text)


def pair_of(message: list[object]) -> str:
    return "/".join(RENAMED.get(part, part) for part in str(message[-1]).split("/"))


def moment_of(seconds: str) -> str:
    """A time of version 1 as version 2 writes it."""
    whole, _, micros = seconds.partition(".")
    return isoformat((int(whole) * 1_000_000 + int(micros.ljust(6, "0")[:6])) * NANOS_PER_MICRO)[:26] + "Z"


@cache
def recorded_books() -> list[bytes]:
    """Books in the words of version 2, digit by digit. A snapshot of version 1 has no checksum; here it has 0."""
    frames: list[bytes] = []
    for message in messages_of(BOOKS_FILE):
        parts = {name: value for part in message[1:-2] if isinstance(part, dict) for name, value in part.items()}
        first = "as" in parts
        bids, asks = (parts.get(name + "s" if first else name, []) for name in ("b", "a"))
        sides = [",".join(f'{{"price":{p},"qty":{q}}}' for p, q, *_ in levels) for levels in (bids, asks)]
        at = moment_of(max(level[2] for level in (*bids, *asks)))
        frames.append(
            f'{{"channel":"book","type":"{"snapshot" if first else "update"}","data":[{{"symbol":"{pair_of(message)}",'
            f'"bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{parts.get("c", 0)},"timestamp":"{at}"}}]}}'.encode()
        )
    return frames


def unchecked() -> Sequence[Payload]:
    """The books, their snapshots without the checksum that version 1 did not send."""
    return [frame if b'"update"' in frame[:40] else without_checksum(frame) for frame in recorded_books()]


def without_checksum(frame: bytes) -> BookUpdate:
    (update,) = decode_depths(frame, RECORDED, RECORDED_NS)
    return msgspec.structs.replace(update, checksum=None)


@cache
def recorded_trades() -> list[bytes]:
    """Trades in the words of version 2, numbered by pair."""
    ids: Counter[str] = Counter()
    frames: list[bytes] = []
    for message in messages_of(TRADES_FILE):
        pair, deals = pair_of(message), message[1]
        assert isinstance(deals, list)
        data = []
        for price, amount, time, side, kind, _ in deals:
            ids[pair] += 1
            data.append(
                f'{{"symbol":"{pair}","side":"{"buy" if side == "b" else "sell"}","price":{price},"qty":{amount},'
                f'"ord_type":"{"market" if kind == "m" else "limit"}","trade_id":{ids[pair]},'
                f'"timestamp":"{moment_of(time)}"}}'
            )
        frames.append(f'{{"channel":"trade","type":"update","data":[{",".join(data)}]}}'.encode())
    return frames


CHECKED = (
    b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[{"price":45283.5,"qty":0.10000000},'
    b'{"price":45283.4,"qty":1.54582015},{"price":45282.1,"qty":0.10000000},{"price":45281.0,"qty":0.10000000},'
    b'{"price":45280.3,"qty":1.54592586},{"price":45279.0,"qty":0.07990000},{"price":45277.6,"qty":0.03310103},'
    b'{"price":45277.5,"qty":0.30000000},{"price":45277.3,"qty":1.54602737},{"price":45276.6,"qty":0.15445238}],'
    b'"asks":[{"price":45285.2,"qty":0.00100000},{"price":45286.4,"qty":1.54571953},{"price":45286.6,"qty":1.54571109},'
    b'{"price":45289.6,"qty":1.54560911},{"price":45290.2,"qty":0.15890660},{"price":45291.8,"qty":1.54553491},'
    b'{"price":45294.7,"qty":0.04454749},{"price":45296.1,"qty":0.35380000},{"price":45297.5,"qty":0.09945542},'
    b'{"price":45299.5,"qty":0.18772827}],"checksum":3310070434}]}'
)
"""https://docs.kraken.com/exchange/guides/websockets/book-checksum-v2"""
UPDATE = (
    b'{"channel":"book","type":"update","data":[{"symbol":"MATIC/USD","bids":[{"price":0.5657,"qty":1098.3947558}],'
    b'"asks":[],"checksum":2114181697,"timestamp":"2023-10-06T17:35:55.440295Z"}]}'
)
TRADE = (
    b'{"channel":"trade","type":"update","data":[{"symbol":"MATIC/USD","side":"buy","price":0.5147,"qty":6423.46326,'
    b'"ord_type":"limit","trade_id":4665846,"timestamp":"2023-09-25T07:48:36.925533Z"}]}'
)
STATUS = (
    b'{"channel":"status","type":"update","data":[{"version":"2.0.10","system":"online","api_version":"v2",'
    b'"connection_id":18125794168470749634}]}'
)
HEARTBEAT = b'{"channel":"heartbeat"}'
SUBSCRIBED = (
    b'{"method":"subscribe","result":{"channel":"book","depth":100,"snapshot":true,"symbol":"BTC/USD"},"success":true,'
    b'"time_in":"2023-10-06T17:35:55.219022Z","time_out":"2023-10-06T17:35:55.219067Z"}'
)
REFUSED = (
    b'{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,"symbol":"XBT/USD",'
    b'"time_in":"2026-09-25T17:48:54.701041Z","time_out":"2026-09-25T17:48:54.701062Z"}'
)


def documented(channel: Channel, *frames: bytes) -> Sample:
    """Messages of the documentation, with greeting, answer and heartbeat."""
    said = [STATUS, SUBSCRIBED, *frames, HEARTBEAT]
    return Sample(
        channel, f"{DOCS}, 2026-11", DOCUMENTED, lambda: said, len(frames), 2, recorded=False, follows=False
    )  # fmt: skip


def pair(trade_id: int, side: Side) -> Pair:
    """A trade of `trade` and a row of REST `Trades`, whose time went through a float."""
    stream = (
        f'{{"channel":"trade","type":"update","data":[{{"symbol":"BTC/USD","side":"{side}","price":30243.4,'
        f'"qty":0.34507674,"ord_type":"market","trade_id":{trade_id},"timestamp":"2023-07-06T18:53:17.827736Z"}}]}}'
    )
    row = ["30243.40000", "0.34507674", 1688669597.8277369, side[0], "m", "", trade_id]
    ts_ns = 1_688_669_597_827 * NANOS_PER_MILLI
    trade = Trade("kraken", "BTC/USD", str(trade_id), trade_id, side, 30_243.4, 0.34507674, ts_ns, 0, "stream")
    return Pair(stream.encode(), {"error": [], "result": {"XXBTZUSD": [row], "last": "1"}}, trade, REST)


class Speaker:
    """One address for everything, numbers as numbers; REST oldest first."""

    def subscribed(self, message: bytes, path: str) -> Sequence[tuple[Channel, str]]:
        order = orjson.loads(message)
        channel: Channel = "trades" if order["params"]["channel"] == "trade" else "books"
        return [(channel, name) for name in order["params"]["symbol"]] if order["method"] == "subscribe" else []

    def confirmation(self) -> bytes:
        return SUBSCRIBED

    def trade(self, trade: Trade, venue_symbol: str) -> bytes:
        deal = {"symbol": venue_symbol, "side": trade.side, "price": trade.price, "qty": trade.amount}
        deal |= {"ord_type": "limit", "trade_id": trade.seq, "timestamp": moment(trade.ts_ns)}
        return orjson.dumps({"channel": "trade", "type": "update", "data": [deal]})

    def listed(self, trades: Sequence[Trade], venue_symbol: str) -> object:
        rows = [
            [repr(t.price), repr(t.amount), t.ts_ns / NANOS_PER_SECOND + 1e-6, t.side[0], "l", "", t.seq]
            for t in trades
        ]  # fmt: skip
        return {"error": [], "result": {venue_symbol.replace("BTC", "XBT").replace("/", ""): rows, "last": "1"}}

    def quote(self, quote: Quote, venue_symbol: str) -> bytes:
        raise AssertionError("books tell the best bid and ask")

    def depth(self, depth: Depth) -> bytes:
        sides = [
            ",".join(f'{{"price":{price},"qty":{amount}}}' for price, amount in levels)
            for levels in (depth.bids, depth.asks)
        ]
        return (
            f'{{"channel":"book","type":"{"snapshot" if depth.snapshot else "update"}","data":[{{'
            f'"symbol":"{depth.venue_symbol}","bids":[{sides[0]}],"asks":[{sides[1]}],"checksum":{checksum(depth)},'
            f'"timestamp":"{moment(depth.ts_ms * NANOS_PER_MILLI)}"}}]}}'
        ).encode()


def checksum(depth: Depth) -> int:
    """The documentation's: the best ten asks, then bids, price and amount without point and leading zeros, CRC-32."""
    bids, asks = depth.whole
    words = [text.replace(".", "").lstrip("0") for side in (asks, bids) for level in side[:10] for text in level]
    return crc32("".join(words).encode())


def moment(ns: int) -> str:
    """RFC 3339 with microseconds."""
    return f"{isoformat(ns)[:19]}.{ns % NANOS_PER_SECOND // NANOS_PER_MICRO:06d}Z"


SPECIMEN = Specimen(
    name="kraken",
    protocol_date="2026-11",
    names=NAMES,
    samples=[
        Sample(
            "trades",
            f"raw_ws/cryptofeed/{TRADES_FILE}",
            RECORDED,
            recorded_trades,
            10,
            adapted=f"{RETOLD}, numbered here",
        ),
        Sample("quotes", f"raw_ws/cryptofeed/{BOOKS_FILE}", RECORDED, recorded_books, 4_279, adapted=RETOLD),
        Sample("books", f"raw_ws/cryptofeed/{BOOKS_FILE}", RECORDED, unchecked, 4_279, adapted=RETOLD),
        documented("trades", TRADE),
        documented("quotes", CHECKED, UPDATE),
        documented("books", CHECKED, UPDATE),
    ],
    pairs=[pair(61_044_952, "buy"), pair(61_044_953, "sell")],
    greeting=[STATUS],
    refused=[REFUSED],
    speaker=Speaker,
    file=freqtrade,
    quotes_of_books=True,
    excused={
        "V11": "it does not count the frames of a line; every change carries a checksum",
        "V17": "it sends heartbeats itself",
        "V18": "it announces nothing on the stream",
    },
)
