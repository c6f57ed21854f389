"""A range of the past, asked for by its times: what of it is missing is fetched, what the venue does not list is said.

It goes on where it was ended, for what is stored says what is missing. Runs beside a service: on connections and a lane
of its own, and never for the last minute, which is the stream's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, Clock, floor_ns, isoformat, to_datetime
from ares.errors import UsageError, VenueError
from ares.model.market import Trade
from ares.model.row import Row, Storable
from ares.store import Database, Param, Value
from ares.store.pool import as_int
from ares.telemetry import get_logger
from ingest.feed import TradePage
from ingest.gaps import Gap, Where
from ingest.history import SoundHistory, absent_of, pages
from ingest.imports.account import ImportAccount
from ingest.imports.segments import Segment
from ingest.patience import Patience
from ingest.ranges import IdRanges, Span
from ingest.sink import Sink
from ingest.stored import QUERIES, Stored, stored_ids
from ingest.transport import in_place

log = get_logger(__name__)

SERVICE_S = 60.0
"""What is younger is the running service's to store, with its own time of receipt."""
CHECKPOINT_PAGES = 200
"""After so many pages the gaps are brought up to date with what is stored."""
PAGE_BARS = 1_000
SETTLE_S_MAX = 60.0

Report = Callable[[int, int], None]
"""Told after each page: rows fetched or found missing for good so far, and how many that will be."""


@dataclass(frozen=True, slots=True)
class Window:
    """A range of time, `to_ns` exclusive (UTC ns)."""

    from_ns: int
    to_ns: int

    @classmethod
    def checked(cls, from_ns: int, to_ns: int | None, now_ns: int) -> Window:
        """The window, until now where no end is said. Raises `UsageError` for one that makes no sense."""
        if from_ns >= now_ns:
            raise UsageError(
                f"--from = {text(from_ns)}: lies in the future, it is {text(now_ns)} UTC. Ask for the past"
            )
        if to_ns is None:
            return cls(from_ns, now_ns)
        if to_ns > now_ns:
            way_out = "Leave --to out for everything until now"
            raise UsageError(f"--to = {text(to_ns)}: lies in the future, it is {text(now_ns)} UTC. {way_out}")
        if to_ns <= from_ns:
            problem = "the range is empty" if to_ns == from_ns else "lies before --from"
            raise UsageError(f"--to = {text(to_ns)}: {problem}. Name a moment after {text(from_ns)}; --to is exclusive")
        return cls(from_ns, to_ns)


def text(ns: int) -> str:
    """A moment for people, in seconds."""
    return isoformat(ns)[:19]


@dataclass(slots=True)
class Figures:
    """What became of a range of one symbol; `unlisted`: ids or minutes that the venue does not have."""

    symbol: str
    what: str
    window: Window
    ids: Span | None = None
    known: int = 0
    fetched: int = 0
    archived: int = 0
    unlisted: int = 0
    refused: int = 0
    seconds: float = 0.0

    @property
    def dealt_with(self) -> int:
        """Rows that were asked for, whatever came of it."""
        return self.fetched + self.unlisted + self.refused

    def row(self) -> dict[str, Value]:
        """For the report."""
        first, last = self.ids or (None, None)
        return {
            "symbol": self.symbol,
            "what": self.what,
            "from": text(self.window.from_ns),
            "to": text(self.window.to_ns),
            "first_seq": first,
            "last_seq": last,
            "known": self.known,
            "fetched": self.fetched,
            "archived": self.archived,
            "unlisted": self.unlisted,
            "refused": self.refused,
            "seconds": round(self.seconds, 1),
            "rows_per_s": round(self.fetched / self.seconds, 1) if self.seconds > 0 else 0.0,
        }


@dataclass(slots=True)
class Past:
    """What fetching the past of one venue takes; `kept_from_ns`: older trades go to the archive (UTC ns)."""

    venue: str
    database: Database
    history: SoundHistory
    lane: Sink
    clock: Clock
    patience: Patience
    kept_from_ns: int = 0
    arrived: Callable[[], Awaitable[None]] = in_place

    async def settle(self) -> None:
        """Return once everything fetched can be read."""
        await self.lane.drain()
        await self.arrived()
        await self.database.wait_applied(["trades", "trades_archive", "gaps", "venue_bars_1m"], SETTLE_S_MAX)

    async def trades(self, symbol: str, window: Window, report: Report) -> Figures:
        """Fetch what of a symbol's trades is missing. Raises `VenueError`, `StoreError`."""
        began_s = self.clock.monotonic_s()
        latest_ns = self.clock.now_ns() - round(SERVICE_S * NANOS_PER_SECOND)
        window = Window(window.from_ns, max(window.from_ns, min(window.to_ns, latest_ns)))
        figures = Figures(symbol, "trades", window)
        where = Where(self.venue, symbol, "trades")
        parts = [(part, ids) for part in self._parts(window) if (ids := await self._ids(symbol, part)) is not None]
        if parts:
            figures.ids = (parts[0][1][0], parts[-1][1][1])
        for part, ids in parts:
            await RangeOfTrades(self, where, figures, part, ids, report).run()
        figures.seconds = self.clock.monotonic_s() - began_s
        return figures

    def _parts(self, window: Window) -> list[Window]:
        """What goes to the archive, and what does not: only the latter has an account of what is missing."""
        edge_ns = min(max(window.from_ns, self.kept_from_ns), window.to_ns)
        parts = [Window(window.from_ns, edge_ns), Window(edge_ns, window.to_ns)]
        return [part for part in parts if part.from_ns < part.to_ns]

    async def _ids(self, symbol: str, window: Window) -> Span | None:
        """First and last id that the venue has in a window."""
        first = await self.patience.ask(lambda: self.history.first_since(symbol, window.from_ns))
        if first is None or first.ts_ns >= window.to_ns:
            return None
        latest = await self.patience.ask(lambda: self.history.latest_trade(symbol))
        if latest is not None and latest.ts_ns < window.to_ns:
            return first.seq, latest.seq
        after = await self.patience.ask(lambda: self.history.first_since(symbol, window.to_ns))
        return first.seq, first.seq if after is None else after.seq - 1

    async def bars(self, symbol: str, window: Window, report: Report) -> Figures:
        """Fetch the venue's candles, a page of them wherever one is missing. Raises `VenueError`, `StoreError`."""
        began_s = self.clock.monotonic_s()
        closed_ns = floor_ns(self.clock.now_ns() - NANOS_PER_SECOND, MINUTE_NS)
        start_ns = -(-window.from_ns // MINUTE_NS) * MINUTE_NS
        end_ns = min(-(-window.to_ns // MINUTE_NS) * MINUTE_NS, closed_ns)
        figures = Figures(symbol, "bars", Window(start_ns, max(start_ns, end_ns)))
        total = max(0, end_ns - start_ns) // MINUTE_NS
        for from_ns in range(start_ns, end_ns, PAGE_BARS * MINUTE_NS):
            await self._page_of_bars(symbol, Window(from_ns, min(end_ns, from_ns + PAGE_BARS * MINUTE_NS)), figures)
            report(figures.known + figures.dealt_with, total)
        await self.lane.drain()
        figures.seconds = self.clock.monotonic_s() - began_s
        return figures

    async def _page_of_bars(self, symbol: str, page: Window, figures: Figures) -> None:
        expected = (page.to_ns - page.from_ns) // MINUTE_NS
        params: dict[str, Param] = {"venue": self.venue, "symbol": symbol}
        params |= {"from": to_datetime(page.from_ns), "to": to_datetime(page.to_ns)}
        record = await self.database.fetch_one(QUERIES["bars"], params)
        stored = 0 if record is None else as_int(record["bars"])
        if stored >= expected:
            figures.known += expected
            return
        bars, rejected = await self.patience.ask(lambda: self.history.bars(symbol, page.from_ns, page.to_ns))
        await self.lane.put([*bars, *[each.to_row(self.venue) for each in rejected]])
        figures.fetched += len(bars)
        figures.refused += len(rejected)
        figures.unlisted += expected - len(bars) - len(rejected)


@dataclass(slots=True)
class RangeOfTrades:
    """The trades of one range of ids; oldest first."""

    past: Past
    where: Where
    figures: Figures
    window: Window
    ids: Span
    report: Report

    async def run(self) -> None:
        """Fetch what is neither stored nor known to be lost; what is missing around it is said before and after."""
        past, figures, window = self.past, self.figures, self.window
        account = ImportAccount(past.database, self.where, past.clock)
        await past.settle()
        stored = await stored_ids(past.database, self.where, self.ids, (window.from_ns, window.to_ns))
        missing = await self._missing(account, stored)
        total = missing.count()
        figures.known += self.ids[1] - self.ids[0] + 1 - total
        await self._account(account, stored)
        if total == 0:
            return
        try:
            await self._fetch(missing, account, stored)
        except VenueError:
            await self._account(account, stored)
            raise
        await self._account(account, stored)
        log.info("range_fetched", symbol=self.where.symbol, trades=figures.fetched, unlisted=figures.unlisted)

    async def _fetch(self, missing: IdRanges, account: ImportAccount, stored: Stored) -> None:
        before, total, number = self.figures.dealt_with, missing.count(), 0
        before_ns = self.window.from_ns
        for span in missing.spans():
            for page_span in reversed(pages(*span)):
                before_ns = await self._page(page_span, stored, before_ns)
                number += 1
                self.report(self.figures.dealt_with - before, total)
                if number % CHECKPOINT_PAGES == 0:
                    await self._account(account, stored)

    async def _missing(self, account: ImportAccount, stored: Stored) -> IdRanges:
        missing = IdRanges([self.ids])
        for first, last in [*stored.ids.spans(), *await account.given_up()]:
            missing.remove(first, last)
        return missing

    async def _page(self, span: Span, stored: Stored, before_ns: int) -> int:
        """Fetch a page; the time of its last trade, or that of the one before."""
        past, figures = self.past, self.figures
        page = await past.patience.ask(lambda: past.history.page(self.where.symbol, span))
        rows, unlisted = rows_of_page(page, self.where, span, (before_ns, self.window.to_ns), past.clock.now_ns())
        await past.lane.put(rows)
        figures.fetched += len(page.trades)
        figures.refused += len(page.rejected)
        figures.unlisted += unlisted
        figures.archived += sum(trade.ts_ns < past.kept_from_ns for trade in page.trades)
        for trade in page.trades:
            if trade.ts_ns >= past.kept_from_ns:
                stored.pieces.add(Segment(trade.seq, trade.seq, trade.ts_ns, trade.ts_ns))
        return page.trades[-1].ts_ns if page.trades else before_ns

    async def _account(self, account: ImportAccount, stored: Stored) -> None:
        """Make `gaps` say what lies between this range and what else is stored; the archive has no account."""
        past, window = self.past, self.window
        if window.to_ns <= past.kept_from_ns or stored.pieces.scattered:
            await past.lane.drain()
            return
        await past.settle()
        ids = Segment(self.ids[0], self.ids[1], window.from_ns, window.to_ns)
        await past.lane.put(await account.around(ids, stored.pieces.pieces))
        await past.lane.drain()


def rows_of_page(
    page: TradePage, where: Where, span: Span, times_ns: tuple[int, int], now_ns: int
) -> tuple[list[Storable], int]:
    """What is written of a page of the past, and how many of its ids the venue does not list.

    `times_ns`: of the trade before it, and the end of the range. An id that was refused is in `quarantine`; that it is
    missing is said as well. Gaps come before the trades that follow them.
    """
    trades = page.trades
    times = {trade.seq: trade.ts_ns for trade in trades}
    rows: list[Storable] = []
    unlisted = 0
    for first, last in absent_of(span, [trade.seq for trade in trades]):
        started_ns, ended_ns = times.get(first - 1, times_ns[0]), times.get(last + 1, times_ns[1])
        rows.append(given_up(where, (first, last), (started_ns, ended_ns), now_ns))
        unlisted += last - first + 1
    rows += as_backfill(trades)
    rows += [rejected.to_row(where.venue) for rejected in page.rejected]
    return rows, max(0, unlisted - len(page.rejected))


def given_up(where: Where, span: Span, times_ns: tuple[int, int], now_ns: int) -> Row:
    """Ids that the venue does not list, as lost."""
    gap = Gap.opened(where, "backfill", now_ns, times_ns[0], span[0]).bounded(span[1], times_ns[1])
    return gap.closed("lost", "", times_ns[1], span[1] - span[0] + 1).to_row(now_ns)


def as_backfill(trades: Sequence[Trade]) -> list[Trade]:
    """Trades that a command fetched: to recovery they are none of those that the service must account for."""
    return [msgspec.structs.replace(trade, source="backfill") for trade in trades]
