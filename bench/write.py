"""Trades into a real QuestDB until SQL sees them: our writer, executemany, and ready-made lines as the limit."""

from __future__ import annotations

import asyncio
import base64
import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
from contest import Bench, Run

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND, SystemClock, to_datetime
from ares.config.settings import DatabaseConfig
from ares.model.market import Trade
from ares.store import Database, RowWriter
from ares.store.migrate import migrate
from ares.store.server import EmbeddedQuestDB
from backup.restore.scratch import free_ports

ROWS = 20_000
PEER_ROWS = 2_000
BASE_NS = 1_760_000_000 * NANOS_PER_SECOND


@dataclass
class Arena:
    """A server of its own, and a venue name per round so that rounds do not meet."""

    config: DatabaseConfig
    writer: RowWriter
    rounds: Iterator[int]
    missing: int = 0

    def fresh(self, rows: int) -> list[Trade]:
        venue = f"v{next(self.rounds)}"
        return [
            Trade(venue, "BTC/USDT", str(n), n, "buy", 60_000.0 + n % 97, 0.01, ts, ts, "stream")
            for n in range(rows)
            for ts in (BASE_NS + n * NANOS_PER_MILLI,)
        ]

    def timed(self, trades: list[Trade], send: Callable[[list[Trade]], None]) -> float:
        started = time.perf_counter()
        send(trades)
        seen = asyncio.run(self._until_visible(trades))
        self.missing += len(trades) - seen
        return len(trades) / (time.perf_counter() - started)

    async def _until_visible(self, trades: list[Trade]) -> int:
        async with await Database.connect(self.config) as database:
            await database.wait_applied(["trades"], 60)
            scope = {"venue": trades[0].venue}
            row = await database.fetch_one("SELECT count() AS n FROM trades WHERE venue = %(venue)s", scope)
        return int(str(row["n"])) if row else 0

    def ares(self) -> float:
        return self.timed(self.fresh(ROWS), self.writer.write_sync)

    def peer(self) -> float:
        return self.timed(self.fresh(PEER_ROWS), self._executemany)

    def limit(self) -> float:
        trades = self.fresh(ROWS)
        payload = "".join(
            f"trades,venue={t.venue},symbol=BTC/USDT,side=buy,source=stream "
            f'trade_id="{t.trade_id}",seq={t.seq}i,price={t.price},amount={t.amount} {t.ts_ns}\n'
            for t in trades
        ).encode()
        return self.timed(trades, lambda _: self._post(payload))

    def _executemany(self, trades: list[Trade]) -> None:
        secret = self.config.password.get_secret_value()
        conninfo = f"host={self.config.host} port={self.config.pg_port} user=admin password={secret} dbname=qdb"
        rows = [
            (
                to_datetime(t.ts_ns).replace(tzinfo=None),
                t.venue,
                t.symbol,
                t.side,
                t.source,
                t.trade_id,
                t.seq,
                t.price,
                t.amount,
            )
            for t in trades
        ]
        with psycopg.connect(conninfo) as connection:
            connection.cursor().executemany(
                "INSERT INTO trades (ts, venue, symbol, side, source, trade_id, seq, price, amount) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )

    def _post(self, payload: bytes) -> None:
        secret = self.config.password.get_secret_value()
        basic = base64.b64encode(f"{self.config.user}:{secret}".encode()).decode()
        connection = http.client.HTTPConnection(self.config.host, self.config.http_port)
        connection.request("POST", "/write?precision=n", payload, {"Authorization": f"Basic {basic}"})
        answer = connection.getresponse()
        if answer.status != 204:
            raise SystemExit(f"QuestDB refused the ready-made lines: {answer.read().decode()}")
        connection.close()


def bench() -> Bench:
    """Rates per second of wall clock, until visible."""
    arenas: list[Arena] = []

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        with questdb() as config:
            current = Arena(config, RowWriter(config), count())
            arenas.append(current)
            yield {"ares": current.ares, "peer": current.peer, "limit": current.limit}

    return Bench(
        "write",
        "rows/s visible",
        "psycopg executemany",
        "ready-made line protocol over HTTP",
        ("questdb", "psycopg"),
        arena,
        lambda: arenas[-1].missing,
    )


@contextmanager
def questdb() -> Iterator[DatabaseConfig]:
    """A server of this bench alone, with the schema."""
    with served() as (server, _):
        yield server.config


@contextmanager
def served(**changes: object) -> Iterator[tuple[EmbeddedQuestDB, Path]]:
    """The same, for who needs the server itself and its folder."""
    http_port, pg_port, health_port = free_ports(3)
    ports = {"http_port": http_port, "pg_port": pg_port, "health_port": health_port}
    config = DatabaseConfig.model_validate({**ports, **changes})
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedQuestDB(config, Path(folder))
        try:
            server.start()
            asyncio.run(prepare(config))
            yield server, Path(folder)
        finally:
            server.stop()


async def prepare(config: DatabaseConfig) -> None:
    async with await Database.connect(config) as database:
        await migrate(database, RowWriter(config), SystemClock())
