"""From the close of a bar to the venue's receipt of the order that rests on it: the running demo, told by its own rows.

Every leg is the difference of two times that rows bear; the last one is the venue's own time of the order. The demo
trades every change of a wish; it may play more symbols than usual (`BENCH_SYMBOLS`), for a minute has one order of a
strategy and symbol at most. The peers' figures are what they document of their cycles, not measured: half of it is what
an order waits for at the median, before anything is computed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from statistics import quantiles
from urllib.request import urlopen

import psycopg

from ares.clock import MINUTE_NS, NANOS_PER_MILLI, NANOS_PER_SECOND
from ares.config.settings import AnalyticsConfig, DatabaseConfig
from ares.errors import StoreError
from ares.store import Database, Record
from ares.store.pool import as_int, as_str
from backup.restore.scratch import free_ports

HERE = Path(__file__).resolve().parent
RECORDING = "simulator/recordings/spot_{}usdt_20240808.gz"
MARKETS = {"BTC": "btc", "ETH": "eth", "SOL": "btc", "XRP": "eth", "ADA": "btc", "LTC": "eth"}
"""What may be traded, and as whose market it is played."""
SYMBOLS = dict(list(MARKETS.items())[: int(os.environ.get("BENCH_SYMBOLS", "2"))])
STRATEGIES = ("signal_momentum", "signal_direction")
MAX_POSITION_QUOTE = 1_500
ORDERS_WANTED = int(os.environ.get("BENCH_ORDERS", "200"))
MINUTES_MAX = float(os.environ.get("BENCH_MINUTES", "45"))
WARM_UP_NS = 3 * MINUTE_NS
"""Bars of the first minutes wait for history, which is fetched and frozen meanwhile; a platform starts once a week."""
POLL_S = 10.0
STOP_S_MAX = 60.0
GOAL_MS = {"p50": 150.0, "p99": 600.0}
PEERS_MS = {"freqtrade's process_throttle_secs": 5_000.0, "hummingbot's tick_size": 1_000.0}

SUBMITTED = "SELECT order_id, ts::long AS sent_ns FROM order_events WHERE event = 'submitted'"
DECIDED = """
SELECT strategy, symbol, ts::long AS decided_ns, signal_ts::long AS bar_ns, signal_known_at::long AS signal_ns,
       client_order_id AS order_id
FROM decisions WHERE signal_ts IS NOT NULL ORDER BY ts
"""
FROZEN = """
SELECT symbol, ts::long AS bar_ns, max(known_at)::long AS features_ns FROM feature_values
WHERE known_at_kind = 'live' AND revision = 0 GROUP BY symbol, ts
"""
PUBLISHED = """
SELECT symbol, ts::long AS published_ns, watermark::long AS watermark_ns FROM ingest_watermarks
WHERE channel = 'trades' ORDER BY ts
"""
LEGS = {
    "due_to_watermark": "the bar is over and no trade may be late any more → the watermark that says so is published",
    "watermark_to_features": "→ it was read, bars hold all its trades, bars and features were read",
    "features_to_signal": "→ features and scores are stored, signals were read",
    "signal_to_decision": "→ signals are stored and readable, the trader saw them, and quotes, trades and its account",
    "decision_to_sent": "→ risk is checked, the intents of the cycle are committed, the order may leave",
    "sent_to_receipt": "→ the venue has it (its clock ticks in ms)",
}


@dataclass(frozen=True)
class Way:
    """When an order passed each station, UTC ns, from the moment its bar might be frozen to the venue's receipt."""

    stations: tuple[int, ...]

    def legs_ms(self) -> list[float]:
        ahead = self.stations[1:]
        return [(after - before) / NANOS_PER_MILLI for before, after in zip(self.stations, ahead, strict=False)]

    @property
    def whole_ms(self) -> float:
        return (self.stations[-1] - self.stations[0]) / NANOS_PER_MILLI


@dataclass(frozen=True)
class Told:
    """What the rows told: the ways, from how many bars, and why other orders do not count."""

    ways: Sequence[Way]
    bars: int
    later: int
    """Orders that the first cycle with their signal did not give: that wish was not new, or another order stood."""
    broken: int
    """Orders with a station that no row tells."""
    early: int
    """Orders on bars of the first minutes (`WARM_UP_NS`)."""


@dataclass
class RunningDemo:
    """A demo of its own, in a folder and on ports of its own."""

    process: subprocess.Popen[bytes]
    database: DatabaseConfig
    exchange_port: int
    started_ns: int

    def receipts(self) -> dict[str, int]:
        """When the venue took each order, by client id, UTC ns."""
        with urlopen(f"http://127.0.0.1:{self.exchange_port}/sim/orders", timeout=30) as answer:
            orders = json.load(answer)["orders"]
        return {str(order["clientOrderId"]): int(order["time"]) * NANOS_PER_MILLI for order in orders}

    async def rows(self, query: str) -> list[Record]:
        async with await Database.connect(self.database, readonly=True) as database:
            return await database.fetch(query)

    def told(self) -> Told:
        """What the rows say by now."""
        submitted = {as_str(row["order_id"]): as_int(row["sent_ns"]) for row in asyncio.run(self.rows(SUBMITTED))}
        decided, frozen, published = (asyncio.run(self.rows(query)) for query in (DECIDED, FROZEN, PUBLISHED))
        marks = Marks.of(frozen, published)
        return ways(decided, submitted, marks, self.receipts(), warm_ns=self.started_ns + WARM_UP_NS)


@dataclass(frozen=True)
class Marks:
    """When features of a bar were known, and the watermarks of each symbol in the order of their publication."""

    features: Mapping[tuple[str, int], int]
    published: Mapping[str, Sequence[tuple[int, int]]]

    @classmethod
    def of(cls, frozen: Sequence[Record], published: Sequence[Record]) -> Marks:
        marks: dict[str, list[tuple[int, int]]] = {}
        for row in published:
            pair = (as_int(row["published_ns"]), as_int(row["watermark_ns"]))
            marks.setdefault(as_str(row["symbol"]), []).append(pair)
        known = {(as_str(row["symbol"]), as_int(row["bar_ns"])): as_int(row["features_ns"]) for row in frozen}
        return cls(known, marks)

    def let_through(self, symbol: str, due_ns: int) -> int | None:
        """When the first watermark at or past a moment was published."""
        marks = self.published.get(symbol, ())
        return next((at_ns for at_ns, watermark_ns in marks if watermark_ns >= due_ns), None)


def ways(
    decided: Sequence[Record], submitted: Mapping[str, int], marks: Marks, receipts: Mapping[str, int], *, warm_ns: int
) -> Told:
    """The way of every order that the first cycle with its signal gave, of bars that were due from `warm_ns` on."""
    lateness_ns = round(AnalyticsConfig().lateness_s_max * NANOS_PER_SECOND)
    found: list[Way] = []
    bars: set[int] = set()
    seen: set[tuple[str, str, int]] = set()
    later = broken = early = 0
    for row in decided:
        symbol, bar_ns = as_str(row["symbol"]), as_int(row["bar_ns"])
        key = (as_str(row["strategy"]), symbol, bar_ns)
        is_first = key not in seen
        seen.add(key)
        order_id = row["order_id"]
        if order_id is None or order_id not in submitted:
            continue
        if not is_first:
            later += 1
            continue
        due_ns = bar_ns + MINUTE_NS + lateness_ns
        if due_ns < warm_ns:
            early += 1
            continue
        stations = (
            due_ns,
            marks.let_through(symbol, due_ns),
            marks.features.get((symbol, bar_ns)),
            as_int(row["signal_ns"]),
            as_int(row["decided_ns"]),
            submitted[as_str(order_id)],
            receipts.get(as_str(order_id)),
        )
        whole = tuple(station for station in stations if station is not None)
        if len(whole) == len(stations):
            found.append(Way(whole))
            bars.add(bar_ns)
        else:
            broken += 1
    return Told(found, len(bars), later, broken, early)


@contextmanager
def demo() -> Iterator[RunningDemo]:
    """Start it as a user does, end it as one does."""
    http, pg, health, exchange, control = free_ports(5)
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "bench.toml"
        settings.write_text(settings_text(), encoding="utf-8")
        environment = {
            **os.environ,
            "ARES_CONFIG": str(settings),
            "ARES_ENVIRONMENT__STATE_DIR": f"{folder}/var",
            "ARES_DATABASE__HTTP_PORT": str(http),
            "ARES_DATABASE__PG_PORT": str(pg),
            "ARES_DATABASE__HEALTH_PORT": str(health),
            "ARES_SIMULATOR__PORT": str(exchange),
            "ARES_VENUES__SIM__REST_URL": f"http://127.0.0.1:{exchange}",
            "ARES_VENUES__SIM__WS_URL": f"ws://127.0.0.1:{exchange}",
            "ARES_TRADING__CONTROL_PORT": str(control),
            "ARES_MONITORING__PORT_BASE": "0",
        }
        command = [sys.executable, "-m", "ares.cli", "demo", "--duration", str(MINUTES_MAX * 60)]
        with subprocess.Popen(
            command, cwd=HERE.parent, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
        ) as process:
            try:
                database = DatabaseConfig(http_port=http, pg_port=pg, health_port=health)
                yield RunningDemo(process, database, exchange, time.time_ns())
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(STOP_S_MAX)


def settings_text() -> str:
    """The demo's settings, but for more symbols, less of history, and every change of a wish traded."""
    recordings = [f"{RECORDING.format(source)}#{name}USDT" for name, source in SYMBOLS.items()]
    strategies = [
        f'[[trading.strategies]]\nname = "{name}"\nversion = 1\nmax_position_quote = "{MAX_POSITION_QUOTE}"'
        for name in STRATEGIES
    ]
    lines = [
        f"[ingest]\nsymbols = {json.dumps([f'{name}/USDT' for name in SYMBOLS])}",
        "backfill_trades_hours = 0.5\nbackfill_bars_hours = 24",
        f"[simulator]\nrecordings = {json.dumps(recordings)}",
        "[trading]\nrebalance_share_min = 0.0",
        *strategies,
    ]
    return "\n".join(lines) + "\n"


def watched(running: RunningDemo) -> Told:
    """Wait until there are enough orders, or it was long enough."""
    ends = time.monotonic() + MINUTES_MAX * 60 - POLL_S
    told = Told([], 0, 0, 0, 0)
    while len(told.ways) < ORDERS_WANTED and time.monotonic() < ends:
        time.sleep(POLL_S)
        if running.process.poll() is not None:
            raise SystemExit("the demo ended before there were enough orders: run `make demo` to see why")
        try:
            told = running.told()
        except (StoreError, psycopg.Error, OSError) as error:
            print(f"  not yet: {type(error).__name__}")
    return told


def spread(values: Sequence[float]) -> dict[str, float]:
    """p50 and p99, ms."""
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


def results(_rounds: int) -> list[dict[str, object]]:
    """p50 and p99 of the whole way, and of its legs. One run: what is compared with is documented, not measured."""
    began, load = datetime.now(UTC), [round(os.getloadavg()[1], 1)]
    with demo() as running:
        told = watched(running)
    load.append(round(os.getloadavg()[1], 1))
    if len(told.ways) < 2:
        raise SystemExit(f"{len(told.ways)} orders in {MINUTES_MAX} minutes: nothing to tell; see BENCH_MINUTES")
    whole = spread([way.whole_ms for way in told.ways])
    each = zip(*(way.legs_ms() for way in told.ways), strict=True)
    legs = {name: spread(values) for name, values in zip(LEGS, each, strict=True)}
    for name, leg in legs.items():
        print(f"  {name}: p50 {leg['p50']} ms, p99 {leg['p99']} ms {LEGS[name]}")
    common: dict[str, object] = {
        "n": len(told.ways),
        "bars": told.bars,
        "orders_later": told.later,
        "orders_early": told.early,
        "orders_ms": [[round(leg, 1) for leg in way.legs_ms()] for way in told.ways],
        "lost": told.broken,
        "symbols": len(SYMBOLS),
        "began": began.isoformat(timespec="seconds"),
        "load_5m": load,
        "cpus": os.cpu_count(),
        "versions": {name: metadata.version(name) for name in ("questdb", "psycopg", "ccxt")},
    }
    (peer_name, peer), (limit_name, limit) = PEERS_MS.items()
    return [
        {
            "name": f"tick_to_order_{share}",
            "unit": f"ms from due bar to the venue's receipt (goal {GOAL_MS[share]:.0f})",
            "ares": whole[share],
            "peer": peer,
            "peer_name": f"{peer_name}, documented, not measured",
            "limit": limit,
            "limit_name": f"{limit_name}, documented, not measured",
            "ratio_vs_peer": round(whole[share] / peer, 3),
            "ratio_vs_limit": round(whole[share] / limit, 3),
            "goal": GOAL_MS[share],
            "legs": {name: leg[share] for name, leg in legs.items()},
            **common,
        }
        for share in GOAL_MS
    ]
