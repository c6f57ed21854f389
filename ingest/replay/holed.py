"""Replayed trades whose ids have holes: known by their ids, and what a capture lacks of them is a span of time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import msgspec

from ares.clock import MINUTE_NS, to_datetime
from ares.model.market import Entry, Trade
from ares.model.row import Row
from ares.store import Database, Param, load_queries
from ares.store.pool import as_float, as_int, as_str
from ingest.archive import archived
from ingest.imports.keeping import Fate
from ingest.timed import TimedIntake

QUERIES = load_queries("ingest", "queries/replay.sql")
FAR_NS = MINUTE_NS
"""Trades that lie farther apart are asked for apart: what lies between may be stored, and much."""
OVERLAP_NS = 1_000
"""QuestDB's clients ask by microseconds."""

Said = tuple[int, float, float, str]
"""What a trade is but for its id: its time, price, amount and side."""


@dataclass(slots=True)
class HoledTradeKeeper:
    """Writes one symbol's trades by `put` where they are not stored. Raises `StoreUnavailable`, `StoreRejected`."""

    database: Database
    put: Callable[[Sequence[Entry]], Awaitable[None]]
    kept_from_ns: int = 0

    async def keep(self, trades: Sequence[Trade]) -> Fate:
        """Write what is new of these, which are in order of time and lie near each other."""
        stored = await self._stored(trades)
        fresh = [msgspec.structs.replace(trade, source="replay") for trade in trades if trade.trade_id not in stored]
        other = [trade.seq for trade in trades if trade.trade_id in stored and stored[trade.trade_id] != said_of(trade)]
        entries = archived(fresh, self.kept_from_ns)
        old = sum(entry.table == "trades_archive" for entry in entries)
        if entries:
            await self.put(entries)
        return Fate(len(fresh) - old, old, len(trades) - len(fresh), other)

    async def _stored(self, trades: Sequence[Trade]) -> dict[str, Said]:
        params: dict[str, Param] = {"venue": trades[0].venue, "symbol": trades[0].symbol}
        params |= {"from": to_datetime(trades[0].ts_ns), "to": to_datetime(trades[-1].ts_ns + OVERLAP_NS)}
        return {
            as_str(r["trade_id"]): (as_int(r["ts_ns"]), as_float(r["price"]), as_float(r["amount"]), as_str(r["side"]))
            for r in await self.database.fetch(QUERIES["stored_by_id"], params)
        }


def said_of(trade: Trade) -> Said:
    """What a trade says."""
    return trade.ts_ns, trade.price, trade.amount, trade.side


def pieces_of(trades: Sequence[Trade]) -> list[list[Trade]]:
    """Trades in order of time, in pieces where they lie far apart."""
    pieces: list[list[Trade]] = []
    for trade in sorted(trades, key=lambda each: (each.ts_ns, each.seq)):
        if not pieces or trade.ts_ns - pieces[-1][-1].ts_ns > FAR_NS:
            pieces.append([])
        pieces[-1].append(trade)
    return pieces


def lacks_of(intake: TimedIntake, lost: Sequence[Row], now_ns: int) -> list[Row]:
    """What a capture lacks of a symbol's trades, once all of it was played: `lost` was given up on the way."""
    ended = [(gap, gap.ended_at_ns) for gap in intake.gaps]
    unfilled = [gap.closed("lost", "", end_ns, None).to_row(now_ns) for gap, end_ns in ended if end_ns is not None]
    return [*lost, *unfilled]


def between(first_ns: int, last_ns: int, holes: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The spans of time from `first_ns` to `last_ns` outside of the holes."""
    spans: list[tuple[int, int]] = []
    for started_ns, ended_ns in sorted(holes):
        spans.append((first_ns, min(started_ns, last_ns)))
        first_ns = max(first_ns, ended_ns)
    return [(start, end) for start, end in [*spans, (first_ns, last_ns)] if start <= end]
