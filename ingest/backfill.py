"""Extends what is stored into the past: trades by id, newest first, and the venue's own one-minute candles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ares.clock import HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, Clock, floor_ns
from ares.errors import VenueError
from ares.model.row import Storable
from ares.resilience import Backoff
from ares.telemetry import get_logger
from ingest.desk import Desk
from ingest.feed import TradePage
from ingest.history import PAGE_TRADES_MAX, SoundHistory, absent_of, wait_of
from ingest.intake import TradeIntake
from ingest.ranges import Span
from ingest.sink import Sink

log = get_logger(__name__)

Report = Callable[[str, int, float], None]
"""Told the progress of a long fetch: symbol, trades so far, share of the way from 0 to 1."""

PAGE_BARS_MAX = 1_000
FIRST_TRADE_S_MAX = 5.0
PROGRESS_PAGES = 100
CLOSED_FOR_S = 1.0
"""A candle is asked for this long after its close, so that the venue has finished it."""
REFRESH_BARS = 3
"""Closed candles asked for each minute; the older ones are repeated in case one came unfinished or not at all."""


@dataclass(slots=True)
class TradeBackfill:
    """Extends a symbol's trades into the past, newest first: what is stored never has a hole while it grows."""

    desk: Desk
    history: SoundHistory
    past: Sink
    clock: Clock
    report: Report = lambda _symbol, _trades, _share: None

    async def run(self, symbol: str, hours: float, backoff: Backoff) -> int:
        """Fetch until `hours` ago; returns how many. Waits and asks again while the venue does not answer."""
        intake = self.desk.dense(symbol)
        await self._wait_for_start(symbol, intake, backoff)
        horizon_ns = self.clock.now_ns() - round(hours * HOUR_NS)
        fetched = number = 0
        while (span := span_before(intake, horizon_ns)) is not None:
            try:
                page = await self.history.page(symbol, span)
            except VenueError as error:
                await self._wait(symbol, error, backoff)
                continue
            backoff.reset()
            if not page.trades:
                log.info("history_ends", symbol=symbol, first_seq=intake.first)
                break
            await self._keep(intake, span, page)
            fetched += len(page.trades)
            number += 1
            self.report(symbol, fetched, progress(intake, horizon_ns))
            if number % PROGRESS_PAGES == 0:
                log.info("trades_backfilling", symbol=symbol, trades=fetched, share=progress(intake, horizon_ns))
        await self.past.drain()
        log.info("trades_backfilled", symbol=symbol, trades=fetched, first_seq=intake.first)
        return fetched

    async def _wait(self, symbol: str, error: VenueError, backoff: Backoff) -> None:
        wait_s = wait_of(error, backoff)
        log.warning("backfill_waits", symbol=symbol, cause=str(error), wait_s=wait_s)
        await self.clock.sleep(wait_s)

    async def _wait_for_start(self, symbol: str, intake: TradeIntake, backoff: Backoff) -> None:
        """The first live trade says where history ends; in a quiet market the venue's latest one does."""
        deadline_s = self.clock.monotonic_s() + FIRST_TRADE_S_MAX
        while intake.last is None and self.clock.monotonic_s() < deadline_s:
            await self.clock.sleep(0.05)
        while intake.last is None:
            try:
                latest = await self.history.latest_trade(symbol)
            except VenueError as error:
                await self._wait(symbol, error, backoff)
                continue
            if latest is not None:
                intake.start_after(latest.seq, latest.ts_ns)
            else:
                await self.clock.sleep(FIRST_TRADE_S_MAX)

    async def _keep(self, intake: TradeIntake, span: Span, page: TradePage) -> None:
        """Store a page. Ids that the venue does not list between those it lists are recorded as lost.

        Ids absent below its oldest are left to the next page: either it lists them, or history ends here.
        """
        oldest = page.trades[0]
        absent = absent_of((oldest.seq, span[1]), [trade.seq for trade in page.trades])
        rows: list[Storable] = [*page.trades]
        rows += intake.lost_rows(absent, oldest.ts_ns, self.clock.now_ns())
        rows += [rejected.to_row(self.desk.venue) for rejected in page.rejected]
        await self.past.put(rows)
        intake.first, intake.first_ts_ns = oldest.seq, oldest.ts_ns


def span_before(intake: TradeIntake, horizon_ns: int) -> Span | None:
    """The page of ids before the oldest we have, or None when the horizon or the first id of all is reached."""
    if intake.first is None or intake.first <= 1 or intake.first_ts_ns <= horizon_ns:
        return None
    return max(1, intake.first - PAGE_TRADES_MAX), intake.first - 1


def progress(intake: TradeIntake, horizon_ns: int) -> float:
    """How much of the time from the newest trade to the horizon is fetched, from 0 to 1."""
    whole_ns = max(1, intake.last_ts_ns - horizon_ns)
    return round(min(1.0, (intake.last_ts_ns - intake.first_ts_ns) / whole_ns), 3)


@dataclass(slots=True)
class BarKeeper:
    """Keeps the venue's own candles: the past once, then every minute after its close, one request per symbol."""

    venue: str
    history: SoundHistory
    past: Sink
    clock: Clock

    async def backfill(self, symbol: str, start_ns: int, backoff: Backoff) -> int:
        """Fetch closed candles from `start_ns` until now, oldest first; returns how many."""
        fetched = 0
        end_ns = self._closed_until_ns()
        start_ns = floor_ns(start_ns, MINUTE_NS)
        while start_ns < end_ns:
            try:
                fetched += await self._fetch(symbol, start_ns, min(end_ns, start_ns + PAGE_BARS_MAX * MINUTE_NS))
            except VenueError as error:
                wait_s = wait_of(error, backoff)
                log.warning("backfill_waits", symbol=symbol, cause=str(error), wait_s=wait_s)
                await self.clock.sleep(wait_s)
                continue
            backoff.reset()
            start_ns += PAGE_BARS_MAX * MINUTE_NS
        await self.past.drain()
        log.info("bars_backfilled", symbol=symbol, bars=fetched)
        return fetched

    async def refresh(self, symbol: str, backoff: Backoff) -> None:
        """Fetch the newest closed candles after each minute, until cancelled."""
        while True:
            now_ns = self.clock.now_ns()
            due_ns = floor_ns(now_ns, MINUTE_NS) + MINUTE_NS + round(CLOSED_FOR_S * NANOS_PER_SECOND)
            await self.clock.sleep((due_ns - now_ns) / NANOS_PER_SECOND)
            await self.backfill(symbol, self._closed_until_ns() - REFRESH_BARS * MINUTE_NS, backoff)

    def _closed_until_ns(self) -> int:
        return floor_ns(self.clock.now_ns() - round(CLOSED_FOR_S * NANOS_PER_SECOND) // 2, MINUTE_NS)

    async def _fetch(self, symbol: str, start_ns: int, end_ns: int) -> int:
        bars, rejected = await self.history.bars(symbol, start_ns, end_ns)
        await self.past.put([*bars, *[r.to_row(self.venue) for r in rejected]])
        return len(bars)
