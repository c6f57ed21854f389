"""Messages to a topic, acknowledged by every replica that is in sync."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from ares.config.settings import KafkaConfig
from ares.errors import StreamUnavailable
from ares.kafka.connection import Settings, Topic, connection, create_topic, translated

WINDOW_BYTES_MAX = 8 * 1024 * 1024
"""So much is under way at once; the next window waits until all of it is acknowledged."""

BY_KEY = -1


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be sent; without a `partition` its key decides, always for the same one."""

    key: str
    value: bytes
    partition: int = BY_KEY


class Sender:
    """Sends to one topic, which it makes if there is none; one send after the other, in a thread of its own.

    Messages of one partition arrive in the order in which they were given. A send that failed may be repeated whole:
    then some messages come twice, none is missing between two that came. `headers` go with every message.
    """

    def __init__(self, config: KafkaConfig, topic: Topic, headers: Mapping[str, bytes] | None = None) -> None:
        self._config = config
        self._topic = topic
        self._headers = list((headers or {}).items())
        self._producer: Producer | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="kafka")

    async def send(self, messages: Sequence[Outgoing]) -> None:
        """Return once all of them are acknowledged.

        Raises `StreamUnavailable` (send the same again) or `StoreRejected` (one that Kafka will never take).
        """
        await asyncio.get_running_loop().run_in_executor(self._thread, self._send, messages)

    async def close(self) -> None:
        """Nothing is buffered here between two sends, so nothing is lost."""
        await asyncio.to_thread(self._thread.shutdown)

    def _send(self, messages: Sequence[Outgoing]) -> None:
        for window in windows(messages):
            self._send_window(window)

    def _send_window(self, messages: Sequence[Outgoing]) -> None:
        failures: list[KafkaError] = []

        def told(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failures.append(error)

        try:
            producer = self._connected()
            for each in messages:
                producer.produce(
                    self._topic.name,
                    key=each.key,
                    value=each.value,
                    headers=list(self._headers),
                    partition=each.partition,
                    on_delivery=told,
                )
            left = producer.flush(self._config.timeout_s)
        except (KafkaException, BufferError) as error:
            self._forget()
            raise translated(error) from None
        if left:
            self._forget()
            raise StreamUnavailable(f"Kafka at {self._config.servers} did not acknowledge {left} messages in time")
        if failures:
            self._forget()
            raise translated(KafkaException(failures[0]))

    def _connected(self) -> Producer:
        if self._producer is None:
            create_topic(self._config, self._topic)
            timeout_ms = round(self._config.timeout_s * 1_000)
            # Gapless: were a batch given up and the next one taken, a reader would pass over the first for ever.
            settings: Settings = {"enable.idempotence": True, "enable.gapless.guarantee": True, "linger.ms": 5}
            settings |= {"message.timeout.ms": timeout_ms, "partitioner": "murmur2_random", "compression.type": "lz4"}
            self._producer = Producer(connection(self._config) | settings)
        return self._producer

    def _forget(self) -> None:
        """What is still on its way is given up: it is sent again, in order, by the next send."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            with suppress(KafkaException):  # what was purged under way breaks its promise of no gaps, and ends with it
                producer.flush(0)


def windows(messages: Sequence[Outgoing], bytes_max: int = WINDOW_BYTES_MAX) -> Iterator[Sequence[Outgoing]]:
    """The messages in order, in runs of at most so many bytes; one that is larger goes alone."""
    begin, size = 0, 0
    for place, each in enumerate(messages):
        if place > begin and size + len(each.value) > bytes_max:
            yield messages[begin:place]
            begin, size = place, 0
        size += len(each.value)
    if messages:
        yield messages[begin:]
