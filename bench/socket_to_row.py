"""From a venue's WebSocket to rows that can be read: Ares, cryptofeed's QuestDB backend, and QuestDB's client alone.

Each contestant is a process of its own against the same QuestDB and the same real frames, in turns. CPU seconds are the
collector's alone, from its first frame to the moment the last row can be read. Trades of a run happened in the seconds
before it and after those of every run before, as in a stream: rows are appended, not merged into what is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import median
from typing import Literal

from contest import in_turns, ratio
from peer_environments import PEERS, environment
from write import questdb

from ares.config.settings import DatabaseConfig
from ares.store import Database, Param
from backup.restore.scratch import free_ports

HERE = Path(__file__).resolve().parent
MESSAGES = 1_000_000
"""Enough that neither the start nor the last commit decides."""
PACED_MESSAGES = 50_000
PACE = 5_000
GIVEN_UP_S = 15.0
SPAN_MS = 10_000
"""From the first to the last event of a run."""
PEERS_TABLE = """
CREATE TABLE "trades-BINANCE" (
  symbol SYMBOL, side SYMBOL, type SYMBOL, price DOUBLE, amount DOUBLE, id VARCHAR, receipt_timestamp TIMESTAMP,
  timestamp TIMESTAMP
) TIMESTAMP(timestamp) PARTITION BY DAY WAL
"""
"""As QuestDB makes it from the peer's first line."""

COUNTS = {
    "trades": "SELECT count() AS n FROM trades",
    "trades-BINANCE": 'SELECT count() AS n FROM "trades-BINANCE"',
}
COUNT_OF_VENUE = "SELECT count() AS n FROM trades WHERE venue = %(venue)s"


@dataclass(frozen=True)
class Run:
    """One run: rows a second until visible, CPU seconds per million, rows that did not come, ms to acknowledgement.

    The latter from when the venue sent and from when we read; a busy line is left alone for some ms in between.
    """

    rate: float
    cpu_per_million: float
    lost: int
    sent_to_acked_ms: float = 0.0
    received_to_acked_ms: float = 0.0


@dataclass(frozen=True)
class Contestant:
    """A process to start, the table that it writes to, and whose rows there are its (all, if empty)."""

    command: list[str]
    table: Literal["trades", "trades-BINANCE"] = "trades"
    venue: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Arena:
    """One QuestDB for all; a venue name per run, so that runs do not meet."""

    config: DatabaseConfig
    names: Iterator[int] = field(default_factory=count)
    told_until_ms: int = 0

    def next_span(self) -> Sequence[str]:
        """First moment and length of a run's market, in ms: over by now, and begun after that of the last run."""
        began_ms = max(self.told_until_ms, int(time.time() * 1_000) - SPAN_MS)
        self.told_until_ms = began_ms + SPAN_MS
        time.sleep(max(0.0, self.told_until_ms / 1_000 - time.time()))
        return str(began_ms), str(SPAN_MS)

    def ares(self, messages: int, rate: int) -> Run:
        venue = f"v{next(self.names)}"
        database = {name: str(getattr(self.config, name)) for name in ("http_port", "pg_port", "health_port")}
        environment = {f"ARES_DATABASE__{name.upper()}": value for name, value in database.items()}
        with venue_server(messages, rate, self.next_span()) as (port, server):
            command = [sys.executable, str(HERE / "collect_ares.py"), str(port), venue]
            return self.watched(Contestant(command, venue=venue, environment=environment), messages, server)

    def cryptofeed(self, messages: int, rate: int) -> Run:
        asyncio.run(self.make_room())
        user = f"{self.config.user}:{self.config.password.get_secret_value()}"
        with venue_server(messages, rate, self.next_span()) as (port, server):
            script = str(PEERS / "collect_cryptofeed.py")
            command = [str(peers_python()), script, str(port), user, str(self.config.http_port)]
            return self.watched(Contestant(command, "trades-BINANCE"), messages, server)

    def dataframe(self, messages: int) -> Run:
        venue = f"v{next(self.names)}"
        secret = self.config.password.get_secret_value()
        conf = f"http::addr={self.config.host}:{self.config.http_port};username={self.config.user};password={secret};"
        command = [str(peers_python()), str(PEERS / "load_dataframe.py"), conf, venue, str(messages), *self.next_span()]
        return self.watched(Contestant(command, venue=venue), messages, None)

    async def make_room(self) -> None:
        """The peer's table, empty; our servers do not let a writer make tables."""
        async with await Database.connect(self.config) as database:
            await database.execute('DROP TABLE IF EXISTS "trades-BINANCE"')
            await database.execute(PEERS_TABLE)

    def watched(self, contestant: Contestant, messages: int, server: subprocess.Popen[str] | None) -> Run:
        """Start a contestant, wait until its rows can be read or come no more, and ask it what it took."""
        before = asyncio.run(self.rows_in(contestant.table))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(
            contestant.command, env={**os.environ, **contestant.environment}, cwd=HERE.parent, **pipes
        ) as process:
            assert process.stdin
            assert process.stdout
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"{contestant.command[1]} ended before its first frame")
            first = float(json.loads(line)["first"])
            visible, ended = asyncio.run(self.until_visible(messages, contestant, before))
            process.stdin.close()
            told = json.loads(process.stdout.readline())
        sent_to_acked = 0.0
        if server is not None and server.stdout is not None:
            sent = json.loads(server.stdout.readline())
            delays = [1_000 * (at - sent[int(seq) - 1]) for seq, at in told.get("acked_at", {}).items() if sent]
            sent_to_acked = median(delays) if delays else 0.0
        received_to_acked = median(told.get("waited_ms") or [0.0])
        rate, cpu = visible / (ended - first), told["cpu_s"] * 1_000_000 / messages
        return Run(rate, cpu, messages - visible, sent_to_acked, received_to_acked)

    async def until_visible(self, messages: int, contestant: Contestant, before: int) -> tuple[int, float]:
        """How many rows can be read, and since when. While it runs all contestants' are counted the same way, which
        costs the server nothing: by the size of the table.
        """
        seen, since = -1, time.monotonic()
        async with await Database.connect(self.config) as database:
            while seen < messages and time.monotonic() - since < GIVEN_UP_S:
                await asyncio.sleep(0.05)
                now = await counted(database, COUNTS[contestant.table]) - before
                if now != seen:
                    seen, since = now, time.monotonic()
            if contestant.venue:
                seen = await counted(database, COUNT_OF_VENUE, {"venue": contestant.venue})
        return max(seen, 0), since

    async def rows_in(self, table: str) -> int:
        """How many rows can be read of a table."""
        async with await Database.connect(self.config) as database:
            return await counted(database, COUNTS[table])


async def counted(database: Database, query: str, scope: Mapping[str, Param] | None = None) -> int:
    row = await database.fetch_one(query, scope)
    return int(str(row["n"])) if row else 0


@contextmanager
def venue_server(messages: int, rate: int, span: Sequence[str]) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """A venue that is ready for one client."""
    (port,) = free_ports(1)
    command = [sys.executable, str(HERE / "venue_server.py"), str(port), str(messages), str(rate), *span]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        server.stdout.readline()
        try:
            yield port, server
        finally:
            server.terminate()


def peers_python() -> Path:
    """The peers' own environment, set up the first time."""
    return environment(".", "3.13")


def told(name: str, work: Callable[[], Run]) -> Callable[[], Run]:
    """The same work, which says what it measured."""

    def run() -> Run:
        done = work()
        print(f"  {name}: {done.rate:,.0f} rows/s, {done.cpu_per_million:.2f} CPU-s per million, lost {done.lost}")
        return done

    return run


def versions() -> dict[str, str]:
    """Of everything that takes part."""
    code = "from importlib.metadata import version as v; print(v('cryptofeed'), v('questdb'), v('pandas'))"
    found = subprocess.run([str(peers_python()), "-c", code], check=True, capture_output=True, text=True).stdout.split()
    return dict(zip(("cryptofeed", "questdb", "pandas"), found, strict=True))


def results(rounds: int) -> list[dict[str, object]]:
    """Rows of the report: a burst from socket to row, and a paced stream."""
    with questdb() as config:
        arena = Arena(config)
        burst = in_turns(
            {
                "ares": told("ares", lambda: arena.ares(MESSAGES, 0)),
                "cryptofeed": told("cryptofeed", lambda: arena.cryptofeed(MESSAGES, 0)),
                "dataframe": told("dataframe", lambda: arena.dataframe(MESSAGES)),
            },
            rounds,
        )
        paced = in_turns(
            {
                "ares": told("ares", lambda: arena.ares(PACED_MESSAGES, PACE)),
                "cryptofeed": told("cryptofeed", lambda: arena.cryptofeed(PACED_MESSAGES, PACE)),
            },
            rounds,
        )
    rate = {name: [run.rate for run in runs] for name, runs in burst.items()}
    cpu = {name: [run.cpu_per_million for run in runs] for name, runs in burst.items()}
    idle = {name: [run.cpu_per_million for run in runs] for name, runs in paced.items()}
    common: dict[str, object] = {
        "peer_name": "cryptofeed's QuestDB backend, told to wait instead of dropping",
        "limit_name": "QuestDB's client alone, dataframe()",
        "n": rounds,
        "versions": versions(),
    }
    lost = sum(run.lost for run in (*burst["ares"], *paced["ares"]))
    latencies = {
        "sent_to_acked_ms_p50": round(median(run.sent_to_acked_ms for run in paced["ares"]), 2),
        "received_to_acked_ms_p50": round(median(run.received_to_acked_ms for run in paced["ares"]), 2),
    }
    return [
        {"name": "ws_to_row", "unit": "rows/s visible", **compared(rate), **common, "lost": lost},
        {"name": "ws_to_row_cpu", "unit": "CPU-s per million rows", **compared(cpu), **common, "lost": lost},
        {"name": "ws_to_row_paced_cpu", "unit": f"CPU-s per million rows at {PACE} a second", **compared(idle)}
        | {**common, "lost": lost, **latencies},
    ]


def compared(values: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """The three figures and their ratios; nothing where a contestant took no part."""
    ours, peer, limit = values["ares"], values["cryptofeed"], values.get("dataframe")
    return {
        "ares": round(median(ours), 2),
        "peer": round(median(peer), 2),
        "limit": None if limit is None else round(median(limit), 2),
        "ratio_vs_peer": ratio(ours, peer),
        "ratio_vs_limit": None if limit is None else ratio(ours, limit),
    }
