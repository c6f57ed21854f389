"""Goal: a subscriber on another machine gets every event in order over Kafka, whatever dies on the way."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from confluent_kafka import Consumer, Producer
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, KafkaConfig
from ares.control import ControlStore, NewEvent, StoredEvent
from ares.control.mirror import Mirror
from ares.errors import ConfigError, EventUnreadable, StreamUnavailable
from ares.events import Event, EventRegistry, EventType
from ares.events.bus import EventBus, EventFilter, Route, Subscription
from ares.events.kafka import KafkaFeed, KafkaSource, KafkaWriter, event_of, message
from ares.events.mirror import event_row
from ares.events.types import Origin
from ares.kafka.connection import connection
from ares.model.row import Row
from ares.resilience import Backoff
from ares.service import ServiceContext
from ares.service.mirror import MirrorService
from tests.conftest import free_port
from tests.helpers import eventually, running
from tests.kafka import RunningKafka, running_kafka

CLOCK = SystemClock()
WAIT_S_MAX = 90.0


@dataclass(frozen=True, slots=True)
class Paid:
    """Somebody paid."""

    amount: Decimal


PAID = EventType("till", "paid", Paid(Decimal("1.50")))
REGISTRY = EventRegistry([PAID])
ALL = EventFilter()


class Till:
    """Payments in a control store, their way to Kafka, and subscribers behind it."""

    def __init__(self, control: ControlStore, config: KafkaConfig) -> None:
        self.control = control
        self.config = config
        self.paid = 0

    def pay(self, count: int, stream: str = "till/a", **attributes: str) -> None:
        seq = len(self.control.read(stream))
        events = [PAID.new(Paid(Decimal(self.paid + n)), 1, Origin("work", "", attributes)) for n in range(count)]
        self.control.append(stream, events, expected_seq=seq)
        self.paid += count

    def carried(self) -> int:
        """How far Kafka has acknowledged the log."""
        return self.control.cursor(KafkaFeed(self.control, self.config).name)

    @asynccontextmanager
    async def relaying(self) -> AsyncIterator[Mirror]:
        writer = KafkaWriter(self.config)
        feed = KafkaFeed(self.control, self.config)
        mirror = Mirror(self.control, feed, writer, CLOCK, Backoff(0.05, 0.2, random.Random(1)), rows_max=50)
        running = asyncio.create_task(mirror.run(0.02))
        try:
            yield mirror
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await writer.close()

    @asynccontextmanager
    async def subscribed(
        self, seen: list[int], wanted: EventFilter = ALL, *, from_start: bool = True, name: str = "ledger"
    ) -> AsyncIterator[None]:
        async def take(event: Event) -> None:
            assert isinstance(event.body, Paid)
            seen.append(int(event.body.amount))

        def source(subscription: Subscription) -> KafkaSource:
            after = self.control.begin(subscription.cursor, at_end=not subscription.from_start)
            return KafkaSource(self.config, subscription.name, after)

        bus = EventBus(self.control, REGISTRY, CLOCK, source)
        subscription = Subscription(name, [Route("take", wanted, take)], from_start=from_start)
        running = asyncio.create_task(bus.run([subscription], 0.02))
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def till(control: ControlStore, kafka: RunningKafka) -> Till:
    return Till(control, KafkaConfig(servers=kafka.servers, events_topic=f"events-{uuid.uuid4().hex}", timeout_s=5))


async def test_every_event_arrives_in_the_order_of_the_log(till: Till) -> None:
    seen: list[int] = []
    till.pay(120)
    async with till.relaying(), till.subscribed(seen):
        till.pay(60, "till/b")
        await eventually(lambda: len(seen) >= 180, WAIT_S_MAX)
    assert seen == list(range(180))


async def test_a_subscription_gets_what_it_wants_and_goes_on_where_it_ended(till: Till) -> None:
    first, second, other = [], [], []  # type: list[int], list[int], list[int]
    wanted = EventFilter(stream="till/b", attributes={"shop": "x"})
    till.pay(3, "till/a")
    till.pay(2, "till/b", shop="x")
    till.pay(2, "till/b", shop="y")
    async with till.relaying():
        async with till.subscribed(first, wanted):
            await eventually(lambda: first == [3, 4], WAIT_S_MAX)
        till.pay(1, "till/b", shop="x")
        async with till.subscribed(second, wanted), till.subscribed(other, name="audit"):
            await eventually(lambda: second == [7] and other == list(range(8)), WAIT_S_MAX)


async def test_a_broker_that_dies_and_comes_back_loses_nothing(control: ControlStore, tmp_path: Path) -> None:
    with running_kafka(tmp_path, free_port(), free_port()) as mine:
        till, seen = Till(control, KafkaConfig(servers=mine.servers, timeout_s=2)), []  # type: Till, list[int]
        async with till.relaying() as mirror, till.subscribed(seen):
            till.pay(100)
            await eventually(lambda: len(seen) == 100, WAIT_S_MAX)
            await asyncio.to_thread(mine.kill)
            till.pay(100)
            await eventually(lambda: mirror.error is not None, WAIT_S_MAX)
            assert mirror.error is not None
            assert "Kafka" in mirror.error
            await asyncio.to_thread(mine.start)
            till.pay(100)
            await eventually(lambda: len(set(seen)) == 300, WAIT_S_MAX)
            assert mirror.error is None
    assert seen == list(range(300)), "in order, and what was sent twice was taken once"


async def test_what_a_dead_sender_sent_already_is_taken_once_by_who_listened(till: Till) -> None:
    seen: list[int] = []
    till.pay(80)
    async with till.subscribed(seen):
        async with till.relaying():
            await eventually(lambda: len(seen) == 80, WAIT_S_MAX)
        writer = KafkaWriter(till.config)  # it died between Kafka's acknowledgement and its cursor: all again
        await writer.write([event_row(event) for event in control_log(till)])
        await writer.close()
        till.pay(5)
        async with till.relaying():
            await eventually(lambda: len(seen) >= 85, WAIT_S_MAX)
    assert seen == list(range(85))


def control_log(till: Till) -> list[StoredEvent]:
    return list(till.control.log(0, 1_000))


async def test_a_page_is_given_again_until_it_was_taken(till: Till) -> None:
    till.pay(3)
    async with till.relaying():
        await eventually(lambda: till.carried() == 3, WAIT_S_MAX)
    source = KafkaSource(till.config, "careful", 0)
    page: list[int] = []
    while not page:
        page = [event.position for event in await source.page()]
    assert [event.position for event in await source.page()] == page == [1, 2, 3]
    await source.passed(3)
    assert await source.page() == []
    await source.close()
    successor = KafkaSource(till.config, "careful", 0)
    for _ in range(6):
        assert await successor.page() == []
    await successor.close()


def test_settings_that_no_client_can_be_made_of_are_named(port: int, tmp_path: Path) -> None:
    config = KafkaConfig(servers=f"127.0.0.1:{port}", security="ssl", ca_file=tmp_path / "none.pem")
    with pytest.raises(ConfigError, match=r"kafka\.servers.*ca\.location"):
        KafkaSource(config, "x", 0)


async def test_a_new_subscription_may_begin_now_and_misses_nothing_of_what_comes_then(till: Till) -> None:
    seen: list[int] = []
    till.pay(5)
    async with till.subscribed(seen, from_start=False):
        await asyncio.sleep(0.5)  # it has begun, and ends before it ever kept an offset
    till.pay(3)
    async with till.relaying(), till.subscribed(seen, from_start=False):
        await eventually(lambda: len(seen) >= 3, WAIT_S_MAX)
        till.pay(1)
        await eventually(lambda: len(seen) >= 4, WAIT_S_MAX)
    assert seen == [5, 6, 7, 8], "what was there before is no news, however late Kafka got it"


async def test_a_message_that_is_no_event_is_passed_over(till: Till) -> None:
    seen: list[int] = []
    async with till.relaying():
        till.pay(1)
        await eventually(lambda: till.carried() == 1, WAIT_S_MAX)
        producer = Producer(connection(till.config))
        for garbage in (b"{", b"[]", b'{"position": true}', b"\xff"):
            producer.produce(till.config.events_topic, garbage, partition=0)
        assert producer.flush(5) == 0
        till.pay(1)
        async with till.subscribed(seen):
            await eventually(lambda: seen == [0, 1], WAIT_S_MAX)


async def test_the_mirror_service_relays_the_log_where_kafka_is_configured(
    till: Till, questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    config = AresConfig(
        database=questdb_config, kafka=till.config, environment=EnvironmentConfig(state_dir=tmp_path / "state")
    )
    context = ServiceContext(config, CLOCK, "mirror@test:1")
    (tmp_path / "state").mkdir()
    theirs = ControlStore.open(context.control_url)
    theirs.append("till/a", [PAID.new(Paid(Decimal(7)), 1, Origin("work"))], expected_seq=0)
    seen: list[int] = []
    async with running(MirrorService(context)) as service, till.subscribed(seen):
        await eventually(lambda: seen == [7], WAIT_S_MAX)
        assert service.health().ready
    theirs.close()


async def test_a_message_is_one_object_that_others_can_read(till: Till) -> None:
    till.pay(1, shop="x")
    async with till.relaying():
        await eventually(lambda: till.carried() == 1, WAIT_S_MAX)
    reader = Consumer(connection(till.config) | {"group.id": "other", "auto.offset.reset": "earliest"})
    reader.subscribe([till.config.events_topic])
    (found,) = await asyncio.to_thread(reader.consume, 1, 20)
    reader.close()
    assert found.key() == b"till/a"
    said = orjson.loads(found.value())
    assert (said["type"], said["payload"], said["attributes"]) == ("paid", {"amount": "0"}, {"shop": "x"})


async def test_an_event_that_is_too_large_becomes_a_dead_letter_and_the_rest_goes_on(till: Till) -> None:
    seen: list[int] = []
    till.control.append("till/z", [NewEvent("paid", 1, {"amount": "1" * 2_000_000})], expected_seq=0)
    till.pay(2)
    async with till.relaying(), till.subscribed(seen):
        await eventually(lambda: seen == [0, 1], WAIT_S_MAX)
    (letter,) = till.control.dead_letters()
    assert (letter.subscription, letter.position) == (f"kafka/{till.config.events_topic}", 1)


async def test_kafka_that_is_not_there_is_named(port: int) -> None:
    writer = KafkaWriter(KafkaConfig(servers=f"127.0.0.1:{port}", timeout_s=1))
    row = event_row(StoredEvent(1, "till/a", 1, "paid", 1, 1, {"amount": "1"}))
    with pytest.raises(StreamUnavailable, match="Kafka"):
        await writer.write([row])
    await writer.close()


words = st.text(max_size=8)


@given(
    position=st.integers(1, 2**60),
    words=st.tuples(words, words, words),
    payload=st.dictionaries(words, st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), words)),
    attributes=st.dictionaries(words, words),
)
def test_what_was_sent_is_what_is_read(
    position: int, words: tuple[str, str, str], payload: dict[str, object], attributes: dict[str, str]
) -> None:
    stream, correlation, causation = words
    event = StoredEvent(position, stream, 3, "paid", 2, 7, payload, correlation, causation, attributes)  # type: ignore[arg-type]
    assert event_of(message(event_row(event))) == event


@given(st.binary(max_size=60))
def test_bytes_are_an_event_or_refused_by_name(content: bytes) -> None:
    with pytest.raises(EventUnreadable, match="no event"):
        event_of(content)


def test_an_empty_message_is_no_event() -> None:
    with pytest.raises(EventUnreadable):
        event_of(None)
    assert isinstance(event_row(StoredEvent(1, "a", 1, "b", 1, 1, {})), Row)
