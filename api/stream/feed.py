"""Follows the database for all readers at once: one look a channel, however many read it, and none if nobody does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from api.stream.channels import Channel
from api.stream.pending import Item
from api.stream.recent import AHEAD_NS, ROWS_MAX, item_of, rows_of
from ares.clock import Clock
from ares.errors import StoreError
from ares.store import Database, load_queries
from ares.store.pool import Record, as_int, as_str
from ares.telemetry import get_logger

log = get_logger(__name__)

QUERIES = load_queries("api", "queries/stream.sql")
LOOK_S = 0.05
LOOKS_AT_ONCE = 2
"""So one channel that takes long does not keep the others."""
AWAY_S = 1.0

Given = Callable[[Sequence[Item]], None]


def _nothing(_: object = None) -> None:
    """What who does not care does about it."""


@dataclass(frozen=True, slots=True, eq=False)
class _Reader:
    given: Given
    missed: Callable[[], None]
    away: Callable[[StoreError | None], None]


@dataclass(slots=True)
class _Followed:
    """A channel that somebody reads: what the last look saw, as it came and as it went out, and the newest moment.

    The next look begins a little before that moment, not before now: what waited elsewhere while the database was away
    comes in parts, each of them old.
    """

    channel: Channel
    until_ns: int
    readers: set[_Reader] = field(default_factory=set)
    seen: Mapping[tuple[object, ...], tuple[Record, bytes]] = field(default_factory=dict)
    applied: Mapping[str, int] = field(default_factory=dict)
    looking: bool = False
    away: StoreError | None = None
    again_s: float = 0.0


class Feed:
    """Gives new rows to readers. `run` lasts until it is cancelled; readers must not wait."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._followed: dict[str, _Followed] = {}
        self._beginning: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._turn = asyncio.Semaphore(LOOKS_AT_ONCE)
        self._wanted = asyncio.Event()

    @asynccontextmanager
    async def reading(
        self,
        channel: Channel,
        given: Given,
        missed: Callable[[], None] = _nothing,
        away: Callable[[StoreError | None], None] = _nothing,
    ) -> AsyncIterator[None]:
        """While the block lasts the reader is given what is new in a channel.

        `missed`: rows came that it is not given, for they were too many. `away`: why the channel cannot be read, once;
        None: it can again.
        """
        reader = _Reader(given, missed, away)
        async with self._beginning[channel.name]:  # of many who come at once the first looks
            followed = self._followed.get(channel.name)
            if followed is None:
                followed = await self._begin(channel)
                self._followed[channel.name] = followed
            followed.readers.add(reader)
        self._wanted.set()
        try:
            if followed.away is not None:
                away(followed.away)
            yield
        finally:
            followed.readers.discard(reader)
            if not followed.readers and self._followed.get(channel.name) is followed:
                del self._followed[channel.name]
            if not self._followed:
                self._wanted.clear()

    def place_ns(self, channel: Channel) -> int:
        """From where who has all that was given out so far goes on, in UTC ns: not so far back that a break of half
        the reach is more than all of it.
        """
        now_ns = self._clock.now_ns()
        followed = self._followed.get(channel.name)
        if followed is None or not channel.resource.timed:
            return now_ns - channel.late_ns
        return max(followed.until_ns, now_ns - channel.reach_ns // 2) - channel.late_ns

    async def run(self) -> None:
        """Look again and again while somebody reads; a database that is away is asked ever again."""
        async with asyncio.TaskGroup() as looks:
            while True:
                await self._wanted.wait()
                try:
                    rows = await self._database.fetch(QUERIES["applied"])
                except StoreError as error:
                    for followed in list(self._followed.values()):
                        self._lose(followed, error)
                    await self._clock.sleep(AWAY_S)
                    continue
                applied = {as_str(row["name"]): as_int(row["applied"]) for row in rows}
                for followed in self._followed.values():
                    now = {name: applied.get(name, 0) for name in followed.channel.tables}
                    if self._is_due(followed, now):
                        followed.looking = True
                        looks.create_task(self._follow(followed, now), name=f"look {followed.channel.name}")
                await self._clock.sleep(LOOK_S)

    def _is_due(self, followed: _Followed, applied: Mapping[str, int]) -> bool:
        if followed.looking or self._clock.monotonic_s() < followed.again_s:
            return False
        return followed.away is not None or applied != followed.applied

    async def _follow(self, followed: _Followed, applied: Mapping[str, int]) -> None:
        """Give out what a channel has now. Another that fails is no reason for it to stand still."""
        try:
            async with self._turn:
                items, whole = await self._look(followed)
        except StoreError as error:
            self._lose(followed, error)
            return
        finally:
            followed.looking = False
        followed.applied = applied
        back, followed.away = followed.away is not None, None
        for reader in list(followed.readers):
            if not whole:
                reader.missed()
            if items:
                reader.given(items)
            if back:
                reader.away(None)

    def _lose(self, followed: _Followed, error: StoreError) -> None:
        """The channel cannot be read: who reads it is told once."""
        followed.again_s = self._clock.monotonic_s() + AWAY_S
        if followed.away is None:
            log.warning("stream_waits_for_database", channel=followed.channel.name, cause=str(error))
            followed.away = error
            for reader in list(followed.readers):
                reader.away(error)

    async def _begin(self, channel: Channel) -> _Followed:
        """A channel from where it is now: all before is for snapshots to tell."""
        now_ns = self._clock.now_ns()
        followed = _Followed(channel, now_ns - channel.reach_ns)
        for back_ns in (channel.late_ns, channel.reach_ns) if channel.resource.timed else ():
            newest = await rows_of(self._database, channel, (now_ns - back_ns, now_ns), {}, 1)
            if newest:
                followed.until_ns = as_int(newest[0]["ts"])
                break
        await self._look(followed)
        return followed

    async def _look(self, followed: _Followed) -> tuple[list[Item], bool]:
        """What is there now and was not given out, and whether that is all of it: it is not where there are too many
        rows, of which even the oldest is new.

        What an earlier look saw and this one does not is before it, and none of a later one.
        """
        channel, now_ns = followed.channel, self._clock.now_ns()
        since_ns = max(followed.until_ns, now_ns - channel.reach_ns) - channel.late_ns
        rows = await rows_of(self._database, channel, (since_ns, now_ns + AHEAD_NS), {}, ROWS_MAX + 1)
        whole = len(rows) <= ROWS_MAX or not channel.resource.timed or channel.key_of(rows[0]) in followed.seen
        seen: dict[tuple[object, ...], tuple[Record, bytes]] = {}
        fresh: list[Item] = []
        for row in rows:
            key = channel.key_of(row)
            known = followed.seen.get(key)
            if known is None or known[0] != row:
                item = item_of(row, channel)
                if known is None or known[1] != item.text:  # a number that is none differs from itself, its text not
                    fresh.append(item)
                known = row, item.text
            seen[key] = known
        followed.seen = seen
        if rows and channel.resource.timed:
            followed.until_ns = max(followed.until_ns, min(as_int(rows[-1]["ts"]), now_ns))
        return fresh if whole else fresh[1:], whole
