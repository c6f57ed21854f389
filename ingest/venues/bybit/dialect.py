"""Bybit's words on its public WebSockets, version 5. Pure.

https://bybit-exchange.github.io/docs/v5/ws/connect
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import msgspec

from ares.errors import MalformedFrame
from ares.model.market import TradeRun
from ingest.feed import BookRules, Channel, MarketEvent
from ingest.venues.bybit.decoder import (
    Category,
    decode_depth,
    decode_linear_trades,
    decode_quotes,
    decode_spot_run,
    decode_spot_trades,
    follows,
)
from ingest.venues.bybit.funding import decode_funding
from ingest.venues.dialect import Answer
from ingest.venues.wire import Names, Wire

BASE = "wss://stream.bybit.com"
TOPICS: Mapping[Channel, str] = {
    "trades": "publicTrade",
    "quotes": "orderbook.1",
    "books": "orderbook.200",
    "funding": "tickers",
}
TOPICS_MAX = 10
"""Spot takes no more in one request."""


class Event(msgspec.Struct):
    """What is no data: the answer to a request, or to a ping."""

    op: str
    success: bool = True


EVENT = Wire(Event, {})


class BybitDialect:
    """Single trades, best bid and ask, books of 200 levels with a chain of ids, and funding, of one category."""

    book_rules = BookRules(follows)
    heartbeat = (b'{"op":"ping"}', b'{"success":true,"ret_msg":"pong"')

    def __init__(self, category: Category) -> None:
        self._category = category

    def address(self, base: str | None, channel: Channel) -> str:  # noqa: ARG002 - all channels are at one address
        """A category has an address of its own."""
        return f"{(base or BASE).rstrip('/')}/v5/public/{self._category}"

    def opening(self, channel: Channel, names: Names, *, levels: int) -> Sequence[bytes]:  # noqa: ARG002 - one depth
        """Subscriptions of all symbols, some at a time."""
        topics = [f"{TOPICS[channel]}.{name}" for name in names.by_venue_symbol]
        return [_request("subscribe", topics[at : at + TOPICS_MAX]) for at in range(0, len(topics), TOPICS_MAX)]

    def resubscription(self, symbol: str, names: Names) -> Sequence[bytes]:
        """A new subscription begins with a snapshot."""
        topics = [f"{TOPICS['books']}.{name}" for name, ours in names.by_venue_symbol.items() if ours == symbol]
        return [_request("unsubscribe", topics), _request("subscribe", topics)]

    def answer_of(self, payload: bytes) -> Answer | None:
        """Whether a frame answers a request."""
        try:
            event = EVENT.read(payload)
        except MalformedFrame:
            return None
        return "confirmed" if event.success else "refused"

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else."""
        if channel == "quotes":
            return decode_quotes(payload, names, received_at_ns)
        if channel == "books":
            return decode_depth(payload, names, received_at_ns)
        if channel == "funding":
            return decode_funding(payload, names, received_at_ns)
        if self._category == "spot":
            return decode_spot_trades(payload, names, received_at_ns)
        return decode_linear_trades(payload, names, received_at_ns)

    def runs(self, payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> Sequence[TradeRun] | None:
        """Spot trades in columns, one run per symbol; linear ones have ids that no column holds."""
        return decode_spot_run(payloads, names, receipts_ns) if self._category == "spot" else None


def _request(operation: str, topics: Sequence[str]) -> bytes:
    return json.dumps({"op": operation, "args": topics}).encode()
