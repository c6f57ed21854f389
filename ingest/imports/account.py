"""Compares `gaps` with what is stored around imported trades, so that no hole stays unsaid and none is said falsely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ares.clock import NANOS_PER_MILLI, Clock, to_datetime
from ares.model.row import Row
from ares.store import Database, Param, load_queries
from ares.store.pool import as_int
from ingest.gaps import Gap, Way, Where
from ingest.imports.segments import Hole, Segment, Segments, Truth, Words, corrected
from ingest.intake import ids_of
from ingest.ranges import Span
from ingest.recovery import QUERIES as RECOVERY
from ingest.recovery import gap_of

QUERIES = load_queries("ingest", "queries/imports.sql")
HOLES_MAX = 1_000


@dataclass(slots=True)
class ImportAccount:
    """The holes of one symbol's trades that are not those of the stream.

    What was never recorded is `lost` with cause `import` or `replay`: nobody will fetch it, and no minute of it is
    quiet. Raises `StoreUnavailable`, `StoreRejected`.
    """

    database: Database
    where: Where
    clock: Clock
    way: Way = "import"

    async def after_import(self, segments: Segments) -> list[Row]:
        """Rows that follow from what was imported: holes inside, and up to what is stored before and after."""
        if not segments.pieces:
            return []
        first, last = segments.pieces[0], segments.pieces[-1]
        before = await self._neighbour("before", first.first, first.first_ts_ns)
        after = await self._neighbour("after", last.last, last.last_ts_ns)
        pieces = [*before, *segments.pieces, *after]
        between = [
            Hole(one.last + 1, other.first - 1, one.last_ts_ns, other.first_ts_ns) for one, other in pairwise(pieces)
        ]
        holes = [hole for each in between for hole in await self._missing(each)]
        truth = Truth([(pieces[0].first, pieces[-1].last)], holes)
        return await self._rows(await self._gaps(), truth, Words(self.way, self.way, heal_open=self.way == "replay"))

    async def after_recording(self, first_seq: int, first_ts_ns: int) -> list[Row]:
        """Rows that follow from what was recorded and fetched, from `first_seq` on, since trades were imported."""
        gaps = await self._gaps()
        suspects = [
            Hole(gap.first_seq, gap.last_seq, gap.started_at_ns, gap.ended_at_ns)
            for gap in gaps
            if gap.cause in ("import", "replay")
            and gap.first_seq is not None
            and gap.last_seq is not None
            and gap.ended_at_ns is not None
        ]
        suspects += [
            Hole(neighbour.last + 1, first_seq - 1, neighbour.last_ts_ns, first_ts_ns)
            for neighbour in await self._neighbour("before", first_seq, first_ts_ns)
        ]
        suspects = [each for each in suspects if each.first <= each.last]
        holes = [hole for each in suspects[:HOLES_MAX] for hole in await self._missing(each)]
        truth = Truth([(each.first, each.last) for each in suspects[:HOLES_MAX]], holes)
        return await self._rows(gaps, truth, Words(healed_by="rest"))

    async def around(self, ids: Segment, stored: Sequence[Segment]) -> list[Row]:
        """Rows that follow from what is `stored` of a range of ids: holes inside, and up to what lies around it."""
        before = await self._neighbour("before", ids.first, ids.first_ts_ns)
        after = await self._neighbour("after", ids.last, ids.last_ts_ns)
        before = before or [Segment(ids.first - 1, ids.first - 1, ids.first_ts_ns, ids.first_ts_ns)]
        after = after or [Segment(ids.last + 1, ids.last + 1, ids.last_ts_ns, ids.last_ts_ns)]
        pieces = [*before, *stored, *after]
        holes = [Hole(one.last + 1, two.first - 1, one.last_ts_ns, two.first_ts_ns) for one, two in pairwise(pieces)]
        truth = Truth([(pieces[0].last + 1, pieces[-1].first - 1)], [hole for hole in holes if hole.first <= hole.last])
        return await self._rows(await self._gaps(), truth, Words(healed_by="rest"))

    async def given_up(self) -> list[Span]:
        """Ids that the venue was asked for and did not list, or that the store refused."""
        lost = [gap for gap in await self._gaps() if gap.status == "lost" and gap.cause not in ("import", "replay")]
        return [ids_of(gap) for gap in lost if gap.last_seq is not None]

    async def _rows(self, gaps: Sequence[Gap], truth: Truth, words: Words) -> list[Row]:
        return corrected(self.where, gaps, truth, self.clock.now_ns(), words)

    def _scope(self) -> dict[str, Param]:
        return {"venue": self.where.venue, "symbol": self.where.symbol}

    async def _gaps(self) -> list[Gap]:
        records = await self.database.fetch(RECOVERY["gaps"], self._scope())
        gaps = [gap_of(record, self.where.venue, self.where.symbol) for record in records]
        return [gap for gap in gaps if gap.channel == "trades" and gap.first_seq is not None]

    async def _neighbour(self, query: str, seq: int, ts_ns: int) -> list[Segment]:
        params = {**self._scope(), "seq": seq, "ts": to_datetime(ts_ns + NANOS_PER_MILLI * (query == "before"))}
        record = await self.database.fetch_one(QUERIES[query], params)
        if record is None:
            return []
        found_seq, found_ns = as_int(record["seq"]), as_int(record["ts_ns"])
        return [Segment(found_seq, found_seq, found_ns, found_ns)]

    async def _missing(self, span: Hole) -> list[Hole]:
        """What of these ids is not stored."""
        if span.first > span.last:
            return []
        earliest_ns, latest_ns = sorted((span.started_ns, span.ended_ns))
        params: dict[str, Param] = {
            **self._scope(),
            "from": to_datetime(earliest_ns - NANOS_PER_MILLI),
            "to": to_datetime(latest_ns + NANOS_PER_MILLI),
            "first": span.first,
            "last": span.last,
        }
        inside = await self.database.fetch_one(QUERIES["inside"], params)
        if inside is None or not inside["stored"]:
            return [span]
        if inside["stored"] == span.last - span.first + 1:
            return []
        first, last = as_int(inside["first_seq"]), as_int(inside["last_seq"])
        holes = [Hole(span.first, first - 1, span.started_ns, as_int(inside["first_ns"]))]
        records = await self.database.fetch(QUERIES["holes"], {**params, "holes_max": HOLES_MAX})
        names = ("first_seq", "last_seq", "started_ns", "ended_ns")
        holes += [Hole(*(as_int(record[name]) for name in names)) for record in records]
        holes.append(Hole(last + 1, span.last, as_int(inside["last_ns"]), span.ended_ns))
        return [hole for hole in holes if hole.first <= hole.last]
