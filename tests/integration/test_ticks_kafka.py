"""Goal: rows that go over Kafka are the rows that go straight, in every database that a group of workers feeds."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ares.config.settings import AresConfig, DatabaseConfig, KafkaConfig
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ingest.worker import SinkWorker
from tests.conftest import free_port
from tests.helpers import eventually, running
from tests.kafka import RunningKafka
from tests.ticks import CLOCK, CONTENT, Market, collecting, content, number, published, questdb, settings

WAIT_S_MAX = 90.0
TRADES = "SELECT count() FROM trades WHERE venue = %(venue)s"


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseConfig]:
    """A second QuestDB, empty: whoever feeds it brings it to the schema."""
    with questdb(tmp_path_factory.mktemp("replica"), [free_port() for _ in range(3)]) as (_, config):
        yield config


@pytest.fixture
def ticks(kafka: RunningKafka) -> KafkaConfig:
    return KafkaConfig(servers=kafka.servers, ticks_topic=f"ticks-{uuid.uuid4().hex}", ticks_partitions=3, timeout_s=5)


@pytest.fixture
def config(questdb_config: DatabaseConfig, replica: DatabaseConfig, ticks: KafkaConfig, tmp_path: Path) -> AresConfig:
    return settings(questdb_config, replica, ticks, tmp_path)


def worker(config: AresConfig, database: str = "primary") -> SinkWorker:
    ingest = config.ingest.model_copy(update={"sink_database": database})
    return SinkWorker(ServiceContext(config.model_copy(update={"ingest": ingest}), CLOCK, f"sink-{database}"))


async def test_rows_over_kafka_are_those_of_the_direct_way(
    config: AresConfig, replica: DatabaseConfig, database: Database, venue: str
) -> None:
    market, straight = Market(venue), RowWriter(config.database)
    async with running(worker(config, "replica-1")) as feeding, collecting(config, venue) as (lane, ledger):
        for _ in range(120):
            step = market.step()
            await straight.write(step)
            await lane.put(step)
            if market.steps % 20 == 0:
                await lane.drain()
                marks = published(ledger)
                await straight.write(marks)
                await lane.put(marks)
        await lane.drain()
        await eventually(lambda: feeding.health().ready, WAIT_S_MAX)
        async with await Database.connect(replica) as copy:
            async with asyncio.timeout(WAIT_S_MAX):
                while await number(copy, TRADES, venue) < market.trades:
                    await asyncio.sleep(0.1)
                while len(await content(copy, venue, "ingest_watermarks")) < 24:
                    await asyncio.sleep(0.1)
            for table in CONTENT:
                rows = await content(database, venue, table)
                assert await content(copy, venue, table) == rows
                assert rows or table == "quarantine"
    await straight.close()
