"""Sends to an InfluxDB what it lacks, span by span; the table `copies` says what it has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, Clock, floor_ns, to_ns
from ares.config.influx import InfluxConfig
from ares.errors import CopyRejected
from ares.store import Database, Param, RowWriter, load_queries
from ares.store.pool import Record, as_int, as_str
from ares.telemetry import get_logger, metrics
from ingest.influx.points import SHAPES, Places, Shape, lines_of
from ingest.influx.spans import Partition, Span, due_ns, stretches, whole_times

log = get_logger(__name__)

QUERIES = load_queries("ingest", "queries/copies.sql")
RECENT_NS = 5 * MINUTE_NS
"""How far back the look at what came just now goes; what is older waits for the next sweep."""
SPANS_MAX = 2_000
"""Spans of one partition found at once; then the present has its turn."""
RECHECK_S = 6 * 3_600.0
"""So often partitions are compared span by span even if their number of rows is as it was, for rows may be replaced;
and what was refused is tried again, for the target may have been mended. So it is at every start."""
REFUSALS_MAX = 20
"""After so many refusals without a point being taken, the rest of the batch counts as refused: all have one cause."""


class Target(Protocol):
    """Where lines go; `ingest.influx.client.Influx` is the real one."""

    async def write(self, lines: bytes) -> None: ...


@dataclass(slots=True)
class Progress:
    """Of one table: up to where the present was looked at, which partitions are whole, and whether more waits."""

    looked_ns: int = 0
    whole: dict[str, int] = field(default_factory=dict)
    more: bool = True


@dataclass(slots=True)
class Copier:
    """Compares the tables with what `copies` says of `target_name`, and sends what is other.

    Nothing is kept here that must outlive the process. What is sent twice is there once, for a point takes the place of
    the same point. Raises `StoreUnavailable`, `CopyUnavailable`, `CopyDenied`: call again later.
    """

    database: Database
    writer: RowWriter
    target: Callable[[], Target]
    target_name: str
    settings: InfluxConfig
    clock: Clock
    progress: dict[str, Progress] = field(default_factory=dict)
    swept_s: float = float("-inf")
    rechecked_s: float = float("-inf")
    rechecked_ns: int = 0

    async def round(self) -> bool:
        """Send what came just now, then some of what is missing of the past; whether more of that waits."""
        shapes = [SHAPES[table] for table in self.settings.tables]
        now_s = self.clock.monotonic_s()
        if now_s - self.rechecked_s >= RECHECK_S:
            self.rechecked_s, self.rechecked_ns = now_s, self.clock.now_ns()
            for progress in self.progress.values():
                progress.whole.clear()
        for shape in shapes:
            await self._present(shape)
        waiting = any(self._of(shape).more for shape in shapes)
        if not waiting and now_s - self.swept_s < self.settings.sweep_s:
            return False
        self.swept_s = now_s
        for shape in shapes:
            await self._past(shape)
        return any(self._of(shape).more for shape in shapes)

    def _of(self, shape: Shape) -> Progress:
        return self.progress.setdefault(shape.table, Progress())

    def _due_ns(self, shape: Shape) -> int:
        return due_ns(self.clock.now_ns(), round(self.settings.settle_s * NANOS_PER_SECOND), shape.span_ns)

    def _since_ns(self, shape: Shape) -> int:
        since = self.settings.since
        return floor_ns(to_ns(since), shape.span_ns) if since else 0

    async def _present(self, shape: Shape) -> None:
        """Only when a span has become due since."""
        progress, due = self._of(shape), self._due_ns(shape)
        if due <= progress.looked_ns:
            return
        spans = await self._differing(shape, due - RECENT_NS, due)
        await self._send_all(shape, spans)
        progress.looked_ns = due

    async def _past(self, shape: Shape) -> None:
        """Newest partitions first; one with more than can be found at once has its next turn later."""
        progress, due = self._of(shape), self._due_ns(shape)
        for partition in await self._partitions(shape):
            if progress.whole.get(partition.name) == partition.row_count:
                continue
            end_ns = min(due, floor_ns(partition.last_ns, shape.span_ns) + shape.span_ns)
            spans = await self._differing(shape, floor_ns(partition.first_ns, shape.span_ns), end_ns)
            await self._send_all(shape, spans)
            if len(spans) == SPANS_MAX:
                progress.more = True
                return
            if partition.last_ns < end_ns:
                progress.whole[partition.name] = partition.row_count
        progress.more = False
        metrics.INFLUX_COPIED_UNTIL.labels(shape.table).set(due / NANOS_PER_SECOND)

    async def _partitions(self, shape: Shape) -> list[Partition]:
        records = await self.database.fetch(QUERIES["partitions"], {"table": shape.table})
        names = ("row_count", "first_ns", "last_ns")
        found = [Partition(as_str(each["name"]), *(as_int(each[name]) for name in names)) for each in records]
        return [each for each in found if each.last_ns >= self._since_ns(shape)]

    async def _differing(self, shape: Shape, from_ns: int, to_ns: int) -> list[Span]:
        params: dict[str, Param] = {"target": self.target_name, "spans_max": SPANS_MAX, "to_ns": to_ns}
        params["again_ns"] = self.rechecked_ns
        params["from_ns"] = max(from_ns, self._since_ns(shape))
        records = await self.database.fetch(QUERIES[f"{shape.table}_spans"], params)
        starts = [(as_int(each["start_ns"]), each) for each in records]
        return [
            Span(start, start + shape.span_ns, as_int(each["row_count"]), as_int(each["delay_ms"]))
            for start, each in starts
        ]

    async def _send_all(self, shape: Shape, spans: Sequence[Span]) -> None:
        waiting = sum(span.row_count for span in spans)
        for stretch in stretches(spans, self.settings.queue_rows_max):
            metrics.INFLUX_WAITING_ROWS.labels(shape.table).set(waiting)
            await self._send(shape, stretch)
            waiting -= sum(span.row_count for span in stretch)
        metrics.INFLUX_WAITING_ROWS.labels(shape.table).set(waiting)

    async def _send(self, shape: Shape, stretch: Sequence[Span]) -> None:
        """Send spans that touch, then say that they are there: as they were counted, before they were read.

        Where something is refused, span by span, so that each knows how much of it is not there.
        """
        sent, refused = await self._sent(shape, stretch[0].start_ns, stretch[-1].end_ns)
        if refused and len(stretch) > 1:
            for span in stretch:
                await self._send(shape, [span])
            return
        now_ns = self.clock.now_ns()
        await self.writer.write([span.to_row(self.target_name, shape.table, refused, now_ns) for span in stretch])
        metrics.INFLUX_ROWS.labels(shape.table).inc(sent - refused)
        metrics.INFLUX_REFUSED.labels(shape.table).inc(refused)

    async def _sent(self, shape: Shape, from_ns: int, to_ns: int) -> tuple[int, int]:
        """How many rows there were, and how many of them the target refused."""
        places, sent, refused = Places(), 0, 0
        async for rows in self._pages(shape, from_ns, to_ns):
            lines = lines_of(shape, rows, places, self.settings.book_levels)
            for start in range(0, len(lines), self.settings.batch_rows_max):
                refused += await self._deliver(shape, lines[start : start + self.settings.batch_rows_max])
            sent += len(lines)
        return sent, refused

    async def _pages(self, shape: Shape, from_ns: int, to_ns: int) -> AsyncIterator[Sequence[Record]]:
        """Rows in order of time, those of one time always together."""
        rows_max = self.settings.queue_rows_max
        while True:
            params: dict[str, Param] = {"from_ns": from_ns, "to_ns": to_ns, "rows_max": rows_max}
            rows = await self.database.fetch(QUERIES[f"{shape.table}_rows"], params)
            whole = whole_times(rows, rows_max)
            if not whole and rows:
                rows_max *= 2
                continue
            yield rows[: len(whole)]
            if len(whole) == len(rows):
                return
            from_ns = as_int(rows[-1]["ts_ns"])

    async def _deliver(self, shape: Shape, lines: Sequence[bytes]) -> int:
        """How many the target refuses; they are found by halving where it does not say."""
        todo, refused, in_a_row, cause = [lines], 0, 0, ""
        while todo:
            part = todo.pop()
            try:
                await self.target().write(b"\n".join(part))
                in_a_row = 0
            except CopyRejected as error:
                cause = str(error)
                if error.dropped is None and len(part) > 1 and in_a_row < REFUSALS_MAX:
                    middle = len(part) // 2
                    todo += [part[middle:], part[:middle]]
                    continue
                refused += len(part) if error.dropped is None else error.dropped
                in_a_row += error.dropped is None
        if refused:
            log.error("points_refused", table=shape.table, points=refused, of=len(lines), cause=cause)
        return refused
