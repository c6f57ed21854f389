"""Asks again for trades that are missing: a venue may list later what it did not, and the service asks only thrice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from ares.clock import NANOS_PER_MILLI
from ares.errors import UsageError
from ares.model.row import Row
from ares.store import Param, Record, Value
from ares.store.pool import as_str
from ingest.gaps import Gap, Where
from ingest.history import pages
from ingest.intake import ids_of
from ingest.past import Past, Report, as_backfill
from ingest.ranges import IdRanges, Span
from ingest.recovery import gap_of
from ingest.stored import QUERIES, stored_ids

GAPS_MAX = 10_000


@dataclass(slots=True)
class Losses:
    """The trades of one venue that are missing."""

    past: Past

    async def gaps(self, symbols: Sequence[str], gap_id: str | None) -> list[Gap]:
        """The gap of this id, or every one whose trades were asked for and did not come. Raises `UsageError`.

        What only lies between imported ranges (cause `import`) was never asked for and may be long: it must be named.
        """
        venue = self.past.venue
        await self.past.settle()
        params: dict[str, Param] = {"venue": venue, "gap_id": gap_id or "", "gaps_max": GAPS_MAX}
        records = await self.past.database.fetch(QUERIES["gap" if gap_id else "unfilled"], params)
        if gap_id:
            return [named(records, gap_id, venue)]
        gaps = [gap_of(record, venue, as_str(record["symbol"])) for record in records]
        return [gap for gap in gaps if gap.symbol in symbols and gap.cause != "import"]

    async def heal(self, gap: Gap, report: Report) -> dict[str, Value]:
        """Ask for what a gap with an end misses, and write what that changes. Raises `VenueError`, `StoreError`."""
        past, ids = self.past, ids_of(gap)
        missing = await self._missing(gap)
        total, asked = missing.count(), 0
        times_ns: list[int] = []
        for span in missing.spans():
            for page_span in reversed(pages(*span)):
                page = await past.patience.ask(partial(past.history.page, gap.symbol, page_span))
                await past.lane.put(as_backfill(page.trades))
                await past.lane.put([rejected.to_row(past.venue) for rejected in page.rejected])
                asked += page_span[1] - page_span[0] + 1
                times_ns += [trade.ts_ns for trade in page.trades]
                report(asked, total)
        await past.settle()
        still = await self._missing(gap, times_ns)
        await past.lane.put(reduced(gap, still.spans(), past.clock.now_ns()))
        await past.lane.drain()
        row: dict[str, Value] = {"gap_id": gap.gap_id, "symbol": gap.symbol, "first_seq": ids[0], "last_seq": ids[1]}
        return row | {"found": len(times_ns), "missing": still.count(), "status": gap.status if still else "healed"}

    async def _missing(self, gap: Gap, found_ns: Sequence[int] = ()) -> IdRanges:
        """What of a gap is stored nowhere; some gaps do not enclose the times of what was found."""
        where = Where(gap.venue, gap.symbol, "trades")
        moments_ns = [gap.started_at_ns, gap.ended_at_ns or gap.started_at_ns, *found_ns]
        times_ns = min(moments_ns) - NANOS_PER_MILLI, max(moments_ns) + 2 * NANOS_PER_MILLI
        missing = IdRanges([ids_of(gap)])
        for first, last in (await stored_ids(self.past.database, where, ids_of(gap), times_ns)).ids.spans():
            missing.remove(first, last)
        return missing


def named(records: Sequence[Record], gap_id: str, venue: str) -> Gap:
    """The gap that was asked for by its id, if it is one that can be filled. Raises `UsageError`."""
    if not records:
        raise UsageError(f"--gap = {gap_id!r}: no gap of {venue} has this id. See: ares ingest gaps")
    gap = gap_of(records[0], venue, as_str(records[0]["symbol"]))
    if records[0]["status"] == "healed":
        raise UsageError(f"--gap = {gap_id!r}: is healed already. See: ares ingest gaps --status lost")
    if gap.channel != "trades":
        raise UsageError(f"--gap = {gap_id!r}: is one of {gap.channel}, which no venue lists again. Name one of trades")
    if gap.last_seq is None:
        raise UsageError(f"--gap = {gap_id!r}: has no end yet; the running service closes it. Name one with an end")
    return gap


def reduced(gap: Gap, missing: Sequence[Span], now_ns: int) -> list[Row]:
    """Rows that leave of a gap what is missing still. One that is open and not whole is the service's and stays.

    A lost one that was filled in part becomes one for each range that is left, the first under the gap's own id.
    """
    ended_at_ns = gap.ended_at_ns or gap.started_at_ns
    if not missing:
        return [gap.closed("healed", "rest", ended_at_ns, 0).to_row(now_ns)]
    if gap.status != "lost" or list(missing) == [ids_of(gap)]:
        return []
    rows: list[Row] = []
    for position, (first, last) in enumerate(missing):
        gap_id = gap.gap_id if position == 0 else f"{gap.gap_id}:{first}"
        part = replace(gap, gap_id=gap_id, first_seq=first, last_seq=last)
        rows.append(part.closed("lost", "", ended_at_ns, last - first + 1).to_row(now_ns))
    return rows
