"""How far a consumer group is, asked by somebody who is no member of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ares.config.settings import KafkaConfig
from ares.kafka.connection import Settings, connection, translated


@dataclass(frozen=True, slots=True)
class Progress:
    """Of one partition: behind its newest message, and where the group goes on (the oldest one if it never was)."""

    end: int
    committed: int

    @property
    def behind(self) -> int:
        """Messages that the group has not committed."""
        return self.end - self.committed


async def progress(config: KafkaConfig, topic: str, group: str) -> Mapping[int, Progress]:
    """Every partition of the topic; none where there is no topic. Raises `StreamUnavailable`."""
    return await asyncio.to_thread(_progress, config, topic, group)


def _progress(config: KafkaConfig, topic: str, group: str) -> Mapping[int, Progress]:
    settings: Settings = {"group.id": group, "enable.auto.commit": False}
    consumer = Consumer(connection(config) | settings)  # it never subscribes, hence never joins
    try:
        known = consumer.list_topics(topic, config.timeout_s).topics[topic]
        if known.error is not None and known.error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
            raise KafkaException(known.error)
        places = [TopicPartition(topic, partition) for partition in known.partitions]
        found: dict[int, Progress] = {}
        for place in consumer.committed(places, config.timeout_s) if places else []:
            first, end = consumer.get_watermark_offsets(place, config.timeout_s)
            found[place.partition] = Progress(end, max(first, place.offset))
    except KafkaException as error:
        raise translated(error) from None
    finally:
        consumer.close()
    return found
