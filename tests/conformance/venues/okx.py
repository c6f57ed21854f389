"""OKX spot: a recording of 2022 that is not ours to copy, and the documentation's messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from zlib import crc32

import orjson

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Quote, Side, Trade
from ingest.books import Text
from ingest.feed import Channel
from ingest.venues.wire import Names
from tests.conformance.market import Depth
from tests.conformance.recordings import cryptofeed
from tests.conformance.specimen import Pair, Payload, Sample, Specimen, freqtrade

DOCS = "https://www.okx.com/docs-v5/en/#order-book-trading-market-data"
FILE = "OKX.ws.1.0.gz"
RECORDED = Names("okx", {"BTC-USDT": "BTC/USDT", "UNI-USD-SWAP": "UNI-USD-SWAP", "BTC-USD-220527": "BTC-USD-220527"})
NAMES = Names("okx", {"BTC-USDT": "BTC/USDT", "ETH-USDT": "ETH/USDT"})
TOPICS: dict[str, Channel] = {
    "trades-all": "trades", "bbo-tbt": "quotes", "books": "books", "funding-rate": "funding", "mark-price": "funding",
}  # fmt: skip
NUMBERED = "numbered here: it is older than `seqId`"
Message = dict[str, object]


def recorded(topic: str, *, answers: bool = False, instrument: str = "") -> Callable[[], Sequence[Payload]]:
    """The data of a topic, or the answers to its subscriptions, of one instrument or of all."""

    def load() -> Sequence[Payload]:
        there = [orjson.loads(text) for text in cryptofeed(FILE)]
        said = [each for each in there if each["arg"]["channel"] == topic and ("event" in each) == answers]
        said = [each for each in said if instrument in ("", each["arg"]["instId"])]
        return numbered(said) if topic == "books" and not answers else [orjson.dumps(each) for each in said]

    return load


def numbered(there: Sequence[Message]) -> list[bytes]:
    """The recording is of 2022, before books had ids: give each the next one, as the venue does today."""
    last: Counter[str] = Counter()
    frames: list[bytes] = []
    for message in there:
        arg, data = message["arg"], message["data"]
        assert isinstance(arg, dict)
        assert isinstance(data, list)
        name = arg["instId"]
        changes = []
        for change in data:
            previous = -1 if message["action"] == "snapshot" else last[name]
            last[name] += 1
            changes.append({**change, "seqId": last[name], "prevSeqId": previous})
        frames.append(orjson.dumps({**message, "data": changes}))
    return frames


def as_documented(said: bytes, name: str) -> bytes:
    """A message of the documentation, about this instrument."""
    return said.replace(b"BTC-USDT", name.encode())


TRADES_ALL = (
    b'{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",'
    b'"px":"42219.9","sz":"0.12060306","side":"buy","source":"0","ts":"1630048897897"}]}'
)
BBO_TBT = (
    b'{"arg":{"channel":"bbo-tbt","instId":"BTC-USDT"},"data":[{"asks":[["8446","95","0","3"]],'
    b'"bids":[["8445","1.5","0","1"]],"ts":"1597026383085","seqId":363996337}]}'
)
BOOKS = (
    b'{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"asks":[["8476.98","415","0","13"]],'
    b'"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","checksum":0,"prevSeqId":-1,"seqId":123456}]}'
)
SUBSCRIBED = b'{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}'
ERROR = b'{"event":"error","code":"60012","msg":"Invalid request: {}","connId":"a4d3ae55"}'
NOTICE = b'{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service upgrade."}'


def documented(venue: str, name: str, symbol: str) -> list[Sample]:
    """The documentation's messages about an instrument."""
    names = Names(venue, {name: symbol})
    said: list[tuple[Channel, str, list[bytes], int]] = [
        ("trades", "ws-all-trades-channel", [TRADES_ALL], 0),
        ("quotes", "ws-order-book-channel", [BBO_TBT], 0),
        ("books", "ws-order-book-channel", [BOOKS, SUBSCRIBED], 1),
    ]
    samples: list[Sample] = []
    for channel, place, frames, answers in said:
        of_it: list[Payload] = [as_documented(frame, name) for frame in frames]
        origin = f"{DOCS}-{place}, 2026-11"
        samples.append(Sample(channel, origin, names, of_it.copy, 1, answers, recorded=False))
    return samples


SAMPLES = (
    Sample("trades", f"raw_ws/cryptofeed/{FILE}", RECORDED, recorded("trades"), 74),
    Sample("trades", f"raw_ws/cryptofeed/{FILE}", RECORDED, recorded("trades", answers=True), 0, answers=6),
    Sample("books", f"raw_ws/cryptofeed/{FILE}", RECORDED, recorded("books"), 290, adapted=NUMBERED),
    Sample("books", f"raw_ws/cryptofeed/{FILE}", RECORDED, recorded("books", answers=True), 0, answers=3),
    *documented("okx", "BTC-USDT", "BTC/USDT"),
)


def pair(venue: str, name: str, symbol: str, amounts: tuple[str, float], side: Side) -> Pair:
    """The stream's `trades-all` and a row of `history-trades`; `side`: "Trade side of taker".

    `amounts`: the venue's, and ours.
    """
    seq = 130_639_474 + (side == "sell")
    row = {"instId": name, "side": side, "sz": amounts[0], "source": "0", "px": "42219.9", "tradeId": str(seq)}
    row["ts"] = "1630048897897"
    ts_ns = 1_630_048_897_897 * NANOS_PER_MILLI
    trade = Trade(venue, symbol, str(seq), seq, side, 42_219.9, amounts[1], ts_ns, 0, "stream")
    return Pair(message("trades-all", name, row), answer([row]), trade, f"{DOCS}-get-trades-history")


class Speaker:
    """Lines below `/ws/v5`, REST newest first. `contract`: what a contract holds, of the base currency."""

    contract = Decimal(1)

    def subscribed(self, message: bytes, path: str) -> Sequence[tuple[Channel, str]]:
        order = orjson.loads(message)
        args = order["args"] if order["op"] == "subscribe" else []
        for arg in args:
            assert path == f"/ws/v5/{'business' if arg['channel'] == 'trades-all' else 'public'}"
        return list(dict.fromkeys([(TOPICS[arg["channel"]], arg["instId"]) for arg in args]))

    def confirmation(self) -> bytes:
        return SUBSCRIBED

    def trade(self, trade: Trade, venue_symbol: str) -> bytes:
        return message("trades-all", venue_symbol, self.deal(trade, venue_symbol))

    def listed(self, trades: Sequence[Trade], venue_symbol: str) -> object:
        return answer([self.deal(trade, venue_symbol) for trade in reversed(trades)])

    def quote(self, quote: Quote, venue_symbol: str) -> bytes:
        sides = {
            "bids": [[repr(quote.bid), self.contracts(repr(quote.bid_amount)), "0", "1"]],
            "asks": [[repr(quote.ask), self.contracts(repr(quote.ask_amount)), "0", "1"]],
        }
        stamps = {"ts": str(quote.ts_ns // NANOS_PER_MILLI), "seqId": quote.update_id}
        return message("bbo-tbt", venue_symbol, {**sides, **stamps})

    def depth(self, depth: Depth) -> bytes:
        sides = {
            name: [[price, self.contracts(amount), "0", "1"] for price, amount in levels]
            for name, levels in (("bids", depth.bids), ("asks", depth.asks))
        }
        ids = {"ts": str(depth.ts_ms), "prevSeqId": depth.prev_id, "seqId": depth.last_id}
        data = [{**sides, **ids, "checksum": self.checksum(depth)}]
        arg = {"channel": "books", "instId": depth.venue_symbol}
        return orjson.dumps({"arg": arg, "action": "snapshot" if depth.snapshot else "update", "data": data})

    def checksum(self, depth: Depth) -> int:
        """The documentation's: bid:amount:ask:amount, the longer side's rest at the end, CRC-32 as a signed number."""
        bids, asks = ([(price, self.contracts(amount)) for price, amount in side] for side in depth.whole)
        words: list[str] = []
        for place in range(25):
            levels: list[Text] = [*bids[place : place + 1], *asks[place : place + 1]]
            words += [part for level in levels for part in level]
        value = crc32(":".join(words).encode())
        return value - (1 << 32) if value & (1 << 31) else value

    def deal(self, trade: Trade, venue_symbol: str) -> dict[str, str]:
        said = {"instId": venue_symbol, "tradeId": trade.trade_id, "px": repr(trade.price)}
        said["sz"] = self.contracts(repr(trade.amount))
        return {**said, "side": trade.side, "source": "0", "ts": str(trade.ts_ns // NANOS_PER_MILLI)}

    def contracts(self, amount: str) -> str:
        """An amount as the venue counts it."""
        return amount if self.contract == 1 else format((Decimal(amount) / self.contract).normalize(), "f")


def message(topic: str, venue_symbol: str, row: object) -> bytes:
    return orjson.dumps({"arg": {"channel": topic, "instId": venue_symbol}, "data": [row]})


def answer(rows: Sequence[object]) -> object:
    return {"code": "0", "msg": "", "data": rows}


COUNTS_NOTHING = "it does not count the frames of a line; each change names the one before it"

SPECIMEN = Specimen(
    name="okx",
    protocol_date="2026-11",
    names=NAMES,
    samples=SAMPLES,
    pairs=[pair("okx", "BTC-USDT", "BTC/USDT", ("0.12060306", 0.12060306), side) for side in ("buy", "sell")],
    refused=[ERROR],
    leaving=[NOTICE],
    speaker=Speaker,
    file=freqtrade,
    excused={"V11": COUNTS_NOTHING},
)
