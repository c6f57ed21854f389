"""Keeps what perpetuals paid: the past once, then every payment after its moment, by asking the venue."""

from __future__ import annotations

from dataclasses import dataclass, field

from ares.clock import HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, Clock
from ares.errors import VenueError
from ares.model.row import Storable
from ares.resilience import Backoff
from ares.telemetry import get_logger
from ingest.feed import FundingHistory
from ingest.funding import FundingRoom
from ingest.history import refused, wait_of
from ingest.sink import Sink
from ingest.validation import funding_fault

log = get_logger(__name__)

PAID_AFTER_S = 5.0
"""A payment is asked for so long after its moment, for the venue takes a while to list it."""
LOOK_AGAIN_S = 20.0
LOOKS_MAX = 15
"""So often a payment is asked for before it is left to the next look."""
LOOK_S_MAX = 3_600.0
"""However far the next payment is: venues bring payments forward when the market moves."""
UNANNOUNCED_S = 60.0
"""Between looks while the stream does not say when the next payment is."""
LATE_NS_MAX = MINUTE_NS
"""A venue's own time of a payment may lie some ms beside the moment that it announced."""
REPEAT_HOURS = 24
"""Each look asks for so much again, in case a payment was listed late or not at all."""


@dataclass(slots=True)
class FundingKeeper:
    """The payments of one venue's perpetuals. What is stored is asked for again and left as it is."""

    venue: str
    history: FundingHistory
    past: Sink
    room: FundingRoom
    clock: Clock
    stored: dict[str, set[int]] = field(default_factory=dict)
    """By symbol, when the payments that are stored happened (UTC ns)."""

    async def backfill(self, symbol: str, start_ns: int, backoff: Backoff) -> int:
        """Fetch what was paid from then until now and is not stored; returns how many payments."""
        while True:
            try:
                fetched = await self._fetch(symbol, start_ns, self.clock.now_ns())
            except VenueError as error:
                wait_s = wait_of(error, backoff)
                log.warning("backfill_waits", symbol=symbol, cause=str(error), wait_s=wait_s)
                await self.clock.sleep(wait_s)
                continue
            backoff.reset()
            log.info("funding_backfilled", symbol=symbol, payments=fetched)
            return fetched

    async def refresh(self, symbol: str, backoff: Backoff) -> None:
        """Fetch every payment after its moment, until cancelled."""
        while True:
            announced_ns = self.room.next_at_ns(symbol)
            await self.clock.sleep(wait_until_look_s(announced_ns, self.clock.now_ns()))
            for look in range(LOOKS_MAX):
                if look > 0:
                    await self.clock.sleep(LOOK_AGAIN_S)
                await self.backfill(symbol, self.clock.now_ns() - REPEAT_HOURS * HOUR_NS, backoff)
                if self._has(symbol, announced_ns):
                    break
            else:
                log.warning("funding_not_listed", symbol=symbol, announced_ns=announced_ns)

    def _has(self, symbol: str, announced_ns: int | None) -> bool:
        """Whether a payment that was announced is stored, or still lies ahead."""
        if announced_ns is None or announced_ns > self.clock.now_ns():
            return True
        return any(abs(paid_ns - announced_ns) <= LATE_NS_MAX for paid_ns in self.stored.get(symbol, ()))

    async def _fetch(self, symbol: str, start_ns: int, end_ns: int) -> int:
        stored = self.stored.setdefault(symbol, set())
        rows: list[Storable] = []
        for funding in await self.history.funding(symbol, start_ns, end_ns):
            if funding.ts_ns in stored:
                continue
            stored.add(funding.ts_ns)
            fault = funding_fault(funding)
            now_ns = self.clock.now_ns()
            rows.append(funding if fault is None else refused(funding, fault, "funding", now_ns).to_row(self.venue))
        await self.past.put(rows)
        return len(rows)


def wait_until_look_s(announced_ns: int | None, now_ns: int) -> float:
    """How long until the venue is asked again: until the announced payment can be listed, and never over an hour."""
    if announced_ns is None or announced_ns <= now_ns:
        return UNANNOUNCED_S
    return min(LOOK_S_MAX, (announced_ns - now_ns) / NANOS_PER_SECOND + PAID_AFTER_S)
