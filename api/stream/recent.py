"""What a subscription begins with: asked of the database once for all who ask for the same at a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence

import orjson

from api.cells import written
from api.resource import Resource
from api.stream.callers import heard
from api.stream.channels import Channel
from api.stream.pending import Item
from ares.clock import NANOS_PER_SECOND, Clock, isoformat
from ares.security.access.roles import EVERYTHING
from ares.store import Database, Param
from ares.store.pool import Record

ROWS_MAX = 5_000
LOOKS_AT_ONCE = 2
"""Hundreds who come together after a restart leave the database to those who are there already."""
RESUME_S_MAX = 3_600.0
RESUME_STEP_NS = 5 * NANOS_PER_SECOND
"""Who goes on from nearly the same moment shares a look: some rows come again, which the protocol allows."""


class Recent:
    """The newest rows. Who asks is given a look that begins after they asked, and shares it with who asks by then."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._coming: dict[Hashable, asyncio.Task[list[Item]]] = {}
        self._turn = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def items(self, channel: Channel, filters: Mapping[str, str], since_ns: int | None = None) -> list[Item]:
        """Rows of a channel up to now, the oldest first; without `since_ns` (UTC ns) as far back as a snapshot goes.

        Of `filters` those are taken into account that the channel's statement knows. Raises `StoreError`.
        """
        wanted = {name: filters[name] for name in channel.resource.filters if name in filters}
        if since_ns is not None:
            since_ns -= since_ns % RESUME_STEP_NS
        kind = (channel.name, since_ns, tuple(sorted(wanted.items())))
        coming = self._coming.get(kind)
        if coming is None:

            async def look() -> list[Item]:
                async with self._turn:
                    del self._coming[kind]
                    from_ns = self._begin_ns(channel, since_ns)
                    rows = await rows_of(self._database, channel, (from_ns, self._clock.now_ns()), wanted)
                    return [item_of(row, channel) for row in rows]

            coming = asyncio.create_task(look(), name="recent")
            coming.add_done_callback(heard)
            self._coming[kind] = coming
        return await asyncio.shield(coming)

    def _begin_ns(self, channel: Channel, since_ns: int | None) -> int:
        now_ns = self._clock.now_ns()
        if since_ns is None:
            return now_ns - round(_SNAPSHOT_S.get(channel.name, 60.0) * NANOS_PER_SECOND)
        return max(since_ns, now_ns - round(RESUME_S_MAX * NANOS_PER_SECOND))


async def rows_of(
    database: Database, channel: Channel, span_ns: tuple[int, int], wanted: Mapping[str, str] | None = None
) -> Sequence[Record]:
    """The newest rows of a channel between two moments (UTC ns), the oldest first. `wanted`: filters of its statement.

    Raises `StoreError`.
    """
    resource = channel.resource
    since, until = map(isoformat, span_ns)
    params = {**_unfiltered(resource), **(wanted or {}), "since": since, "until": until}
    statement = next(iter(resource.statements.values()))
    return (await database.fetch(statement, {**params, "skip": 0, "end": ROWS_MAX}))[::-1]


def item_of(row: Record, channel: Channel) -> Item:
    """A row as it goes out."""
    (cells,) = written([row], channel.resource.columns)
    return Item(cells, orjson.dumps(cells))


def _unfiltered(resource: Resource) -> dict[str, Param]:
    return {**dict.fromkeys(resource.filters, ""), **resource.confinement(EVERYTHING)}


_SNAPSHOT_S: Mapping[str, float] = {
    "bars": 7_200.0,
    "signals": 3_600.0,
    "decisions": 3_600.0,
    "orders": 86_400.0,
    "fills": 86_400.0,
    "equity": 86_400.0,
    "state": 30 * 86_400.0,
    "limits": 30 * 86_400.0,
    "commands": 86_400.0,
    "jobs": 86_400.0,
    "errands": 86_400.0,
    "events": 3_600.0,
}
"""How far back a snapshot reaches; others a minute, or, where rows have no moments, all that is there."""
