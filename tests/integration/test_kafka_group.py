"""Goal: who reads as a member of a group stops and goes on as told, whatever the group does meanwhile."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Collection, Mapping

import pytest

from ares.config.settings import KafkaConfig
from ares.errors import StreamUnavailable
from ares.kafka import GroupReader, Outgoing, Sender, Topic, progress
from tests.kafka import RunningKafka

WAIT_S_MAX = 60.0
PARTITIONS = 4


class Mine:
    """Which partitions a member has."""

    def __init__(self) -> None:
        self.partitions: set[int] = set()

    def assigned(self, starts: Mapping[int, int | None]) -> None:
        self.partitions |= starts.keys()

    def revoked(self, partitions: Collection[int]) -> Mapping[int, int]:
        self.partitions -= set(partitions)
        return {}

    def lost(self, partitions: Collection[int]) -> None:
        self.partitions -= set(partitions)


@pytest.fixture
def config(kafka: RunningKafka) -> KafkaConfig:
    return KafkaConfig(servers=kafka.servers, timeout_s=5)


async def send_to_all(config: KafkaConfig, topic: str) -> None:
    sender = Sender(config, Topic(topic, PARTITIONS))
    try:
        await sender.send([Outgoing("key", b"value", partition) for partition in range(PARTITIONS)])
    finally:
        await sender.close()


async def test_a_reader_on_hold_goes_on_with_all_partitions_though_some_came_meanwhile(config: KafkaConfig) -> None:
    topic, mine, others = f"t-{uuid.uuid4().hex}", Mine(), Mine()
    await send_to_all(config, topic)
    reader = GroupReader(config, topic, "readers", mine)
    found: set[int] = set()
    async with asyncio.timeout(WAIT_S_MAX):
        while len(found) < PARTITIONS:
            found |= {each.partition for each in await reader.page(10, 0.1)}
        reader.hold(True)
        await reader.page(10, 0.1)
        other = GroupReader(config, topic, "readers", others)
        while not others.partitions or len(mine.partitions | others.partitions) < PARTITIONS:
            await asyncio.gather(reader.page(10, 0.1), other.page(10, 0.1))
        assert mine.partitions, "some stay where they are"
        await other.close()
        while len(mine.partitions) < PARTITIONS:
            await reader.page(10, 0.1)
        reader.hold(False)
        await send_to_all(config, topic)
        found.clear()
        while len(found) < PARTITIONS:
            found |= {each.partition for each in await reader.page(10, 0.1)}
        assert await reader.ends() == dict.fromkeys(range(PARTITIONS), 2)
    await reader.close()


async def test_a_topic_that_is_not_there_has_no_progress_and_brokers_that_are_away_are_named(
    config: KafkaConfig, port: int
) -> None:
    assert await progress(config, f"t-{uuid.uuid4().hex}", "readers") == {}
    with pytest.raises(StreamUnavailable):
        await progress(KafkaConfig(servers=f"127.0.0.1:{port}", timeout_s=0.5), "t", "readers")
