"""OKX spot's words on its WebSocket, version 5. Pure.

https://www.okx.com/docs-v5/en/#overview-websocket
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from ares.errors import MalformedFrame
from ares.model.market import TradeRun
from ingest.feed import BookRules, Channel, MarketEvent
from ingest.venues.dialect import Answer
from ingest.venues.okx.decoder import checksum, decode_depths, decode_quotes, decode_run, decode_trades, follows
from ingest.venues.wire import Names, Wire

BASE = "wss://ws.okx.com:8443"
TOPICS: Mapping[Channel, Sequence[str]] = {"trades": ("trades-all",), "quotes": ("bbo-tbt",), "books": ("books",)}
PATHS: Mapping[Channel, str] = {"trades": "business"}
"""All others are public."""


UPGRADE = "64008"
"""The notice that the connection will be closed, some thirty seconds before."""


class Event(msgspec.Struct):
    """What is no data: an answer, or a notice."""

    event: str
    code: str = ""


EVENT = Wire(Event, {})


class OkxDialect:
    """Single trades, best bid and ask, and books of 400 levels with a chain of ids."""

    book_rules = BookRules(follows, checksum)
    heartbeat = (b"ping", b"pong")
    topics: Mapping[Channel, Sequence[str]] = TOPICS

    def address(self, base: str | None, channel: Channel) -> str:
        """Single trades are on an address of their own."""
        return f"{(base or BASE).rstrip('/')}/ws/v5/{PATHS.get(channel, 'public')}"

    def opening(self, channel: Channel, names: Names, *, levels: int) -> Sequence[bytes]:  # noqa: ARG002 - one depth
        """One subscription for all symbols."""
        return [request("subscribe", self.topics[channel], list(names.by_venue_symbol))]

    def resubscription(self, symbol: str, names: Names) -> Sequence[bytes]:
        """A new subscription begins with a snapshot."""
        of_it = [name for name, ours in names.by_venue_symbol.items() if ours == symbol]
        return [request(word, self.topics["books"], of_it) for word in ("unsubscribe", "subscribe")]

    def answer_of(self, payload: bytes) -> Answer | None:
        """Whether a frame answers a request; the venue answers for each symbol."""
        try:
            said = EVENT.read(payload)
        except MalformedFrame:
            return None
        if said.event == "notice" and said.code == UPGRADE:
            return "leaving"
        return "refused" if said.event == "error" else "confirmed"

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else."""
        if channel == "trades":
            return decode_trades(payload, names, received_at_ns)
        if channel == "quotes":
            return decode_quotes(payload, names, received_at_ns)
        return decode_depths(payload, names, received_at_ns)

    def runs(self, payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol; None if any of them is not an ordinary trade."""
        return decode_run(payloads, names, receipts_ns)


def request(operation: str, topics: Sequence[str], venue_symbols: Sequence[str]) -> bytes:
    """One request for these topics of all these instruments."""
    args = [{"channel": topic, "instId": name} for topic in topics for name in venue_symbols]
    return json.dumps({"op": operation, "args": args}).encode()
