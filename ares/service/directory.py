"""Who runs now and what it offers, by the heartbeats in `services`: on this machine and on every other.

Information, no arbiter: what must be decided by one of several (who trades) is decided by a lease in the control store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ares.clock import NANOS_PER_SECOND, Clock, to_datetime
from ares.service.heartbeat import STOPPED
from ares.service.types import Capability
from ares.store import Database, Record, load_queries
from ares.store.pool import as_int, as_str

QUERIES = load_queries("ares.service", "queries/registry.sql")
BEATS_MISSED_MAX = 3


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of a service. `seen_at_ns`: its last heartbeat, UTC; `host` and `port`: where its probes are."""

    service: str
    instance: str
    state: str
    version: str
    host: str
    port: int
    pid: int
    seen_at_ns: int
    detail: str
    capabilities: Sequence[Capability]


class HeartbeatRegistry:
    """The registry that reads heartbeats.

    >>> registry = HeartbeatRegistry(database, SystemClock(), config.monitoring.heartbeat_s)
    >>> await registry.find("venue-feed", venue="binance")
    [Instance(service='ingest', …)]
    """

    def __init__(self, database: Database, clock: Clock, heartbeat_s: float) -> None:
        self._database = database
        self._clock = clock
        self._heartbeat_s = heartbeat_s

    async def instances(self) -> list[Instance]:
        """All that beat lately and did not say goodbye, newest first within a service. Raises `StoreUnavailable`."""
        since_ns = self._clock.now_ns() - round(BEATS_MISSED_MAX * self._heartbeat_s * NANOS_PER_SECOND)
        records = await self._database.fetch(QUERIES["beats"], {"since": to_datetime(since_ns)})
        return [_instance(record) for record in records if record["state"] != STOPPED]

    async def find(self, capability: str, **labels: str) -> list[Instance]:
        """Those that are ready and offer `capability` with at least these labels. Raises `StoreUnavailable`."""
        return [
            each
            for each in await self.instances()
            if each.state == "ready" and any(offer.offers(capability, labels) for offer in each.capabilities)
        ]


def _instance(record: Record) -> Instance:
    offered = orjson.loads(as_str(record["capabilities"]) if record["capabilities"] else "[]")
    return Instance(
        service=as_str(record["service"]),
        instance=as_str(record["instance"]),
        state=as_str(record["state"]),
        version=as_str(record["version"]),
        host=as_str(record["host"]) if record["host"] else "",
        port=as_int(record["port"]),
        pid=as_int(record["pid"]),
        seen_at_ns=as_int(record["ts_ns"]),
        detail=as_str(record["detail"]) if record["detail"] else "",
        capabilities=[Capability(each["name"], each["labels"]) for each in offered],
    )
