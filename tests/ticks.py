"""A market on its way into the store, for tests of how it gets there."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ares.clock import SystemClock
from ares.config.replicas import ReplicaConfig
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig, KafkaConfig
from ares.model.market import Bar, Book, Entry, Quote, Trade
from ares.model.row import Row
from ares.resilience import Backoff
from ares.store import Database
from ares.store.server import EmbeddedQuestDB
from ingest.gaps import Gap, Where
from ingest.ledger import Ledger
from ingest.sink import Lane, Sink, running
from ingest.transport import writer_of
from tests.helpers import run_of
from tests.questdb import serving

CLOCK = SystemClock()
MS = 1_000_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT")


@contextmanager
def questdb(
    folder: Path, ports: Sequence[int], *, schema: bool = False
) -> Iterator[tuple[EmbeddedQuestDB, DatabaseConfig]]:
    """A small server of a test's own, empty or with the whole `schema`."""
    http, pg, health = ports
    config = DatabaseConfig(http_port=http, pg_port=pg, health_port=health, heap_mb=512, commit_mode="nosync")
    with serving(config, folder, schema=schema) as server:
        yield server, config


def replica_of(config: DatabaseConfig, name: str = "replica-1") -> ReplicaConfig:
    return ReplicaConfig(name=name, http_port=config.http_port, pg_port=config.pg_port, health_port=config.health_port)


def settings(
    primary: DatabaseConfig, replica: DatabaseConfig | None, kafka: KafkaConfig, folder: Path, **ingest: object
) -> AresConfig:
    chosen = {"symbols": SYMBOLS, "transport": "kafka", "backoff_s_min": 0.05, "backoff_s_max": 0.5, **ingest}
    replicas = () if replica is None else (replica_of(replica),)
    return AresConfig(
        environment=EnvironmentConfig(state_dir=folder),
        database=primary.model_copy(update={"replicas": replicas}),
        kafka=kafka,
        ingest=IngestConfig.model_validate(chosen),
    )


@dataclass
class Market:
    """Trades of every symbol with ids from 1, and everything else that lanes carry, step by step."""

    venue: str
    rng: random.Random = field(default_factory=lambda: random.Random(7))
    start_ns: int = field(default_factory=lambda: CLOCK.now_ns() - 60_000 * MS)
    live: bool = False
    steps: int = 0
    trades: int = 0

    def step(self, count: int = 20) -> list[Entry]:
        """What comes together: a run or single trades of a symbol, a quote, a book, a gap with what follows it."""
        symbol = SYMBOLS[self.steps % len(SYMBOLS)]
        first = self.steps // len(SYMBOLS) * count + 1
        ts_ns = CLOCK.now_ns() - MS if self.live else self.start_ns + self.steps * MS
        self.steps += 1
        self.trades += count
        run = [self._trade(symbol, seq, ts_ns + seq) for seq in range(first, first + count)]
        trades: Sequence[Entry] = [run_of(run)] if self.steps % 3 else run
        where = Where(self.venue, symbol, "trades")
        gap = Gap.opened(where, "id_jump", ts_ns, ts_ns, first).bounded(first, ts_ns)
        levels = ((self.rng.uniform(1, 99), 1.0), (0.5, 2.0))
        return [
            gap.to_row(ts_ns),
            *trades,
            Quote(self.venue, symbol, self.steps, 1.0, 2.0, 3.0, self.rng.random(), ts_ns, ts_ns + 1, "venue"),
            Book(self.venue, symbol, self.steps, levels, levels, ts_ns, ts_ns + 1, "receipt"),
            Bar(self.venue, symbol, ts_ns, 1.0, 2.0, 0.5, 1.5, 10.0, 15.0, 3, 5.0, ts_ns + 1),
            gap.closed("healed", "rest", ts_ns, 0).to_row(ts_ns + 1),
        ]

    def _trade(self, symbol: str, seq: int, ts_ns: int) -> Trade:
        price = self.rng.uniform(90, 110)
        return Trade(self.venue, symbol, str(seq), seq, "buy", price, 1.0, ts_ns, ts_ns + MS, "stream")


@asynccontextmanager
async def collecting(config: AresConfig, venue: str, rows_max: int = 2_000) -> AsyncIterator[tuple[Sink, Ledger]]:
    """A collector's live lane with its ledger, in front of whatever the settings say."""
    writer = writer_of(config)
    lane = Sink(Lane("live", venue, 200_000, rows_max, 0.01), writer, CLOCK, Backoff(0.05, 0.2, random.Random(1)))
    ledger = Ledger(venue, SYMBOLS)
    lane.on_acked = ledger.acked
    try:
        async with running([lane]):
            yield lane, ledger
    finally:
        await writer.close()


def published(ledger: Ledger) -> list[Row]:
    return ledger.rows(CLOCK.now_ns(), ())


CONTENT = {
    "trades": "SELECT ts::long ts, symbol, side, source, trade_id, seq, price, amount, received_at::long received_at "
    "FROM trades WHERE venue = %(venue)s ORDER BY symbol, seq",
    "quotes": "SELECT ts::long ts, symbol, update_id, bid, bid_amount, ask, ask_amount, ts_source FROM quotes "
    "WHERE venue = %(venue)s ORDER BY symbol, update_id",
    "books": "SELECT ts::long ts, symbol, update_id, bids::string bids, asks::string asks FROM books "
    "WHERE venue = %(venue)s ORDER BY symbol, update_id",
    "gaps": "SELECT ts::long ts, symbol, channel, status, cause, healed_by, gap_id, revision, first_seq, "
    "last_seq, missing FROM gaps WHERE venue = %(venue)s ORDER BY gap_id, revision",
    "venue_bars_1m": "SELECT ts::long ts, symbol, open, high, low, close, volume, trades FROM venue_bars_1m "
    "WHERE venue = %(venue)s ORDER BY symbol, ts",
    "ingest_watermarks": "SELECT ts::long ts, symbol, channel, watermark::long watermark, last_seq, acked_rows "
    "FROM ingest_watermarks WHERE venue = %(venue)s ORDER BY symbol, ts",
    "quarantine": "SELECT ts::long ts, channel, symbol, field, digest, raw FROM quarantine "
    "WHERE venue = %(venue)s ORDER BY digest",
}


async def content(database: Database, venue: str, table: str) -> list[dict[str, object]]:
    """Every row of a venue in a table, in order."""
    await database.wait_applied([table], 30.0)
    return [dict(row) for row in await database.fetch(CONTENT[table], {"venue": venue})]


async def number(database: Database, sql: str, venue: str) -> int:
    record = await database.fetch_one(sql, {"venue": venue})
    value = None if record is None else next(iter(record.values()))
    return 0 if value is None else int(str(value))
