"""The event log over Kafka, for subscribers on other machines: the same events, in the same order.

One partition, for order is what a log is for. What is sent is sent again after a crash of the sender, so that a
subscriber may see a run of events twice; it never sees a hole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import orjson

from ares.config.settings import KafkaConfig
from ares.control import ControlStore, StoredEvent
from ares.errors import EventUnreadable
from ares.events.mirror import EventFeed
from ares.kafka import GroupReader, Incoming, Outgoing, Sender, Topic
from ares.model.row import Row
from ares.telemetry import get_logger, metrics

PARTITION = 0
PAGE_EVENTS = 500
POLL_S = 0.5
KEPT_FOR_EVER = {"retention.ms": "-1", "cleanup.policy": "delete"}
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
        self._sender = Sender(config, Topic(config.events_topic, 1, KEPT_FOR_EVER))

    async def write(self, rows: Sequence[Row]) -> None:
        await self._sender.send([Outgoing(str(row.columns["stream"]), message(row), PARTITION) for row in rows])

    async def close(self) -> None:
        """Nothing is buffered here between two writes, so nothing is lost."""
        await self._sender.close()


class KafkaSource:
    """The next events for one subscription; its offset is kept by Kafka, as that of a consumer group.

    `after`: the position that it begins behind. Kafka's own "from now" is another moment at each start without an
    offset, so that what came meanwhile would be lost.
    """

    def __init__(self, config: KafkaConfig, name: str, after: int) -> None:
        self._config = config
        self._position = after
        self._page: list[StoredEvent] = []
        self._passed: dict[int, int] = {}
        self._reader = GroupReader(config, config.events_topic, f"{config.events_topic}/{name}")

    async def page(self) -> Sequence[StoredEvent]:
        """What has come since the last page, without what was there before; empty when nothing did.

        A page is given again until it was `passed`. Raises `StreamUnavailable`. A message that is no event is logged,
        counted and passed over.
        """
        if not self._page:
            incoming = await self._reader.page(PAGE_EVENTS, POLL_S)
            events = [self._event(each) for each in incoming]
            self._page = [event for event in events if event is not None]
            self._passed |= {each.partition: each.offset + 1 for each in incoming}
        return self._page

    async def passed(self, _: int) -> None:
        """All of the last page was taken: it is not given again after a restart."""
        self._page = []  # even if the offset cannot be kept now: the next one covers it
        await self._reader.commit(self._passed)

    async def close(self) -> None:
        """Leave the group, so that a stand-by goes on at once."""
        await self._reader.close()

    def _event(self, each: Incoming) -> StoredEvent | None:
        try:
            event = event_of(each.value)
        except EventUnreadable as unreadable:
            metrics.DEAD_LETTERS.labels("kafka").inc()
            log.error("message_is_no_event", topic=self._config.events_topic, offset=each.offset, error=str(unreadable))
            return None
        if event.position <= self._position:
            return None
        self._position = event.position
        return event


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
