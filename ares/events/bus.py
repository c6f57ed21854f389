"""Durable subscriptions to the event log: filtered, routed, at least once, each with an offset of its own.

Events come from the log itself, or over Kafka (`ares.events.kafka`), in the same order. The offset is a position in the
log, which one process writes at a time: it never passes an event unseen, whoever wrote it and whatever its clock said.
An event that a handler cannot take after some tries becomes a dead letter, and the subscription goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from ares.clock import Clock
from ares.control import ControlStore, DeadLetter, StoredEvent
from ares.errors import ControlUnavailable, EventUnreadable, StreamUnavailable
from ares.events.registry import Event, EventRegistry
from ares.telemetry import correlation, get_logger, metrics

SUBSCRIPTIONS_GROUP = "ares.subscriptions"
PAGE_EVENTS = 500
RETRY_S = 0.2

log = get_logger(__name__)

Handler = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted; what is empty does not matter. `types` are full names, `stream` is a beginning."""

    types: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    stream: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def matches(self, event: StoredEvent) -> bool:
        """Whether this event is wanted."""
        return (
            (not self.categories or event.category in self.categories)
            and (not self.types or f"{event.category}.{event.type}" in self.types)
            and event.stream.startswith(self.stream)
            and all(event.attributes.get(name) == value for name, value in self.attributes.items())
        )


@dataclass(frozen=True, slots=True)
class Route:
    """Where wanted events go. A handler sees an event again after a crash or a failure: it must bear that."""

    name: str
    wanted: EventFilter
    handle: Handler


@dataclass(frozen=True, slots=True)
class Subscription:
    """A name whose offset outlives the process. `from_start`: a new one begins with the first event ever, else now."""

    name: str
    routes: Sequence[Route]
    from_start: bool = True
    tries_max: int = 5

    @property
    def cursor(self) -> str:
        """Under which name its offset is kept."""
        return f"subscription/{self.name}"


class EventSource(Protocol):
    """Where a subscription's events come from, in their order, and where its offset is kept."""

    async def page(self) -> Sequence[StoredEvent]:
        """The next ones; empty when there are no more now. Raises `ControlUnavailable` or `StreamUnavailable`."""
        ...

    async def passed(self, position: int) -> None:
        """Everything up to here was taken."""
        ...

    async def close(self) -> None: ...


class LogSource:
    """The log itself, in the control store."""

    def __init__(self, control: ControlStore, subscription: Subscription) -> None:
        self._control = control
        self._subscription = subscription

    async def page(self) -> Sequence[StoredEvent]:
        at_end = not self._subscription.from_start
        after = await asyncio.to_thread(self._control.begin, self._subscription.cursor, at_end=at_end)
        return await asyncio.to_thread(self._control.log, after, PAGE_EVENTS)

    async def passed(self, position: int) -> None:
        await asyncio.to_thread(self._control.advance, self._subscription.cursor, position)

    async def close(self) -> None:
        """Nothing is held between two pages."""


class EventBus:
    """Delivers the log to subscriptions; one that lags or fails holds up no other. `source`: where else events are."""

    def __init__(
        self,
        control: ControlStore,
        registry: EventRegistry,
        clock: Clock,
        source: Callable[[Subscription], EventSource] | None = None,
    ) -> None:
        self._control = control
        self._registry = registry
        self._clock = clock
        self._source = source or (lambda subscription: LogSource(control, subscription))

    async def run(self, subscriptions: Sequence[Subscription], poll_s: float) -> None:
        """Deliver to all of them until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for subscription in subscriptions:
                tasks.create_task(self._follow(subscription, poll_s), name=subscription.cursor)

    async def deliver(self, subscription: Subscription, source: EventSource | None = None) -> int:
        """Deliver the next page of a source (its own, unless named); returns how many events it held."""
        events = source or self._source(subscription)
        page = await events.page()
        for event in page:
            await self._route(subscription, event)
        if page:
            await events.passed(page[-1].position)
        return len(page)

    async def _follow(self, subscription: Subscription, poll_s: float) -> None:
        source = await asyncio.to_thread(self._source, subscription)
        try:
            while True:
                try:
                    delivered = await self.deliver(subscription, source)
                except (ControlUnavailable, StreamUnavailable) as error:
                    log.warning("subscription_waits", subscription=subscription.name, cause=error.code)
                    delivered = 0
                if delivered == 0:
                    await self._clock.sleep(poll_s)
        finally:
            await source.close()

    async def _route(self, subscription: Subscription, stored: StoredEvent) -> None:
        routes = [route for route in subscription.routes if route.wanted.matches(stored)]
        if not routes:
            return
        try:
            event = self._registry.read(stored)
        except EventUnreadable as error:
            await self._bury(subscription, stored, str(error))
            return
        with correlation(stored.correlation_id or stored.id):
            for route in routes:
                await self._hand_over(subscription, route, event)

    async def _hand_over(self, subscription: Subscription, route: Route, event: Event) -> None:
        for tries_left in reversed(range(subscription.tries_max)):
            try:
                await route.handle(event)
            except Exception as error:
                if not tries_left:
                    await self._bury(subscription, event.stored, f"{route.name}: {type(error).__name__}: {error}")
                    return
                await self._clock.sleep(RETRY_S)
            else:
                metrics.EVENTS_DELIVERED.labels(subscription.name).inc()
                return

    async def _bury(self, subscription: Subscription, stored: StoredEvent, error: str) -> None:
        metrics.DEAD_LETTERS.labels(subscription.name).inc()
        log.error("event_not_taken", subscription=subscription.name, event_id=stored.id, error=error)
        content = orjson.dumps({"stream": stored.stream, "seq": stored.seq, "type": stored.type}).decode()
        letter = DeadLetter(subscription.name, stored.position, self._clock.now_ns(), error, content)
        await asyncio.to_thread(self._control.bury, letter)
