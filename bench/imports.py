"""A public file of trades into a real QuestDB until SQL sees them: our import, QuestDB's client, ready-made lines."""

from __future__ import annotations

import asyncio
import base64
import csv
import http.client
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from contest import Bench, Run
from questdb import Sender, TimestampNanos
from write import BASE_NS, questdb

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.resilience import Backoff
from ares.store import Database
from ingest.imports.importer import Order, import_files

ROWS = 1_000_000
PEER_ROWS = 50_000
STEP_MS = 150
POST_ROWS = 50_000
ROUND_NS = 2 * 86_400_000 * NANOS_PER_MILLI
"""Every round has days of its own: nobody merges into what another wrote."""


@dataclass
class Arena:
    """A server of its own; a venue and days per round."""

    config: DatabaseConfig
    folder: Path
    rounds: Iterator[int]
    missing: int = 0

    def fresh(self, rows: int) -> tuple[str, Path]:
        """A venue, and a file of so many trades in Binance's layout."""
        number = next(self.rounds)
        first_ms = (BASE_NS + number * ROUND_NS) // NANOS_PER_MILLI
        path = self.folder / f"BTCUSDT-aggTrades-{number}.csv"
        with path.open("w", encoding="ascii") as file:
            for n in range(1, rows + 1):
                price = 60_000 + n % 9_700 / 100
                maker = n % 3 == 0
                file.write(f"{n},{price:.8f},0.{n % 100_000:05}100,{n},{n},{first_ms + n * STEP_MS},{maker},True\n")
        return f"i{number}", path

    def timed(self, rows: int, send: Callable[[str, Path], None]) -> float:
        venue, path = self.fresh(rows)
        started = time.perf_counter()
        send(venue, path)
        seen = asyncio.run(self._until_visible(venue))
        seconds = time.perf_counter() - started
        self.missing += rows - seen
        path.unlink()
        return rows / seconds

    async def _until_visible(self, venue: str) -> int:
        async with await Database.connect(self.config) as database:
            await database.wait_applied(["trades"], 120)
            row = await database.fetch_one("SELECT count() AS n FROM trades WHERE venue = %(venue)s", {"venue": venue})
        return int(str(row["n"])) if row else 0

    def ares(self) -> float:
        return self.timed(ROWS, self._import)

    def _import(self, venue: str, path: Path) -> None:
        order = Order([path], "binance-aggtrades", venue, "BTC/USDT")
        backoff = Backoff(0.05, 1.0, random.Random(1))
        config = AresConfig(database=self.config)
        asyncio.run(import_files(config, order, SystemClock(), backoff, lambda _share, _rows: None))

    def peer(self) -> float:
        return self.timed(PEER_ROWS, self._by_client)

    def _by_client(self, venue: str, path: Path) -> None:
        """What one writes in ten minutes: read a line, hand it to QuestDB's client."""
        secret = self.config.password.get_secret_value()
        address = f"http::addr={self.config.host}:{self.config.http_port};username=admin;password={secret};"
        with Sender.from_conf(address) as sender, path.open(encoding="ascii") as file:
            for seq, price, amount, _, _, ms, maker, _ in csv.reader(file):
                ts_ns = int(ms) * NANOS_PER_MILLI
                side = "sell" if maker == "True" else "buy"
                sender.row(
                    "trades",
                    symbols={"venue": venue, "symbol": "BTC/USDT", "side": side, "source": "import"},
                    columns={
                        "trade_id": seq,
                        "seq": int(seq),
                        "price": float(price),
                        "amount": float(amount),
                        "received_at": TimestampNanos(ts_ns),
                    },
                    at=TimestampNanos(ts_ns),
                )

    def limit(self) -> float:
        venue, path = self.fresh(ROWS)
        parts = list(ready_made(venue, path))
        path.unlink()
        started = time.perf_counter()
        self._post(parts)
        seen = asyncio.run(self._until_visible(venue))
        self.missing += ROWS - seen
        return ROWS / (time.perf_counter() - started)

    def _post(self, parts: list[bytes]) -> None:
        secret = self.config.password.get_secret_value()
        basic = base64.b64encode(f"{self.config.user}:{secret}".encode()).decode()
        connection = http.client.HTTPConnection(self.config.host, self.config.http_port)
        for part in parts:
            connection.request("POST", "/write?precision=n", part, {"Authorization": f"Basic {basic}"})
            answer = connection.getresponse()
            text = answer.read().decode()
            if answer.status != 204:
                raise SystemExit(f"QuestDB refused the ready-made lines: {text}")
        connection.close()


def ready_made(venue: str, path: Path) -> Iterator[bytes]:
    """The file's rows as line protocol, in posts."""
    lines: list[str] = []
    with path.open(encoding="ascii") as file:
        for seq, price, amount, _, _, ms, maker, _ in csv.reader(file):
            side = "sell" if maker == "True" else "buy"
            lines.append(
                f"trades,venue={venue},symbol=BTC/USDT,side={side},source=import "
                f'trade_id="{seq}",seq={seq}i,price={float(price)},amount={float(amount)},received_at={ms}000000n '
                f"{ms}000000\n"
            )
            if len(lines) == POST_ROWS:
                yield "".join(lines).encode()
                lines = []
    if lines:
        yield "".join(lines).encode()


def bench() -> Bench:
    """Rates per second of wall clock, until visible."""
    arenas: list[Arena] = []

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        with questdb() as config, tempfile.TemporaryDirectory() as folder:
            current = Arena(config, Path(folder), count())
            arenas.append(current)
            yield {"ares": current.ares, "peer": current.peer, "limit": current.limit}

    return Bench(
        "import",
        "rows/s visible",
        "a loop over QuestDB's client",
        "ready-made line protocol over HTTP",
        ("questdb", "pyarrow"),
        arena,
        lambda: arenas[-1].missing,
    )
