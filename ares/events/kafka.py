"""The event log over Kafka, for subscribers on other machines: the same events, in the same order.

One partition, for order is what a log is for. What is sent is sent again after a crash of the sender, so that a
subscriber may see a run of events twice; it never sees a hole.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ares.config.settings import KafkaConfig
from ares.control import ControlStore, StoredEvent
from ares.errors import ConfigError, EventUnreadable, StoreRejected, StreamUnavailable
from ares.events.mirror import EventFeed
from ares.model.row import Row
from ares.telemetry import get_logger, metrics

PARTITION = 0
PAGE_EVENTS = 500
POLL_S = 0.5
METADATA_MS = 5_000
"""A topic that is not there yet is looked for this often."""
KEPT_FOR_EVER = {"retention.ms": "-1", "cleanup.policy": "delete"}
REFUSALS = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG})
T = TypeVar("T")

log = get_logger(__name__)


class KafkaFeed(EventFeed):
    """The log, with a cursor of its own for each topic: Kafka may be behind QuestDB, or before it."""

    def __init__(self, control: ControlStore, config: KafkaConfig) -> None:
        super().__init__(control)
        self.name = f"kafka/{config.events_topic}"


class KafkaWriter:
    """Takes rows of the table `events` as `ares.control.mirror.Mirror` gives them; `write` returns once Kafka has them.

    Raises `StreamUnavailable` (write the same rows again) or `StoreRejected` (a message that Kafka will never take).
    """

    def __init__(self, config: KafkaConfig) -> None:
        self._config = config
        self._producer: Producer | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka")

    async def write(self, rows: Sequence[Row]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, rows)

    async def close(self) -> None:
        """Nothing is buffered here between two writes, so nothing is lost."""
        await asyncio.to_thread(self._thread.shutdown)

    def _write(self, rows: Sequence[Row]) -> None:
        failures: list[KafkaError] = []

        def told(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        try:
            producer = self._connected()
            for row in rows:
                producer.produce(
                    self._config.events_topic,
                    key=str(row.columns["stream"]),
                    value=message(row),
                    partition=PARTITION,
                    on_delivery=told,
                )
            left = producer.flush(self._config.timeout_s)
        except (KafkaException, BufferError) as error:
            self._forget()
            raise _translated(error) from None
        if left:
            self._forget()
            raise StreamUnavailable(f"Kafka at {self._config.servers} did not acknowledge {left} events in time")
        if failures:
            self._forget()
            raise _translated(KafkaException(failures[0]))

    def _connected(self) -> Producer:
        if self._producer is None:
            create_topic(self._config)
            timeout_ms = round(self._config.timeout_s * 1_000)
            # Gapless: were a batch given up and the next one taken, a reader would pass over the first for ever.
            settings = {"enable.idempotence": True, "enable.gapless.guarantee": True, "linger.ms": 5}
            settings |= {"message.timeout.ms": timeout_ms}
            self._producer = Producer(connection(self._config) | settings)
        return self._producer

    def _forget(self) -> None:
        """What is still on its way is given up: it is sent again, in order, by the next write."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None


class KafkaSource:
    """The next events for one subscription; its offset is kept by Kafka, as that of a consumer group.

    `after`: the position that it begins behind. Kafka's own "from now" is another moment at each start without an
    offset, so that what came meanwhile would be lost.
    """

    def __init__(self, config: KafkaConfig, name: str, after: int) -> None:
        self._config = config
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka")
        self._position = after
        self._page: list[StoredEvent] = []
        settings = {
            "group.id": f"{config.events_topic}/{name}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": METADATA_MS,
        }
        try:
            self._consumer = Consumer(connection(config) | settings)
        except KafkaException as error:
            raise ConfigError("kafka.servers", config.servers, str(error.args[0]), "Mend the section [kafka]") from None
        self._consumer.subscribe([config.events_topic])

    async def page(self) -> Sequence[StoredEvent]:
        """What has come since the last page, without what was there before; empty when nothing did.

        A page is given again until it was `passed`. Raises `StreamUnavailable`. A message that is no event is logged,
        counted and passed over.
        """
        if not self._page:
            messages = await self._in_its_thread(lambda: self._consumer.consume(PAGE_EVENTS, POLL_S))
            events = [self._event(each) for each in messages if each.error() is None]
            self._page = [event for event in events if event is not None]
            errors = [error.str() for error in (each.error() for each in messages) if error is not None]
            if errors and not self._page:
                raise StreamUnavailable(f"Kafka at {self._config.servers}: {errors[0]}")
        return self._page

    async def passed(self, _: int) -> None:
        """All of the last page was taken: it is not given again after a restart."""
        self._page = []  # even if the offset cannot be kept now: the next one covers it

        def commit() -> None:
            self._consumer.commit(asynchronous=False)

        await self._in_its_thread(commit)

    async def close(self) -> None:
        """Leave the group, so that a stand-by goes on at once."""
        await self._in_its_thread(self._consumer.close)
        self._thread.shutdown()

    def _event(self, each: Message) -> StoredEvent | None:
        try:
            event = event_of(each.value())
        except EventUnreadable as unreadable:
            metrics.DEAD_LETTERS.labels("kafka").inc()
            log.error(
                "message_is_no_event", topic=self._config.events_topic, offset=each.offset(), error=str(unreadable)
            )
            return None
        if event.position <= self._position:
            return None
        self._position = event.position
        return event

    async def _in_its_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except KafkaException as error:
            raise StreamUnavailable(f"Kafka at {self._config.servers}: {error.args[0].str()}") from None


def message(row: Row) -> bytes:
    """A row of `events` as others read it: one JSON object, attributes and payload as objects in it."""
    texts = {name: orjson.Fragment(str(row.columns[name])) for name in ("attributes", "payload")}
    return orjson.dumps({"ts_ns": row.ts_ns, **row.symbols, **row.columns, **texts})


def event_of(content: bytes | None) -> StoredEvent:
    """The event in a message. Raises `EventUnreadable` for anything else."""
    try:
        found = orjson.loads(content or b"")
        event = StoredEvent(
            position=_of(found, "position", int),
            stream=_of(found, "stream", str),
            seq=_of(found, "seq", int),
            type=_of(found, "type", str),
            version=_of(found, "version", int),
            ts_ns=_of(found, "ts_ns", int),
            payload=_of(found, "payload", dict),
            correlation_id=_of(found, "correlation_id", str),
            causation_id=_of(found, "causation_id", str),
            attributes={str(name): str(value) for name, value in _of(found, "attributes", dict).items()},
        )
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise EventUnreadable(f"message of {len(content or b'')} bytes: no event ({error})") from None
    return event


def _of(found: Mapping[str, object], name: str, kind: type[T]) -> T:
    value = found[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{name} is {type(value).__name__}")
    return value


def create_topic(config: KafkaConfig) -> None:
    """Make the topic if there is none; where there is one it may be somebody else's. Raises `StreamUnavailable`."""
    replicated = {"min.insync.replicas": "2"} if config.replicas > 2 else {}
    topic = NewTopic(config.events_topic, 1, config.replicas, config=KEPT_FOR_EVER | replicated)
    admin = AdminClient(connection(config))  # named, for it must live until the answer is there
    try:
        if config.events_topic in admin.list_topics(timeout=config.timeout_s).topics:
            return
        log.warning("topic_created", topic=config.events_topic, servers=config.servers)
        made = admin.create_topics([topic], operation_timeout=config.timeout_s)
        made[config.events_topic].result(config.timeout_s)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise _translated(error) from None
    except TimeoutError:
        raise StreamUnavailable(f"Kafka at {config.servers} does not answer") from None


def connection(config: KafkaConfig) -> dict[str, str | int | float | bool]:
    """What every client of librdkafka is told."""
    assert config.servers is not None, "only asked for where Kafka is configured"
    settings: dict[str, str | int | float | bool] = {
        "bootstrap.servers": config.servers,
        "security.protocol": "plaintext" if config.security == "mesh" else config.security,
        "socket.timeout.ms": round(config.timeout_s * 1_000),
        "log_level": 2,
    }
    if config.ca_file is not None:
        settings["ssl.ca.location"] = str(config.ca_file)
    if config.user is not None and config.password is not None:
        password = config.password.get_secret_value()
        settings |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": config.user, "sasl.password": password}
    return settings


def _translated(error: KafkaException | BufferError) -> StreamUnavailable | StoreRejected:
    cause = error.args[0]
    if isinstance(cause, KafkaError) and cause.code() in REFUSALS:
        return StoreRejected(f"Kafka refuses an event: {cause.str()}")
    return StreamUnavailable(f"Kafka did not take events: {cause.str() if isinstance(cause, KafkaError) else error}")
