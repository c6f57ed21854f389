"""What all pages share: the parts of the API, the feed, precisions of instruments, second factors that were shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from api.console.formats import Precision, Steps, places
from api.parts import Parts
from api.resources import MARKET
from api.stream.feed import Feed
from ares.clock import NANOS_PER_SECOND
from ares.errors import StoreError
from ares.store import Param

PRECISION_S = 60.0
_ALL: dict[str, Param] = {"venue": "", "symbol": "", "skip": 0, "end": 10_000}


@dataclass(slots=True)
class House:
    """Built once with the application."""

    parts: Parts
    feed: Feed
    precision: Precision = field(default_factory=Precision)
    stepped_up: dict[str, int] = field(default_factory=dict)
    """When a session showed a second factor (UTC seconds): a page cannot change its cookie."""
    _looked_ns: int = 0
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def precisions(self) -> Precision:
        """Decimals of all instruments, looked up now and then; without a database those known last."""
        now_ns = self.parts.clock.now_ns()
        async with self._looking:
            if now_ns - self._looked_ns > PRECISION_S * NANOS_PER_SECOND:
                try:
                    rows = await self.parts.database.fetch(MARKET["instruments"], _ALL)
                except StoreError:
                    return self.precision
                self.precision = Precision(
                    {
                        (str(row["venue"]), str(row["symbol"])): Steps(
                            places(row["price_tick"]), places(row["amount_step"])
                        )
                        for row in rows
                    }
                )
                self._looked_ns = now_ns
        return self.precision
