"""How far a consumer group is, asked by somebody who is no member of it."""

from __future__ import annotations

import asyncio

from confluent_kafka import Consumer, KafkaException, TopicPartition

from ares.config.settings import KafkaConfig
from ares.kafka.connection import Settings, connection, translated


async def behind(config: KafkaConfig, topic: str, group: str) -> int:
    """Messages of the topic that the group has not committed yet; none where there is no topic.

    Raises `StreamUnavailable`.
    """
    return await asyncio.to_thread(_behind, config, topic, group)


def _behind(config: KafkaConfig, topic: str, group: str) -> int:
    settings: Settings = {"group.id": group, "enable.auto.commit": False}
    consumer = Consumer(connection(config) | settings)  # it never subscribes, hence never joins
    try:
        known = consumer.list_topics(topic, config.timeout_s).topics[topic]
        places = [TopicPartition(topic, partition) for partition in known.partitions]
        if known.error is not None or not places:
            return 0
        total = 0
        for place in consumer.committed(places, config.timeout_s):
            first, end = consumer.get_watermark_offsets(place, config.timeout_s)
            total += end - max(first, place.offset)
        return total
    except KafkaException as error:
        raise translated(error) from None
    finally:
        consumer.close()
