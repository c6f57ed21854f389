"""Trades through ingest's sink into a real QuestDB, with and without traces: what recording a tenth of them costs.

"ares" records 10 % of the traces as rows of the same QuestDB, "peer" is the same without, "limit" records all of them.
A trace is a minute of an instrument: the more of market time a batch spans, the more there is to record.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from contest import Bench, Run
from write import questdb

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, MonitoringConfig
from ares.model.market import Side, TradeRun
from ares.resilience import Backoff
from ares.service import ServiceContext
from ares.service.tracing import tracing
from ares.store import Database, RowWriter
from ingest.sink import Lane, Sink

ROWS = 50_000
BATCH_ROWS = 1_000
BASE_NS = 1_740_000_000 * NANOS_PER_SECOND
STEP_NS = NANOS_PER_SECOND // 20
"""Between two trades of a symbol: BTC/USDT had 18 a second on Binance in a calm hour of the recordings."""
SYMBOLS = ("BTC/USDT", "ETH/USDT")
UNREFRESHED = "SELECT view_name FROM materialized_views() WHERE refresh_base_table_txn < base_table_txn"
"""Views that the server still has work with, which the next run would pay for."""


@dataclass
class Arena:
    """A server of its own. A run has a venue of its own and happens after the runs before it: rows are appended."""

    config: DatabaseConfig
    runs: Iterator[int] = field(default_factory=count)
    missing: int = 0

    def with_share(self, share: float) -> Run:
        def run() -> float:
            config = AresConfig(database=self.config, monitoring=MonitoringConfig(trace_share=share))
            context = ServiceContext(config, SystemClock(), "bench")
            with tracing("bench", context):
                return asyncio.run(self._ingest())

        return run

    async def _ingest(self) -> float:
        """Rows per second from the queue to the acknowledgement."""
        number = next(self.runs)
        venue, base_ns = f"v{number}", BASE_NS + number * ROWS // 2 * STEP_NS
        runs = [
            run_of(venue, symbol, first, base_ns)
            for first in range(0, ROWS // 2, BATCH_ROWS // 2)
            for symbol in SYMBOLS
        ]
        writer = RowWriter(self.config)
        lane = Lane("live", venue, queue_rows_max=ROWS, batch_rows_max=BATCH_ROWS, batch_s_max=0.001)
        sink = Sink(lane, writer, SystemClock(), Backoff(0.1, 1.0, random.Random(1)))
        running = asyncio.create_task(sink.run())
        began = time.perf_counter()
        await self._through(sink, runs)
        rate = ROWS / (time.perf_counter() - began)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await writer.close()
        await self._count(venue)
        return rate

    @staticmethod
    async def _through(sink: Sink, runs: list[TradeRun]) -> None:
        for first in range(0, len(runs), len(SYMBOLS)):
            await sink.put(runs[first : first + len(SYMBOLS)])
        await sink.drain()

    async def _count(self, venue: str) -> None:
        async with await Database.connect(self.config) as database:
            await database.wait_applied(["trades", "spans"], 60)
            while await database.fetch(UNREFRESHED):
                await asyncio.sleep(0.05)
            row = await database.fetch_one("SELECT count() AS n FROM trades WHERE venue = %(venue)s", {"venue": venue})
        self.missing += ROWS - int(str(row["n"])) if row else ROWS


def run_of(venue: str, symbol: str, first: int, base_ns: int) -> TradeRun:
    """A symbol's half of a batch, as the stream's decoders make it."""
    count = BATCH_ROWS // 2
    times_ns = [base_ns + n * STEP_NS for n in range(first, first + count)]
    sides: list[Side] = ["buy"] * count
    ids = list(range(first + 1, first + 1 + count))
    return TradeRun(venue, symbol, "stream", ids, sides, [60_000.0] * count, [0.01] * count, times_ns, times_ns)


def bench() -> Bench:
    """Rows per second that the store acknowledged."""
    arenas: list[Arena] = []

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        with questdb() as config:
            current = Arena(config)
            arenas.append(current)
            yield {"ares": current.with_share(0.1), "peer": current.with_share(0.0), "limit": current.with_share(1.0)}

    return Bench(
        "traces",
        "rows/s acknowledged",
        "the same without traces",
        "the same with every trace",
        ("opentelemetry-sdk", "questdb"),
        arena,
        lambda: arenas[-1].missing,
    )
