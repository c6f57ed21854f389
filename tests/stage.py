"""A market that is a function of time, a QuestDB and a collector, each a process that may be killed; and the ledger."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import psutil

from ares.config.settings import DatabaseConfig
from ares.errors import StoreError
from ares.store import Database
from ares.store.server import EmbeddedQuestDB
from tests.conftest import free_port
from tests.helpers import ROOT
from tests.market import AMOUNT_SQL, PRICE_SQL
from tests.questdb import migrated, put_schema

RATE = int(os.environ.get("ARES_TEST_RATE", "1000"))
"""Trades a second of each of the two symbols."""
STARTED_S_MAX = 60.0
WHOLE_S_MAX = 120.0
"""And as long as the market lasted: what kills in quick succession left out is fetched by pages of a thousand."""
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
    rate: int = RATE
    start_ms: int = 0
    seconds: float = 0.0
    http: int = field(default_factory=free_port)
    market: subprocess.Popen[bytes] | None = None
    collector: subprocess.Popen[bytes] | None = None

    def open_market(self, seconds: float) -> None:
        """It trades for so long once somebody listens."""
        self.seconds = seconds
        words = [str(self.http), str(self.rate), str(seconds)]
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

    def words(self, name: str = "collector") -> str:
        """What a service said last."""
        return (self.folder / f"{name}.log").read_text()[-3_000:]

    def variables(self) -> dict[str, str]:
        """The settings of everything that runs here."""
        database = self.config
        variables = {
            "ENVIRONMENT__STATE_DIR": self.folder,
            "DATABASE__HTTP_PORT": database.http_port,
            "DATABASE__PG_PORT": database.pg_port,
            "DATABASE__HEALTH_PORT": database.health_port,
            "VENUES__MARKET__REST_URL": f"http://127.0.0.1:{self.http}",
            "VENUES__MARKET__WS_URL": f"ws://127.0.0.1:{self.http}",
            "INGEST__VENUE": "market",
            "INGEST__QUEUE_ROWS_MAX": 4 * self.rate,
            "INGEST__BACKOFF_S_MIN": 0.1,
            "INGEST__BACKOFF_S_MAX": 1.0,
            "INGEST__BACKFILL_TRADES_HOURS": 0,
            "INGEST__BACKFILL_BARS_HOURS": 0,
        }
        return {f"ARES_{name}": str(value) for name, value in variables.items()}

    def collect(self) -> None:
        """Start the service as a user does."""
        self.collector = self.serve("ingest", "collector")

    def serve(self, service: str, name: str) -> subprocess.Popen[bytes]:
        """A service, which says what it has to say in NAME.log."""
        environment = {**os.environ, **self.variables()}
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", "ares.cli", "service", "run", service]
            return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)

    def asked_at(self, name: str, path: str) -> str:
        """What the service that writes NAME.log answers over HTTP."""
        lines = (self.folder / f"{name}.log").read_text().splitlines()
        ports = [json.loads(line)["port"] for line in lines if '"service_starting"' in line]
        try:
            with urlopen(f"http://127.0.0.1:{ports[-1]}{path}", timeout=5) as answer:
                return str(answer.read().decode())
        except HTTPError as error:
            with error:
                return error.read().decode()

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
        return round(self.seconds * 1_000) * self.rate // 1_000

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
            rows = await database.fetch(LEDGER, {"start_ms": self.start_ms, "rate": self.rate})
        assert [row["symbol"] for row in rows] == list(SYMBOLS)
        return [{name: int(str(value)) for name, value in row.items() if name != "symbol"} for row in rows]

    async def whole(self) -> list[dict[str, int]]:
        """The account once everything up to the market's last trade is stored and no gap is open."""
        until = time.monotonic() + WHOLE_S_MAX + self.seconds
        while True:
            ledger = await self.ledger()
            complete = [row["ids"] == self.last - row["first"] + 1 for row in ledger]
            if all(complete) and await self.number(OPEN_GAPS) == 0:
                return ledger
            assert time.monotonic() < until, (self.last, ledger, self.words())
            await asyncio.sleep(1.0)


@contextmanager
def staged(folder: Path, rate: int = RATE) -> Iterator[Stage]:
    """A QuestDB with Ares' tables, around which the rest may be started; all of it ends with the block.

    Where its folder is there already (a disk of its own), it makes the tables itself: what it lays out then counts.
    """
    config = DatabaseConfig(http_port=free_port(), pg_port=free_port(), health_port=free_port(), heap_mb=768)
    server = EmbeddedQuestDB(config, folder)
    there = Stage(folder, config, server, rate)
    own_disk = server.root.is_dir()
    if not own_disk:
        put_schema(server)
    try:
        server.start()
        if own_disk:
            asyncio.run(migrated(config))
        yield there
    finally:
        there.end()
