"""Coinbase spot's words on Advanced Trade's WebSocket. Pure.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import msgspec

from ares.errors import MalformedFrame
from ares.model.market import TradeRun
from ingest.feed import BookRules, Channel, MarketEvent
from ingest.venues.coinbase.decoder import decode_depths, decode_run, decode_trades, follows
from ingest.venues.dialect import Answer
from ingest.venues.wire import ID_MAX, Names, Wire

BASE = "wss://advanced-trade-ws.coinbase.com"
CHANNELS: dict[Channel, str] = {"trades": "market_trades", "quotes": "level2", "books": "level2"}
"""Best bid and ask are those of the books: `ticker` tells little more than half of their changes."""
NUMBER = re.compile(rb'"sequence_num":\s*(\d{1,19})')


class Event(msgspec.Struct):
    """What is no data: a list of what is subscribed to, or an error."""

    type: str = ""
    channel: str = ""


EVENT = Wire(Event, {})


class CoinbaseDialect:
    """Single trades, and whole books whose snapshots are on the stream, on connections whose frames are counted."""

    book_rules = BookRules(follows)
    heartbeat: tuple[bytes, bytes] | None = None

    def address(self, base: str | None, channel: Channel) -> str:  # noqa: ARG002 - one address for all
        """One address for everything."""
        return (base or BASE).rstrip("/")

    def opening(self, channel: Channel, names: Names, *, levels: int) -> Sequence[bytes]:  # noqa: ARG002 - whole books
        """Heartbeats as well: the venue closes a subscription to which nothing happens for a minute."""
        heartbeats = json.dumps({"type": "subscribe", "channel": "heartbeats"}).encode()
        return [heartbeats, _request("subscribe", CHANNELS[channel], list(names.by_venue_symbol))]

    def resubscription(self, symbol: str, names: Names) -> Sequence[bytes]:
        """A new subscription begins with a snapshot."""
        of_it = [name for name, ours in names.by_venue_symbol.items() if ours == symbol]
        return [_request(operation, "level2", of_it) for operation in ("unsubscribe", "subscribe")]

    def answer_of(self, payload: bytes) -> Answer | None:
        """Whether a frame answers a request."""
        try:
            event = EVENT.read(payload)
        except MalformedFrame:
            return None
        if event.type == "error":
            return "refused"
        return "confirmed" if event.channel == "subscriptions" else None

    def number_of(self, channel: Channel, payload: bytes) -> int | None:
        """The number of a frame on its connection. Of trades none: their ids say which is missing, and REST has it."""
        found = None if channel == "trades" else NUMBER.search(payload)
        return min(int(found.group(1)), ID_MAX) if found else None

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else."""
        if channel == "trades":
            return decode_trades(payload, names, received_at_ns)
        return decode_depths(payload, names, received_at_ns)

    def runs(self, payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol; None if any of them is not an ordinary trade."""
        return decode_run(payloads, names, receipts_ns)


def _request(operation: str, channel: str, venue_symbols: Sequence[str]) -> bytes:
    return json.dumps({"type": operation, "channel": channel, "product_ids": list(venue_symbols)}).encode()
