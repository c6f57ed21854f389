"""What every client of the brokers is told, topics that are made where they are missing, and errors as ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from ares.config.settings import KafkaConfig
from ares.errors import StoreRejected, StreamUnavailable
from ares.telemetry import get_logger

REFUSALS = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG})
Settings = dict[str, str | int | float | bool]

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as we would make it; one that is there already is taken as it is.

    `settings` are the topic's own ("retention.ms").
    """

    name: str
    partitions: int
    settings: Mapping[str, str] = field(default_factory=dict)


def connection(config: KafkaConfig) -> Settings:
    """What every client of librdkafka is told: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md"""
    assert config.servers is not None, "only asked for where Kafka is configured"
    settings: Settings = {
        "bootstrap.servers": config.servers,
        "security.protocol": "plaintext" if config.security == "mesh" else config.security,
        "socket.timeout.ms": round(config.timeout_s * 1_000),
        "log_level": 2,
    }
    if config.ca_file is not None:
        settings["ssl.ca.location"] = str(config.ca_file)
    if config.user is not None and config.password is not None:
        password = config.password.get_secret_value()
        settings |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": config.user, "sasl.password": password}
    return settings


def create_topic(config: KafkaConfig, wanted: Topic) -> None:
    """Make the topic if there is none; where there is one it may be somebody else's. Raises `StreamUnavailable`."""
    replicated = {"min.insync.replicas": "2"} if config.replicas > 2 else {}
    settings = {**wanted.settings, **replicated}
    topic = NewTopic(wanted.name, wanted.partitions, config.replicas, config=settings)
    admin = AdminClient(connection(config))  # named, for it must live until the answer is there
    try:
        if wanted.name in admin.list_topics(timeout=config.timeout_s).topics:
            return
        log.warning("topic_created", topic=wanted.name, partitions=wanted.partitions, servers=config.servers)
        made = admin.create_topics([topic], operation_timeout=config.timeout_s)
        made[wanted.name].result(config.timeout_s)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise translated(error) from None
    except TimeoutError:
        raise StreamUnavailable(f"Kafka at {config.servers} does not answer") from None


def translated(error: KafkaException | BufferError) -> StreamUnavailable | StoreRejected:
    """The same as an error of ours."""
    cause = error.args[0]
    if isinstance(cause, KafkaError) and cause.code() in REFUSALS:
        return StoreRejected(f"Kafka refuses a message: {cause.str()}")
    return StreamUnavailable(f"Kafka did not do it: {cause.str() if isinstance(cause, KafkaError) else error}")
