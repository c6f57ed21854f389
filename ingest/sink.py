"""Rows on their way into the store: a bounded queue, ordered batches, and an answer for every row.

A row leaves the queue when the store acknowledged it, or when it lies in `quarantine` because the store refuses it.
While the store is away the same batch is tried again for ever, and the queue fills. What it cannot hold goes to a
spool on disk, and comes back in order. Where there is no spool, or it is full, `put` waits: nobody reads the venue's
line, and what it says after it hung up for that shows as a jump of ids and is fetched later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from ares.clock import NANOS_PER_SECOND, Clock
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.market import Entry, TradeRun, rows_in, size
from ares.model.row import Storable
from ares.resilience import Backoff, to_the_end
from ares.telemetry import get_logger, metrics, observability, trace_id_of
from ingest.batches import oldest_streamed_ns, receipt_of, row_text, rows_by_table, staged, trades_by_minute
from ingest.feed import Rejected
from ingest.spool import Spool, SpoolFull

log = get_logger(__name__)

FULL_POLL_S = 0.5
"""How often a full spool is asked again."""


class Writer(Protocol):
    """Where batches go: returns when the store has them. Raises `StoreUnavailable` or `StoreRejected`."""

    async def write(self, rows: Sequence[Entry]) -> None: ...


@dataclass(frozen=True, slots=True)
class Lane:
    """What a lane is called, whose rows it carries, how much it holds, and how that is cut into batches.

    Without a `venue` it carries those of many, which others have traced.
    """

    name: str
    venue: str
    queue_rows_max: int
    batch_rows_max: int
    batch_s_max: float


class Sink:
    """One lane into the store; what enters first is acknowledged first.

    `on_acked` sees every batch the store has, `on_refused` every row it will never take, after it is quarantined.
    `route` says of what enters which table it is for.
    """

    def __init__(self, lane: Lane, writer: Writer, clock: Clock, backoff: Backoff) -> None:
        self._lane = lane
        self._spool: Spool | None = None
        self._writer = writer
        self._clock = clock
        self._backoff = backoff
        self._queue: deque[Entry] = deque()
        self._changed = asyncio.Condition()
        self._queued = 0
        self._under_way: Sequence[Entry] = ()
        self._taken_in = 0
        self._dealt_with = 0
        self._hurried = False
        self._last_write_s = 0.0
        self.on_acked: Callable[[Sequence[Entry]], None] = lambda _: None
        self.on_refused: Callable[[Storable], Sequence[Storable]] = lambda _: ()
        self.route: Callable[[Sequence[Entry]], Sequence[Entry]] = lambda rows: rows
        self.writable = True

    def reconfigure(self, lane: Lane) -> None:
        """Cut the next batches by another shape."""
        self._lane = lane

    def spill_to(self, spool: Spool) -> None:
        """Hold there what the queue cannot, and write first what lies there already."""
        self._spool = spool
        self._taken_in += spool.rows

    def leave(self) -> None:
        """Once nothing runs any more: put what is not acknowledged into the spool, where the next process finds it."""
        rest = [*self._under_way, *self._queue]
        if self._spool is None or not rest:
            return
        keep = self._spool.prepend if self._spool.rows else self._spool.append
        try:
            keep(rest)
        except SpoolFull as error:
            log.warning("rows_not_kept", lane=self._lane.name, rows=rows_in(rest), cause=str(error))

    @property
    def depth(self) -> int:
        """Rows that are not acknowledged yet, those of the batch under way included."""
        return self._taken_in - self._dealt_with

    @property
    def dealt_with(self) -> int:
        """Rows that are acknowledged or in quarantine, of all that were ever put."""
        return self._dealt_with

    @property
    def pressure(self) -> float:
        """How much of the room is taken for what the store does not take now, from 0 to 1: see `shed_channels`."""
        if self._spool is not None:
            return self._spool.share
        return 0.0 if self.writable else min(1.0, self._queued / self._lane.queue_rows_max)

    @property
    def trouble(self) -> str:
        """Why less is held than should be; nothing where all is well."""
        return "" if self._spool is None else self._spool.fault

    async def put(self, rows: Sequence[Entry]) -> None:
        """Enter rows, waiting while there is no room. Rows put together enter together."""
        if not rows:
            return
        rows = self.route(rows)
        count = rows_in(rows)
        while not await self._entered(rows, count):
            await self._clock.sleep(FULL_POLL_S)
        metrics.INGEST_QUEUE_ROWS.labels(self._lane.name).set(self.depth)

    async def _entered(self, rows: Sequence[Entry], count: int) -> bool:
        """Whether rows are in the queue or, once that is full and until all of it is back, in the spool."""
        fits = max(0, self._lane.queue_rows_max - count)
        async with self._changed:
            if self._spool is None:
                await self._changed.wait_for(lambda: self._queued <= fits)
            if self._spool is None or (self._spool.rows == 0 and self._queued <= fits):
                self._queue.extend(rows)
                self._queued += count
                self._taken_in += count
            else:
                await to_the_end(self._to_spool(self._spool, rows, count))
                if self._spool.fault:
                    return False
            self._changed.notify_all()
        return True

    async def _to_spool(self, spool: Spool, rows: Sequence[Entry], count: int) -> None:
        was_full = bool(spool.fault)
        try:
            await asyncio.to_thread(spool.append, rows)
        except SpoolFull as error:
            if not was_full:
                log.error("spool_full", lane=self._lane.name, cause=str(error), rows=spool.rows)
        else:
            self._taken_in += count
        gauge_spool(spool)

    async def drain(self) -> None:
        """Return once everything that was put before is dealt with."""
        async with self._changed:
            target = self._taken_in
            self._hurried = True
            self._changed.notify_all()
            await self._changed.wait_for(lambda: self._dealt_with >= target)

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            batch = await self._next_batch()
            await self._write_through(batch)
            if self._spool is not None and self._spool.size:
                await asyncio.to_thread(self._spool.forget)
                gauge_spool(self._spool)
            async with self._changed:
                self._under_way = ()
                self._dealt_with += rows_in(batch)
                self._changed.notify_all()
            metrics.INGEST_QUEUE_ROWS.labels(self._lane.name).set(self.depth)

    async def _next_batch(self) -> list[Entry]:
        """The oldest rows: a full batch, or what came within an eighth of a write of the first, `batch_s_max` at most.

        A store that is quick gets small batches and rows wait little; one that is busy gets large ones, which cost it
        less by the row.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._queue or (self._spool and self._spool.rows)))
            if not self._queue and self._spool is not None:
                return await self._from_spool(self._spool)
        due_s = self._clock.monotonic_s() + min(self._last_write_s / 8, self._lane.batch_s_max)
        while self._queued < self._lane.batch_rows_max and not self._hurried:
            wait_s = due_s - self._clock.monotonic_s()
            if wait_s <= 0:
                break
            await self._clock.sleep(min(wait_s, 0.02))
        async with self._changed:
            self._hurried = False
            batch: list[Entry] = []
            count = 0
            while self._queue and count < self._lane.batch_rows_max:
                batch.append(self._queue.popleft())
                count += size(batch[-1])
            self._queued -= count
            self._under_way = batch
            self._changed.notify_all()
        return batch

    async def _from_spool(self, spool: Spool) -> list[Entry]:
        """The oldest rows of the spool, which stay there until they are acknowledged."""
        before = spool.rows
        batch = await asyncio.to_thread(spool.take, self._lane.batch_rows_max)
        self._dealt_with += before - spool.rows - rows_in(batch)
        return batch

    async def _write_through(self, batch: Sequence[Entry]) -> None:
        """Keep at it until the store has every row, or the quarantine has what it refuses.

        Holes before what follows them, healing after what heals, publications last: one crash, no wrong claim.
        """
        began_ns, began_s = self._clock.now_ns(), self._clock.monotonic_s()
        todo = deque(staged(batch))
        while todo:
            try:
                refused = await self._write_or_halve(todo[0])
            except StoreUnavailable as error:
                await self._wait_for_store(todo[0], error)
                continue
            todo.popleft()
            todo.extendleft(reversed(refused))
            self.writable = True
            self._backoff.reset()
        self._last_write_s = self._clock.monotonic_s() - began_s
        if observability.records and self._lane.venue:
            # Once there is nothing to do but to wait, so that no row waits for a trace.
            asyncio.get_running_loop().call_soon(self._trace, batch, began_ns, self._clock.now_ns())

    def _trace(self, batch: Sequence[Entry], began_ns: int, ended_ns: int) -> None:
        """A span for every minute of an instrument that the batch held trades of."""
        venue = self._lane.venue
        for (symbol, minute), count in trades_by_minute(batch).items():
            trace_id = trace_id_of(venue, symbol, minute)
            observability.record("ingest.batch", trace_id, began_ns, ended_ns, venue=venue, symbol=symbol, trades=count)

    async def _write_or_halve(self, rows: Sequence[Entry]) -> list[Sequence[Entry]]:
        """Write; what the store refuses comes back in halves, down to the row that it means."""
        try:
            await self._writer.write(rows)
        except StoreRejected as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                return [rows[:middle], rows[middle:]]
            if isinstance(rows[0], TradeRun):
                return [rows[0].trades()]
            await self._quarantine(rows[0], error)
        else:
            self._acknowledge(rows)
        return []

    async def _wait_for_store(self, rows: Sequence[Entry], error: StoreUnavailable) -> None:
        self.writable = False
        wait_s = self._backoff.next_wait_s()
        metrics.INGEST_WRITE_FAILURES.labels(self._lane.name, error.code).inc()
        log.warning("batch_not_written", lane=self._lane.name, rows=rows_in(rows), cause=str(error), wait_s=wait_s)
        await self._clock.sleep(wait_s)

    def _acknowledge(self, rows: Sequence[Entry]) -> None:
        self.on_acked(rows)
        now_ns = self._clock.now_ns()
        for table, count in rows_by_table(rows).items():
            metrics.INGEST_ROWS.labels(table).inc(count)
        oldest_ns = oldest_streamed_ns(rows)
        if oldest_ns is not None:
            metrics.VENUE_TO_ROW_SECONDS.observe(max(0.0, (now_ns - oldest_ns) / NANOS_PER_SECOND))

    async def _quarantine(self, row: Storable, error: StoreRejected) -> None:
        """Keep what the store refuses. If it refuses that too, the store is wrong, not the row: try again later."""
        symbol = row.symbols.get("symbol", "")
        received_at_ns = receipt_of(row, self._clock.now_ns())
        refused = Rejected(row.table, "row", str(error), row_text(row), received_at_ns, symbol)
        venue = row.symbols.get("venue", self._lane.venue)
        try:
            await self._writer.write([refused.to_row(venue), *self.on_refused(row)])
        except StoreRejected:
            raise StoreUnavailable(f"the store refuses a row of {row.table} and its quarantine too: {error}") from None
        metrics.INGEST_QUARANTINED.labels(row.table, "row").inc()
        log.error("row_refused", table=row.table, cause=str(error))


@asynccontextmanager
async def running(lanes: Sequence[Sink]) -> AsyncIterator[None]:
    """Lanes that write as long as the body runs; one that fails ends the body with its error."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(lane.run()) for lane in lanes]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


def gauge_spool(spool: Spool) -> None:
    """Show how much waits on disk, and whether more can."""
    metrics.INGEST_SPOOL_BYTES.set(spool.size)
    metrics.INGEST_SPOOL_FULL.set(bool(spool.fault))
