"""Tells every target what its user asked for and may see, at least once, each at its own pace.

How far a target was told is a position in the event log. Who is slow or away holds up nobody: news wait where they are,
in the log, and become one message once it can be reached.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from api.notify.digest import Digest
from api.notify.figures import span
from api.notify.notices import Notice, Payload, may_be_told, notices_of
from api.notify.senders import Message, Senders
from api.rates import Rates
from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.notifications import NotificationsConfig
from ares.control import ControlStore, StoredEvent
from ares.errors import AresError, ControlUnavailable, EventUnreadable, SequenceConflict, UnknownName
from ares.resilience import Backoff
from ares.security.access.state import Target
from ares.security.access.targets import KnownTarget, Targets, cursor_of
from ares.security.access.topics import TargetKind
from ares.security.access.users import By
from ares.telemetry import get_logger, metrics

PAGE_EVENTS = 500
PAGES_MAX = 20
"""Of one message: what is behind them becomes the next."""
KEPT_S = 60.0
KEPT_EVENTS = 5_000
"""A position that nothing was told at is kept no more often: every commit waits for the disk."""
ITSELF = "ares"
UNTOLD = (ControlUnavailable, SequenceConflict, UnknownName)
"""No target is to blame: the store is away or others are faster, or the target was removed just now."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """What delivering needs."""

    control: ControlStore
    targets: Targets
    senders: Senders
    clock: Clock
    config: Callable[[], NotificationsConfig]


@dataclass(slots=True)
class _Followed:
    """A target that is told: how far it was told, what of that is kept, since when it fails (UTC ns; 0: it does not).

    Backoff is the target's own.
    """

    known: KnownTarget
    backoff: Backoff
    position: int = -1
    kept: int = 0
    kept_s: float = 0.0
    failing_since_ns: int = 0
    error: str = ""
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Delivery:
    """`run` lasts until it is cancelled."""

    def __init__(self, parts: DeliveryParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._rates = Rates(parts.clock, lambda: parts.config().messages_per_minute)
        self._followed: dict[str, _Followed] = {}
        self._end = 0

    @property
    def troubles(self) -> list[str]:
        """What is wrong with targets now, one text each."""
        paused = [f"{each.known.target.id} is paused" for each in self._followed.values() if each.known.target.paused]
        return paused + [f"{target}: {each.error}" for target, each in self._followed.items() if each.error]

    def known(self) -> list[KnownTarget]:
        """The targets of who may come in, as they were seen last."""
        return [each.known for each in self._followed.values()]

    async def run(self) -> None:
        """Follow users and their targets."""
        try:
            while True:
                try:
                    await self._look()
                except UNTOLD as error:
                    log.warning("notifier_waits", cause=error.code)
                await self._clock.sleep(self._parts.config().gather_s)
        finally:
            tasks = [each.task for each in self._followed.values() if each.task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self) -> None:
        found = {each.target.id: each for each in await asyncio.to_thread(lambda: list(self._parts.targets.every()))}
        self._end = await asyncio.to_thread(self._parts.control.log_end)
        for target_id, known in found.items():
            there = self._followed.get(target_id)
            if there is not None:
                there.known = known
                if there.task is not None and there.task.done():
                    there.task.result()
                continue
            config = self._parts.config()
            backoff = Backoff(config.retry_s_min, config.retry_s_max, random.Random())  # noqa: S311 - jitter
            followed = self._followed[target_id] = _Followed(known, backoff)
            followed.task = asyncio.create_task(self._follow(followed), name=cursor_of(target_id))
        for target_id in self._followed.keys() - found.keys():
            task = self._followed.pop(target_id).task
            if task is not None:
                task.cancel()
        self._show()

    def _show(self) -> None:
        states = Counter(
            (each.known.target.kind, "paused" if each.known.target.paused else "failing" if each.error else "well")
            for each in self._followed.values()
        )
        for kind in TargetKind:
            for state in ("well", "failing", "paused"):
                metrics.NOTIFICATION_TARGETS.labels(kind.value, state).set(states[kind, state])

    async def _follow(self, followed: _Followed) -> None:
        while True:
            try:
                wait_s = await self._step(followed)
            except UNTOLD as error:
                log.warning("target_waits", target=followed.known.target.id, cause=error.code)
                wait_s = self._parts.config().gather_s
            await self._clock.sleep(wait_s)

    async def _step(self, followed: _Followed) -> float:
        """Tell what there is; returns after how many seconds to look again."""
        gather_s = self._parts.config().gather_s
        control, target = self._parts.control, followed.known.target
        if followed.position < 0:
            followed.position = await asyncio.to_thread(control.begin, cursor_of(target.id), at_end=True)
            followed.kept, followed.kept_s = followed.position, self._clock.monotonic_s()
        if target.paused or followed.position >= self._end:
            return gather_s
        digest, upto = await asyncio.to_thread(self._gathered, followed.known, followed.position)
        if not digest.count:
            await self._passed(followed, upto, told=False)
            return 0.0 if upto < self._end else gather_s
        spent = self._rates.spend(target.id)
        if not spent.passes:
            return float(max(1, spent.wait_s))
        return await self._tell(followed, digest, upto)

    def _gathered(self, known: KnownTarget, position: int) -> tuple[Digest, int]:
        """What a target is to be told of the next pages of the log, by what its user may see now; up to where they go.

        Raises `UnknownName` for a target that was removed meanwhile.
        """
        digest, known = Digest(), self._parts.targets.get(known.user.name, known.target.id)
        for _ in range(PAGES_MAX):
            page = self._parts.control.log(position, PAGE_EVENTS)
            for event in page:
                news = self._news(event)
                digest.put(each for each in news if may_be_told(each, known.user, known.target))
                position = event.position
            if len(page) < PAGE_EVENTS:
                break
        return digest, position

    def _news(self, event: StoredEvent) -> list[Notice]:
        """One event that nobody can read must not keep all others from everybody."""
        try:
            return list(notices_of(event, self._earlier))
        except (EventUnreadable, ArithmeticError, LookupError, ValueError) as error:
            log.error("news_not_read", event_id=event.id, cause=type(error).__name__)
            return []

    def _earlier(self, stream: str, type_: str) -> Payload:
        found: Payload = {}
        for event in self._parts.control.stream(stream):
            if event.type == type_:
                found = event.payload
        return found

    async def _tell(self, followed: _Followed, digest: Digest, upto: int) -> float:
        target, clock = followed.known.target, self._clock
        message = Message.of(digest, clock.now_ns())
        try:
            address = await asyncio.to_thread(self._parts.targets.address, target)
            await self._parts.senders.send(target, address, message)
        except UNTOLD:
            raise
        except AresError as error:
            return await self._failed(followed, error)
        metrics.NOTIFICATIONS.labels(target.kind.value, "sent").inc()
        metrics.NOTIFICATION_LAG_SECONDS.observe((clock.now_ns() - digest.first_ns) / NANOS_PER_SECOND)
        followed.backoff.reset()
        followed.failing_since_ns, followed.error = 0, ""
        await self._passed(followed, upto, told=True)
        log.info("told", target=target.id, user=followed.known.user.name, news=digest.count)
        return self._parts.config().gather_s

    async def _failed(self, followed: _Followed, error: AresError) -> float:
        target, now_ns = followed.known.target, self._clock.now_ns()
        metrics.NOTIFICATIONS.labels(target.kind.value, "failed").inc()
        followed.error = str(error)
        followed.failing_since_ns = followed.failing_since_ns or now_ns
        failing_s = (now_ns - followed.failing_since_ns) / NANOS_PER_SECOND
        log.warning("target_not_told", target=target.id, user=followed.known.user.name, cause=str(error))
        if failing_s < self._parts.config().paused_after_s:
            return followed.backoff.next_wait_s()
        await self._pause(followed.known, f"failed for {span(failing_s)}: {error}")
        followed.failing_since_ns, followed.error = 0, ""
        followed.backoff.reset()
        return self._parts.config().gather_s

    async def _pause(self, known: KnownTarget, why: str) -> None:
        name, target = known.user.name, known.target.id
        switch = self._parts.targets.switch
        await asyncio.to_thread(lambda: switch(name, target, By(ITSELF, why), paused=True))
        log.error("target_paused", target=target, user=name, cause=why)

    async def _passed(self, followed: _Followed, position: int, *, told: bool) -> None:
        followed.position = position
        now_s = self._clock.monotonic_s()
        moved = position - followed.kept
        if told or moved >= KEPT_EVENTS or (moved and now_s - followed.kept_s >= KEPT_S):
            await asyncio.to_thread(self._parts.control.advance, cursor_of(followed.known.target.id), position)
            followed.kept, followed.kept_s = position, now_s


async def try_out(targets: Targets, senders: Senders, known: KnownTarget) -> Target:
    """Tell a target that it is one; one that is paused goes on. Raises `OperatingError`, `VenueUnavailable`."""
    name, target = known.user.name, known.target
    topics = ", ".join(sorted(target.topics))
    address = await asyncio.to_thread(targets.address, target)
    await senders.send(target, address, Message(f"Ares: a test. {name} is told here of: {topics}", [], 0))
    metrics.NOTIFICATIONS.labels(target.kind.value, "tested").inc()
    by = By(name, "a test arrived")
    return await asyncio.to_thread(lambda: targets.switch(name, target.id, by, paused=False))
