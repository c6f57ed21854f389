"""Fetches what is missing: bounded gaps by id, newest ids first, and the open end of a stream that came back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ares.clock import Clock
from ares.errors import VenueError
from ares.model.market import Entry
from ares.resilience import Backoff
from ares.telemetry import get_logger
from ingest.collector import count_gaps
from ingest.desk import Desk
from ingest.feed import Feed
from ingest.gaps import Gap
from ingest.history import SoundHistory, pages, wait_of
from ingest.intake import TradeIntake
from ingest.ranges import Span
from ingest.sink import Sink

log = get_logger(__name__)

LOOKS_MAX = 3
"""So often the venue is asked for ids that it does not return before they count as lost: REST may lag its stream."""
LOOK_AGAIN_S = 1.0
POLL_S = 0.1
PROGRESS_PAGES = 100


async def keep_healing(heal: Callable[[str], Awaitable[None]], symbol: str, clock: Clock, backoff: Backoff) -> None:
    """Heal a symbol again and again, until cancelled; while the venue does not answer, wait as it wishes."""
    while True:
        try:
            await heal(symbol)
            backoff.reset()
            await clock.sleep(POLL_S)
        except VenueError as error:
            wait_s = wait_of(error, backoff)
            log.warning("healing_waits", symbol=symbol, cause=str(error), wait_s=wait_s)
            await clock.sleep(wait_s)


@dataclass(slots=True)
class Healer:
    """Makes one venue's trades whole again; one task per symbol.

    What it fetches goes through a lane of its own, so that a long hole never delays the live stream; the gap is closed
    through the live lane once the store acknowledged what fills it.
    """

    desk: Desk
    feed: Feed
    history: SoundHistory
    live: Sink
    past: Sink
    clock: Clock

    async def run(self, symbol: str, backoff: Backoff) -> None:
        """Heal whenever something is missing, until cancelled."""
        await keep_healing(self.heal_all, symbol, self.clock, backoff)

    async def heal_all(self, symbol: str) -> None:
        """Close the open end if the stream is back, then every bounded gap, the newest first."""
        intake = self.desk.dense(symbol)
        if intake.tail is not None and self.feed.is_live("trades"):
            await self._catch_up(symbol, intake)
        for gap in sorted(intake.gaps, key=lambda g: g.first_seq or 0, reverse=True):
            await self._heal(symbol, intake, gap)

    async def _catch_up(self, symbol: str, intake: TradeIntake) -> None:
        tail = intake.tail
        latest = await self.history.latest_trade(symbol)
        if intake.tail is tail:  # else the stream's own next trade bounded it meanwhile
            await self._record(intake.caught_up(latest, self.clock.now_ns()))

    async def _heal(self, symbol: str, intake: TradeIntake, gap: Gap) -> None:
        for look in range(LOOKS_MAX):
            if look > 0:
                await self.clock.sleep(LOOK_AGAIN_S)
            for span in reversed(intake.missing_of(gap)):
                await self._fetch_span(symbol, intake, span)
            await self.past.drain()
            if not intake.missing_of(gap):
                break
        else:
            log.error("trades_lost", symbol=symbol, gap_id=gap.gap_id, spans=intake.missing_of(gap)[:10])
            await self._record(intake.give_up(gap, self.clock.now_ns()))
        await self._record(intake.settle(self.clock.now_ns()))

    async def _fetch_span(self, symbol: str, intake: TradeIntake, span: Span) -> None:
        for number, page_span in enumerate(pages(*span), start=1):
            page = await self.history.page(symbol, page_span)
            await self.past.put(intake.take(page.trades))
            await self.past.put([rejected.to_row(self.desk.venue) for rejected in page.rejected])
            if number % PROGRESS_PAGES == 0:
                log.info("trades_healing", symbol=symbol, missing=intake.missing.count())

    async def _record(self, rows: Sequence[Entry]) -> None:
        count_gaps(rows)
        await self.live.put(rows)
