"""Binance spot's words on its WebSocket. Pure.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from ares.errors import MalformedFrame
from ares.model.market import TradeRun
from ares.venues import BINANCE_STREAMS
from ingest.feed import BookRules, Channel, MarketEvent
from ingest.venues.binance.decoder import decode_depth, decode_quote, decode_run, decode_trade, follows
from ingest.venues.dialect import Answer
from ingest.venues.wire import Names, Wire

STREAMS: dict[Channel, str] = {"trades": "aggTrade", "quotes": "bookTicker", "books": "depth@100ms"}


class Reply(msgspec.Struct):
    """An answer to a request: `error` set, or `result`, which is null when all is well."""

    id: int
    result: object = msgspec.UNSET
    error: object = msgspec.UNSET


class Shutdown(msgspec.Struct):
    """The server is about to end; wrapped in `event` or `data` where the address wraps what it sends."""

    e: str = ""
    event: Shutdown | None = None
    data: Shutdown | None = None


REPLY = Wire(Reply, {})
SHUTDOWN = Wire(Shutdown, {})
LEAVING = b"serverShutdown"


class BinanceDialect:
    """Aggregate trades, best bid and ask, and books whose snapshot is asked for by REST."""

    book_rules = BookRules(follows)
    heartbeat: tuple[bytes, bytes] | None = None
    streams: Mapping[Channel, str] = STREAMS

    def address(self, base: str | None, channel: Channel) -> str:  # noqa: ARG002 - one address for all
        """Raw streams: without the wrapping of combined ones there is less to read."""
        return f"{(base or BINANCE_STREAMS).rstrip('/')}/ws"

    def opening(self, channel: Channel, names: Names, *, levels: int) -> Sequence[bytes]:  # noqa: ARG002 - full books
        """One subscription for all symbols."""
        streams = [f"{name.lower()}@{self.streams[channel]}" for name in names.by_venue_symbol]
        return [json.dumps({"method": "SUBSCRIBE", "params": streams, "id": 1}).encode()]

    def resubscription(self, symbol: str, names: Names) -> Sequence[bytes]:  # noqa: ARG002 - REST has them
        """Snapshots come by REST."""
        return ()

    def answer_of(self, payload: bytes) -> Answer | None:
        """Whether a frame answers our subscription, or says that the server will end."""
        if LEAVING in payload and says_goodbye(payload):
            return "leaving"
        try:
            reply = REPLY.read(payload)
        except MalformedFrame:
            return None
        if reply.error is not msgspec.UNSET:
            return "refused"
        return "confirmed" if reply.result is not msgspec.UNSET else None

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else."""
        if channel == "trades":
            return (decode_trade(payload, names, received_at_ns),)
        if channel == "quotes":
            return (decode_quote(payload, names, received_at_ns),)
        return (decode_depth(payload, names, received_at_ns),)

    def runs(self, payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol; None if any of them is not an ordinary trade."""
        return decode_run(payloads, names, receipts_ns)


def says_goodbye(payload: bytes) -> bool:
    """Whether a frame is the server's `serverShutdown`."""
    try:
        said = SHUTDOWN.read(payload)
    except MalformedFrame:
        return False
    return LEAVING.decode() in (said.e, said.event and said.event.e, said.data and said.data.e)
