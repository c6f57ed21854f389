"""What the store knows at start, so that ingest continues instead of beginning anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, Clock, floor_ns, to_datetime
from ares.model.market import Instrument
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger
from ingest.archive import kept_from_ns
from ingest.feed import WITHOUT_IDS, Channel
from ingest.gaps import Cause, Gap, Where
from ingest.intake import Resume, Stored, ids_of
from ingest.ranges import IdRanges, Span
from ingest.timed import SEEN_TRADES_MAX

log = get_logger(__name__)

QUERIES = load_queries("ingest", "queries/recovery.sql")
TABLES = ("trades", "quotes", "books", "gaps", "ingest_watermarks", "instruments", "venue_bars_1m", "funding")
SCAN_HOURS = 24 * 7
"""How far back unrecorded holes are looked for; older ones would have been found by earlier starts."""
HOLES_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """What is stored of one symbol; `trades` is None where there are none yet: open gaps of them are `orphans` then."""

    trades: Resume | None
    outages: Mapping[Channel, list[Gap]]
    last_ts_ns: Mapping[Channel, int | None]
    watermark_ns: int
    orphans: Sequence[Gap] = ()


@dataclass(slots=True)
class Recovery:
    """Reads the state of one venue from the store. Raises `StoreUnavailable`, `StoreRejected`.

    What is older than `retention_days` (0: nothing is) may lie in the archive, so that its absence says nothing.
    Without `dense_ids` holes cannot be seen in what is stored: `gaps` alone tells of them.
    """

    database: Database
    venue: str
    clock: Clock
    retention_days: int = 0
    dense_ids: bool = True

    async def known(self, symbol: str) -> Known:
        """Everything that matters of a symbol; call `settle` first."""
        where: dict[str, Param] = {"venue": self.venue, "symbol": symbol}
        gaps = [gap_of(record, self.venue, symbol) for record in await self.database.fetch(QUERIES["gaps"], where)]
        watermark = await self._number("watermark", where, "watermark_ns")
        of_trades = [gap for gap in gaps if gap.channel == "trades"]
        trades = await self._trades(symbol, of_trades)
        return Known(
            trades,
            {c: [g for g in gaps if g.channel == c and g.status == "open"] for c in WITHOUT_IDS},
            {
                "quotes": await self._number("last_quote", where, "last_ns"),
                "books": await self._number("last_book", where, "last_ns"),
                "funding": await self._number("last_funding", where, "last_ns"),
            },
            watermark or 0,
            [gap for gap in of_trades if gap.status == "open" and trades is None],
        )

    async def settle(self) -> None:
        """Wait until everything acknowledged before can be read."""
        await self.database.wait_applied(TABLES, timeout_s=60.0)

    async def _number(self, query: str, where: Mapping[str, Param], column: str) -> int | None:
        record = await self.database.fetch_one(QUERIES[query], where)
        value = None if record is None else record[column]
        return None if value is None else as_int(value)

    async def _trades(self, symbol: str, gaps: Sequence[Gap]) -> Resume | None:
        where: dict[str, Param] = {"venue": self.venue, "symbol": symbol}
        bounds = await self.database.fetch_one(QUERIES["trade_bounds"], where)
        if bounds is None:
            return None
        if not self.dense_ids:
            return await self._trades_by_time(where, bounds, [gap for gap in gaps if gap.status == "open"])
        first, last = as_int(bounds["first_seq"]), as_int(bounds["last_seq"])
        scanned_from, holes = await self._holes({**where, "first_seq": first, "last_seq": last}, last)
        open_gaps = [bounded_by(gap, last, as_int(bounds["last_ts_ns"])) for gap in gaps if gap.status == "open"]
        unrecorded = self._unrecorded(symbol, holes, gaps)
        log.info("trades_recovered", symbol=symbol, last_seq=last, open=len(open_gaps), unrecorded=len(unrecorded))
        return Resume(
            first,
            last,
            as_int(bounds["first_ts_ns"]),
            as_int(bounds["last_ts_ns"]),
            open_gaps,
            unrecorded,
            still_missing([*open_gaps, *unrecorded], spans_of(holes), (scanned_from, last)),
        )

    async def _trades_by_time(self, where: Mapping[str, Param], bounds: Record, open_gaps: Sequence[Gap]) -> Resume:
        records = await self.database.fetch(QUERIES["recent_trades"], {**where, "trades_max": SEEN_TRADES_MAX})
        recent = [Stored(as_str(record["trade_id"]), as_int(record["ts_ns"])) for record in reversed(records)]
        first, last = as_int(bounds["first_seq"]), as_int(bounds["last_seq"])
        first_ns, last_ns = as_int(bounds["first_ts_ns"]), as_int(bounds["last_ts_ns"])
        log.info("trades_recovered", symbol=where["symbol"], open=len(open_gaps), recent=len(recent))
        return Resume(first, last, first_ns, last_ns, open_gaps, recent=recent)

    async def _holes(self, where: Mapping[str, Param], last: int) -> tuple[int, list[Record]]:
        """The id from which on was looked for holes, and the holes."""
        now_ns = self.clock.now_ns()
        from_ns = max(now_ns - SCAN_HOURS * 3_600 * NANOS_PER_SECOND, kept_from_ns(now_ns, self.retention_days))
        where = {**where, "scan_from": to_datetime(from_ns)}
        scan = await self.database.fetch_one(QUERIES["trade_scan"], where)
        if scan is None or scan["first_scanned"] is None:
            return last + 1, []
        scanned_from = as_int(scan["first_scanned"])
        if last - scanned_from + 1 == scan["scanned"]:
            return scanned_from, []
        return scanned_from, await self.database.fetch(QUERIES["holes"], {**where, "holes_max": HOLES_MAX})

    def _unrecorded(self, symbol: str, holes: Sequence[Record], gaps: Sequence[Gap]) -> list[Gap]:
        """Holes in the ids that no gap row accounts for: a crash between two writes, or hands on the table."""
        recorded = IdRanges(ids_of(gap) for gap in gaps if gap.last_seq is not None)
        now_ns = self.clock.now_ns()
        found: list[Gap] = []
        for record, span in zip(holes, spans_of(holes), strict=True):
            hole = IdRanges([span])
            for first, last in recorded.spans():
                hole.remove(first, last)
            for first, last in hole.spans():
                place = Where(self.venue, symbol, "trades")
                gap = Gap.opened(place, "unrecorded", now_ns, as_int(record["started_ns"]), first)
                found.append(gap.bounded(last, as_int(record["ended_ns"])))
        return found

    async def changed(self, instruments: Sequence[Instrument]) -> list[Instrument]:
        """Those that differ from their newest stored version."""
        fresh: list[Instrument] = []
        for instrument in instruments:
            where: dict[str, Param] = {"venue": self.venue, "symbol": instrument.symbol}
            stored = await self.database.fetch_one(QUERIES["instrument"], where)
            if stored is None or any(getattr(instrument, name) != value for name, value in stored.items()):
                fresh.append(instrument)
        return fresh

    async def settled_funding(self, symbol: str, from_ns: int) -> set[int]:
        """When the symbol's stored funding rates from then on were settled (UTC ns)."""
        where: dict[str, Param] = {"venue": self.venue, "symbol": symbol, "from": to_datetime(from_ns)}
        records = await self.database.fetch(QUERIES["settled_funding"], where)
        return {as_int(record["settled_ns"]) for record in records}

    async def bars_needed_from(self, symbol: str, horizon_ns: int) -> int:
        """From when on the venue's candles must be fetched: the newest stored one if none is missing before it."""
        first_ns = floor_ns(horizon_ns, MINUTE_NS)
        where: dict[str, Param] = {"venue": self.venue, "symbol": symbol, "from": to_datetime(first_ns)}
        record = await self.database.fetch_one(QUERIES["bars_stored"], where)
        if record is None or record["newest_ns"] is None:
            return first_ns
        newest_ns = as_int(record["newest_ns"])
        return newest_ns if as_int(record["bars"]) == (newest_ns - first_ns) // MINUTE_NS + 1 else first_ns


def spans_of(holes: Sequence[Record]) -> list[Span]:
    """The ids of holes as ranges."""
    return [(as_int(hole["first_seq"]), as_int(hole["last_seq"])) for hole in holes]


def bounded_by(gap: Gap, last_seq: int, last_ts_ns: int) -> Gap:
    """A gap without an end ends at the newest stored trade, unless it begins right after it and is open still."""
    if gap.last_seq is None and gap.first_seq is not None and gap.first_seq <= last_seq:
        return gap.bounded(last_seq, last_ts_ns)
    return gap


def still_missing(gaps: Sequence[Gap], holes: Sequence[Span], scanned: Span) -> list[Span]:
    """What of the gaps is not stored: in the scanned ids only the holes are, elsewhere all of it may be."""
    missing = IdRanges()
    for gap in gaps:
        if gap.last_seq is not None:
            missing.add(*ids_of(gap))
    stored = IdRanges([scanned])
    for first, last in holes:
        stored.remove(first, last)
    for first, last in stored.spans():
        missing.remove(first, last)
    return missing.spans()


def gap_of(record: Record, venue: str, symbol: str) -> Gap:
    """A gap from its row."""
    return Gap(
        venue,
        symbol,
        cast("Channel", as_str(record["channel"])),
        cast("Cause", as_str(record["cause"])),
        as_str(record["gap_id"]),
        as_int(record["started_ns"]),
        number_or_none(record["ended_ns"]),
        number_or_none(record["first_seq"]),
        number_or_none(record["last_seq"]),
        "lost" if record["status"] == "lost" else "open",
        revision=as_int(record["revision"]),
    )


def number_or_none(value: object) -> int | None:
    """A cell that holds an integer or nothing."""
    return None if value is None else as_int(value)
