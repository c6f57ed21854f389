"""From a bar's end to all of its features and signals being read, and what a new bar costs on top of a long history.

The real keeper and freezer on a real QuestDB, on our clock: a few bars that have just ended, then one at each full
minute. `FEATURE_BENCH_HISTORY` names other lengths of history, by commas (10000000 takes a quarter of an hour to lay).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil
from write import served

from analytics.features.market import beside
from analytics.freeze import Freezer
from analytics.keeper import Keeper, Pace
from analytics.scoring import Scorer
from analytics.testing import SyntheticMarket
from analytics.truth import TruthReader
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns, to_datetime
from ares.config.settings import DatabaseConfig
from ares.model.row import Row
from ares.store import Database, RowWriter
from ares.store.pool import as_int
from ares.store.server import EmbeddedQuestDB

VENUE = "bench"
SYMBOLS = 100
FEW_SYMBOLS = 10
HISTORIES = tuple(int(each) for each in os.environ.get("FEATURE_BENCH_HISTORY", "100000,1000000").split(","))
GOAL_S = 1.0
WARM_UP_MINUTES = 245
TICKS_MINUTES = 40
PAST_BARS = 4
"""Bars that have ended when the bench begins: as many as lie in what is read as recent."""
SETTLE_S = 3
READABLE = """
SELECT bars, features, signals FROM
  (SELECT count() AS bars FROM bar_facts WHERE venue = %(venue)s AND ts = %(ts)s) CROSS JOIN
  (SELECT count() AS features FROM feature_values WHERE venue = %(venue)s AND ts = %(ts)s) CROSS JOIN
  (SELECT count() AS signals FROM signal_values WHERE venue = %(venue)s AND ts = %(ts)s)
"""


@dataclass(frozen=True)
class Fresh:
    """One bar of all symbols: seconds until it is read, seconds of processor, values that are there."""

    wall_s: float
    cpu_s: float
    bars: int
    features: int
    signals: int


@dataclass
class Market:
    """A made-up market that goes on minute by minute, and the keeper that freezes it."""

    server: EmbeddedQuestDB
    database: Database
    writer: RowWriter
    keeper: Keeper
    market: SyntheticMarket
    until_ns: int

    async def next_bar(self) -> Fresh:
        """Write a minute as ingest would, and freeze it."""
        start_ns, self.until_ns = self.until_ns, self.until_ns + MINUTE_NS
        await self.writer.write([*self.market.trades(start_ns, 1), *self.market.books(start_ns, 1)])
        await self.writer.write(beside(self.market, start_ns, 1)[: len(self.market.symbols)])
        running = self.server.running()
        assert running is not None
        process = psutil.Process(running.pid)
        used, began = sum(process.cpu_times()[:2]) + time.process_time(), time.perf_counter()
        mark_ns = SystemClock().now_ns()
        await self.writer.write(self.market.marks(mark_ns, self.until_ns + SETTLE_S * NANOS_PER_SECOND))
        while not await self.keeper.freeze_due():
            await asyncio.sleep(self.keeper.pause_s())
        found = await self._readable(start_ns)
        spent = sum(process.cpu_times()[:2]) + time.process_time() - used
        return Fresh(time.perf_counter() - began, spent, *found)

    async def _readable(self, ts_ns: int) -> tuple[int, int, int]:
        """How many rows of a bar SQL sees, once it sees the bars themselves: they are written last."""
        while True:
            row = await self.database.fetch_one(READABLE, {"venue": VENUE, "ts": to_datetime(ts_ns)})
            assert row is not None
            found = (as_int(row["bars"]), as_int(row["features"]), as_int(row["signals"]))
            if found[0] >= len(self.market.symbols):
                return found
            await asyncio.sleep(0.002)


def names(symbols: int) -> list[str]:
    return ["BTC/USDT", *(f"C{number:02}/USDT" for number in range(1, symbols))]


async def run(server: EmbeddedQuestDB, folder: Path, symbols: int, rounds: int) -> list[Fresh]:
    """Bars that are past and cached by now do not count; so many at full minutes do."""
    writer, clock = RowWriter(server.config), SystemClock()
    market = SyntheticMarket(VENUE, symbols=names(symbols))
    now_ns = floor_ns(clock.now_ns(), MINUTE_NS)
    first_ns = now_ns - PAST_BARS * MINUTE_NS
    ticks_ns = first_ns - TICKS_MINUTES * MINUTE_NS
    rows: list[Row] = beside(market, ticks_ns, TICKS_MINUTES + PAST_BARS + rounds + 2)
    for piece in (
        market.candles(ticks_ns - WARM_UP_MINUTES * MINUTE_NS, WARM_UP_MINUTES + 1),
        market.trades(ticks_ns, TICKS_MINUTES),
        market.books(ticks_ns, TICKS_MINUTES),
        [row for row in rows if row.table == "funding"],
        market.marks(clock.now_ns(), first_ns + SETTLE_S * NANOS_PER_SECOND),
    ):
        await writer.write(piece)
    async with await Database.connect(server.config) as database:
        await database.wait_applied(None, 120)
        scorer = Scorer(database, VENUE, "none", folder)
        freezer = Freezer(TruthReader(database, VENUE), writer, scorer, clock, 2 * NANOS_PER_SECOND)
        going = Market(server, database, writer, Keeper(freezer, Pace(0.2, 512, 0)), market, first_ns)
        await going.keeper.freeze_due()
        for _ in range(PAST_BARS):
            await going.next_bar()
        found = []
        for _ in range(rounds):
            await asyncio.sleep((going.until_ns + MINUTE_NS + SETTLE_S * NANOS_PER_SECOND - clock.now_ns()) / 1e9)
            found.append(await going.next_bar())
    await writer.close()
    return found


def lay_history(config: DatabaseConfig, bars: int) -> None:
    """Older bars of the same symbols: candles, and what was frozen of them. Made by the server."""
    asyncio.run(_lay_history(config, bars))


async def _lay_history(config: DatabaseConfig, bars: int) -> None:
    each = bars // FEW_SYMBOLS
    end_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS) - 2 * 1440 * MINUTE_NS
    async with await Database.connect(config.model_copy(update={"statement_s_max": 600.0})) as database:
        for symbol in names(FEW_SYMBOLS):
            where = {"venue": VENUE, "symbol": symbol, "first": to_datetime(end_ns - each * MINUTE_NS), "count": each}
            for sql in HISTORY:
                await database.execute(sql, where)
        await database.wait_applied(None, 600)


MINUTES = """
FROM (SELECT dateadd('m', (x - 1)::int, %(first)s::timestamp_ns) AS ts, 100.0 + x %% 97 AS price
      FROM long_sequence(%(count)s))
"""
HISTORY: Sequence[str] = (
    """INSERT INTO venue_bars_1m
      (ts, venue, symbol, open, high, low, close, volume, cost, trades, buy_volume, received_at)
    SELECT ts, %(venue)s, %(symbol)s, price, price + 1, price - 1, price, 5.0, 5.0 * price, 9, 2.5, ts"""
    + MINUTES,
    """INSERT INTO bar_facts
      (ts, venue, symbol, interval, status, origin, known_at_kind, revision, open, high, low, close, volume, cost,
       trades, buy_volume, known_at)
    SELECT ts, %(venue)s, %(symbol)s, '1m', 'traded', 'venue', 'simulated', 0, price, price + 1, price - 1, price, 5.0,
           5.0 * price, 9, 2.5, dateadd('s', 62, ts)"""
    + MINUTES,
    """INSERT INTO feature_values (ts, venue, symbol, name, known_at_kind, version, revision, value, known_at)
    SELECT ts, %(venue)s, %(symbol)s, 'rsi_14', 'simulated', 1, 0, price, dateadd('s', 62, ts)"""
    + MINUTES,
)


def results(rounds: int) -> list[dict[str, object]]:
    """How soon a bar of many symbols is read, and what one of few costs by length of history."""
    with served(heap_mb=1024) as (server, folder):
        many = asyncio.run(run(server, folder, SYMBOLS, rounds))
    found = [told(f"fresh bar of {SYMBOLS} symbols", many, [GOAL_S] * rounds, "the goal (p95 of a second)", SYMBOLS)]
    costs: dict[int, list[Fresh]] = {}
    for bars in HISTORIES:
        with served(heap_mb=1024) as (server, folder):
            lay_history(server.config, bars)
            costs[bars] = asyncio.run(run(server, folder, FEW_SYMBOLS, rounds))
    least = [each.cpu_s for each in costs[HISTORIES[0]]]
    for bars, fresh in costs.items():
        found.append(told(f"fresh bar after {bars}", fresh, least, f"after {HISTORIES[0]}", FEW_SYMBOLS, by_cpu=True))
    return found


def told(
    name: str, fresh: Sequence[Fresh], peer: Sequence[float], peer_name: str, symbols: int, *, by_cpu: bool = False
) -> dict[str, object]:
    """A figure in milliseconds; the ratio is the peer's over ours, so that more is better."""
    ours = [each.cpu_s if by_cpu else each.wall_s for each in fresh]
    middle, theirs = (float(np.median(values)) for values in (ours, peer))
    p95 = float(np.percentile([each.wall_s for each in fresh], 95))
    return {
        "name": name,
        "unit": "ms of processor time" if by_cpu else "ms until readable",
        "ares": round(middle * 1000),
        "peer": round(theirs * 1000),
        "peer_name": peer_name,
        "limit": round(p95 * 1000),
        "limit_name": "its p95 of wall, of the goal",
        "ratio_vs_peer": round(theirs / middle, 3),
        "ratio_vs_limit": round(GOAL_S / p95, 3),
        "cpu_s": {"ares": round(float(np.median([each.cpu_s for each in fresh])), 3)},
        "rows": {"features": fresh[-1].features, "signals": fresh[-1].signals},
        "lost": sum(symbols - min(symbols, each.bars) for each in fresh),
        "n": len(fresh),
        "versions": {"questdb": metadata.version("questdb")},
    }
