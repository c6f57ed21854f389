"""Bars out of the database and back, and frozen features as columns, beside psycopg, ILP and pandas.

Two symbols of half a million bars each in a real QuestDB. Figures are rates of wall clock; seconds of processor, of the
server and of us together, stand beside them. `FEATURE_BENCH_BARS` asks for more or fewer bars.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from itertools import count
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import numpy as np
import psutil
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from contest import in_turns, ratio
from socket_to_row import PEERS, peers_python
from write import BASE_NS, served

from analytics.features.store import FeatureStore, Frame, Range
from ares.clock import MINUTE_NS, floor_ns
from ares.config.settings import DatabaseConfig
from ares.lake.columns import ArrowTable, read_columns
from ares.store.server import EmbeddedQuestDB

VENUE = "bench"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
BARS = int(os.environ.get("FEATURE_BENCH_BARS", "1000000")) // len(SYMBOLS) * len(SYMBOLS)
FIRST_NS = floor_ns(BASE_NS, MINUTE_NS)
KNOWN_AFTER_NS = MINUTE_NS + 2_000_000_000
PIECE_BARS = 50_000
RECOMPUTED_BARS = 4_000
WRITERS = 2
"""Statements that insert at once, each its part of the rows: QuestDB reads a file on one core."""
WARM_UPS = 3
"""Runs of ours before what counts: Java compiles what a server that runs for days has long compiled."""
OFF_MAX = 1e-6
"""Relative, and of the value's usual size: pandas slides its windows, which leaves more digits uncertain."""
NUMBERS = ("open", "high", "low", "close", "volume", "cost", "buy_volume")
BARS_SQL = f"SELECT ts, {', '.join(NUMBERS)} FROM venue_bars_1m WHERE venue = %(venue)s"
BOUNDS = "DECLARE @from := %(from)s, @to := %(to)s"
Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class Spent:
    """What a round took: seconds of wall, and of processor."""

    wall_s: float
    cpu_s: float


Ask = Callable[[str], Spent]
"""Lets the process of the peers do something."""


@dataclass
class Arena:
    """A server of this bench alone, and what lies there."""

    server: EmbeddedQuestDB
    folder: Path
    turns: Iterator[int]
    bars: Mapping[str, np.ndarray]
    names: tuple[str, ...] = ()
    values: Floats | None = None
    lost: int = 0

    @property
    def config(self) -> DatabaseConfig:
        return self.server.config

    def spent(self, work: Callable[[], object]) -> Spent:
        running = self.server.running()
        assert running is not None
        process = psutil.Process(running.pid)
        used, mine, began = sum(process.cpu_times()[:2]), time.process_time(), time.perf_counter()
        work()
        wall_s, mine = time.perf_counter() - began, time.process_time() - mine
        return Spent(wall_s, mine + sum(process.cpu_times()[:2]) - used)

    def execute(self, sql: str) -> str:
        """Run a statement of ours; returns QuestDB's words."""
        secret = self.config.password.get_secret_value()
        headers = {"Authorization": "Basic " + base64.b64encode(f"{self.config.user}:{secret}".encode()).decode()}
        connection = http.client.HTTPConnection(self.config.host, self.config.http_port, timeout=600)
        connection.request(
            "GET", f"/exec?{urlencode({'query': sql})}", headers={**headers, "Statement-Timeout": "600000"}
        )
        answer = connection.getresponse()
        said = answer.read().decode()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"QuestDB refused {sql[:200]}: {said}")
        return said

    def applied(self, table: str, rows: int) -> None:
        while json.loads(self.execute(f"SELECT count() FROM {table}"))["dataset"][0][0] < rows:
            time.sleep(0.02)

    def insert(self, table: str, given: pa.Table, into: str, select: str) -> None:
        """Write a table by way of files in the folder from which QuestDB imports, `WRITERS` at once."""
        there = self.server.root / "import"
        there.mkdir(exist_ok=True)
        repeated = [field.name for field in given.schema if pa.types.is_dictionary(field.type)]
        each = -(-given.num_rows // WRITERS)

        def write(number: int) -> None:
            name = f"given-{number}.parquet"
            # A dictionary of numbers that hardly repeat, and their statistics, take longer than all else of a file.
            choices = {"compression": "none", "use_dictionary": repeated, "write_statistics": False}
            pq.write_table(given.slice(number * each, each), there / name, **choices)
            self.execute(f"INSERT INTO {table} ({into}) SELECT {select} FROM read_parquet('{name}')")

        with ThreadPoolExecutor(WRITERS) as writers:
            list(writers.map(write, range(WRITERS)))


def made(bars: int) -> Mapping[str, np.ndarray]:
    """A wandering market, by a seed: as many bars of each symbol, every minute."""
    chance = np.random.default_rng(42)
    each = bars // len(SYMBOLS)
    close = np.concatenate([100 * np.exp(np.cumsum(chance.normal(size=each) * 7e-4)) for _ in SYMBOLS])
    volume, size = chance.uniform(1.0, 9.0, bars), chance.uniform(0, 5e-4, (2, bars))
    return {
        "ts": np.tile(FIRST_NS + np.arange(each) * MINUTE_NS, len(SYMBOLS)),
        "codes": np.repeat(np.arange(len(SYMBOLS)), each),
        "open": close,
        "high": close * (1 + size[0]),
        "low": close * (1 - size[1]),
        "close": close,
        "volume": volume,
        "cost": volume * close,
        "trades": chance.integers(1, 40, bars).astype(float),
        "buy_volume": volume * chance.random(bars),
    }


def moments(ts_ns: np.ndarray) -> pa.Array:
    return pa.array(ts_ns, pa.timestamp("ns"))


def words(codes: np.ndarray, texts: tuple[str, ...]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int32()), list(texts))


def lay_bars(arena: Arena) -> None:
    """The bars as the venue's candles, and as they were frozen."""
    bars = arena.bars
    order = np.lexsort((bars["codes"], bars["ts"]))
    columns = {name: bars[name][order] for name in (*NUMBERS, "trades")}
    ts = bars["ts"][order]
    given = pa.table(
        {"ts": moments(ts), "known_at": moments(ts + KNOWN_AFTER_NS), "symbol": words(bars["codes"][order], SYMBOLS)}
        | columns
    )
    numbers = ", ".join(NUMBERS)
    arena.insert(
        "venue_bars_1m",
        given,
        f"ts, venue, symbol, {numbers}, trades, received_at",
        f"ts, '{VENUE}', symbol, {numbers}, trades::long, ts",
    )
    arena.insert(
        "bar_facts",
        given,
        f"ts, venue, symbol, interval, status, origin, known_at_kind, revision, {numbers}, trades, known_at",
        f"ts, '{VENUE}', symbol, '1m', 'traded', 'venue', 'simulated', 0, {numbers}, trades::long, known_at",
    )
    for table in ("venue_bars_1m", "bar_facts"):
        arena.applied(table, len(ts))


def lay_values(arena: Arena) -> None:
    """What pandas computed, as it were frozen: a row a value."""
    assert arena.values is not None
    bars, names = arena.bars, arena.names
    order = np.lexsort((bars["codes"], bars["ts"]))
    for first in range(0, len(order), PIECE_BARS):
        rows = order[first : first + PIECE_BARS]
        ts = np.repeat(bars["ts"][rows], len(names))
        given = pa.table(
            {
                "ts": moments(ts),
                "known_at": moments(ts + KNOWN_AFTER_NS),
                "symbol": words(np.repeat(bars["codes"][rows], len(names)), SYMBOLS),
                "name": words(np.tile(np.arange(len(names)), len(rows)), names),
                "value": pa.array(arena.values[rows].ravel(), from_pandas=True),
            }
        )
        arena.insert(
            "feature_values",
            given,
            "ts, venue, symbol, name, known_at_kind, version, revision, value, known_at, input_hash",
            f"ts, '{VENUE}', symbol, name, 'simulated', 1, 0, value, known_at, '00112233aabbccdd'",
        )
        arena.applied("feature_values", (first + len(rows)) * len(names))


@contextmanager
def arena() -> Iterator[tuple[Arena, Ask]]:
    """The server with all of it, and pandas, which waits to be asked."""
    with served() as (server, folder):
        current = Arena(server, folder, count(), made(BARS))
        np.savez(folder / "bars.npz", **current.bars)
        command = [
            str(peers_python()),
            str(PEERS / "frame_pandas.py"),
            str(folder / "bars.npz"),
            str(folder / "values.npz"),
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            assert peer.stdin is not None
            assert peer.stdout is not None
            if not peer.stdout.readline():
                raise SystemExit("frame_pandas.py ended before it was ready")
            kept = np.load(folder / "values.npz")
            current.names, current.values = tuple(str(name) for name in kept["names"]), kept["values"]
            lay_bars(current)
            lay_values(current)

            def ask(what: str) -> Spent:
                assert peer.stdin is not None
                assert peer.stdout is not None
                peer.stdin.write(f"{what}\n")
                peer.stdin.flush()
                return Spent(*json.loads(peer.stdout.readline()))

            try:
                yield current, ask
            finally:
                peer.stdin.close()


def bars_into_arrow(arena: Arena) -> None:
    found = read_columns(arena.config, BARS_SQL, {"venue": VENUE})
    arena.lost += abs(found.rows - BARS)


def bars_by_psycopg(arena: Arena) -> None:
    """Rows as Python has them: what would still have to become columns."""
    config = arena.config
    login = f"host={config.host} port={config.pg_port} user={config.user} dbname=qdb"
    with psycopg.connect(login, password=config.password.get_secret_value()) as connection:
        rows = connection.cursor(binary=True).execute(BARS_SQL, {"venue": VENUE}).fetchall()
    arena.lost += abs(len(rows) - BARS)


def wide(arena: Arena) -> pa.Table:
    assert arena.values is not None
    columns = {name: pa.array(arena.values[:, place], from_pandas=True) for place, name in enumerate(arena.names)}
    scope = {"ts": moments(arena.bars["ts"]), "symbol": words(arena.bars["codes"], SYMBOLS)}
    return pa.table(scope | columns).sort_by("ts")


def new_table(arena: Arena) -> str:
    table = f"wide_{next(arena.turns)}"
    columns = ", ".join(f"{name} DOUBLE" for name in arena.names)
    arena.execute(
        f"CREATE TABLE {table} (ts TIMESTAMP_NS, symbol SYMBOL, {columns}) TIMESTAMP(ts) PARTITION BY MONTH WAL"
    )
    return table


def wide_by_parquet(arena: Arena, given: pa.Table) -> None:
    table, columns = new_table(arena), ", ".join(given.column_names)
    arena.insert(table, given, columns, columns)
    arena.applied(table, BARS)
    arena.execute(f"DROP TABLE {table}")


def wide_by_lines(arena: Arena, ask: Ask) -> Spent:
    """QuestDB's own client, from a data frame."""
    config, table = arena.config, new_table(arena)
    secret = config.password.get_secret_value()
    conf = f"http::addr={config.host}:{config.http_port};username={config.user};password={secret};"
    theirs: list[Spent] = []

    def work() -> None:
        theirs.append(ask(f"write {conf} {table}"))
        arena.applied(table, BARS)

    spent = arena.spent(work)
    arena.execute(f"DROP TABLE {table}")
    return Spent(spent.wall_s, spent.cpu_s + theirs[0].cpu_s)


def frame_into_arrow(arena: Arena) -> Spent:
    """What the export and the training read. Every cell must be what was frozen, which is looked at afterwards."""
    assert arena.values is not None
    each = BARS // len(SYMBOLS)
    store = FeatureStore(arena.config, VENUE)
    names = [f"{name}_v1" for name in arena.names]
    found: list[tuple[Frame, ArrowTable]] = []

    def read() -> None:
        frame = store.training_frame(names, SYMBOLS, Range(FIRST_NS, FIRST_NS + each * MINUTE_NS))
        found.append((frame, frame.arrow))

    spent = arena.spent(read)
    frame, table = found[0]
    arena.lost += abs(table.num_rows - BARS)
    arena.lost += int(np.sum(~np.isclose(frame.matrix, arena.values, rtol=0, atol=0, equal_nan=True)))
    return spent


def recomputed(arena: Arena) -> tuple[Spent, int]:
    """The last bars again by the views themselves, and how many values are others than pandas'."""
    assert arena.values is not None
    each, some = BARS // len(SYMBOLS), min(RECOMPUTED_BARS, BARS) // len(SYMBOLS)
    span = {"from": FIRST_NS + (each - some) * MINUTE_NS, "to": FIRST_NS + (each - 1) * MINUTE_NS, "venue": VENUE}
    off = 0
    found: dict[str, Floats] = {}

    def read() -> None:
        for name in arena.names:
            sql = f"{BOUNDS} SELECT value FROM {name}_v1 WHERE venue = %(venue)s ORDER BY symbol, ts"
            found[name] = read_columns(arena.config, sql, span).numbers("value")

    spent = arena.spent(read)
    last = arena.bars["ts"] >= span["from"]
    for place, name in enumerate(arena.names):
        ours, theirs = found[name], arena.values[last, place]
        usual = float(np.nanmedian(np.abs(theirs)))
        off += int(np.sum(~np.isclose(ours, theirs, rtol=OFF_MAX, atol=OFF_MAX * max(usual, 1e-6), equal_nan=True)))
    return spent, off


def told(
    name: str, unit: str, spent: Mapping[str, list[Spent]], names: tuple[str, str], lost: int
) -> dict[str, object]:
    """A figure: bars a second of wall; the ratio of processor time beside it."""
    rates = {who: [BARS / each.wall_s for each in rounds] for who, rounds in spent.items()}
    thrift = {who: [BARS / each.cpu_s for each in rounds] for who, rounds in spent.items()}
    peer_name, limit_name = names
    return {
        "name": name,
        "unit": unit,
        "ares": round(median(rates["ares"])),
        "peer": round(median(rates["peer"])),
        "peer_name": peer_name,
        "limit": None,
        "limit_name": limit_name,
        "ratio_vs_peer": ratio(rates["ares"], rates["peer"]),
        "ratio_vs_limit": ratio(thrift["ares"], thrift["peer"]),
        "cpu_s": {who: round(median(each.cpu_s for each in rounds), 3) for who, rounds in spent.items()},
        "lost": lost,
        "n": len(spent["ares"]),
        "versions": {name: metadata.version(name) for name in ("pyarrow", "psycopg", "questdb")},
    }


def results(rounds: int) -> list[dict[str, object]]:
    """The rows of the suite `features`."""
    found: list[dict[str, object]] = []
    with arena() as (current, ask):
        given = wide(current)
        contests: dict[str, tuple[Callable[[], Spent], Callable[[], Spent], str]] = {
            "bars into arrow": (of(current, bars_into_arrow), of(current, bars_by_psycopg), "psycopg binary fetch"),
            "wide write-back": (
                of(current, partial(wide_by_parquet, given=given)),
                lambda: wide_by_lines(current, ask),
                "ILP of a data frame",
            ),
            "20 frozen features into arrow": (
                lambda: frame_into_arrow(current),
                lambda: ask("compute"),
                "pandas on bars in memory",
            ),
        }
        for name, (ours, theirs, peer_name) in contests.items():
            for _ in range(WARM_UPS):
                ours()
            current.lost = 0
            spent = in_turns({"ares": ours, "peer": theirs}, rounds)
            row = told(name, "bars/s", spent, (peer_name, "the same by processor time"), current.lost)
            if name.startswith("20"):
                again, off = recomputed(current)
                row |= {
                    "recomputed_bars_per_s": round(min(RECOMPUTED_BARS, BARS) / again.wall_s),
                    "lost": current.lost + off,
                }
            found.append(row)
    return found


def of(arena: Arena, work: Callable[[Arena], None]) -> Callable[[], Spent]:
    """A contestant's round."""
    return lambda: arena.spent(lambda: work(arena))
