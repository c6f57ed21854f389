"""Databases by name, and reads of market data from whichever is close enough."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.replicas import PRIMARY
from ares.config.settings import DatabaseConfig
from ares.errors import StoreError, StoreUnavailable, UnknownName
from ares.store.pool import Database, Param, Record, as_int, as_str, suspended_tables
from ares.store.queries import load_queries
from ares.store.server import healthy
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)

QUERIES = load_queries("ares.store", "replicas.sql")
CHECK_S = 1.0
FIRST_CHECK_S_MAX = 3.0
STALE_S_MAX = 5.0
"""A replica of which nothing was heard for so long counts as away."""


def database_named(config: DatabaseConfig, name: str) -> DatabaseConfig:
    """How to reach the primary, or a replica: with users, TLS and limits of the primary. Raises `UnknownName`."""
    if name == PRIMARY:
        return config
    for replica in config.replicas:
        if replica.name == name:
            place = replica.model_dump(exclude={"name"})
            return config.model_copy(update={**place, "mode": "remote", "replicas": ()})
    raise UnknownName("database", name, [PRIMARY, *(replica.name for replica in config.replicas)])


@dataclass(frozen=True, slots=True)
class Feeds:
    """Whose market data is read: a replica is as far behind as the symbol of these that is furthest behind."""

    venue: str
    symbols: Sequence[str]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a replica at `at_s` (monotonic): seconds behind, and why it cannot be read at all."""

    at_s: float
    lag_s: float = math.inf
    fault: str = ""

    def trouble(self, now_s: float, lag_s_max: float) -> str:
        """Why it is not read now; nothing if it may be."""
        if self.fault:
            return self.fault
        if now_s - self.at_s > STALE_S_MAX:
            return f"nothing heard of it for {now_s - self.at_s:.1f} s"
        return f"{self.lag_s:.1f} s behind" if self.lag_s > lag_s_max else ""


def choose(seen: Mapping[str, Seen], current: str, now_s: float, lag_s_max: float) -> str:
    """Which database to read: the replica that is read already while it may be, else the closest one, else the primary.

    >>> choose({"a": Seen(0.0, 2.0), "b": Seen(0.0, 1.0)}, "primary", 0.0, 5.0)
    'b'
    """
    fit = {name: each.lag_s for name, each in seen.items() if not each.trouble(now_s, lag_s_max)}
    if current in fit:
        return current
    return min(fit, key=lambda name: fit[name], default=PRIMARY)


@dataclass(slots=True)
class ApplyLag:
    """How long ago the oldest write was committed that cannot be read yet, as far as was looked."""

    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    def seen(self, now_s: float, committed: int, applied: int) -> float:
        """Seconds, from what a table says of its WAL now (transactions)."""
        if not self._marks or committed > self._marks[-1][1]:
            self._marks.append((now_s, committed))
        while self._marks and self._marks[0][1] <= applied:
            self._marks.popleft()
        return now_s - self._marks[0][0] if self._marks else 0.0


def watermark_lag_s(watermarks: Iterable[Record], symbols: Sequence[str], now_ns: int) -> float:
    """Seconds from the watermark of the symbol that is furthest behind; infinite if one has none."""
    known = {as_str(row["symbol"]): as_int(row["watermark_ns"]) for row in watermarks}
    oldest_ns = min([known.get(symbol, 0) for symbol in symbols], default=0)
    return max(0.0, (now_ns - oldest_ns) / NANOS_PER_SECOND) if oldest_ns else math.inf


class MarketReads:
    """Reads market data from a replica that is close enough, else from the primary, and back again.

    >>> async with MarketReads(config.database, Feeds("binance", ["BTC/USDT"]), clock) as market:
    ...     rows = await market.fetch("SELECT * FROM bars_1m LIMIT -5")

    A read is never older than `database.replica_lag_s_max`. Not for what must see its own writes, nor for tables that
    only the primary has (signals, orders, frozen facts). Raises as a `Database` does.
    """

    def __init__(self, config: DatabaseConfig, feeds: Feeds, clock: Clock) -> None:
        self._config = config
        self._feeds = feeds
        self._clock = clock
        self._pools: dict[str, Database] = {}
        self._seen: dict[str, Seen] = {}
        self._applied: dict[str, dict[str, ApplyLag]] = {}
        self._looking: list[asyncio.Task[None]] = []
        self._connecting = asyncio.Lock()
        self.current = PRIMARY

    async def fetch(self, sql: str, params: Mapping[str, Param] | None = None) -> list[Record]:
        """All rows of a query."""
        name = self._chosen()
        if name != PRIMARY:
            try:
                return await self._answer(name, sql, params)
            except (StoreUnavailable, KeyError) as error:
                self._seen[name] = Seen(self._clock.monotonic_s(), fault=str(error))
                self._chosen()
        async with self._connecting:
            if PRIMARY not in self._pools:
                self._pools[PRIMARY] = await Database.connect(self._config, readonly=True)
        return await self._answer(PRIMARY, sql, params)

    async def _answer(self, name: str, sql: str, params: Mapping[str, Param] | None) -> list[Record]:
        rows = await self._pools[name].fetch(sql, params)
        metrics.READS.labels(name).inc()
        return rows

    def _chosen(self) -> str:
        now_s, lag_s_max = self._clock.monotonic_s(), self._config.replica_lag_s_max
        name = choose(self._seen, self.current, now_s, lag_s_max)
        if name != self.current:
            troubles = {each: seen.trouble(now_s, lag_s_max) for each, seen in self._seen.items()}
            log.warning("market_reads_moved", database=name, before=self.current, troubles=troubles)
            metrics.READ_SWITCHES.labels(name).inc()
            self.current = name
        return name

    async def __aenter__(self) -> Self:
        looks = [asyncio.create_task(self._look(replica.name)) for replica in self._config.replicas]
        if looks:
            await asyncio.wait(looks, timeout=FIRST_CHECK_S_MAX)
        self._looking = [
            asyncio.create_task(self._keep_looking(replica.name, look), name="replica")
            for replica, look in zip(self._config.replicas, looks, strict=True)
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of every connection."""
        for task in self._looking:
            task.cancel()
        await asyncio.gather(*self._looking, return_exceptions=True)
        for pool in self._pools.values():
            await pool.close()
        self._pools.clear()

    async def _keep_looking(self, name: str, look: asyncio.Task[None]) -> None:
        await look
        while True:
            await self._clock.sleep(CHECK_S)
            await self._look(name)

    async def _look(self, name: str) -> None:
        """Find out how far a replica is; one that is away is connected to anew when it is back."""
        config = database_named(self._config, name)
        try:
            if not await asyncio.to_thread(healthy, config):
                raise StoreUnavailable(f"no QuestDB answers at {config.host}:{config.health_port}")
            if name not in self._pools:
                self._pools[name] = await Database.connect(config, readonly=True)
            lag_s = await self._lag_s(name, self._pools[name])
        except StoreError as error:
            self._seen[name] = Seen(self._clock.monotonic_s(), fault=str(error))
            metrics.REPLICA_LAG_SECONDS.labels(name).set(math.nan)
            gone = self._pools.pop(name, None)
            if gone is not None:
                await gone.close()
        else:
            self._seen[name] = Seen(self._clock.monotonic_s(), lag_s)
            metrics.REPLICA_LAG_SECONDS.labels(name).set(lag_s)

    async def _lag_s(self, name: str, database: Database) -> float:
        """Behind by what did not come yet, and by what came and cannot be read yet."""
        if any(as_int(row["holes"]) for row in await database.fetch(QUERIES["holes"])):
            raise StoreUnavailable(f"{name} has holes: messages were gone before they were read; fill it anew")
        behind = await database.fetch(QUERIES["watermarks"], {"venue": self._feeds.venue})
        waiting_s = 0.0
        for row in await database.fetch(QUERIES["wal"]):
            if suspended := suspended_tables([row]):
                raise StoreUnavailable(f"WAL of {suspended} is suspended")
            known = self._applied.setdefault(name, {}).setdefault(as_str(row["name"]), ApplyLag())
            committed, applied = as_int(row["committed"]), as_int(row["applied"])
            waiting_s = max(waiting_s, known.seen(self._clock.monotonic_s(), committed, applied))
        return watermark_lag_s(behind, self._feeds.symbols, self._clock.now_ns()) + waiting_s
