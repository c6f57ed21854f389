"""Follows the database for all readers at once: one look a channel, however many read it, and none if nobody does."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from api.stream.channels import Channel
from api.stream.pending import Item
from api.stream.recent import item_of, rows_of
from ares.clock import NANOS_PER_SECOND, Clock
from ares.errors import StoreError
from ares.store import Database, load_queries
from ares.store.pool import Record, as_int, as_str
from ares.telemetry import get_logger

log = get_logger(__name__)

QUERIES = load_queries("api", "queries/stream.sql")
LOOK_S = 0.05
AWAY_S = 1.0
LATE_S = 10.0
"""Rows that come so much later than newer ones are still noticed: trades of several connections, a healed gap."""
SEEN_MAX = 50_000
AHEAD_NS = 3_600 * NANOS_PER_SECOND

Reader = Callable[[Sequence[Item]], None]


@dataclass(slots=True)
class _Followed:
    """A channel that somebody reads: what was given out already, as it came and as it went out, and up to when."""

    channel: Channel
    readers: set[Reader] = field(default_factory=set)
    seen: OrderedDict[tuple[object, ...], tuple[Record, bytes]] = field(default_factory=OrderedDict)
    until_ns: int = 0
    applied: dict[str, int] = field(default_factory=dict)


class Feed:
    """Gives new rows to readers. `run` lasts until it is cancelled; readers must not wait."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._followed: dict[str, _Followed] = {}
        self._beginning = asyncio.Lock()
        self._wanted = asyncio.Event()

    @asynccontextmanager
    async def reading(self, channel: Channel, reader: Reader) -> AsyncIterator[None]:
        """While the block lasts the reader is given what is new in a channel."""
        async with self._beginning:  # of many who come at once the first looks
            followed = self._followed.get(channel.name)
            if followed is None:
                followed = _Followed(channel, until_ns=self._clock.now_ns())
                await self._look(followed)
                self._followed[channel.name] = followed
            followed.readers.add(reader)
        self._wanted.set()
        try:
            yield
        finally:
            followed.readers.discard(reader)
            if not followed.readers and self._followed.get(channel.name) is followed:
                del self._followed[channel.name]
            if not self._followed:
                self._wanted.clear()

    async def run(self) -> None:
        """Look again and again while somebody reads; a database that is away is asked ever again."""
        while True:
            await self._wanted.wait()
            try:
                await self._round()
            except StoreError as error:
                log.warning("stream_waits_for_database", cause=str(error))
                await self._clock.sleep(AWAY_S)
            await self._clock.sleep(LOOK_S)

    async def _round(self) -> None:
        applied = {
            as_str(row["name"]): as_int(row["applied"]) for row in await self._database.fetch(QUERIES["applied"])
        }
        for followed in list(self._followed.values()):
            now = {name: applied.get(name, 0) for name in followed.channel.tables}
            if now != followed.applied:
                items = await self._look(followed)
                followed.applied = now
                if items:
                    for reader in list(followed.readers):
                        reader(items)

    async def _look(self, followed: _Followed) -> list[Item]:
        """What is there now and was not given out."""
        channel = followed.channel
        since_ns = followed.until_ns - round(LATE_S * NANOS_PER_SECOND)
        fresh: list[Item] = []
        for row in await rows_of(self._database, channel, (since_ns, followed.until_ns + AHEAD_NS)):
            key = channel.key_of(row)
            before = followed.seen.get(key)
            if before is None or before[0] != row:
                item = item_of(row, channel)
                if before is None or before[1] != item.text:  # a number that is none differs from itself, its text not
                    fresh.append(item)
                followed.seen[key] = row, item.text
            followed.seen.move_to_end(key)
        while len(followed.seen) > SEEN_MAX:
            followed.seen.popitem(last=False)
        followed.until_ns = max(followed.until_ns, self._clock.now_ns())
        return fresh
