"""From a bar's last trade to all features and signals of a hundred symbols, by how much history lies behind them.

Databases with little, ten times and a hundred times as many bars take the same new minute of the same market in turns,
as minutes pass: the keeper and the freezer of the service `analytics`, a process of theirs aside. A figure is seconds
from the moment at which trades, quotes, books, funding and the watermark are acknowledged until all frozen rows can be
read; seconds of processor, of the server and of us, stand beside it. `FRESH_BENCH_BARS` (100000,1000000,10000000) and
`FRESH_BENCH_MINUTES` (20) ask for others.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from boards import connected, p95, settled

from analytics.catalog import catalog_of
from analytics.freeze import Freezer
from analytics.keeper import Keeper, Pace
from analytics.scoring import Scorer
from analytics.testing import SYMBOLS, SyntheticMarket
from analytics.truth import TruthReader
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns, to_datetime
from ares.config.settings import DatabaseConfig
from ares.store import Database, RowWriter
from ares.store.pool import as_int
from ares.store.server import EmbeddedQuestDB
from ares.telemetry import configure_logging
from tests.questdb import serving, small

HISTORIES = tuple(int(each) for each in os.environ.get("FRESH_BENCH_BARS", "100000,1000000,10000000").split(","))
MINUTES = int(os.environ.get("FRESH_BENCH_MINUTES", "20"))
WARM_UP = 2
"""New minutes before the first that counts: plans of forty views compile."""
VENUE = "bench"
NAMES = (*SYMBOLS, *(f"S{number:02d}/USDT" for number in range(98)))
LATENESS_NS = NANOS_PER_SECOND
CHUNK = 2_000_000
LIMIT_S = 1.0
HEAP_MB = 1_536
FROZEN = ("bar_facts", "feature_values", "signal_values")
CLOCK = SystemClock()

HISTORY_SQL = """
INSERT INTO trades
SELECT (%(start_ns)s + ((x - 1) / %(symbols)s) * 60000000000 + 30000000000)::TIMESTAMP_NS, 'bench', name,
       CASE WHEN x %% 3 = 0 THEN 'buy' ELSE 'sell' END, 'stream', (%(first)s + x)::VARCHAR, %(first)s + x,
       100.0 + (x * 7919 %% 2000) / 100.0, 0.5 + (x %% 7) / 10.0,
       (%(start_ns)s + ((x - 1) / %(symbols)s) * 60000000000 + 30020000000)::TIMESTAMP_NS
FROM (
  SELECT x, CASE (x - 1) %% %(symbols)s WHEN 0 THEN 'BTC/USDT' WHEN 1 THEN 'ETH/USDT'
            ELSE concat('S', lpad(((x - 1) %% %(symbols)s - 2)::STRING, 2, '0'), '/USDT') END AS name
  FROM long_sequence(%(rows)s)
)
"""
READABLE_SQL = """
SELECT f.features, g.symbols
FROM (SELECT count() AS features FROM feature_values WHERE venue = 'bench' AND ts = %(ts)s) f
CROSS JOIN (SELECT count_distinct(symbol) AS symbols FROM signal_values WHERE venue = 'bench' AND ts = %(ts)s) g
"""


@dataclass
class Contestant:
    """A database with so many bars behind it, and what freezes there."""

    bars: int
    server: EmbeddedQuestDB
    database: Database
    writer: RowWriter
    keeper: Keeper
    market: SyntheticMarket
    wall_s: list[float] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    lost: int = 0

    async def minute(self, start_ns: int, *, counts: bool) -> None:
        """Give it one more minute and wait until all about it can be read."""
        await self.writer.write([*self.market.trades(start_ns, 1), *self.market.books(start_ns, 1)])
        await self.writer.write(self.market.funding(start_ns, 1))
        await self.writer.write(self.market.marks(CLOCK.now_ns(), start_ns + MINUTE_NS + LATENESS_NS))
        began_s, used = time.perf_counter(), self._used()
        while not await self.keeper.freeze_due():
            await asyncio.sleep(self.keeper.pause_s())
        await self.database.wait_applied(FROZEN)
        found = await self.database.fetch_one(READABLE_SQL, {"ts": to_datetime(start_ns)})
        wall_s, cpu_s = time.perf_counter() - began_s, self._used() - used
        wanted = len(NAMES) * len(self.keeper.freezer.reader.catalog.features)
        if counts:
            self.wall_s.append(wall_s)
            self.cpu_s.append(cpu_s)
            whole = found is not None and as_int(found["features"]) == wanted and as_int(found["symbols"]) == len(NAMES)
            self.lost += not whole

    def _used(self) -> float:
        running = self.server.running()
        assert running is not None
        return sum(psutil.Process(running.pid).cpu_times()[:2]) + time.process_time()


def results(rounds: int) -> list[dict[str, object]]:
    """A figure of each history, beside the shortest one."""
    configure_logging("bench", "error", json=False)
    return asyncio.run(_results(max(rounds, MINUTES)))


async def _results(minutes: int) -> list[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            there = [await stack.enter_async_context(contestant(bars, Path(folder))) for bars in HISTORIES]
            await in_time(there, minutes)
    return [figure(each, there[0]) for each in there]


async def in_time(there: Sequence[Contestant], minutes: int) -> None:
    """As a minute ends every database gets it, another one first each time."""
    for number in range(WARM_UP + minutes):
        start_ns = floor_ns(CLOCK.now_ns() - LATENESS_NS, MINUTE_NS)
        due_ns = start_ns + MINUTE_NS + LATENESS_NS
        await CLOCK.sleep(max(0.0, (due_ns - CLOCK.now_ns()) / NANOS_PER_SECOND))
        for turn in range(len(there)):
            each = there[(number + turn) % len(there)]
            await each.minute(start_ns, counts=number >= WARM_UP)
        shown = ", ".join(f"{each.bars:,}: {each.wall_s[-1]:.2f} s" for each in there if each.wall_s)
        print(f"minute {number + 1} of {WARM_UP + minutes}: {shown or 'warming up'}", flush=True)


@asynccontextmanager
async def contestant(bars: int, folder: Path) -> AsyncIterator[Contestant]:
    """One whose database has so many bars, one trade each."""
    config = small(HEAP_MB)
    with serving(config, folder / f"of-{bars}", schema=True) as server:
        fill(config, bars)
        writer = RowWriter(config)
        async with await Database.connect(config) as database:
            catalog = catalog_of()
            freezer = Freezer(
                TruthReader(database, VENUE, catalog),
                writer,
                Scorer(database, VENUE, "direction", folder / "no-models"),
                CLOCK,
                LATENESS_NS,
            )
            keeper = Keeper(freezer, Pace(0.2, bars, 60 * MINUTE_NS))
            market = SyntheticMarket(VENUE, symbols=NAMES)
            yield Contestant(bars, server, database, writer, keeper, market)
        await writer.close()


def fill(config: DatabaseConfig, bars: int) -> None:
    """History until now, the oldest first, and all bars made of it."""
    minutes, each = bars // len(NAMES), CHUNK // len(NAMES)
    end_ns = floor_ns(CLOCK.now_ns(), MINUTE_NS)
    with connected(config, readonly=False) as owner:
        for first in range(0, minutes, each):
            count = min(each, minutes - first)
            owner.execute(
                HISTORY_SQL,
                {
                    "start_ns": end_ns - (minutes - first) * MINUTE_NS,
                    "symbols": len(NAMES),
                    "first": 10**9 + first * len(NAMES),
                    "rows": count * len(NAMES),
                },
            )
            settled(owner)


def figure(ours: Contestant, least: Contestant) -> dict[str, object]:
    """Seconds at the 95th percentile; `lost` counts minutes of which something was missing."""
    wall_s, peer_s = p95(ours.wall_s), p95(least.wall_s)
    cpu_s, peer_cpu_s = (sum(each.cpu_s) / len(each.cpu_s) for each in (ours, least))
    return {
        "name": f"fresh bars of {len(NAMES)} symbols, {ours.bars:,} bars of history",
        "unit": "s at p95",
        "ares": round(wall_s, 3),
        "peer": round(peer_s, 3),
        "peer_name": f"{least.bars:,} bars",
        "limit": LIMIT_S,
        "limit_name": "a second",
        "ratio_vs_peer": round(wall_s / peer_s, 2),
        "ratio_vs_limit": round(wall_s / LIMIT_S, 3),
        "cpu_s": round(cpu_s, 3),
        "peer_cpu_s": round(peer_cpu_s, 3),
        "lost": ours.lost,
        "n": len(ours.wall_s),
        "versions": {},
    }
