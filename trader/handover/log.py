"""What was said about who leads an account, and what it means now. Any process may read it, and ask."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace

from ares.clock import NANOS_PER_SECOND, Clock
from ares.control import AuditEntry, ControlStore, NewEvent, once_it_fits, read_on
from ares.errors import UsageError
from ares.events import EventRegistry
from ares.events.types import Origin
from ares.telemetry import get_logger
from trader.handover.events import (
    ASKED,
    ENDED,
    LET_GO,
    READY,
    SETTINGS,
    TAKEN,
    TYPES,
    End,
    HandoverAsked,
    HandoverEnded,
    Kind,
    LeadReady,
    LeadReleased,
    LeadSettings,
    LeadTaken,
)

REGISTRY = EventRegistry(TYPES)
DRAIN_S_MAX = 15.0
"""How long a leader may take, beside its lease, until it hears of a wish and lets go."""
KEPT_S = 8.0
"""How long the lease is kept for who was asked to lead; then whoever stands by may take it, who led before too."""

log = get_logger(__name__)


def lease_name(account: str) -> str:
    """Of the lease whose holder trades the account."""
    return f"trader/{account}"


def holder_name(color: str, instance: str) -> str:
    """Who holds the lease, as the control store names them."""
    return f"{color} {instance}"


def color_of(holder: str) -> str:
    """The colour of a holder; empty for one of a release that knew none."""
    color, space, _ = holder.partition(" ")
    return color if space else ""


@dataclass(frozen=True, slots=True)
class Asking:
    """Which colour shall lead, and who says so why."""

    kind: Kind
    to: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A hand-over that was asked for, and how far it is."""

    asked: HandoverAsked
    asked_at_ns: int
    seq: int
    released: LeadReleased | None = None
    taken_at_ns: int = 0
    ready_at_ns: int = 0
    """When the colour that was asked for had the lease, and when it traded; 0: not yet."""
    end: HandoverEnded | None = None

    def stands(self, now_ns: int) -> bool:
        """Whether it still counts: nobody said what became of it, and its time is not over."""
        return self.end is None and self.asked.until_ns > now_ns


@dataclass(frozen=True, slots=True)
class Leading:
    """Who leads as the log says it: the newest that took the lease, whether it got to trade, and who traded before it.

    `wish` is the newest that was asked for.
    """

    leader: LeadTaken | None = None
    taken_seq: int = 0
    taken_at_ns: int = 0
    ready: bool = False
    wish: Wish | None = None
    traded: tuple[str, ...] = ()
    """The last two colours that got to trade, the newest last."""

    @property
    def open_wish(self) -> Wish | None:
        """What was asked for since somebody last took the lease."""
        return self.wish if self.wish is not None and self.wish.seq > self.taken_seq else None

    @property
    def way_back(self) -> str:
        """The colour that led before the one that leads now; empty if only one ever did."""
        now = "" if self.leader is None else self.leader.color
        return next((color for color in reversed(self.traded) if color != now), "")


class HandoverLog:
    """Stream `leadership/<account>`. Raises `ControlUnavailable`."""

    def __init__(self, control: ControlStore, account: str, clock: Clock) -> None:
        self._control = control
        self._account = account
        self._stream = f"leadership/{account}"
        self._clock = clock
        self._seq = 0
        self.now = Leading()

    async def refresh(self) -> Leading:
        """Read what was said since."""
        for stored in await read_on(self._control, self._stream, lambda: self._seq):
            self.now = after(self.now, REGISTRY.read(stored).body, stored.seq, stored.ts_ns)
            self._seq = stored.seq
        return self.now

    async def ask(self, asking: Asking, lease_s: float) -> Wish:
        """Want a colour to lead, and keep the lease for it; whoever leads hears of it.

        Asked for again before it was done it is the same wish. Raises `UsageError` if somebody wants another colour to
        lead, which only a rollback overrules.
        """

        async def say() -> Wish:
            standing = (await self.refresh()).open_wish
            now_ns = self._clock.now_ns()
            if standing is not None and standing.stands(now_ns):
                if standing.asked.to == asking.to:
                    return standing
                if asking.kind != "rollback":
                    said = standing.asked
                    raise UsageError(f"to = {asking.to!r}: {said.actor} wants {said.to} to lead ({said.reason}). Wait")
            until_ns = now_ns + round((lease_s + DRAIN_S_MAX) * NANOS_PER_SECOND)
            handover_id = f"handover-{uuid.uuid4().hex[:16]}"
            said = HandoverAsked(handover_id, asking.kind, asking.to, asking.actor, asking.reason, until_ns)
            entry = AuditEntry(
                writer=f"trader/{self._account}",
                who=said.actor,
                what=f"handover/{said.kind}",
                ts_ns=now_ns,
                before={"color": "" if self.now.leader is None else self.now.leader.color},
                after={"color": said.to, "handover_id": said.handover_id},
                why=said.reason,
            )
            await self._append(ASKED.new(said, now_ns, self._origin(said.to)), [entry])
            log.warning("handover_asked", kind=said.kind, to=said.to, actor=said.actor, reason=said.reason)
            asked = (await self.refresh()).wish
            assert asked is not None, "it was just said"
            return asked

        wish = await once_it_fits(self._stream, say)
        name = lease_name(self._account)
        await asyncio.to_thread(self._control.reserve_lease, name, wish.asked.to, wish.asked.until_ns)
        return wish

    async def taken(self, said: LeadTaken) -> None:
        """Note that this process has the lease, by whose wish it may be."""

        async def say() -> None:
            wish = (await self.refresh()).open_wish
            asked = "" if wish is None or wish.asked.to != said.color else wish.asked.handover_id
            await self._append(
                TAKEN.new(replace(said, handover_id=asked), self._clock.now_ns(), self._origin(said.color))
            )

        await once_it_fits(self._stream, say)

    async def ready(self, color: str, fencing: int, after_ms: int) -> None:
        """Note that it trades."""
        event = READY.new(LeadReady(color, fencing, after_ms), self._clock.now_ns(), self._origin(color))
        await self._say(event)

    async def reconfigured(self, said: LeadSettings) -> None:
        """Note that who leads trades by other settings; nothing is written where they are the same."""
        leader = (await self.refresh()).leader
        if leader is not None and leader.fencing == said.fencing and leader.settings != said.settings:
            await self._say(SETTINGS.new(said, self._clock.now_ns(), self._origin(said.color)))

    async def released(self, said: LeadReleased) -> None:
        """Note that it let another one lead."""
        await self._say(LET_GO.new(said, self._clock.now_ns(), self._origin(said.color)))

    async def ended(self, handover_id: str, end: End, actor: str, reason: str) -> bool:
        """Note what became of the newest hand-over; False if that was noted, or it is another one by now."""

        async def say() -> bool:
            wish = (await self.refresh()).wish
            if wish is None or wish.asked.handover_id != handover_id or wish.end is not None:
                return False
            said = HandoverEnded(handover_id, end, actor, reason)
            await self._append(ENDED.new(said, self._clock.now_ns(), self._origin(wish.asked.to)))
            return True

        return await once_it_fits(self._stream, say)

    async def _say(self, event: NewEvent) -> None:
        async def say() -> None:
            await self.refresh()
            await self._append(event)

        await once_it_fits(self._stream, say)

    async def _append(self, event: NewEvent, audit: list[AuditEntry] | None = None) -> None:
        await asyncio.to_thread(self._control.append, self._stream, [event], expected_seq=self._seq, audit=audit or [])
        await self.refresh()

    def _origin(self, color: str) -> Origin:
        return Origin(attributes={"account": self._account, "color": color})


def after(before: Leading, said: object, seq: int, ts_ns: int) -> Leading:
    """Who leads after something was said. Pure."""
    now = replace(before, wish=_wish_after(before.wish, said, seq, ts_ns))
    match said:
        case LeadTaken():
            return replace(now, leader=said, taken_seq=seq, taken_at_ns=ts_ns, ready=False)
        case LeadReady(color=color):
            traded = now.traded if now.traded[-1:] == (color,) else (*now.traded, color)[-2:]
            return replace(now, ready=True, traded=traded)
        case LeadSettings(fencing=fencing, settings=settings) if now.leader and now.leader.fencing == fencing:
            return replace(now, leader=replace(now.leader, settings=settings))
    return now


def _wish_after(wish: Wish | None, said: object, seq: int, ts_ns: int) -> Wish | None:
    match said:
        case HandoverAsked():
            return Wish(said, ts_ns, seq)
        case LeadTaken(color=color) if wish and wish.asked.to == color and not wish.taken_at_ns:
            wish = replace(wish, taken_at_ns=ts_ns)
        case LeadReady(color=color) if wish and wish.asked.to == color and wish.taken_at_ns and not wish.ready_at_ns:
            wish = replace(wish, ready_at_ns=ts_ns)
        case LeadReleased(handover_id=handover_id) if wish and wish.asked.handover_id == handover_id:
            wish = replace(wish, released=said)
        case HandoverEnded(handover_id=handover_id) if wish and wish.asked.handover_id == handover_id:
            wish = replace(wish, end=said)
    return wish
