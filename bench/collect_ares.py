"""Ares' collector as the service puts it together, without its past.

usage: collect_ares.py WS_PORT VENUE     the database by ARES_DATABASE__*

Prints when the first frame was there, and, once its standard input ends, what it took: one line of JSON each.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config import load_config
from ares.config.settings import IngestConfig, VenueConfig
from ares.model.market import Entry, Instrument, TradeRun
from ares.resilience import Backoff
from ares.service.collection import settle
from ares.store import RowWriter
from ares.telemetry import configure_logging
from ingest.collector import collect
from ingest.desk import Desk
from ingest.feed import Frame
from ingest.service import lane_of, limits_of
from ingest.sink import Sink
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.dialect import Snapshots
from ingest.venues.native_feed import NativeFeed, Parts

SYMBOL = "BTC/USDT"


class Watched(Desk):
    """Says when the first frames come."""

    began: tuple[float, float] | None = None

    def rows_of(self, feed: object, frames: Sequence[Frame]) -> Sequence[Entry]:
        if Watched.began is None and frames:
            Watched.began = time.monotonic(), time.process_time()
            print(json.dumps({"first": Watched.began[0]}), flush=True)
        return super().rows_of(feed, frames)


async def markets(_symbols: Sequence[str]) -> Sequence[Instrument]:
    step, fee = Decimal("0.01"), Decimal("0.001")
    return [Instrument("bench", SYMBOL, "BTCUSDT", "BTC", "USDT", step, step, step, fee, fee)]


def no_snapshots(_symbols: Mapping[str, str]) -> Snapshots:
    raise AssertionError("trades need none")


async def run(port: int, venue: str) -> None:
    configure_logging("ingest-bench", "error", json=False)
    config = load_config()
    settings = IngestConfig(venue=venue, symbols=(SYMBOL,))
    address = VenueConfig(rest_url="http://127.0.0.1:9", ws_url=f"ws://127.0.0.1:{port}")
    clock = SystemClock()
    feed = NativeFeed(venue, Parts(BinanceDialect(), markets, no_snapshots), address, settings, clock)
    await feed.open()
    desk = Watched(venue, (SYMBOL,), limits_of(settings), clock)
    backoff = Backoff(0.5, 1.0, random.Random(1))
    sink = Sink(lane_of("live", settings), RowWriter(config.database), clock, backoff)
    acked_at: dict[int, float] = {}
    waited_ms: list[float] = []

    def acked(rows: Sequence[Entry]) -> None:
        now, now_ns = time.monotonic(), clock.now_ns()
        desk.ledger.acked(rows)
        for row in rows:
            if isinstance(row, TradeRun):
                some = slice(None, None, max(1, len(row) // 20))
                acked_at.update(dict.fromkeys(row.seqs[some], now))
                waited_ms.extend([(now_ns - received_ns) / NANOS_PER_MILLI for received_ns in row.receipts_ns[some]])

    sink.on_acked = acked
    settle(config.resources)
    tasks = [asyncio.create_task(sink.run()), asyncio.create_task(collect(feed, "trades", desk, sink, backoff))]
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    assert Watched.began is not None, "no frame came"
    used = time.process_time() - Watched.began[1]
    figures = {"cpu_s": used, "acked": desk.ledger.accounts[SYMBOL].acked, "acked_at": acked_at, "waited_ms": waited_ms}
    print(json.dumps(figures), flush=True)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), sys.argv[2]))
