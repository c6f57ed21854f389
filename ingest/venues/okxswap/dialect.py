"""OKX swaps' words on their WebSocket, version 5. Pure.

https://www.okx.com/docs-v5/en/#public-data-websocket-funding-rate-channel
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ingest.feed import Channel, MarketEvent
from ingest.venues.okx.dialect import TOPICS, OkxDialect
from ingest.venues.okxswap.decoder import decode_funding
from ingest.venues.wire import Names


class SwapDialect(OkxDialect):
    """Spot's words, and funding rates with mark prices, which keep the line from falling silent between rates."""

    topics: Mapping[Channel, Sequence[str]] = {**TOPICS, "funding": ("funding-rate", "mark-price")}

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says, amounts in contracts. Raises `MalformedFrame`, and nothing else."""
        if channel == "funding":
            return decode_funding(payload, names, received_at_ns)
        return super().decode(channel, payload, names, received_at_ns)
