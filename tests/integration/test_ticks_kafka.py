"""Goal: rows that go over Kafka are the rows that go straight, in every database that a group of workers feeds."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from ares.config.settings import AresConfig, DatabaseConfig, KafkaConfig
from ares.errors import StoreUnavailable, StreamUnreadable
from ares.kafka import Outgoing, Sender, progress
from ares.model.row import Row, UtcNs
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ares.store.replicas import Feeds, MarketReads
from ingest.spool import Spool
from ingest.transport import arrived, group_of, topic_of
from ingest.worker import SinkWorker
from tests.conftest import free_port
from tests.helpers import eventually, running
from tests.integration.test_ingest_service import HISTORY_TRADES, IDS, Venue, context_of, serving
from tests.integration.test_ingest_service import TRADES as OF_BITCOIN
from tests.integration.test_ingest_service import running as collecting_all
from tests.kafka import RunningKafka
from tests.ticks import CLOCK, CONTENT, Market, collecting, content, number, published, questdb, settings

WAITS = "waiting for sink workers to write what is on its way"
WAIT_S_MAX = 90.0
TRADES = "SELECT count() FROM trades WHERE venue = %(venue)s"
WAITED = """SELECT first_seq FROM gaps
WHERE venue = %(venue)s AND symbol = 'BTC/USDT' AND cause = 'restart' AND channel = 'trades'
LATEST ON ts PARTITION BY gap_id"""
DISTINCT = "SELECT count() FROM (SELECT DISTINCT symbol, seq FROM trades WHERE venue = %(venue)s)"


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
    config: AresConfig, replica: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    market = Market(venue)
    async with running(worker(config, "replica-1")) as feeding, collecting(config, venue) as (lane, ledger):
        for _ in range(120):
            step = market.step()
            await writer.write(step)
            await lane.put(step)
            if market.steps % 20 == 0:
                await lane.drain()
                marks = published(ledger)
                await writer.write(marks)
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


async def test_a_worker_that_ends_commits_and_the_next_one_goes_on_behind_it(
    config: AresConfig, database: Database, venue: str
) -> None:
    market = Market(venue)
    async with collecting(config, venue) as (lane, _):
        async with running(worker(config)) as first:
            await lane.put(market.step())
            await lane.drain()
            await eventually(lambda: first.health().ready, WAIT_S_MAX)
            await arrived(config, CLOCK, WAIT_S_MAX)
        await database.wait_applied(["trades"])
        assert await number(database, TRADES, venue) == market.trades
        await lane.put(market.step())
        await lane.drain()
        with pytest.raises(StoreUnavailable, match=r"3 messages to write.*ares ingest sink"):
            await arrived(config, CLOCK, 0.0)
        async with running(worker(config)):
            await arrived(config, CLOCK, WAIT_S_MAX)
        await database.wait_applied(["trades"])
        assert await number(database, TRADES, venue) == market.trades


async def test_what_the_database_refuses_lies_in_quarantine_once_and_holds_up_nothing(
    config: AresConfig, ticks: KafkaConfig, database: Database, venue: str
) -> None:
    market = Market(venue)
    names = {"venue": venue, "symbol": "BTC/USDT"}
    alien = Row("quotes", CLOCK.now_ns(), names, {"flavour": 3, "received_at": UtcNs(CLOCK.now_ns())})
    stranger = Sender(ticks, topic_of(ticks))
    try:
        await stranger.send([Outgoing(f"{venue}:BTC/USDT", b"hello")])
    finally:
        await stranger.close()
    async with collecting(config, venue) as (lane, _):
        for _ in range(8):
            await lane.put([*market.step(), alien])
        await lane.drain()
    for group in (None, "again"):
        ingest = config.ingest.model_copy(update={"sink_group": group})
        anew = config.model_copy(update={"ingest": ingest})
        async with running(worker(anew)):
            await arrived(anew, CLOCK, WAIT_S_MAX)
        await database.wait_applied(["trades", "quarantine"])
        assert await number(database, TRADES, venue) == market.trades, "a second reading doubles nothing"
        refused = await content(database, venue, "quarantine")
        assert sorted((row["channel"], row["field"]) for row in refused) == [("kafka", "message"), ("quotes", "row")]


async def test_a_format_of_a_later_release_is_not_passed_over(
    config: AresConfig, ticks: KafkaConfig, database: Database, venue: str
) -> None:
    later = Sender(ticks, topic_of(ticks), {"format": b"ares-entries-2"})
    try:
        await later.send([Outgoing(f"{venue}:BTC/USDT", b"\x90")])
    finally:
        await later.close()
    service = worker(config)
    await service.start()
    try:
        with pytest.raises(ExceptionGroup) as stopped:
            await service.run()
    finally:
        await service.stop()
    assert stopped.group_contains(StreamUnreadable, match="Upgrade the sink workers before collectors")
    with pytest.raises(StoreUnavailable, match="1 messages to write"):
        await arrived(config, CLOCK, 0.0)


async def test_a_replica_that_missed_messages_says_so_and_is_not_read(
    config: AresConfig, ticks: KafkaConfig, replica: DatabaseConfig, venue: str
) -> None:
    group = config.ingest.model_copy(update={"sink_database": "replica-1"})
    copy = config.model_copy(update={"ingest": group})
    async with collecting(config, venue, rows_max=20) as (lane, _):
        await lane.put(Market(venue).step())
        await lane.drain()
        async with running(worker(config, "replica-1")):
            await written(copy)
        for _ in range(2):
            await lane.put(Market(venue).step())
            await lane.drain()
        dropped = await drop_all_but_the_last(copy)
        assert dropped
        async with running(worker(config, "replica-1")) as feeding:
            await written(copy)
            assert feeding.health().detail == f"{dropped} messages were gone before they were read: fill replica-1 anew"
            assert not feeding.health().ready
        async with await Database.connect(replica) as database:
            await database.wait_applied(["quarantine"])
        async with MarketReads(config.database, Feeds(venue, ("BTC/USDT",)), CLOCK) as reads:
            await reads.fetch(TRADES, {"venue": venue})
            assert reads.current == "primary"
            assert "replica-1 has holes" in reads._seen["replica-1"].fault


async def written(config: AresConfig) -> None:
    """Return once the workers of these settings have committed all that is in the topic."""
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            found = await progress(config.kafka, config.kafka.ticks_topic, group_of(config))
            if found and not sum(each.behind for each in found.values()):
                return
            await asyncio.sleep(0.1)


async def drop_all_but_the_last(config: AresConfig) -> int:
    """As the broker does when the time to keep is over; how many messages no worker will ever see."""
    found = await progress(config.kafka, config.kafka.ticks_topic, group_of(config))
    waiting = {partition: each for partition, each in found.items() if each.behind}
    places = [TopicPartition(config.kafka.ticks_topic, partition, each.end - 1) for partition, each in waiting.items()]
    admin = AdminClient({"bootstrap.servers": str(config.kafka.servers)})
    for done in admin.delete_records(places).values():
        await asyncio.to_thread(done.result, WAIT_S_MAX)
    return sum(each.behind - 1 for each in waiting.values())


async def test_partitions_move_between_workers_without_loss(config: AresConfig, database: Database, venue: str) -> None:
    market = Market(venue)
    async with collecting(config, venue, rows_max=100) as (lane, _), running(worker(config)) as first:
        await lane.put(market.step())
        await eventually(lambda: len(first._offsets.parts) == 3, WAIT_S_MAX)
        async with running(worker(config)) as second:
            moved = asyncio.create_task(eventually(lambda: second._offsets.parts, WAIT_S_MAX))
            while not moved.done():
                await lane.put(market.step())
                await asyncio.sleep(0.01)
            await moved
            assert not first._offsets.parts.keys() & second._offsets.parts.keys()
            for _ in range(50):
                await lane.put(market.step())
            await lane.drain()
            await arrived(config, CLOCK, WAIT_S_MAX)
        await eventually(lambda: len(first._offsets.parts) == 3, WAIT_S_MAX)
        await lane.put(market.step())
        await lane.drain()
        await arrived(config, CLOCK, WAIT_S_MAX)
    await database.wait_applied(["trades"])
    assert await number(database, TRADES, venue) == market.trades
    assert await number(database, DISTINCT, venue) == market.trades


async def test_a_lane_that_is_full_pauses_reading_and_loses_nothing(
    config: AresConfig, database: Database, venue: str
) -> None:
    market = Market(venue)
    narrow = config.ingest.model_copy(update={"queue_rows_max": 200, "batch_rows_max": 50})
    slow = config.model_copy(update={"ingest": narrow})
    async with collecting(config, venue, rows_max=100_000) as (lane, _):
        for _ in range(200):
            await lane.put(market.step())
        await lane.drain()
    deepest = 0
    async with running(worker(slow)) as service:
        waiting = asyncio.create_task(arrived(slow, CLOCK, WAIT_S_MAX))
        while not waiting.done():
            deepest = max(deepest, service._lane.depth)
            await asyncio.sleep(0.005)
        await waiting
    await database.wait_applied(["trades"])
    assert await number(database, DISTINCT, venue) == market.trades
    assert deepest > 0


async def test_a_batch_larger_than_a_message_arrives_whole(config: AresConfig, database: Database, venue: str) -> None:
    market = Market(venue)
    async with collecting(config, venue, rows_max=100_000) as (lane, _), running(worker(config)):
        await lane.put(market.step(40_000))
        await lane.drain()
        await arrived(config, CLOCK, WAIT_S_MAX)
    await database.wait_applied(["trades"])
    assert await number(database, DISTINCT, venue) == 40_000


async def test_brokers_that_are_not_there_are_named_and_what_a_lane_holds_waits(
    config: AresConfig, venue: str, port: int, tmp_path: Path
) -> None:
    away = config.model_copy(update={"kafka": KafkaConfig(servers=f"127.0.0.1:{port}", timeout_s=0.5)})
    spool = Spool(tmp_path / "spool", 2**20, 1.0, CLOCK)
    spool.open()
    async with collecting(away, venue) as (lane, ledger):
        lane.spill_to(spool)
        await lane.put(Market(venue).step())
        await eventually(lambda: not lane.writable, WAIT_S_MAX)
        assert not ledger.rows(CLOCK.now_ns(), ()), "no watermark for what no broker has"
    spool.close()
    async with running(worker(away)) as service:
        await eventually(lambda: "Kafka" in service.health().detail, WAIT_S_MAX)
        assert not service.health().ready


async def test_the_service_collects_over_kafka_and_a_restart_waits_for_what_is_on_its_way(
    config: AresConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    context = context_of(config.database, venue, port, tmp_path, transport="kafka")
    context.config = context.config.model_copy(update={"kafka": config.kafka})
    mine = context.config
    async with serving(there, port):
        async with collecting_all(context, there, database) as run:
            async with running(worker(mine)):
                await there.subscribed(6)
                await there.move_all()
                await run.until(OF_BITCOIN, HISTORY_TRADES + 1)
                await run.until(IDS, 0)
                await eventually(lambda: run.service.health().ready, WAIT_S_MAX)
            await there.print_trade("BTCUSDT")
            await eventually(lambda: run.service._desk.intakes["BTC/USDT"].last == HISTORY_TRADES + 2, WAIT_S_MAX)
            await run.service._live.drain()
        await there.print_trade("BTCUSDT", told=False)
        async with collecting_all(context, there, database) as again:
            await eventually(lambda: again.service.health().detail == WAITS, WAIT_S_MAX)
            await asyncio.sleep(1)
            assert again.service.health().detail == WAITS
            async with running(worker(mine)):
                await again.until(OF_BITCOIN, HISTORY_TRADES + 3)
                await again.until(IDS, 0)
                await again.until(WAITED, HISTORY_TRADES + 3)
