"""Goal: whatever is killed or away, every trade is stored once and as the venue said it.

Counts are small here; `make crash-proof` has those of the claim, at 20,000 trades a second. The market is a function of
time (`tests/market.py`): that is the ledger against which every stored row is checked in SQL.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from ares.config.settings import DatabaseConfig
from ares.errors import StoreError
from ares.store import Database
from ares.store.server import EmbeddedQuestDB
from tests.conftest import _migrate, free_port
from tests.helpers import ROOT
from tests.market import AMOUNT_SQL, PRICE_SQL

RATE = int(os.environ.get("ARES_TEST_RATE", "2000"))
"""Trades a second of each of the two symbols."""
KILLS = int(os.environ.get("ARES_TEST_KILLS", "2"))
STORE_KILLS = int(os.environ.get("ARES_TEST_STORE_KILLS", "1"))
AWAY_S = float(os.environ.get("ARES_TEST_AWAY_S", "8"))
RSS_GROWTH_MAX = 256 * 2**20
STARTED_S_MAX = 60.0
WHOLE_S_MAX = 120.0
SYMBOLS = ("BTC/USDT", "ETH/USDT")
LEDGER = f"""
SELECT symbol, count() AS stored, count_distinct(seq) AS ids, min(seq) AS first, max(seq) AS last,
  sum(CASE WHEN abs(price - ({PRICE_SQL})) > 1e-9 OR abs(amount - ({AMOUNT_SQL})) > 1e-9
    OR ts::long <> (%(start_ms)s + seq * 1000 / %(rate)s) * 1000000 OR trade_id <> seq::varchar
    OR side <> CASE WHEN seq %% 2 = 0 THEN 'buy' ELSE 'sell' END THEN 1 ELSE 0 END) AS wrong,
  sum(CASE WHEN source = 'stream' THEN 1 ELSE 0 END) AS streamed
FROM trades WHERE venue = 'market' GROUP BY symbol ORDER BY symbol
"""
OPEN_GAPS = """
SELECT count() AS n FROM (SELECT * FROM gaps WHERE channel = 'trades' LATEST ON ts PARTITION BY gap_id)
WHERE status <> 'healed'
"""
ACKED = "SELECT max(last_seq) AS n FROM ingest_watermarks WHERE symbol = 'BTC/USDT' AND channel = 'trades'"


@dataclass
class Stage:
    """A market, a QuestDB and a collector, each a process that can be killed."""

    folder: Path
    config: DatabaseConfig
    server: EmbeddedQuestDB
    start_ms: int = 0
    seconds: float = 0.0
    http: int = field(default_factory=free_port)
    market: subprocess.Popen[bytes] | None = None
    collector: subprocess.Popen[bytes] | None = None

    def open_market(self, seconds: float) -> None:
        """It trades for so long once somebody listens."""
        self.seconds = seconds
        words = [str(self.http), str(RATE), str(seconds)]
        command = [sys.executable, "-m", "tests.market", *words]
        self.market = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert self.market.stdout is not None
        assert self.market.stdout.readline() == b"ready\n"

    async def collect_first(self, acked: int) -> None:
        """Start collecting, and wait until so many trades of a symbol are acknowledged."""
        self.collect()
        assert self.market is not None
        assert self.market.stdout is not None
        self.start_ms = int(await asyncio.to_thread(self.market.stdout.readline))
        limit = time.monotonic() + STARTED_S_MAX
        while await self.number(ACKED) < acked:
            assert time.monotonic() < limit, self.words()
            await asyncio.sleep(0.1)

    def words(self) -> str:
        """What the collector said last."""
        return (self.folder / "collector.log").read_text()[-3_000:]

    def collect(self) -> None:
        """Start the service as a user does."""
        database = self.config
        variables = {
            "ENVIRONMENT__STATE_DIR": self.folder,
            "DATABASE__HTTP_PORT": database.http_port,
            "DATABASE__PG_PORT": database.pg_port,
            "DATABASE__HEALTH_PORT": database.health_port,
            "VENUES__MARKET__REST_URL": f"http://127.0.0.1:{self.http}",
            "VENUES__MARKET__WS_URL": f"ws://127.0.0.1:{self.http}",
            "INGEST__VENUE": "market",
            "INGEST__QUEUE_ROWS_MAX": 4 * RATE,
            "INGEST__BACKOFF_S_MIN": 0.1,
            "INGEST__BACKOFF_S_MAX": 1.0,
            "INGEST__BACKFILL_TRADES_HOURS": 0,
            "INGEST__BACKFILL_BARS_HOURS": 0,
        }
        environment = {**os.environ, **{f"ARES_{name}": str(value) for name, value in variables.items()}}
        with (self.folder / "collector.log").open("ab") as log:
            command = [sys.executable, "-m", "ares.cli", "service", "run", "ingest"]
            self.collector = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def kill_collector(self) -> None:
        assert self.collector is not None
        assert self.collector.poll() is None, self.words()
        self.collector.kill()
        self.collector.wait()

    def kill_store(self) -> None:
        running = self.server.running()
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        psutil.wait_procs([process] if (process := running.process()) else [], timeout=20)

    def end(self) -> None:
        for process in (self.collector, self.market):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        if self.market is not None and self.market.stdout is not None:
            self.market.stdout.close()
        self.server.stop()

    @property
    def last(self) -> int:
        """Id of the market's last trade of each symbol."""
        return round(self.seconds * 1_000) * RATE // 1_000

    def left_s(self) -> float:
        return self.start_ms / 1_000 + self.seconds - time.time()

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[Database]:
        async with await Database.connect(self.config, readonly=True) as database:
            yield database

    async def number(self, sql: str) -> int:
        """A query's number; 0 while the store cannot be asked."""
        try:
            async with self.asked() as database:
                row = await database.fetch_one(sql)
        except StoreError:
            return 0
        return int(str(row["n"])) if row and row["n"] is not None else 0

    async def ledger(self) -> list[dict[str, int]]:
        async with self.asked() as database:
            rows = await database.fetch(LEDGER, {"start_ms": self.start_ms, "rate": RATE})
        assert [row["symbol"] for row in rows] == list(SYMBOLS)
        return [{name: int(str(value)) for name, value in row.items() if name != "symbol"} for row in rows]

    async def whole(self) -> list[dict[str, int]]:
        """The account once everything up to the market's last trade is stored and no gap is open."""
        until = time.monotonic() + WHOLE_S_MAX
        while True:
            ledger = await self.ledger()
            complete = [row["ids"] == self.last - row["first"] + 1 for row in ledger]
            if all(complete) and await self.number(OPEN_GAPS) == 0:
                return ledger
            assert time.monotonic() < until, (self.last, ledger, self.words())
            await asyncio.sleep(1.0)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    config = DatabaseConfig(http_port=free_port(), pg_port=free_port(), health_port=free_port(), heap_mb=768)
    server = EmbeddedQuestDB(config, tmp_path)
    there = Stage(tmp_path, config, server)
    try:
        server.start()
        asyncio.run(_migrate(config))
        yield there
    finally:
        there.end()


async def until(condition: Callable[[], object], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        await asyncio.sleep(0.1)


async def test_collector_and_store_killed_at_random_points_lose_and_invent_nothing(stage: Stage) -> None:
    rng = random.Random(20)
    victims = ["collector"] * KILLS + ["store"] * STORE_KILLS
    rng.shuffle(victims)
    stage.open_market(5 + 4.0 * KILLS + 8.0 * STORE_KILLS)
    await stage.collect_first(1)
    for victim in victims:
        await asyncio.sleep(rng.uniform(0.2, 5.0))
        acked = await stage.number(ACKED)
        if victim == "collector":
            stage.kill_collector()
            stage.collect()
        else:
            stage.kill_store()
            await asyncio.sleep(rng.uniform(0.0, 2.0))
            await asyncio.to_thread(stage.server.start)
        sys.stdout.write(f"{victim} killed with {acked:,} acknowledged, {stage.left_s():.0f} s of market left\n")
    await asyncio.sleep(max(0.0, stage.left_s()))
    ledger = await stage.whole()
    sys.stdout.write(f"{sum(row['stored'] for row in ledger):,} trades stored after {len(victims)} kills: {ledger}\n")
    for row in ledger:
        assert row["last"] == stage.last
        assert row["stored"] == row["ids"], "a trade is there twice"
        assert row["wrong"] == 0


async def test_store_that_is_away_costs_no_trade_little_memory_and_no_question_to_the_venue(stage: Stage) -> None:
    stage.open_market(AWAY_S + 12)
    await stage.collect_first(2 * RATE)
    assert stage.collector is not None
    process = psutil.Process(stage.collector.pid)
    before = process.memory_info().rss
    stage.kill_store()
    back = time.monotonic() + AWAY_S
    most = before
    while time.monotonic() < back:
        await asyncio.sleep(0.2)
        most = max(most, process.memory_info().rss)
    spooled = sum(file.stat().st_size for file in (stage.folder / "spool").rglob("*.seg"))
    await asyncio.to_thread(stage.server.start)
    began = time.monotonic()
    while stage.left_s() > 0:
        await asyncio.sleep(0.2)
        most = max(most, process.memory_info().rss)
    ledger = await stage.whole()
    sys.stdout.write(
        f"away {AWAY_S:.0f} s: {(most - before) / 2**20:+.0f} MB of memory, {spooled / 2**20:.0f} MB on disk, "
        f"whole {time.monotonic() - began:.0f} s after the store was back: {ledger}\n"
    )
    assert spooled > 0
    assert most - before <= RSS_GROWTH_MAX
    for row in ledger:
        assert (row["wrong"], row["last"]) == (0, stage.last)
        assert row["stored"] == row["ids"] == row["streamed"], "what was spooled needs no fetching"
    await until(lambda: not list((stage.folder / "spool").rglob("*.seg")), 10)


async def test_what_lies_on_disk_when_the_collector_is_killed_is_stored_at_its_next_start(stage: Stage) -> None:
    stage.open_market(25)
    await stage.collect_first(RATE)
    stage.kill_store()
    spool = stage.folder / "spool"
    await until(lambda: sum(file.stat().st_size for file in spool.rglob("*.seg")) > 2**20, 30)
    stage.kill_collector()
    await asyncio.to_thread(stage.server.start)
    stage.collect()
    await asyncio.sleep(max(0.0, stage.left_s()))
    ledger = await stage.whole()
    assert "spool_found" in (stage.folder / "collector.log").read_text()
    for row in ledger:
        assert (row["wrong"], row["stored"], row["last"]) == (0, row["ids"], stage.last)
