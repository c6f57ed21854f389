"""Kraken spot's words on its WebSocket, version 2. Pure.

https://docs.kraken.com/exchange/api-reference/spot-websocket
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from ares.errors import MalformedFrame
from ares.model.market import TradeRun
from ingest.feed import BookRules, Channel, MarketEvent
from ingest.venues.dialect import Answer
from ingest.venues.kraken.decoder import (
    DEPTH,
    checksum,
    decode_depths,
    decode_run,
    decode_trades,
    follows,
    is_notice,
)
from ingest.venues.wire import Names, Wire

BASE = "wss://ws.kraken.com/v2"


class Reply(msgspec.Struct):
    """An answer to a request, or a message on a channel."""

    method: str = ""
    channel: str = ""
    success: bool = True
    error: str | None = None


REPLY = Wire(Reply, {})


class KrakenDialect:
    """Single trades, and books with a checksum; best bid and ask are theirs, for `ticker` tells of new prices only."""

    book_rules = BookRules(follows, checksum)
    heartbeat: tuple[bytes, bytes] | None = None

    def address(self, base: str | None, channel: Channel) -> str:  # noqa: ARG002 - one address for all
        """One address for everything."""
        return (base or BASE).rstrip("/")

    def opening(self, channel: Channel, names: Names, *, levels: int) -> Sequence[bytes]:  # noqa: ARG002 - one depth
        """One subscription for all symbols; the newest trades, or the book as it is, come first."""
        return [_request("subscribe", channel, list(names.by_venue_symbol))]

    def resubscription(self, symbol: str, names: Names) -> Sequence[bytes]:
        """A new subscription begins with a snapshot."""
        of_it = [name for name, ours in names.by_venue_symbol.items() if ours == symbol]
        return [_request(method, "books", of_it) for method in ("unsubscribe", "subscribe")]

    def answer_of(self, payload: bytes) -> Answer | None:
        """Whether a frame answers a request; the venue greets with its state, and answers for each symbol."""
        try:
            reply = REPLY.read(payload)
        except MalformedFrame:
            return None
        if reply.channel == "status":
            return "greeting"
        if reply.error is not None or not reply.success:
            return "refused"
        return "confirmed" if reply.method else None

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else."""
        decode = decode_trades if channel == "trades" else decode_depths
        try:
            return decode(payload, names, received_at_ns)
        except MalformedFrame:
            if is_notice(payload):
                return ()
            raise

    def runs(self, payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol; None if any of them is not an ordinary trade."""
        return decode_run(payloads, names, receipts_ns)


def _request(method: str, channel: Channel, venue_symbols: Sequence[str]) -> bytes:
    params: dict[str, object] = {"symbol": list(venue_symbols)}
    params |= {"channel": "trade"} if channel == "trades" else {"channel": "book", "depth": DEPTH}
    if method == "subscribe":
        params["snapshot"] = True
    return json.dumps({"method": method, "params": params}).encode()
