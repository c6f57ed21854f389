"""The service `ingest-sink`: what collectors sent over Kafka becomes rows of one database.

A worker is a member of a consumer group; each group feeds one database. What it reads goes through a lane as a
collector's does, so that order, repetition and refusal are the same, and an offset is committed once everything up to
it is acknowledged by the database or lies in its quarantine.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Collection, Coroutine, Mapping, Sequence
from concurrent.futures import CancelledError as Abandoned

from ares.config import AresConfig
from ares.config.settings import VenueConfig
from ares.errors import ConfigError, StoreError, StreamUnavailable
from ares.kafka import GroupReader, Incoming
from ares.kafka.connection import create_topic
from ares.model.market import Entry, Trade, rows_in
from ares.model.row import Row, Storable
from ares.resilience import Backoff
from ares.service import Health, Service, ServiceContext
from ares.store import Database, RowWriter
from ares.store.migrate import migrate_if_empty
from ares.store.replicas import database_named
from ares.telemetry import get_logger, metrics
from ingest.gaps import Where, refused_row
from ingest.intakes import has_dense_ids
from ingest.offsets import Offsets
from ingest.service import DRAIN_S_MAX, watch
from ingest.sink import Lane, Sink
from ingest.ticks import entries_of, missed_row
from ingest.transport import group_of, topic_of

log = get_logger(__name__)

PAGE_MESSAGES_MAX = 64
WAIT_S = 0.1
COMMIT_S = 0.25
GAUGE_S = 2.0
HAND_OVER_S_MAX = 5.0
"""So long a partition that another worker gets is held back until what was read of it is written."""


class SinkWorker:
    """One member of the group that `ingest.sink_group` names; run as many as there are partitions, at most."""

    def __init__(self, context: ServiceContext) -> None:
        self._config = context.config
        self._clock = context.clock
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._database = self._config.ingest.sink_database
        self._target = database_named(self._config.database, self._database)
        self._writer = RowWriter(self._target)
        self._lane = Sink(lane_of(self._config), self._writer, context.clock, self._backoff())
        self._lane.on_refused = lambda row: lost_trade(row, self._config.venues)
        self._offsets = Offsets()
        self._pending: deque[tuple[Incoming, Sequence[Entry]]] = deque()
        self._reader: GroupReader | None = None
        self._lane_task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._joined = False
        self._missed = 0
        self._state = "connecting to the database"
        self._stream_trouble = ""

    def _backoff(self) -> Backoff:
        settings = self._config.ingest
        return Backoff(settings.backoff_s_min, settings.backoff_s_max, self._rng)

    async def start(self) -> None:
        """Ready the lane; what is away is waited for by `run`."""
        self._loop = asyncio.get_running_loop()
        self._lane_task = asyncio.create_task(self._lane.run(), name="lane")

    async def run(self) -> None:
        """Write what comes until cancelled. Raises `StreamUnreadable` for what only a later release can read."""
        assert self._lane_task is not None, "start() comes first"
        await self._prepare()
        kafka = self._config.kafka
        self._reader = GroupReader(kafka, kafka.ticks_topic, group_of(self._config), self)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(self._reader))
            tasks.create_task(self._keep_committing(self._reader))
            tasks.create_task(self._gauge(self._reader))
            tasks.create_task(watch(self._lane_task))

    def reconfigure(self, config: AresConfig) -> None:
        """Cut batches by these settings from now on."""
        self._config = config
        self._lane.reconfigure(lane_of(config))

    async def stop(self) -> None:
        """Write what was read, commit it, and leave the group."""
        try:
            async with asyncio.timeout(DRAIN_S_MAX):
                await self._lane.drain()
        except TimeoutError:
            log.warning("rows_left_in_queue", sink=self._lane.depth)
        if self._reader is not None:
            await self._reader.close()
        if self._lane_task is not None:
            self._lane_task.cancel()
            await asyncio.gather(self._lane_task, return_exceptions=True)
        await self._writer.close()

    def health(self) -> Health:
        """Ready while the database takes rows and the group has us; a worker without partitions stands by."""
        if self._state:
            return Health(ready=False, detail=self._state)
        if not self._lane.writable:
            return Health(ready=False, detail=f"{self._database} takes no rows, {self._lane.depth} wait")
        if self._stream_trouble or not self._joined:
            return Health(ready=False, detail=self._stream_trouble or "joining the group")
        missed = f"{self._missed} messages were gone before they were read: fill {self._database} anew"
        return Health(ready=not self._missed, detail=missed if self._missed else "")

    def assigned(self, starts: Mapping[int, int | None]) -> None:
        """In the reader's thread: these are ours now."""
        self._on_the_loop(self._take_over(starts))

    def revoked(self, partitions: Collection[int]) -> Mapping[int, int]:
        """In the reader's thread: these go to another member when we return."""
        return self._on_the_loop(self._hand_over(partitions, wait_s=HAND_OVER_S_MAX))

    def lost(self, partitions: Collection[int]) -> None:
        """In the reader's thread: these went to another member."""
        self._on_the_loop(self._hand_over(partitions, wait_s=0.0))

    async def _take_over(self, starts: Mapping[int, int | None]) -> Mapping[int, int]:
        self._joined = True
        self._offsets.assigned(starts)
        self._count_partitions()
        log.info("partitions_assigned", partitions=sorted(starts))
        return {}

    async def _hand_over(self, partitions: Collection[int], wait_s: float) -> Mapping[int, int]:
        """Let go of partitions; what of them can be committed is returned."""
        self._pending = deque(each for each in self._pending if each[0].partition not in partitions)
        try:
            async with asyncio.timeout(wait_s):
                await self._lane.drain()
        except TimeoutError:
            log.warning("partitions_left_unwritten", partitions=sorted(partitions), rows=self._lane.depth)
        self._offsets.settle(self._lane.dealt_with)
        due = {partition: offset for partition, offset in self._offsets.due().items() if partition in partitions}
        self._offsets.revoked(partitions)
        self._count_partitions()
        for partition in partitions:
            metrics.SINK_LAG_MESSAGES.remove(str(partition))
            metrics.SINK_LAG_SECONDS.remove(str(partition))
        log.info("partitions_handed_over", partitions=sorted(partitions), committed=due)
        return due

    def _on_the_loop(self, work: Coroutine[object, object, Mapping[int, int]]) -> Mapping[int, int]:
        """From the reader's thread: what the group says, where nothing else of ours runs meanwhile."""
        assert self._loop is not None
        asked = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return asked.result(2 * HAND_OVER_S_MAX)
        except (TimeoutError, Abandoned):
            asked.cancel()
            return {}

    async def _prepare(self) -> None:
        """Reach the database and the brokers; tables and topic are made where there are none."""
        backoff = self._backoff()
        while True:
            try:
                await asyncio.to_thread(create_topic, self._config.kafka, topic_of(self._config.kafka))
                async with await Database.connect(self._target) as database:
                    await migrate_if_empty(database, self._writer, self._clock)
            except StoreError as error:
                self._state = str(error)
                log.warning("sink_waits", database=self._database, cause=str(error))
                await self._clock.sleep(backoff.next_wait_s())
            else:
                self._state = ""
                return

    async def _read(self, reader: GroupReader) -> None:
        """What comes enters the lane; while that is full, reading pauses and the group is answered all the same."""
        backoff = self._backoff()
        while True:
            await self._enter()
            reader.hold(bool(self._pending))
            metrics.SINK_PAUSED.set(bool(self._pending))
            try:
                page = await reader.page(PAGE_MESSAGES_MAX, WAIT_S)
            except StreamUnavailable as error:
                self._stream_trouble = str(error)
                await self._clock.sleep(backoff.next_wait_s())
                continue
            if page:
                self._stream_trouble = ""
                backoff.reset()
            for message in page:
                self._take(message)

    def _take(self, message: Incoming) -> None:
        missed = self._offsets.read(message.partition, message.offset)
        if missed is None:
            return
        entries = entries_of(message)
        if missed:
            self._missed += missed
            metrics.SINK_MISSED.inc(missed)
            log.error("messages_missed", database=self._database, partition=message.partition, messages=missed)
            entries = [missed_row(self._config.kafka.ticks_topic, message, missed), *entries]
        self._pending.append((message, entries))

    async def _enter(self) -> None:
        """Put into the lane what it has room for."""
        while self._pending:
            message, entries = self._pending[0]
            rows = rows_in(entries)
            if self._lane.depth and self._lane.depth + rows > self._config.ingest.queue_rows_max:
                return
            self._pending.popleft()
            self._offsets.entered(message.partition, message.offset, rows, message.ts_ns)
            await self._lane.put(entries)

    async def _keep_committing(self, reader: GroupReader) -> None:
        while True:
            await self._clock.sleep(COMMIT_S)
            self._offsets.settle(self._lane.dealt_with)
            due = self._offsets.due()
            if not due:
                continue
            try:
                await reader.commit(due)
            except StreamUnavailable as error:
                log.warning("offsets_not_committed", cause=str(error))
            else:
                self._offsets.committed(due)

    async def _gauge(self, reader: GroupReader) -> None:
        """Show how far we are behind, and notice brokers that are away."""
        while True:
            await self._clock.sleep(GAUGE_S)
            try:
                ends = await reader.ends()
            except StreamUnavailable as error:
                self._stream_trouble = str(error)
                continue
            self._stream_trouble = ""
            for partition, end in ends.items():
                if partition not in self._offsets.parts:
                    continue
                messages, seconds = self._offsets.lag(partition, end, self._clock.now_ns())
                metrics.SINK_LAG_MESSAGES.labels(str(partition)).set(messages)
                metrics.SINK_LAG_SECONDS.labels(str(partition)).set(seconds)

    def _count_partitions(self) -> None:
        metrics.SINK_PARTITIONS.set(len(self._offsets.parts))


def lane_of(config: AresConfig) -> Lane:
    """The shape of a worker's lane."""
    settings = config.ingest
    return Lane("sink", "", settings.queue_rows_max, settings.batch_rows_max, settings.batch_s_max)


def lost_trade(row: Storable, venues: Mapping[str, VenueConfig]) -> Sequence[Row]:
    """The database will never take this row: if it is a trade, it is recorded as lost. The same row each time."""
    if not isinstance(row, Trade):
        return []
    known = venues.get(row.venue)
    where, dense_ids = Where(row.venue, row.symbol, "trades"), known is None or has_dense_ids(known)
    return [refused_row(where, row.seq, row.ts_ns, row.received_at_ns, dense_ids=dense_ids)]


def create(context: ServiceContext) -> Service:
    """The service, unconnected. Raises `ConfigError` where no brokers are named."""
    servers = context.config.kafka.servers
    if servers is None:
        raise ConfigError("kafka.servers", servers, "sink workers read from Kafka", "Set ARES_KAFKA__SERVERS")
    return SinkWorker(context)
