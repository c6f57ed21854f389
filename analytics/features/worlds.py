"""Worlds: copies of a market in which nothing, or garbage, comes after some moment, and what views say in them.

A feature that is the same in all of them knows nothing of what came later. Nothing is deleted and nothing real is
touched: a world is the same rows under another name of the venue, in a database that may be thrown away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from analytics.catalog import Definition
from analytics.facts import Value
from analytics.truth import THIS_VIEW
from ares.clock import MINUTE_NS, to_datetime
from ares.errors import StoreUnavailable
from ares.store import Database, Param, Record, load_queries
from ares.store.lineage import reads_of
from ares.store.pool import as_int, as_str

QUERIES = load_queries("analytics", "features/worlds.sql")

Mode = Literal["truncated", "poisoned"]

COLUMNS: Mapping[str, Sequence[str]] = {
    "trades": ("side", "price", "amount"),
    "quotes": ("bid", "bid_amount", "ask", "ask_amount"),
    "books": ("bids", "asks"),
    "venue_bars_1m": ("open", "high", "low", "close", "volume", "cost", "trades", "buy_volume"),
    "funding": ("rate", "mark_price", "index_price"),
    "predictions": ("score",),
    "gaps": (),
}
"""What can be made garbage, by table."""
CLONED = (*COLUMNS, "ingest_watermarks")
CLONES = (*(f"clone_{table}" for table in COLUMNS), "poison_gaps", "clone_marks")
TICKS_MINUTES = 30
HORIZON_MINUTES = 30
"""So much garbage lies behind a cut: who looks further ahead than that is not caught."""
WARM_UP_SPARE = 121
"""Bars before the longest warm-up that a market needs: a quiet minute takes its price from an hour before."""
SETTLE_S_MAX = 120.0
POLL_S = 0.02


class Seen(NamedTuple):
    """Where a value is: in which world, of which symbol and bar."""

    world: str
    symbol: str
    ts_ns: int


Pair = tuple[Value, Value]
"""A feature's value and nothing, or a signal's target and confidence."""
MISSING: Pair = (None, None)
Values = Mapping[Seen, Pair]


@dataclass(frozen=True, slots=True)
class Bars:
    """Of which bars a proof is made: so many from `base_ns` on; `warm_up` bars lie before them."""

    base_ns: int
    count: int
    warm_up: int

    @property
    def first_ns(self) -> int:
        """Where the market begins."""
        return minutes(self.base_ns, -self.warm_up)

    @property
    def ticks_ns(self) -> int:
        """Where its ticks begin; before them the venue's own candles serve."""
        return minutes(self.base_ns, -TICKS_MINUTES)

    @property
    def last_ns(self) -> int:
        """Where it ends: a horizon behind the last bar."""
        return minutes(self.base_ns, self.count + HORIZON_MINUTES)


@dataclass(frozen=True, slots=True)
class Market:
    """A venue whose rows are there, from `first_ns` until `last_ns` (excluded)."""

    venue: str
    first_ns: int
    last_ns: int


@dataclass(frozen=True, slots=True)
class Worlds:
    """A set of worlds by what they begin with; number x of `count` is cut x minutes after `base_ns`."""

    name: str
    base_ns: int
    count: int
    mode: Mode
    only: str = "all"

    def world(self, number: int) -> str:
        """The venue of one of them."""
        return f"{self.name}{number}"


async def make(database: Database, market: Market, worlds: Iterable[Worlds]) -> None:
    """Copy a market into these worlds; returns once every view has them. Raises `StoreUnavailable`, `StoreRejected`."""
    for each in worlds:
        where: dict[str, Param] = {
            "source": market.venue,
            "worlds": each.name,
            "base": to_datetime(each.base_ns),
            "first": to_datetime(market.first_ns),
            "last": to_datetime(market.last_ns),
            "count": each.count,
            "mode": each.mode,
            "only": each.only,
        }
        for name in CLONES:
            await database.execute(QUERIES[name], where)
    await settled(database)


async def settled(database: Database) -> None:
    """Return once all that was written is applied, through the cascade of materialized views."""
    try:
        async with asyncio.timeout(SETTLE_S_MAX):
            calm = 0
            while calm < 2:
                await database.wait_applied(None, SETTLE_S_MAX)
                calm = 0 if await database.fetch(QUERIES["views_behind"]) else calm + 1
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise StoreUnavailable(f"materialized views did not catch up in {SETTLE_S_MAX} s") from None


async def values(database: Database, view: Definition, prefix: str, start_ns: int, end_ns: int) -> Values:
    """What a feature or signal says in all worlds whose names begin so."""
    sql = QUERIES[f"{view.kind}_of_worlds"].replace(THIS_VIEW, view.view)
    rows = await database.fetch(sql, {"from": to_datetime(start_ns), "to": to_datetime(end_ns), "like": f"{prefix}%"})
    return {_seen(row): (_number(row["value"]), _number(row["confidence"])) for row in rows}


def rests_on(sql: str, texts: Mapping[str, str], view: str) -> set[str]:
    """The tables that a view rests on, through all views between; `texts` are those of all tables and views."""
    found: set[str] = set()
    todo, done = [(view, sql)], {view}
    while todo:
        name, text = todo.pop()
        for read in reads_of(text, texts) - {name} - done:
            done.add(read)
            if texts[read]:
                todo.append((read, texts[read]))
            else:
                found.add(read)
    return found


def minutes(ts_ns: int, count: int) -> int:
    """So many minutes after a moment."""
    return ts_ns + count * MINUTE_NS


def _seen(row: Record) -> Seen:
    return Seen(as_str(row["venue"]), as_str(row["symbol"]), as_int(row["ts_ns"]))


def _number(cell: object) -> float | None:
    return float(cell) if isinstance(cell, int | float) else None
