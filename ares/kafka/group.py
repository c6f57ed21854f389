"""Reading a topic as a member of a consumer group, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, Message, TopicPartition

from ares.clock import NANOS_PER_MILLI
from ares.config.settings import KafkaConfig
from ares.errors import ConfigError, StreamUnavailable
from ares.kafka.connection import Settings, connection
from ares.telemetry import get_logger

METADATA_MS = 5_000
"""A topic that is not there yet is looked for this often."""
SESSION_MS = 10_000
"""A member that is silent for so long is dead to the group, and others take its partitions."""
PREFETCH_KB = 16 * 1024
ASK_S_MAX = 2.0
T = TypeVar("T")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message as it was read; `ts_ns` is when it was sent (UTC ns), `headers` without repetitions."""

    partition: int
    offset: int
    key: str
    value: bytes
    ts_ns: int
    headers: Mapping[str, bytes]


class Membership(Protocol):
    """Who is told, in the reader's thread, which partitions come and go. May block for some seconds."""

    def assigned(self, starts: Mapping[int, int | None]) -> None:
        """These are ours now; each with the offset that the group committed, None if it never did."""
        ...

    def revoked(self, partitions: Collection[int]) -> Mapping[int, int]:
        """These go to another member once we return. Returns the offsets to commit for them."""
        ...

    def lost(self, partitions: Collection[int]) -> None:
        """These are another member's already; nothing can be committed for them."""
        ...


class GroupReader:
    """A member of a group that reads one topic; offsets are committed only by `commit`.

    Raises `ConfigError` for settings that no client can have, `StreamUnavailable` while brokers do not answer.
    """

    def __init__(self, config: KafkaConfig, topic: str, group: str, membership: Membership | None = None) -> None:
        self._config = config
        self._topic = topic
        self._membership = membership
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka")
        self._asking = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka-ends")
        self._hold = False
        self._held: bool | None = False
        self._ours: frozenset[int] = frozenset()
        self._left: frozenset[int] = frozenset()
        self._asker: Consumer | None = None
        settings: Settings = {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": METADATA_MS,
            "session.timeout.ms": SESSION_MS,
            "queued.max.messages.kbytes": PREFETCH_KB,
        }
        if membership is not None:  # what a member keeps goes on while others come and go
            settings["partition.assignment.strategy"] = "cooperative-sticky"
        try:
            self._consumer = Consumer(connection(config) | settings)
        except KafkaException as error:
            raise ConfigError("kafka.servers", config.servers, str(error.args[0]), "Mend the section [kafka]") from None
        self._consumer.subscribe([topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    async def page(self, messages_max: int, wait_s: float) -> Sequence[Incoming]:
        """What came, at once if there is anything, after `wait_s` at most; nothing while reading is on hold."""
        messages = await self._in(self._thread, lambda: self._read(messages_max, wait_s))
        errors = [error.str() for error in (each.error() for each in messages) if error is not None]
        incoming = [_incoming(each) for each in messages if each.error() is None]
        if errors and not incoming:
            raise StreamUnavailable(f"Kafka at {self._config.servers}: {errors[0]}")
        return incoming

    def hold(self, wanted: bool) -> None:
        """From the next page on read nothing, or go on; the member stays in its group meanwhile."""
        self._hold = wanted

    async def commit(self, offsets: Mapping[int, int]) -> None:
        """Keep for the group where each partition goes on; of those that left us meanwhile nothing is said."""
        await self._in(self._thread, lambda: self._commit(offsets))

    async def ends(self) -> Mapping[int, int]:
        """Behind the newest message of every partition that is ours.

        Asked over a connection of its own: on the member's, a question waits behind the broker's long polls.
        """
        return await self._in(self._asking, self._ends)

    async def close(self) -> None:
        """Leave the group, so that others go on at once; what is ours is revoked first."""
        await self._in(self._thread, self._consumer.close)
        self._thread.shutdown()
        if self._asker is not None:
            await self._in(self._asking, self._asker.close)
        self._asking.shutdown()

    def _read(self, messages_max: int, wait_s: float) -> list[Message]:
        if self._hold != self._held:
            (self._consumer.pause if self._hold else self._consumer.resume)(self._consumer.assignment())
            self._held = self._hold
        first = self._consumer.poll(wait_s)
        if first is None:
            return []
        self._left = frozenset()
        more = self._consumer.consume(messages_max - 1, 0)
        return more if first.partition() in self._left else [first, *more]

    def _commit(self, offsets: Mapping[int, int]) -> None:
        ours = {each.partition for each in self._consumer.assignment()}
        places = [TopicPartition(self._topic, *each) for each in offsets.items() if each[0] in ours]
        if places:
            for place in self._consumer.commit(offsets=places, asynchronous=False):
                if place.error is not None:
                    raise KafkaException(place.error)

    def _ends(self) -> Mapping[int, int]:
        if self._asker is None:
            self._asker = Consumer(connection(self._config) | {"group.id": "nobody", "enable.auto.commit": False})
        ours = [TopicPartition(self._topic, partition) for partition in sorted(self._ours)]
        return {each.partition: self._asker.get_watermark_offsets(each, ASK_S_MAX)[1] for each in ours}

    def _on_assign(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._held = None  # some may be held and others not
        self._ours |= {each.partition for each in places}
        if self._membership is None:
            return
        starts: dict[int, int | None] = {each.partition: None for each in places}
        try:
            for each in consumer.committed(places, ASK_S_MAX) if places else []:
                starts[each.partition] = each.offset if each.offset >= 0 else None
        except KafkaException as error:
            log.warning("offsets_not_known", topic=self._topic, cause=str(error))
        self._membership.assigned(starts)

    def _on_revoke(self, consumer: Consumer, places: list[TopicPartition]) -> None:
        self._gone(places)
        if self._membership is None:
            return
        offsets = self._membership.revoked([each.partition for each in places])
        if offsets:
            try:
                consumer.commit(
                    offsets=[TopicPartition(self._topic, *each) for each in offsets.items()], asynchronous=False
                )
            except KafkaException as error:
                log.warning("offsets_not_committed", topic=self._topic, cause=str(error))

    def _on_lost(self, _: Consumer, places: list[TopicPartition]) -> None:
        self._gone(places)
        if self._membership is not None:
            self._membership.lost([each.partition for each in places])

    def _gone(self, places: list[TopicPartition]) -> None:
        partitions = {each.partition for each in places}
        self._ours -= partitions
        self._left |= partitions

    async def _in(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, work)
        except KafkaException as error:
            raise StreamUnavailable(f"Kafka at {self._config.servers}: {error.args[0].str()}") from None


def _incoming(message: Message) -> Incoming:
    partition, offset = message.partition(), message.offset()
    assert partition is not None
    assert offset is not None
    kind, ms = message.timestamp()
    ts_ns = 0 if kind == TIMESTAMP_NOT_AVAILABLE else ms * NANOS_PER_MILLI
    key = (message.key() or b"").decode("utf-8", "replace")
    return Incoming(partition, offset, key, message.value() or b"", ts_ns, _headers(message))


def _headers(message: Message) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    for name, value in dict(message.headers() or []).items():
        found[name] = value.encode() if isinstance(value, str) else value or b""
    return found
