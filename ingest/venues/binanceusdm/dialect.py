"""Binance USD-M futures' words on their WebSocket. Pure.

https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.feed import BookRules, Channel, MarketEvent
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.binanceusdm.decoder import decode_mark_price, follows
from ingest.venues.wire import Names

BASE = "wss://fstream.binance.com"
STREAMS: Mapping[Channel, str] = {
    "trades": "aggTrade",
    "quotes": "bookTicker",
    "books": "depth@100ms",
    "funding": "markPrice@1s",
}
ROUTES: Mapping[Channel, str] = {"trades": "market", "quotes": "public", "books": "public", "funding": "market"}
"""Since 2026-04-23 a stream is only on the address of its kind; the one for all is gone.

https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams/Important-WebSocket-Change-Notice
"""


class UsdmDialect(BinanceDialect):
    """Spot's words on addresses by kind, books whose changes name the one before, mark prices with funding rates."""

    book_rules = BookRules(follows)
    streams = STREAMS

    def address(self, base: str | None, channel: Channel) -> str:
        """Raw streams of the channel's kind."""
        return f"{(base or BASE).rstrip('/')}/{ROUTES[channel]}/ws"

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else."""
        if channel == "funding":
            return (decode_mark_price(payload, names, received_at_ns),)
        return super().decode(channel, payload, names, received_at_ns)
