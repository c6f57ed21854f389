"""Goal: workers, databases and the broker die in turn under load, and every row is there once in the end."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from ares.config.settings import AresConfig, DatabaseConfig, KafkaConfig
from ares.service import ServiceContext
from ares.store import Database
from ares.store.replicas import Feeds, MarketReads
from ares.store.server import EmbeddedQuestDB
from ingest.ledger import Ledger
from ingest.sink import Lane, Sink
from ingest.spool import Spool
from ingest.transport import arrived
from ingest.worker import SinkWorker
from tests.conftest import free_port
from tests.helpers import ROOT, eventually, running
from tests.kafka import RunningKafka, running_kafka
from tests.ticks import CLOCK, SYMBOLS, Market, collecting, content, number, published, questdb, settings

WAIT_S_MAX = 120.0
COUNT = "SELECT count() FROM trades WHERE venue = %(venue)s"
MARKS = "SELECT symbol, last_seq FROM ingest_watermarks WHERE venue = %(venue)s LATEST ON ts PARTITION BY symbol"
BELOW = "SELECT count() AS n FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s AND seq <= %(seq)s"


@dataclass
class Place:
    """A broker, a primary and a replica that a test may kill."""

    kafka: RunningKafka
    primary: EmbeddedQuestDB
    replica: EmbeddedQuestDB

    def config(self, folder: Path, **ingest: object) -> AresConfig:
        kafka = KafkaConfig(
            servers=self.kafka.servers, ticks_topic=f"t-{uuid.uuid4().hex}", ticks_partitions=4, timeout_s=3
        )
        return settings(self.primary.config, self.replica.config, kafka, folder, **ingest)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("place")
    ports = [free_port() for _ in range(8)]
    broker, one, two = (folder / name for name in ("broker", "one", "two"))
    broker.mkdir()
    with (
        running_kafka(broker, *ports[:2]) as kafka,
        questdb(one, ports[2:5], schema=True) as (primary, _),
        questdb(two, ports[5:], schema=True) as (replica, _),
    ):
        yield Place(kafka, primary, replica)


def kill(server: EmbeddedQuestDB) -> None:
    there = server.running()
    process = there.process() if there else None
    assert process is not None
    process.kill()
    server.stop()


def worker(config: AresConfig, database: str = "primary") -> SinkWorker:
    ingest = config.ingest.model_copy(update={"sink_database": database})
    return SinkWorker(ServiceContext(config.model_copy(update={"ingest": ingest}), CLOCK, f"sink-{database}"))


@contextmanager
def process(config: AresConfig, name: str, database: str = "primary") -> Iterator[subprocess.Popen[bytes]]:
    """`ares ingest sink` as an operator starts it."""
    place = {"HTTP_PORT": "http_port", "PG_PORT": "pg_port", "HEALTH_PORT": "health_port"}
    replicas = [each.model_dump() for each in config.database.replicas]
    variables = {f"ARES_DATABASE__{key}": str(getattr(config.database, field)) for key, field in place.items()}
    variables |= {
        "ARES_DATABASE__MODE": "remote",
        "ARES_DATABASE__REPLICAS": json.dumps(replicas),
        "ARES_KAFKA__SERVERS": str(config.kafka.servers),
        "ARES_KAFKA__TICKS_TOPIC": config.kafka.ticks_topic,
        "ARES_KAFKA__TICKS_PARTITIONS": str(config.kafka.ticks_partitions),
        "ARES_INGEST__TRANSPORT": "kafka",
        "ARES_INGEST__BACKOFF_S_MAX": "0.5",
        "ARES_INGEST__BACKOFF_S_MIN": "0.05",
        "ARES_ENVIRONMENT__STATE_DIR": str(config.environment.state_dir / name),
    }
    with (config.environment.state_dir / f"{name}.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "ares.cli", "ingest", "sink", "--name", name, "--database", database],
            cwd=ROOT, env={**os.environ, **variables}, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield child
    finally:
        child.kill()
        child.wait(30)


@dataclass
class Load:
    """A collector under load, and a reader that asks for market data all the while."""

    market: Market
    lane: Sink
    ledger: Ledger
    asked: int = 0
    sources: set[str] = field(default_factory=set)
    slowest_s: float = 0.0

    async def bring(self) -> None:
        while True:
            await self.lane.put(self.market.step())
            if self.market.steps % 10 == 0:
                await self.lane.put(published(self.ledger))
            await asyncio.sleep(0.02)

    async def ask(self, reads: MarketReads) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began_s = loop.time()
            await reads.fetch(COUNT, {"venue": self.market.venue})
            self.slowest_s = max(self.slowest_s, loop.time() - began_s)
            self.asked += 1
            self.sources.add(reads.current)
            await asyncio.sleep(0.1)


async def no_mark_runs_ahead(database: Database, venue: str) -> int:
    """Every trade up to each watermark is there; how many symbols have one."""
    marks = await database.fetch(MARKS, {"venue": venue})
    await database.wait_applied(["trades"], 60.0)
    for mark in marks:
        where = {"venue": venue, "symbol": str(mark["symbol"]), "seq": int(str(mark["last_seq"]))}
        found = await database.fetch_one(BELOW, where)
        assert found is not None
        assert found["n"] == mark["last_seq"], "a watermark is ahead of its rows"
    return len(marks)


async def keep_checking(config: DatabaseConfig, venue: str, seen: list[int]) -> None:
    async with await Database.connect(config) as database:
        while True:
            seen.append(await no_mark_runs_ahead(database, venue))
            await asyncio.sleep(0.3)


@asynccontextmanager
async def background(*works: Coroutine[object, object, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
        for task in tasks:
            assert not task.done(), task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_kill_9_of_workers_and_of_the_primary_under_load_loses_and_doubles_nothing(
    place: Place, venue: str, tmp_path: Path
) -> None:
    config = place.config(tmp_path, venue=venue)
    copy = place.replica.config
    seen: list[int] = []
    async with running(worker(config, "replica-1")) as feeding, collecting(config, venue) as (lane, ledger):
        load = Load(Market(venue, live=True), lane, ledger)
        with process(config, "one") as first, process(config, "two") as second:
            await lane.put([*load.market.step(), *load.market.step(), *load.market.step(), *load.market.step()])
            await lane.drain()
            await lane.put(published(ledger))
            await arrived(config, CLOCK, WAIT_S_MAX)
            await eventually(lambda: feeding.health().ready, WAIT_S_MAX)
            feeds = Feeds(venue, SYMBOLS)
            async with (
                MarketReads(config.database, feeds, CLOCK) as reads,
                background(load.bring(), load.ask(reads), keep_checking(copy, venue, seen)),
            ):
                await asyncio.sleep(3)
                first.kill()
                await asyncio.sleep(3)
                with process(config, "one"):
                    load.sources.clear()
                    before = load.asked
                    kill(place.primary)
                    await asyncio.sleep(4)
                    assert load.sources == {"replica-1"}
                    assert load.asked > before + 10, "reads are answered while the primary is dead"
                    await asyncio.to_thread(place.primary.start)
                    await asyncio.sleep(2)
                    second.kill()
                    await asyncio.sleep(3)
                    assert load.market.trades > 5_000
            with process(config, "three") as third:
                await lane.drain()
                await lane.put(published(ledger))
                await lane.drain()
                await arrived(config, CLOCK, WAIT_S_MAX)
                third.send_signal(signal.SIGTERM)
                assert third.wait(30) == 0
    assert len(seen) > 10
    assert max(seen) == len(SYMBOLS)
    async with await Database.connect(place.primary.config) as one, await Database.connect(copy) as two:
        await eventually_equal(two, venue, load.market.trades)
        trades = await content(one, venue, "trades")
        assert len(trades) == len({(row["symbol"], row["seq"]) for row in trades}) == load.market.trades
        for table in ("trades", "gaps", "quotes", "books", "venue_bars_1m", "ingest_watermarks"):
            assert await content(two, venue, table) == await content(one, venue, table)
        assert await no_mark_runs_ahead(one, venue) == len(SYMBOLS)
    assert load.slowest_s < 10


async def eventually_equal(database: Database, venue: str, trades: int) -> None:
    async with asyncio.timeout(WAIT_S_MAX):
        while await number(database, COUNT, venue) < trades:
            await asyncio.sleep(0.2)


async def test_a_broker_that_dies_and_comes_back_costs_nothing_and_the_spool_holds_what_came(
    place: Place, venue: str, tmp_path: Path
) -> None:
    config = place.config(tmp_path, venue=venue)
    spool = Spool(tmp_path / "spool", 64 * 2**20, 1.0, CLOCK)
    spool.open()
    async with running(worker(config)), collecting(config, venue, rows_max=500) as (lane, ledger):
        lane.reconfigure(Lane("live", venue, 300, 500, 0.01))
        lane.spill_to(spool)
        market = Market(venue)
        await lane.put(market.step())
        await lane.drain()
        await arrived(config, CLOCK, WAIT_S_MAX)
        place.kafka.kill()
        try:
            for _ in range(100):
                await lane.put(market.step())
            assert spool.rows, "what the lane cannot hold lies on disk"
            marks = {row.symbols["symbol"]: row.columns["last_seq"] for row in published(ledger)}
            assert all(int(str(seq)) <= 20 for seq in marks.values()), "nothing is acknowledged that no broker has"
            await asyncio.sleep(4)
        finally:
            await asyncio.to_thread(place.kafka.start)
        await lane.drain()
        await lane.put(published(ledger))
        await lane.drain()
        await arrived(config, CLOCK, WAIT_S_MAX)
        async with await Database.connect(place.primary.config) as database:
            rows = await content(database, venue, "trades")
            assert len(rows) == len({(row["symbol"], row["seq"]) for row in rows}) == market.trades
            assert await no_mark_runs_ahead(database, venue) == len(SYMBOLS)
    spool.close()


async def test_reads_leave_a_replica_that_lags_or_dies_and_come_back(place: Place, venue: str, tmp_path: Path) -> None:
    config = place.config(tmp_path, venue=venue)
    database = config.database.model_copy(update={"replica_lag_s_max": 2.0})
    async with running(worker(config)), collecting(config, venue) as (lane, ledger):
        load = Load(Market(venue, live=True), lane, ledger)
        async with (
            background(load.bring()),
            MarketReads(database, Feeds(venue, SYMBOLS), CLOCK) as reads,
        ):

            async def reads_from(name: str) -> None:
                async with asyncio.timeout(WAIT_S_MAX):
                    while True:
                        await reads.fetch(COUNT, {"venue": venue})
                        if reads.current == name:
                            return
                        await asyncio.sleep(0.1)

            await reads_from("primary")
            async with running(worker(config, "replica-1")):
                await reads_from("replica-1")
            await reads_from("primary")
            async with running(worker(config, "replica-1")):
                await reads_from("replica-1")
                kill(place.replica)
                began_s = asyncio.get_running_loop().time()
                await reads.fetch(COUNT, {"venue": venue})
                assert asyncio.get_running_loop().time() - began_s < 12
                assert reads.current == "primary"
                await asyncio.to_thread(place.replica.start)
                await reads_from("replica-1")


def test_no_worker_is_left_behind() -> None:
    children: list[str] = []
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # or a zombie, which is one
            children.append(" ".join(each.cmdline()))
    assert not [words for words in children if "ingest sink" in words]
