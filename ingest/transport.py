"""Which way rows take into the store: straight to QuestDB, or over Kafka, from where sink workers write them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ares.clock import HOUR_NS, NANOS_PER_MILLI, Clock
from ares.config.replicas import PRIMARY
from ares.config.settings import AresConfig, KafkaConfig
from ares.errors import StoreUnavailable, StreamUnavailable
from ares.kafka import Sender, Topic, progress
from ares.model.market import Entry
from ares.store import RowWriter
from ares.telemetry import get_logger
from ingest.ticks import HEADERS, messages_of

log = get_logger(__name__)

POLL_S = 0.25
TOLD_EVERY_S = 10.0
ARRIVAL_S_MAX = 600.0
"""So long a command waits for what is on its way."""


class RowDoor(Protocol):
    """What a lane writes to, and whoever made it closes."""

    async def write(self, rows: Sequence[Entry]) -> None: ...

    async def close(self) -> None: ...


class TickWriter:
    """Writes batches to the topic of ticks; `write` returns once every replica in sync has them.

    The same promise as a `RowWriter`'s: raises `StreamUnavailable` (write the same batch again) or `StoreRejected`.
    """

    def __init__(self, config: KafkaConfig) -> None:
        self._sender = Sender(config, topic_of(config), HEADERS)

    async def write(self, rows: Sequence[Entry]) -> None:
        await self._sender.send(await asyncio.to_thread(messages_of, rows))

    async def close(self) -> None:
        await self._sender.close()


def topic_of(config: KafkaConfig) -> Topic:
    """The topic of ticks, as we would make it."""
    retention_ms = round(config.ticks_retention_hours * HOUR_NS / NANOS_PER_MILLI)
    return Topic(config.ticks_topic, config.ticks_partitions, {"retention.ms": str(retention_ms)})


def group_of(config: AresConfig) -> str:
    """The consumer group of the workers of one database. Never of two: each would get a part of the rows."""
    ingest = config.ingest
    group = f"{config.kafka.ticks_topic}/{ingest.sink_database}"
    return group if ingest.sink_group is None else f"{group}/{ingest.sink_group}"


def primary_group_of(config: AresConfig) -> str:
    """The group that feeds the primary, whichever database workers with these settings feed."""
    primary = f"{config.kafka.ticks_topic}/{PRIMARY}"
    return group_of(config) if config.ingest.sink_database == PRIMARY else primary


def writer_of(config: AresConfig, turn: AbstractContextManager[object] | None = None) -> RowDoor:
    """Where lanes write to; writers to QuestDB that share a `turn` send one at a time."""
    return TickWriter(config.kafka) if config.ingest.transport == "kafka" else RowWriter(config.database, turn)


async def in_place() -> None:
    """What is acknowledged is in the primary: nothing is between."""


async def arrived(config: AresConfig, clock: Clock, seconds_max: float | None = None) -> None:
    """Return once all that was acknowledged before the call is in the primary; at once unless Kafka is between.

    Waits for ever, or raises `StoreUnavailable` after `seconds_max`.
    """
    if config.ingest.transport != "kafka":
        return
    kafka, group = config.kafka, primary_group_of(config)
    ends: dict[int, int] = {}
    began_s = told_s = clock.monotonic_s()
    while True:
        left, cause = 0, ""
        try:
            found = await progress(kafka, kafka.ticks_topic, group)
            ends = ends or {partition: each.end for partition, each in found.items()}
            left = sum(max(0, ends.get(partition, 0) - each.committed) for partition, each in found.items())
        except StreamUnavailable as error:
            cause = str(error)
        if not left and not cause:
            return
        now_s = clock.monotonic_s()
        why = cause or f"the sink workers of group {group} have {left} messages to write; is one running?"
        if seconds_max is not None and now_s - began_s > seconds_max:
            raise StoreUnavailable(f"not in the database after {seconds_max} s: {why} Start one: ares ingest sink")
        if now_s - told_s > TOLD_EVERY_S:
            told_s = now_s
            log.warning("waiting_for_sink", cause=why)
        await clock.sleep(POLL_S)
