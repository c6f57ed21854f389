"""Trades from elsewhere beside those that are stored: what is stored stays, what is new is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from ares.clock import NANOS_PER_SECOND, to_datetime
from ares.errors import UsageError
from ares.model.market import Entry, TradeRun, rows_in
from ares.store import Database, Param
from ares.store.pool import as_float, as_int, as_str
from ingest.archive import archived, chosen
from ingest.imports.account import QUERIES
from ingest.imports.derived import is_derived
from ingest.imports.judging import contradictions
from ingest.imports.segments import SEQ_MAX, Segments
from ingest.ranges import Span

STORED_MAX = 200_000
"""Trades that are asked for at once."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a run's trades; `contradicting` are ids of known ones that are stored as another trade."""

    written: int = 0
    archived: int = 0
    known: int = 0
    contradicting: Sequence[int] = ()


@dataclass(slots=True)
class TradeKeeper:
    """Writes one symbol's trades by `put`, and remembers in `segments` which of the venue's ids are there now.

    Raises `UsageError` for trades in no order, `StoreUnavailable`, `StoreRejected`.
    """

    database: Database
    put: Callable[[Sequence[Entry]], Awaitable[None]]
    kept_from_ns: int = 0
    segments: Segments = field(default_factory=Segments)
    empty: Span = (0, -1)

    async def keep(self, run: TradeRun) -> Fate:
        """Write what is new of a run, which is in order of id."""
        if not run.seqs:
            return Fate()
        stored = await self._stored(run)
        there, other = contradictions(run, stored) if stored else (set[int](), [])
        kept = run
        if self.kept_from_ns > 0:
            kept = chosen(run, [ts_ns >= self.kept_from_ns for ts_ns in run.times_ns])
        if not is_derived(run.seqs[0]):
            self.segments.add_run(kept)
        fresh = chosen(run, [seq not in there for seq in run.seqs]) if there else run
        if not fresh.seqs:
            return Fate(known=len(there), contradicting=other)
        entries = archived([fresh], self.kept_from_ns)
        old = rows_in([entry for entry in entries if entry.table == "trades_archive"])
        await self.put(entries)
        return Fate(len(fresh) - old, old, len(there), other)

    async def _stored(self, run: TradeRun) -> list[tuple[int, int, float, float, str]]:
        """The trades that are stored with ids of this run. Where nothing is, it is asked once how far that goes."""
        if self.empty[0] <= run.seqs[0] and run.seqs[-1] <= self.empty[1]:
            return []
        params: dict[str, Param] = {
            "venue": run.venue,
            "symbol": run.symbol,
            "first": run.seqs[0],
            "last": run.seqs[-1],
        }
        params["from"] = to_datetime(min(run.times_ns) - NANOS_PER_SECOND)
        params["to"] = to_datetime(max(run.times_ns) + NANOS_PER_SECOND)
        records = await self.database.fetch(QUERIES["stored_trades"], {**params, "rows_max": STORED_MAX})
        if len(records) == STORED_MAX:
            raise UsageError(
                f"ids {run.seqs[0]} to {run.seqs[-1]} stand within {len(run)} rows: the file is in no order. "
                "Sort it by id and import it again"
            )
        if not records:
            following = await self.database.fetch_one(QUERIES["following"], params)
            self.empty = (run.seqs[0], SEQ_MAX if following is None else as_int(following["seq"]) - 1)
        return [
            (as_int(r["seq"]), as_int(r["ts_ns"]), as_float(r["price"]), as_float(r["amount"]), as_str(r["side"]))
            for r in records
        ]
