"""Carries feeds to QuestDB: in order, at least once, and a cursor moves only after the acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from ares.clock import Clock
from ares.control.codec import dump_row
from ares.control.store import ControlStore
from ares.control.types import DeadLetter, OutboxRow
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.row import Row
from ares.telemetry import get_logger, metrics

CURSOR = "questdb"
COVERED, COVERED_TWICE = "backup", "backup_before"
"""Up to where the outbox is in the newest market backup, and in the one before: that one may turn out to be broken."""
PRUNE_EVERY_ROWS = 5_000

log = get_logger(__name__)


class Writer(Protocol):
    """Where rows go; `ares.store.RowWriter` is the real one."""

    async def write(self, rows: Sequence[Row]) -> None: ...


class Waiter(Protocol):
    """How long to wait between tries; `ares.resilience.Backoff` is the real one."""

    def next_wait_s(self) -> float: ...
    def reset(self) -> None: ...


class Feed(Protocol):
    """Numbered rows that wait to be carried; `name` is the cursor's."""

    @property
    def name(self) -> str: ...
    def next(self, after_seq: int, rows_max: int) -> Sequence[OutboxRow]: ...
    def passed(self, seq: int) -> None:
        """Everything up to here was acknowledged."""
        ...


class OutboxFeed:
    """Rows that were committed with what they tell of.

    Deleted once they were carried; where backups are made, once two of these have them: a restored QuestDB lacks what
    came after its checkpoint, and many rows are nowhere else. Never more than `kept_max` are kept.
    """

    name = CURSOR

    def __init__(self, control: ControlStore, kept_max: int) -> None:
        self._control = control
        self._kept_max = kept_max
        self._pruned_seq = 0

    def next(self, after_seq: int, rows_max: int) -> Sequence[OutboxRow]:
        return self._control.outbox(after_seq, rows_max)

    def passed(self, seq: int) -> None:
        if seq - self._pruned_seq >= PRUNE_EVERY_ROWS:
            self._control.prune_outbox(self._expendable(seq))
            self._pruned_seq = seq

    def _expendable(self, seq: int) -> int:
        cursors = self._control.cursors()
        covered = min(seq, cursors.get(COVERED_TWICE, seq))
        metrics.OUTBOX_KEPT.set(seq - covered)
        if seq - covered > self._kept_max:
            log.error("mirrored_rows_not_backed_up", rows=seq - covered, kept=self._kept_max)
        return max(covered, seq - self._kept_max)


class Mirror:
    """Carries one feed to QuestDB."""

    def __init__(
        self, control: ControlStore, feed: Feed, writer: Writer, clock: Clock, backoff: Waiter, *, rows_max: int
    ) -> None:
        self._control = control
        self._feed = feed
        self._writer = writer
        self._clock = clock
        self._backoff = backoff
        self._rows_max = rows_max
        self.error: str | None = None

    async def step(self) -> int:
        """Carry the next batch; returns how many rows, 0 when there are no more."""
        after = await asyncio.to_thread(self._control.cursor, self._feed.name)
        batch = await asyncio.to_thread(self._feed.next, after, self._rows_max)
        if not batch:
            return 0
        await self._deliver(batch)
        await asyncio.to_thread(self._control.advance, self._feed.name, batch[-1].seq)
        metrics.MIRRORED_ROWS.inc(len(batch))
        await asyncio.to_thread(self._feed.passed, batch[-1].seq)
        return len(batch)

    async def run(self, poll_s: float) -> None:
        """Carry rows until cancelled."""
        while True:
            if await self.step() == 0:
                await self._clock.sleep(poll_s)

    async def drain(self) -> None:
        """Carry what is there now; stops at the first refusal to answer."""
        try:
            while await asyncio.wait_for(self.step(), 5):
                pass
        except TimeoutError:
            log.warning("mirror_not_drained", cause="questdb is away; the rows stay where they are")

    async def _deliver(self, batch: Sequence[OutboxRow]) -> None:
        while True:
            try:
                await self._writer.write([entry.row for entry in batch])
            except StoreUnavailable as error:
                self.error = str(error)
                wait_s = self._backoff.next_wait_s()
                log.warning("mirror_waits", feed=self._feed.name, cause=error.code, wait_s=wait_s)
                await self._clock.sleep(wait_s)
            except StoreRejected as error:
                await self._deliver_one_by_one(batch, error)
                return
            else:
                self.error = None
                self._backoff.reset()
                return

    async def _deliver_one_by_one(self, batch: Sequence[OutboxRow], error: StoreRejected) -> None:
        """One refused row must not hold up the rest for ever: it becomes a dead letter."""
        if len(batch) > 1:
            for entry in batch:
                await self._deliver([entry])
            return
        seq, row = batch[0].seq, batch[0].row
        metrics.MIRROR_REFUSED_ROWS.inc()
        log.error("mirror_row_refused", table=row.table, ts_ns=row.ts_ns, columns=sorted(row.columns))
        if row.table != "dead_letters":  # the row of a dead letter would be refused for ever
            letter = DeadLetter(self._feed.name, seq, self._clock.now_ns(), str(error), dump_row(row))
            await asyncio.to_thread(self._control.bury, letter)
