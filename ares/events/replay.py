"""Rebuilds projections from the log and proves them equal to the tables that stand in QuestDB.

Everything goes page by page: memory is bounded by one page, one stream's state and the buckets of the digests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby

from ares.clock import NANOS_PER_SECOND, Clock
from ares.control import ControlStore, StoredEvent
from ares.control.mirror import CURSOR as OUTBOX_CURSOR
from ares.errors import StoreUnavailable
from ares.events.digest import Digest, Shown, bucket_of, shown_record, shown_row
from ares.events.mirror import CURSOR as EVENTS_CURSOR
from ares.events.projection import Projection
from ares.events.registry import Event, EventRegistry
from ares.model.row import Row
from ares.store import Database, Record, RowWriter
from ares.store.pool import as_int

PAGE_ROWS = 20_000
WRITE_ROWS = 5_000
WINDOW_NS = 3_600 * NANOS_PER_SECOND
CATCH_UP_S = 60.0
LOOK_S = 0.1
LOOKED_AT_MAX = 64
"""Buckets a table that are compared row by row: so many rows are held in memory at most, even if nothing is equal."""
END_NS = 2**63 - 1

Progress = Callable[[int], None]
"""Called now and then with how many events were folded since the last call."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row on which log and table do not agree. `kind`: missing (the table lacks it), extra (the log lacks it)."""

    table: str
    kind: str
    row: Shown


@dataclass(frozen=True, slots=True)
class Proof:
    """What came of comparing one table with the log.

    `differences` are those of the buckets that were looked at closely; `unseen_buckets` (of 4,096) differ too.
    """

    projection: str
    table: str
    events: int
    rows_replayed: int
    rows_live: int
    differences: tuple[Difference, ...] = ()
    unseen_buckets: int = 0

    @property
    def equal(self) -> bool:
        """Whether log and table say the same."""
        return not self.differences and not self.unseen_buckets


@dataclass(frozen=True, slots=True)
class ReplayParts:
    """What a replay works with. `writer` only to rebuild."""

    control: ControlStore
    registry: EventRegistry
    database: Database
    clock: Clock
    writer: RowWriter | None = None
    progress: Progress = lambda _: None


class Replay:
    """One projection against its tables, while everything else goes on."""

    def __init__(self, parts: ReplayParts, projection: Projection) -> None:
        self._parts = parts
        self._projection = projection
        self._events = 0

    async def rebuild(self) -> int:
        """Write all rows that the log means; those that stand already stay as they are. Returns how many."""
        writer = self._parts.writer
        assert writer is not None, "rebuilding needs a writer"
        rows, batch = 0, list[Row]()
        for row in self._folded(self._parts.control.log_end()):
            batch.append(row)
            if len(batch) >= WRITE_ROWS:
                await writer.write(batch)
                rows += len(batch)
                batch.clear()
        await writer.write(batch)
        await self._parts.database.wait_applied(self._projection.live, timeout_s=CATCH_UP_S)
        return rows + len(batch)

    async def prove(self) -> list[Proof]:
        """Compare every table of the projection. Raises `StoreUnavailable` if the mirror does not catch up."""
        self._events = 0
        replayed = {table: Digest() for table in self._projection.live}
        end = self._parts.control.log_end()
        for row in self._folded(end):
            replayed[row.table].add(row.ts_ns, shown_row(row))
        events = self._events
        await self._caught_up()
        live = {table: Digest() for table in self._projection.live}
        for table in self._projection.live:
            async for record in self._records(table):
                live[table].add(as_int(record["ts"]), shown_record(record))
        differing = {table: replayed[table].differing(live[table]) for table in replayed}
        looked_at = {table: frozenset(sorted(buckets)[:LOOKED_AT_MAX]) for table, buckets in differing.items()}
        found = await self._look_closer(end, looked_at) if any(looked_at.values()) else []
        return [
            Proof(
                projection=self._projection.name,
                table=table,
                events=events,
                rows_replayed=replayed[table].rows,
                rows_live=live[table].rows,
                differences=tuple(each for each in found if each.table == table),
                unseen_buckets=len(differing[table]) - len(looked_at[table]),
            )
            for table in self._projection.live
        ]

    async def _look_closer(self, end: int, buckets: dict[str, frozenset[int]]) -> list[Difference]:
        """Row by row where the digests differ; what was written meanwhile is not a difference.

        The table is read first, then the log to its newest end: what the table has then, the log must have. And what
        the log had before the mirror caught up, the table must have.
        """
        live: Counter[tuple[str, Shown]] = Counter()
        for table, wanted in buckets.items():
            if wanted:
                async for record in self._records(table):
                    if bucket_of(as_int(record["ts"])) in wanted:
                        live[table, shown_record(record)] += 1
        then = self._rows_in(buckets, end)
        now = self._rows_in(buckets, self._parts.control.log_end())
        missing = [Difference(table, "missing", row) for table, row in then if (table, row) not in live]
        extra = [Difference(table, "extra", row) for table, row in live if (table, row) not in now]
        return sorted([*missing, *extra], key=lambda each: (each.table, dict(each.row)["ts"], each.kind))

    def _rows_in(self, buckets: dict[str, frozenset[int]], end: int) -> set[tuple[str, Shown]]:
        return {(row.table, shown_row(row)) for row in self._folded(end) if bucket_of(row.ts_ns) in buckets[row.table]}

    def _folded(self, end: int) -> Iterator[Row]:
        control, projection = self._parts.control, self._projection
        for category in projection.categories or ("",):
            for _, stream in groupby(control.category(category, end), key=lambda event: event.stream):
                yield from projection.fold(self._typed(stream))

    def _typed(self, stream: Iterable[StoredEvent]) -> Iterator[Event]:
        for stored in stream:
            self._events += 1
            if self._events % PAGE_ROWS == 0:
                self._parts.progress(PAGE_ROWS)
            yield self._parts.registry.read(stored)

    async def _caught_up(self) -> None:
        """Return once the mirror has carried what was committed before the call, and it can be read."""
        control = self._parts.control
        ends = {OUTBOX_CURSOR: control.outbox_end(), EVENTS_CURSOR: control.log_end()}
        deadline = self._parts.clock.monotonic_s() + CATCH_UP_S
        while any(control.cursor(name) < end for name, end in ends.items()):
            if self._parts.clock.monotonic_s() > deadline:
                raise StoreUnavailable(
                    f"the mirror did not catch up within {CATCH_UP_S:.0f} s: is it running? See `ares services`"
                )
            await self._parts.clock.sleep(LOOK_S)
        await self._parts.database.wait_applied(self._projection.live, timeout_s=CATCH_UP_S)

    async def _records(self, table: str) -> AsyncIterator[Record]:
        """All rows of a table, a window of time after the other; a window that holds too many is made smaller."""
        statement = self._projection.live[table]
        low, width = 0, WINDOW_NS
        first = await self._parts.database.fetch_one(statement, {"lo": low, "hi": END_NS, "rows_max": 1})
        low = END_NS if first is None else as_int(first["ts"])
        while low < END_NS:
            high = min(low + width, END_NS)
            rows_max = PAGE_ROWS + 1 if width > 1 else END_NS
            page = await self._parts.database.fetch(statement, {"lo": low, "hi": high, "rows_max": rows_max})
            if len(page) > PAGE_ROWS and width > 1:
                width //= 2
                continue
            for record in page:
                yield record
            if not page:
                following = await self._parts.database.fetch_one(statement, {"lo": high, "hi": END_NS, "rows_max": 1})
                if following is None:
                    return
                high = as_int(following["ts"])
            low, width = high, max(width * 2, 1)


def broken_streams(events: Iterable[StoredEvent]) -> Iterator[str]:
    """What is wrong with the numbers of streams, given all events of a category stream by stream, as sentences."""
    for name, stream in groupby(events, key=lambda event: event.stream):
        seq = position = 0
        for event in stream:
            if event.seq != seq + 1:
                yield f"{name}: {seq} is followed by {event.seq}" if seq else f"{name}: begins at {event.seq}"
            if event.position <= position:
                yield f"{event.id}: its position {event.position} is not after {position}"
            seq, position = event.seq, event.position
