"""Which ids of a symbol's trades are stored between two times, in `trades` or in the archive."""

from __future__ import annotations

from dataclasses import dataclass, field

from ares.clock import HOUR_NS, NANOS_PER_MICRO, to_datetime
from ares.store import Database, Param, load_queries
from ares.store.pool import as_int
from ingest.gaps import Where
from ingest.imports.segments import Segment, Segments
from ingest.ranges import IdRanges, Span

QUERIES = load_queries("ingest", "queries/past.sql")
WINDOW_NS = 6 * HOUR_NS
"""So much is looked at with one question: what it sorts must fit into the store's memory."""


@dataclass(slots=True)
class Stored:
    """`ids` of both tables; `pieces` of `trades` alone, for the account of what is missing there."""

    ids: IdRanges = field(default_factory=IdRanges)
    pieces: Segments = field(default_factory=Segments)


async def stored_ids(database: Database, where: Where, ids: Span, times_ns: tuple[int, int]) -> Stored:
    """What is stored of these ids with a time in [from, to) (UTC ns). Raises `StoreUnavailable`, `StoreRejected`."""
    stored = Stored()
    times_ns = times_ns[0], -(-times_ns[1] // NANOS_PER_MICRO) * NANOS_PER_MICRO  # all that a parameter can hold
    scope: dict[str, Param] = {"venue": where.venue, "symbol": where.symbol}
    bounds = {"from": to_datetime(times_ns[0]), "to": to_datetime(times_ns[1])}
    extent = await database.fetch_one(QUERIES["extent"], {**scope, **bounds})
    if extent is None or extent["first_ns"] is None:
        return stored
    first_ns, last_ns = as_int(extent["first_ns"]), as_int(extent["last_ns"])
    for start_ns in range(first_ns - first_ns % WINDOW_NS, last_ns + 1, WINDOW_NS):
        from_ns, to_ns = max(start_ns, times_ns[0]), min(start_ns + WINDOW_NS, times_ns[1])
        params = {**scope, "first": ids[0], "last": ids[1], "from": to_datetime(from_ns), "to": to_datetime(to_ns)}
        for name in ("islands", "islands_archived"):
            for record in await database.fetch(QUERIES[name], params):
                piece = Segment(*(as_int(record[key]) for key in ("first_seq", "last_seq", "first_ns", "last_ns")))
                stored.ids.add(piece.first, piece.last)
                if name == "islands":
                    stored.pieces.add(piece)
    return stored
