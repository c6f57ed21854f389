"""What a subscription begins with: asked of the database once for all who ask for the same at a moment."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

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
RESUME_STEP_NS = 5 * NANOS_PER_SECOND
"""Who goes on from nearly the same moment shares a look: some rows come again, which the protocol allows."""
AHEAD_NS = 3_600 * NANOS_PER_SECOND
"""Clocks of venues may be so far ahead of ours."""


class Found(NamedTuple):
    """Rows, the oldest first. `whole`: none of those that were asked for is missing before the first."""

    rows: Sequence[Item]
    whole: bool


class Recent:
    """The newest rows. Who asks is given a look that begins after they asked, and shares it with who asks by then."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._coming: dict[Hashable, asyncio.Task[Found]] = {}
        self._turn = asyncio.Semaphore(LOOKS_AT_ONCE)

    async def found(self, channel: Channel, filters: Mapping[str, str], since_ns: int | None = None) -> Found:
        """Rows of a channel up to now; without `since_ns` (UTC ns) as far back as a snapshot goes.

        Of `filters` those are taken into account that the channel's statement knows. Raises `StoreError`.
        """
        wanted = {name: filters[name] for name in channel.resource.filters if name in filters}
        if since_ns is not None:
            since_ns -= since_ns % RESUME_STEP_NS
        kind = (channel.name, since_ns, tuple(sorted(wanted.items())))
        coming = self._coming.get(kind)
        if coming is None:

            async def look() -> Found:
                async with self._turn:
                    del self._coming[kind]
                    return await self._look(channel, wanted, since_ns)

            coming = asyncio.create_task(look(), name="recent")
            coming.add_done_callback(heard)
            self._coming[kind] = coming
        return await asyncio.shield(coming)

    async def _look(self, channel: Channel, wanted: Mapping[str, str], since_ns: int | None) -> Found:
        now_ns = self._clock.now_ns()
        begin_ns = now_ns - round(channel.snapshot_s * NANOS_PER_SECOND)
        if since_ns is not None:
            begin_ns = max(since_ns, now_ns - channel.reach_ns)
        rows = await rows_of(self._database, channel, (begin_ns, now_ns + AHEAD_NS), wanted, ROWS_MAX + 1)
        reached = since_ns is None or since_ns == begin_ns or not channel.resource.timed
        return Found([item_of(row, channel) for row in rows[-ROWS_MAX:]], reached and len(rows) <= ROWS_MAX)


async def rows_of(
    database: Database,
    channel: Channel,
    span_ns: tuple[int, int],
    wanted: Mapping[str, str],
    rows_max: int,
) -> Sequence[Record]:
    """The newest rows of a channel between two moments (UTC ns), the oldest first. `wanted`: filters of its statement.

    Raises `StoreError`.
    """
    resource = channel.resource
    since, until = map(isoformat, span_ns)
    params = {**_unfiltered(resource), **wanted, "since": since, "until": until}
    statement = next(iter(resource.statements.values()))
    return (await database.fetch(statement, {**params, "skip": 0, "end": rows_max}))[::-1]


def item_of(row: Record, channel: Channel) -> Item:
    """A row as it goes out."""
    (cells,) = written([row], channel.resource.columns)
    return Item(cells, orjson.dumps(cells), channel.subject_of(cells))


def _unfiltered(resource: Resource) -> dict[str, Param]:
    return {**dict.fromkeys(resource.filters, ""), **resource.confinement(EVERYTHING)}
