"""Carries the outbox to QuestDB: in order, at least once, and the cursor moves only after the acknowledgement."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from ares.clock import Clock
from ares.control.store import ControlStore
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.row import Row
from ares.telemetry import get_logger, metrics

CURSOR = "questdb"
PRUNE_EVERY_ROWS = 5_000

log = get_logger(__name__)


class Writer(Protocol):
    """Where rows go; `ares.store.RowWriter` is the real one."""

    async def write(self, rows: Sequence[Row]) -> None: ...


class Waiter(Protocol):
    """How long to wait between tries; `ares.resilience.Backoff` is the real one."""

    def next_wait_s(self) -> float: ...
    def reset(self) -> None: ...


class Mirror:
    """The one subscriber of the outbox that writes to QuestDB."""

    def __init__(self, control: ControlStore, writer: Writer, clock: Clock, backoff: Waiter, *, rows_max: int) -> None:
        self._control = control
        self._writer = writer
        self._clock = clock
        self._backoff = backoff
        self._rows_max = rows_max
        self._pruned_seq = 0
        self.error: str | None = None

    async def step(self) -> int:
        """Carry the next batch; returns how many rows, 0 when the outbox is drained."""
        after = await asyncio.to_thread(self._control.cursor, CURSOR)
        batch = await asyncio.to_thread(self._control.outbox, after, self._rows_max)
        if not batch:
            return 0
        await self._deliver([entry.row for entry in batch])
        await asyncio.to_thread(self._control.advance, CURSOR, batch[-1].seq)
        metrics.MIRRORED_ROWS.inc(len(batch))
        await self._prune(batch[-1].seq)
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
            log.warning("mirror_not_drained", cause="questdb is away; the rows stay in the outbox")

    async def _deliver(self, rows: list[Row]) -> None:
        while True:
            try:
                await self._writer.write(rows)
            except StoreUnavailable as error:
                self.error = str(error)
                wait_s = self._backoff.next_wait_s()
                log.warning("mirror_waits", cause=error.code, wait_s=wait_s)
                await self._clock.sleep(wait_s)
            except StoreRejected:
                await self._deliver_one_by_one(rows)
                return
            else:
                self.error = None
                self._backoff.reset()
                return

    async def _deliver_one_by_one(self, rows: list[Row]) -> None:
        """One refused row must not hold up the rest for ever; it stays in the log, and in the journal it came from."""
        if len(rows) == 1:
            metrics.MIRROR_REFUSED_ROWS.inc()
            log.error("mirror_row_refused", table=rows[0].table, ts_ns=rows[0].ts_ns, columns=sorted(rows[0].columns))
            return
        for row in rows:
            await self._deliver([row])

    async def _prune(self, seq: int) -> None:
        if seq - self._pruned_seq >= PRUNE_EVERY_ROWS:
            await asyncio.to_thread(self._control.prune_outbox, seq)
            self._pruned_seq = seq
