"""Rows on their way into the store: a bounded queue, ordered batches, and an answer for every row.

A row leaves the queue when the store acknowledged it, or when it lies in `quarantine` because the store refuses it.
While the store is away the same batch is tried again for ever; the queue fills, `put` waits, and what the venue's
client drops meanwhile shows as a jump of ids and is fetched later.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Protocol

from ares.clock import NANOS_PER_SECOND, Clock
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.market import Trade
from ares.model.row import Storable
from ares.resilience import Backoff
from ares.telemetry import get_logger, metrics, observability, trace_id_of
from ares.telemetry.tracing import MINUTE_NS
from ingest.feed import Rejected, clean
from ingest.ledger import by_symbol

log = get_logger(__name__)

BEFORE_MARKET, MARKET, AFTER_MARKET, PUBLICATION = range(4)
STAGES = {"gaps": AFTER_MARKET, "ingest_watermarks": PUBLICATION}
"""Which part of a batch must be durable before which; a gap that opens comes before everything."""


class Writer(Protocol):
    """Where batches go: returns when the store has them. Raises `StoreUnavailable` or `StoreRejected`."""

    async def write(self, rows: Sequence[Storable]) -> None: ...


@dataclass(frozen=True, slots=True)
class Lane:
    """What a lane is called, whose rows it carries, how much it holds, and how that is cut into batches."""

    name: str
    venue: str
    queue_rows_max: int
    batch_rows_max: int
    batch_s_max: float


class Sink:
    """One lane into the store; what enters first is acknowledged first.

    `on_acked` sees every batch the store has, `on_refused` every row it will never take, after it is quarantined.
    """

    def __init__(self, lane: Lane, writer: Writer, clock: Clock, backoff: Backoff) -> None:
        self._lane = lane
        self._writer = writer
        self._clock = clock
        self._backoff = backoff
        self._queue: deque[Storable] = deque()
        self._changed = asyncio.Condition()
        self._taken_in = 0
        self._dealt_with = 0
        self._hurried = False
        self.on_acked: Callable[[Sequence[Storable]], None] = lambda _: None
        self.on_refused: Callable[[Storable], Sequence[Storable]] = lambda _: ()
        self.writable = True

    def reconfigure(self, lane: Lane) -> None:
        """Cut the next batches by another shape."""
        self._lane = lane

    @property
    def depth(self) -> int:
        """Rows that are not acknowledged yet, those of the batch under way included."""
        return self._taken_in - self._dealt_with

    async def put(self, rows: Sequence[Storable]) -> None:
        """Enter rows, waiting while the queue is full. Rows put together enter together."""
        if not rows:
            return
        async with self._changed:
            fits = self._lane.queue_rows_max - len(rows)
            await self._changed.wait_for(lambda: len(self._queue) <= max(0, fits))
            self._queue.extend(rows)
            self._taken_in += len(rows)
            self._changed.notify_all()
        metrics.INGEST_QUEUE_ROWS.labels(self._lane.name).set(self.depth)

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
            async with self._changed:
                self._dealt_with += len(batch)
                self._changed.notify_all()
            metrics.INGEST_QUEUE_ROWS.labels(self._lane.name).set(self.depth)

    async def _next_batch(self) -> list[Storable]:
        """The oldest rows: a full batch, or what came within `batch_s_max` of the first."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._queue))
        due_s = self._clock.monotonic_s() + self._lane.batch_s_max
        while len(self._queue) < self._lane.batch_rows_max and not self._hurried:
            wait_s = due_s - self._clock.monotonic_s()
            if wait_s <= 0:
                break
            await self._clock.sleep(min(wait_s, 0.02))
        async with self._changed:
            self._hurried = False
            size = min(len(self._queue), self._lane.batch_rows_max)
            batch = [self._queue.popleft() for _ in range(size)]
            self._changed.notify_all()
        return batch

    async def _write_through(self, batch: Sequence[Storable]) -> None:
        """Keep at it until the store has every row, or the quarantine has what it refuses.

        Holes before what follows them, healing after what heals, publications last: one crash, no wrong claim.
        """
        began_ns = self._clock.now_ns()
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
        self._trace(batch, began_ns)

    def _trace(self, batch: Sequence[Storable], began_ns: int) -> None:
        """A span for every minute of an instrument that the batch held trades of."""
        venue, now_ns = self._lane.venue, self._clock.now_ns()
        for symbol, trades in by_symbol(batch, Trade).items():
            for minute, count in Counter([trade.ts_ns // MINUTE_NS for trade in trades]).items():
                trace_id = trace_id_of(venue, symbol, minute)
                observability.record(
                    "ingest.batch", trace_id, began_ns, now_ns, venue=venue, symbol=symbol, trades=count
                )

    async def _write_or_halve(self, rows: Sequence[Storable]) -> list[Sequence[Storable]]:
        """Write; what the store refuses comes back in halves, down to the row that it means."""
        try:
            await self._writer.write(rows)
        except StoreRejected as error:
            if len(rows) > 1:
                middle = len(rows) // 2
                return [rows[:middle], rows[middle:]]
            await self._quarantine(rows[0], error)
        else:
            self._acknowledge(rows)
        return []

    async def _wait_for_store(self, rows: Sequence[Storable], error: StoreUnavailable) -> None:
        self.writable = False
        wait_s = self._backoff.next_wait_s()
        metrics.INGEST_WRITE_FAILURES.labels(self._lane.name, error.code).inc()
        log.warning("batch_not_written", lane=self._lane.name, rows=len(rows), cause=str(error), wait_s=wait_s)
        await self._clock.sleep(wait_s)

    def _acknowledge(self, rows: Sequence[Storable]) -> None:
        self.on_acked(rows)
        now_ns = self._clock.now_ns()
        for table, count in Counter([row.table for row in rows]).items():
            metrics.INGEST_ROWS.labels(table).inc(count)
        streamed_ns = [row.ts_ns for row in rows if isinstance(row, Trade) and row.source == "stream"]
        if streamed_ns:
            metrics.VENUE_TO_ROW_SECONDS.observe(max(0.0, (now_ns - min(streamed_ns)) / NANOS_PER_SECOND))

    async def _quarantine(self, row: Storable, error: StoreRejected) -> None:
        """Keep what the store refuses. If it refuses that too, the store is wrong, not the row: try again later."""
        symbol = row.symbols.get("symbol", "")
        refused = Rejected(row.table, "row", str(error), row_text(row), self._clock.now_ns(), symbol)
        try:
            await self._writer.write([refused.to_row(self._lane.venue), *self.on_refused(row)])
        except StoreRejected:
            raise StoreUnavailable(f"the store refuses a row of {row.table} and its quarantine too: {error}") from None
        metrics.INGEST_QUARANTINED.labels(row.table, "row").inc()
        log.error("row_refused", table=row.table, cause=str(error))


def staged(batch: Sequence[Storable]) -> list[Sequence[Storable]]:
    """The batch in the order in which its parts must become durable, each part by table and time."""
    by_stage: dict[int, list[Storable]] = {}
    for row in batch:
        stage = STAGES.get(row.table, MARKET)
        if stage == AFTER_MARKET and row.symbols["status"] == "open":
            stage = BEFORE_MARKET
        by_stage.setdefault(stage, []).append(row)
    return [sorted(rows, key=attrgetter("table", "ts_ns")) for _, rows in sorted(by_stage.items())]


def row_text(row: Storable) -> str:
    """A row as text, for its quarantine."""
    shape = {"table": row.table, "ts_ns": row.ts_ns, "symbols": dict(row.symbols), "columns": dict(row.columns)}
    return clean(json.dumps(shape, default=repr))
