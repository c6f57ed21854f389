"""Goal: what was ever written can be read, subscribers get every event they want, and none holds up the rest."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

import orjson
import pytest

from ares.config import load_config
from ares.control import ControlStore, NewEvent
from ares.errors import EventUnreadable
from ares.events import Event, EventRegistry, EventType
from ares.events.bus import EventBus, EventFilter, Route, Subscription
from ares.events.mirror import EventFeed
from ares.events.replay import broken_streams
from ares.events.types import Origin, Payload, breaks
from ares.service import ServiceContext
from ares.service.subscriptions import installed_subscriptions
from ares.testing.clock import SteppedClock
from ares.testing.events import incompatibilities, record

KEPT = Path(__file__).parents[2] / "fixtures" / "events"


@dataclass(frozen=True, slots=True)
class Paid:
    """Somebody paid."""

    amount: Decimal
    currency: str


def _split(payload: Payload) -> Payload:
    amount, currency = str(payload["paid"]).split()
    return {"amount": amount, "currency": currency}


PAID = EventType("till", "paid", Paid(Decimal("1.50"), "USDT"), upcasts={1: _split})
REGISTRY = EventRegistry([PAID])
ALL = EventFilter()


class Till:
    """A control store with payments in it, and a bus on a clock that steps."""

    def __init__(self, control: ControlStore) -> None:
        self.control = control
        self.clock = SteppedClock()
        self.bus = EventBus(control, REGISTRY, self.clock)
        self.seen: list[object] = []
        self._seqs: dict[str, int] = {}

    def pay(self, *amounts: str, stream: str = "till/a", **attributes: str) -> None:
        events = [PAID.new(Paid(Decimal(a), "USDT"), 1, Origin("work", "", attributes)) for a in amounts]
        self._seqs[stream] = self.control.append(stream, events, expected_seq=self._seqs.get(stream, 0))

    async def take(self, event: Event) -> None:
        assert isinstance(event.body, Paid)
        self.seen.append(str(event.body.amount))

    def subscription(self, wanted: EventFilter = ALL, *, from_start: bool = True) -> Subscription:
        return Subscription("test", [Route("take", wanted, self.take)], from_start=from_start)

    async def deliver(self, subscription: Subscription) -> None:
        """Deliver all there is; the clock steps whenever the bus waits."""
        delivering = asyncio.create_task(self._drain(subscription))
        while not delivering.done():
            await asyncio.sleep(0)
            if self.clock.is_awaited:
                await self.clock.advance(1)
        await delivering

    async def _drain(self, subscription: Subscription) -> None:
        while await self.bus.deliver(subscription):
            pass


@pytest.fixture
def till(control: ControlStore) -> Till:
    return Till(control)


def test_older_version_is_read_as_the_newest(control: ControlStore) -> None:
    control.append("till/a", [NewEvent("paid", 1, {"paid": "2.5 USDT"})], expected_seq=0)
    (stored,) = control.read("till/a")
    assert stored.version == 1
    assert REGISTRY.read(stored).body == Paid(Decimal("2.5"), "USDT")


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        (NewEvent("paid", 1, {"amount": "x", "currency": "USDT"}, version=2), "till.paid version 2: amount"),
        (NewEvent("paid", 1, {"amount": "1"}, version=2), "currency: Field required"),
        (NewEvent("paid", 1, {"amount": "1", "currency": 5}, version=2), "currency: Input should be a valid string"),
        (NewEvent("paid", 1, {"wrong": "1"}), "cannot be upcast: KeyError"),
        (NewEvent("paid", 1, {}, version=3), "this release knows up to 2"),
        (NewEvent("stolen", 1, {}), "no installed package knows till.stolen"),
    ],
)
def test_what_cannot_be_read_is_named(control: ControlStore, event: NewEvent, complaint: str) -> None:
    control.append("till/a", [event], expected_seq=0)
    with pytest.raises(EventUnreadable, match="till/a@1") as caught:
        REGISTRY.read(control.read("till/a")[0])
    assert complaint in str(caught.value)


def test_every_version_that_was_ever_written_can_be_read() -> None:
    assert list(incompatibilities(KEPT, EventRegistry.installed())) == []


class Color(StrEnum):
    """As it was."""

    RED = "red"


class MoreColor(StrEnum):
    """With one more."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class V:
    """The struct as it was released."""

    a: int
    color: Color = Color.RED


@dataclass(frozen=True)
class WithMore:
    """Only harmless changes."""

    a: int
    color: MoreColor = MoreColor.RED
    note: str | None = None


@dataclass(frozen=True)
class WithRequired:
    """A new field without a default."""

    a: int
    note: str
    color: Color = Color.RED


@dataclass(frozen=True)
class WithOther:
    """A field of another kind, and one that is gone."""

    a: str


@pytest.mark.parametrize(
    ("changed", "complaints"),
    [
        (WithMore(1), []),
        (WithRequired(1, ""), ["note is new and has no default"]),
        (WithOther(""), ["a was int, is str", "color is gone"]),
    ],
)
def test_breaking_change_without_a_new_version_is_found(tmp_path: Path, changed: object, complaints: list[str]) -> None:
    record(tmp_path, EventRegistry([EventType("x", "v", V(1))]))
    found = list(incompatibilities(tmp_path, EventRegistry([EventType("x", "v", changed)])))
    assert all(any(complaint in each for each in found) for complaint in complaints)
    assert bool(found) == bool(complaints)


def test_enumeration_that_loses_a_value_breaks() -> None:
    before, after = EventType("x", "v", WithMore(1)).shape(), EventType("x", "v", V(1)).shape()
    assert "color can no longer be 'blue'" in list(breaks(before, after))


def test_type_that_is_gone_and_version_that_was_not_kept_are_found(tmp_path: Path) -> None:
    record(tmp_path, EventRegistry([EventType("x", "v", V(1))]))
    assert "no type x.v" in next(incompatibilities(tmp_path, EventRegistry([])))
    kept = list(incompatibilities(tmp_path, EventRegistry([EventType("x", "v", V(1)), PAID])))
    assert kept == ["till.paid version 1 is not kept: make generate", "till.paid version 2 is not kept: make generate"]
    assert record(tmp_path, EventRegistry([EventType("x", "v", V(2))])) == [], "a kept version is never touched"


async def test_subscriber_gets_what_it_wants_once_and_goes_on_where_it_was(till: Till) -> None:
    till.pay("1", "2", symbol="BTC/USDT")
    till.pay("3", stream="till/b", symbol="ETH/USDT")
    wanted = EventFilter(
        types=frozenset({"till.paid"}), categories=frozenset({"till"}), attributes={"symbol": "BTC/USDT"}
    )
    await till.deliver(till.subscription(wanted))
    till.pay("4", symbol="BTC/USDT")
    await till.deliver(till.subscription(wanted))
    assert till.seen == ["1", "2", "4"]


async def test_events_go_to_every_route_that_wants_them_in_order(till: Till) -> None:
    async def again(event: Event) -> None:
        till.seen.append(event.stored.id)

    till.pay("1", stream="till/a")
    till.pay("2", stream="till/b")
    routes = [Route("take", EventFilter(), till.take), Route("again", EventFilter(stream="till/b"), again)]
    await till.deliver(Subscription("test", routes))
    assert till.seen == ["1", "2", "till/b@1"]


async def test_new_subscriber_may_begin_now_and_misses_nothing_from_then_on(till: Till) -> None:
    till.pay("1")
    await till.deliver(till.subscription(from_start=False))
    till.pay("2")
    await till.deliver(till.subscription(from_start=False))
    assert till.seen == ["2"]


async def test_new_subscriber_of_an_empty_log_that_begins_now_gets_the_first_event(till: Till) -> None:
    await till.deliver(till.subscription(from_start=False))
    till.pay("1")
    await till.deliver(till.subscription(from_start=False))
    assert till.seen == ["1"]


async def test_event_that_a_handler_cannot_take_is_tried_again_then_buried_and_the_rest_goes_on(till: Till) -> None:
    tries: list[str] = []

    async def fragile(event: Event) -> None:
        assert isinstance(event.body, Paid)
        tries.append(str(event.body.amount))
        if event.body.amount == 2 or len(tries) == 1:
            raise RuntimeError("no change")

    till.pay("1", "2", "3")
    await till.deliver(Subscription("test", [Route("fragile", EventFilter(), fragile)], tries_max=3))
    assert tries == ["1", "1", "2", "2", "2", "3"]
    (letter,) = till.control.dead_letters()
    assert letter.error == "fragile: RuntimeError: no change"
    assert orjson.loads(letter.content) == {"stream": "till/a", "seq": 2, "type": "paid"}
    assert [entry.row.table for entry in till.control.outbox(0, 10)] == ["dead_letters"]


async def test_event_that_nobody_can_read_is_buried_once_however_often_it_comes(till: Till) -> None:
    till.control.append("till/a", [NewEvent("stolen", 1, {})], expected_seq=0)
    for name in ("one", "one", "other"):
        subscription = Subscription(name, [Route("take", EventFilter(), till.take)])
        till.control.advance(subscription.cursor, 0)
        await till.deliver(subscription)
        await till.bus._route(subscription, till.control.log(0, 1)[0])
    assert sorted(letter.subscription for letter in till.control.dead_letters()) == ["one", "other"]


async def test_running_bus_delivers_what_another_process_appends(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    mine, theirs = ControlStore.open(url), ControlStore.open(url)
    arrived = asyncio.Event()

    async def take(_: Event) -> None:
        arrived.set()

    subscription = Subscription("test", [Route("take", EventFilter(), take)])
    clock = SteppedClock()
    running = asyncio.create_task(EventBus(mine, REGISTRY, clock).run([subscription], poll_s=1))
    theirs.append("till/a", [PAID.new(PAID.example, 1)], expected_seq=0)
    async with asyncio.timeout(20):
        while not arrived.is_set():
            await asyncio.sleep(0.01)
            if clock.is_awaited:
                await clock.advance(1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    mine.close()
    theirs.close()


def test_log_has_one_order_over_all_streams_and_the_mirror_follows_it(till: Till) -> None:
    till.pay("1", stream="till/b")
    till.pay("2", "3", stream="till/a")
    till.pay("4", stream="till/b")
    assert [event.id for event in till.control.log(0, 10)] == ["till/b@1", "till/a@1", "till/a@2", "till/b@2"]
    assert [event.id for event in till.control.category("till", 3)] == ["till/a@1", "till/a@2", "till/b@1"]
    feed = EventFeed(till.control).next(1, 2)
    assert [(entry.seq, entry.row.columns["stream"]) for entry in feed] == [(2, "till/a"), (3, "till/a")]


def test_long_streams_and_categories_are_read_page_by_page(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ares.control.store.PAGE_ROWS", 3)
    monkeypatch.setattr("ares.control.log._events.__defaults__", (3,))
    for stream, count in (("till/a", 7), ("till/b", 3), ("till/c", 1)):
        till.pay(*(str(n) for n in range(count)), stream=stream)
    assert [event.seq for event in till.control.stream("till/a")] == list(range(1, 8))
    assert [event.seq for event in till.control.stream("till/b")] == [1, 2, 3]
    assert len(list(till.control.category("till", till.control.log_end()))) == 11


def test_store_of_an_older_release_keeps_its_events(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    old = sqlite3.connect(file)
    old.execute(
        "CREATE TABLE stream_events (id INTEGER PRIMARY KEY AUTOINCREMENT, stream VARCHAR(200) NOT NULL, "
        "seq BIGINT NOT NULL, type VARCHAR(100) NOT NULL, ts_ns BIGINT NOT NULL, payload TEXT NOT NULL, "
        "CONSTRAINT stream_events_seq_once UNIQUE (stream, seq))"
    )
    old.execute(
        "INSERT INTO stream_events (stream, seq, type, ts_ns, payload) VALUES ('till/a', 1, 'paid', 5, ?)",
        ['{"paid": "7 USDT"}'],
    )
    old.commit()
    old.close()
    for _ in range(2):
        control = ControlStore.open(f"sqlite:///{file}")
        (stored,) = control.read("till/a")
        control.close()
    assert (stored.version, stored.position, stored.correlation_id, stored.attributes) == (1, 1, "", {})
    assert REGISTRY.read(stored).body == Paid(Decimal(7), "USDT")


def test_holes_and_disorder_in_streams_are_found(tmp_path: Path) -> None:
    control = ControlStore.open(f"sqlite:///{tmp_path / 'c.db'}")
    for stream in ("till/a", "till/b", "till/c"):
        control.append(stream, [PAID.new(PAID.example, n) for n in range(3)], expected_seq=0)
    raw = sqlite3.connect(tmp_path / "c.db")
    raw.execute("DELETE FROM stream_events WHERE stream = 'till/a' AND seq = 2")
    raw.execute("DELETE FROM stream_events WHERE stream = 'till/b' AND seq = 1")
    raw.execute("UPDATE stream_events SET id = 100 WHERE stream = 'till/c' AND seq = 1")
    raw.commit()
    raw.close()
    faults = list(broken_streams(control.category("", 1_000)))
    control.close()
    assert faults == ["till/a: 1 is followed by 3", "till/b: begins at 2", "till/c@2: its position 8 is not after 100"]


def test_subscriptions_of_installed_packages_are_found(
    monkeypatch: pytest.MonkeyPatch, till: Till, tmp_path: Path
) -> None:
    class Point:
        name = "test"

        def load(self) -> object:
            return lambda _: till.subscription()

    monkeypatch.setattr("ares.service.subscriptions.metadata.entry_points", lambda group: [Point()])
    config = load_config(environ={"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)})
    context = ServiceContext(config, till.clock, "mirror@test")
    assert [each.name for each in installed_subscriptions(context)] == ["test"]
