"""Files into the store: what is stored stays as it is, what is new is written, what is refused lies in quarantine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from ares.clock import NANOS_PER_SECOND, Clock, to_datetime
from ares.config import AresConfig
from ares.errors import UsageError
from ares.model.market import Entry, TradeRun
from ares.model.row import Row, Storable
from ares.resilience import Backoff
from ares.store import Database, Param
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger
from ingest.archive import kept_from_ns
from ingest.feed import Rejected, clean
from ingest.gaps import Where
from ingest.imports import LayoutName
from ingest.imports.account import QUERIES, ImportAccount
from ingest.imports.columns import Block
from ingest.imports.files import ROWS_MAX, SourceFile
from ingest.imports.identity import Identity
from ingest.imports.judging import CHANNEL, Target, TradeColumns, judged_candles, judged_trades
from ingest.imports.keeping import TradeKeeper
from ingest.imports.layouts import Layout, Shape, layout_of
from ingest.sink import Lane, Sink, running
from ingest.transport import ARRIVAL_S_MAX, arrived, in_place, writer_of

log = get_logger(__name__)

Report = Callable[[float, int], None]
"""Told the progress of a file: its share that was read, from 0 to 1, and the rows so far."""
Judged = tuple[TradeRun | list[Storable], list[Rejected]]
Steps = Generator[Judged, None, None]

T = TypeVar("T")

TABLES = ("trades", "trades_archive", "venue_bars_1m", "quarantine", "gaps")
LANES = 2
"""While the server takes one batch the next is made ready. They are sent in turn: what comes in order costs less."""
REFUSED_MAX = 10_000
"""Refused rows of one run that are kept; all are counted."""
SETTLE_S_MAX = 600.0


@dataclass(slots=True)
class Figures:
    """What became of a file's rows: `rows` = `written` + `archived` + `known` + `refused` + repetitions in the file.

    `known` were stored before and stay as they are; `contradicting` of these say something else than what is stored.
    """

    file: str
    layout: LayoutName
    rows: int = 0
    written: int = 0
    archived: int = 0
    known: int = 0
    contradicting: int = 0
    refused: int = 0


class Source(Protocol):
    """What is read block by block: a file, or what is asked of a server; `SourceFile` says what the members mean."""

    share: float
    ragged: list[str]
    ragged_count: int

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    def shape(self) -> Shape: ...

    def blocks(self, names: Sequence[str], needed: Sequence[str]) -> Iterator[Block]: ...


@dataclass(slots=True)
class Importer:
    """Imports files of one symbol; an import that was interrupted or repeated is simply made again.

    Raises `UsageError` for a file that is none, `StoreUnavailable`, `StoreRejected`. Writing waits while QuestDB is
    away.
    """

    database: Database
    lanes: Sequence[Sink]
    target: Target
    clock: Clock
    identity: Identity
    kept_from_ns: int = 0
    digests: set[str] = field(default_factory=set)
    turn: int = 0
    trades: TradeKeeper = field(init=False)
    arrived: Callable[[], Awaitable[None]] = in_place

    def __post_init__(self) -> None:
        self.trades = TradeKeeper(self.database, self._put, self.kept_from_ns)

    async def prepare(self) -> None:
        """Wait until what was written before can be read, and learn which rows were refused before."""
        await self.arrived()
        await self.database.wait_applied(TABLES, SETTLE_S_MAX)
        await self.identity.prepare()
        params: dict[str, Param] = {"venue": self.target.venue, "rows_max": REFUSED_MAX}
        self.digests = {as_str(record["digest"]) for record in await self.database.fetch(QUERIES["refused"], params)}

    async def file(self, path: Path, wanted: LayoutName | None, report: Report) -> Figures:
        """Read a file to its end."""
        return await self.take(await asyncio.to_thread(SourceFile, path), wanted, report)

    async def take(self, source: Source, wanted: LayoutName | None, report: Report) -> Figures:
        """Read a source to its end."""
        layout, names = layout_of(source.label, await asyncio.to_thread(source.shape), wanted)
        figures = Figures(source.name, layout.name)
        judged = self._judged(source, layout, names, figures)
        async with aclosing(ahead(judged)) as steps:
            async for sound, refused in steps:
                await self._refuse(refused, figures)
                if isinstance(sound, TradeRun):
                    await self._refuse(await self._trades(sound, figures), figures)
                else:
                    await self._candles(sound, figures)
                report(source.share, figures.rows)
        await self._refuse([self._ragged(text) for text in source.ragged], figures)
        figures.rows += source.ragged_count
        figures.refused += source.ragged_count - len(source.ragged)
        return figures

    async def settle(self) -> list[Row]:
        """Write what is left, then the holes that follow from what was imported; returns the rows about these."""
        for lane in self.lanes:
            await lane.drain()
        await self.arrived()
        await self.database.wait_applied(TABLES, SETTLE_S_MAX)
        where = Where(self.target.venue, self.target.symbol, "trades")
        rows = await ImportAccount(self.database, where, self.clock).after_import(self.trades.segments)
        await self.lanes[0].put(rows)
        await self.lanes[0].drain()
        return rows

    def _judged(self, source: Source, layout: Layout, names: Sequence[str], figures: Figures) -> Steps:
        for block in source.blocks(names, layout.needed):
            figures.rows += len(block)
            try:
                read = layout.read(block)
            except UsageError as error:
                raise UsageError(f"{source.label}: {error}") from None
            if isinstance(read, TradeColumns):
                yield judged_trades(block, read, self.target)
            else:
                yield judged_candles(block, read, self.target)

    async def _trades(self, run: TradeRun, figures: Figures) -> list[Rejected]:
        """Write what is new of a run; what contradicts what is stored comes back."""
        if not run.seqs:
            return []
        await self.identity.check(run)
        fate = await self.trades.keep(run)
        figures.written += fate.written
        figures.archived += fate.archived
        figures.known += fate.known
        figures.contradicting += len(fate.contradicting)
        return [self._contradiction(run, seq) for seq in fate.contradicting]

    async def _put(self, entries: Sequence[Entry]) -> None:
        self.turn += 1
        await self.lanes[self.turn % len(self.lanes)].put(entries)

    async def _candles(self, rows: list[Storable], figures: Figures) -> None:
        if not rows:
            return
        starts = [row.ts_ns for row in rows]
        params: dict[str, Param] = {"venue": self.target.venue, "symbol": self.target.symbol}
        params |= {"from": to_datetime(min(starts)), "to": to_datetime(max(starts))}
        stored = {as_int(r["ts_ns"]) for r in await self.database.fetch(QUERIES["stored_candles"], params)}
        fresh = [row for row in rows if row.ts_ns not in stored]
        figures.known += len(rows) - len(fresh)
        figures.written += len(fresh)
        await self.lanes[0].put(fresh)

    async def _refuse(self, refused: Sequence[Rejected], figures: Figures) -> None:
        rows: list[Row] = []
        for each in refused:
            row = each.to_row(self.target.venue)
            digest = as_str(row.columns["digest"])
            if digest not in self.digests and len(self.digests) < REFUSED_MAX:
                self.digests.add(digest)
                rows.append(row)
            figures.refused += each.field != "contradiction"
        await self.lanes[0].put(rows)

    def _contradiction(self, run: TradeRun, seq: int) -> Rejected:
        place = run.seqs.index(seq)
        text = f"trade_id={seq},ts={run.times_ns[place]},price={run.prices[place]},amount={run.amounts[place]}"
        reason = "another trade is stored with this id; that one stays"
        side = run.sides[place]
        return Rejected(
            CHANNEL, "contradiction", reason, f"{text},side={side}", self.target.received_at_ns, self.target.symbol
        )

    def _ragged(self, text: str) -> Rejected:
        reason, _, line = text.partition(": ")
        return Rejected(CHANNEL, "row", reason, clean(line), self.target.received_at_ns, self.target.symbol)


async def ahead(steps: Generator[T, None, None]) -> AsyncGenerator[T, None]:
    """What a generator gives, each taken in a thread while the one before is dealt with; it is closed at the end."""
    coming = asyncio.create_task(asyncio.to_thread(next, steps, None))
    try:
        while (step := await coming) is not None:
            coming = asyncio.create_task(asyncio.to_thread(next, steps, None))
            yield step
    finally:
        await asyncio.gather(coming, return_exceptions=True)
        steps.close()


@dataclass(frozen=True, slots=True)
class Order:
    """What to import, and whose it is; `layout` None: told by the columns."""

    files: Sequence[Path]
    layout: LayoutName | None
    venue: str
    symbol: str
    sources: Sequence[Source] = ()


async def import_files(
    config: AresConfig, order: Order, clock: Clock, backoff: Backoff, report: Report
) -> list[Figures]:
    """Import every file, then every other source, in turn, and record what is missing around them."""
    async with importer_of(config, order, clock, backoff) as importer:
        await importer.prepare()
        figures = [await importer.file(path, order.layout, report) for path in order.files]
        figures += [await importer.take(source, order.layout, report) for source in order.sources]
        gaps = await importer.settle()
        log.info("files_imported", venue=order.venue, symbol=order.symbol, files=len(figures), gaps=len(gaps))
    return figures


@asynccontextmanager
async def importer_of(config: AresConfig, order: Order, clock: Clock, backoff: Backoff) -> AsyncIterator[Importer]:
    """An importer with its connections."""
    now_ns = clock.now_ns()
    latest_ns = now_ns + round(config.ingest.event_ahead_s_max * NANOS_PER_SECOND)
    target = Target(order.venue, order.symbol, now_ns, latest_ns)
    shape = Lane("import", order.venue, queue_rows_max=ROWS_MAX, batch_rows_max=ROWS_MAX, batch_s_max=0.0)
    turn = threading.Lock()
    writers = [writer_of(config, turn) for _ in range(LANES)]
    lanes = [Sink(shape, writer, clock, backoff) for writer in writers]
    try:
        async with await Database.connect(config.database) as database, running(lanes):
            oldest_ns = kept_from_ns(now_ns, config.database.retention_trades_days)
            importer = Importer(database, lanes, target, clock, Identity(database, target), oldest_ns)
            importer.arrived = lambda: arrived(config, clock, ARRIVAL_S_MAX)
            yield importer
    finally:
        for writer in writers:
            await writer.close()
