"""All panels of all boards on 100 million trades and a month of everything else, beside the few rows of the tests.

`ARES_BENCH_TRADES` sets another number. A panel is asked for the last two hours and for thirty days, as the read-only
user, over PostgreSQL's protocol: seconds of the 95th percentile. Trades and quotes are made in QuestDB; the rows of
all other tables are the tests', repeated for a month.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from statistics import quantiles
from typing import LiteralString

import psycopg
from psycopg.sql import SQL, Composable, Identifier

sys.path.insert(0, str(Path(__file__).parents[1]))

from ares.clock import DAY_NS, SystemClock, to_datetime, to_ns
from ares.config.settings import DatabaseConfig
from ares.store import RowWriter
from tests.boards import BOARDS, Asked, Span, asked_of_panels, expanded, last_two_hours
from tests.boards_rows import seeds
from tests.questdb import serving, small

TRADES = int(os.environ.get("ARES_BENCH_TRADES", "100000000"))
QUOTES = TRADES // 10
CHUNK = 5_000_000
DAYS = 30
REPEATED_H = 2
ASKS_MIN = 20
LIMIT_S = 1.0
HEAP_MB = 4_096
SETTLED_S_MAX = 3_600.0
Connection = psycopg.Connection[tuple[object, ...]]

TRADES_SQL = """
INSERT INTO trades
SELECT (%(start_ns)s + x * %(step_ns)s)::TIMESTAMP_NS, 'sim', CASE WHEN x %% 2 = 0 THEN 'BTC/USDT' ELSE 'ETH/USDT' END,
       CASE WHEN x %% 3 = 0 THEN 'buy' ELSE 'sell' END, 'stream', (%(first)s + x)::VARCHAR, %(first)s + x,
       50000.0 + (x * 7919 %% 20000) / 100.0, 0.01, (%(start_ns)s + x * %(step_ns)s + 20000000)::TIMESTAMP_NS
FROM long_sequence(%(rows)s)
"""
QUOTES_SQL = """
INSERT INTO quotes
SELECT (%(start_ns)s + x * %(step_ns)s)::TIMESTAMP_NS, 'sim', CASE WHEN x %% 2 = 0 THEN 'BTC/USDT' ELSE 'ETH/USDT' END,
       'venue', %(first)s + x, 49999.0 + (x * 7919 %% 20000) / 100.0, 1.0, 50001.0 + (x * 7919 %% 20000) / 100.0, 1.0,
       (%(start_ns)s + x * %(step_ns)s + 20000000)::TIMESTAMP_NS
FROM long_sequence(%(rows)s)
"""
TABLES_SQL: LiteralString = """
SELECT table_name, designatedTimestamp FROM tables()
WHERE walEnabled AND NOT matView AND designatedTimestamp IS NOT NULL
  AND table_name NOT IN ('trades', 'quotes', 'trades_archive')
"""
COLUMNS_SQL: LiteralString = 'SELECT "column" FROM table_columns(%(table)s)'
BEHIND_SQL: LiteralString = """
SELECT count() FROM wal_tables() WHERE writerTxn < sequencerTxn
UNION ALL
SELECT count() FROM materialized_views() WHERE refresh_base_table_txn < base_table_txn
"""


def results(rounds: int) -> list[dict[str, object]]:
    """The slowest panels, and how many are above the limit, for both spans."""
    asked = [each for board in BOARDS for each in asked_of_panels(board)]
    now = to_datetime(SystemClock().now_ns())
    with tempfile.TemporaryDirectory() as folder, arena(Path(folder), now) as (large, few):
        spans = {"two hours": last_two_hours(now), "thirty days": month(now)}
        found = [told(name, asked, span, (large, few), max(rounds, ASKS_MIN)) for name, span in spans.items()]
    return [figure for figures in found for figure in figures]


def month(now: datetime) -> Span:
    """Thirty days, in steps that Grafana takes for them."""
    return replace(last_two_hours(now), since=now - timedelta(days=DAYS), interval="30m")


@contextmanager
def arena(folder: Path, now: datetime) -> Iterator[tuple[Connection, Connection]]:
    """A server with very many rows, and one with the tests' few."""
    config, other = small(HEAP_MB), small()
    with serving(config, folder / "large", schema=True), serving(other, folder / "few", schema=True):
        for each in (config, other):
            asyncio.run(seeded(each, now))
        with connected(config, readonly=False) as owner:
            settled(owner)
            repeat(owner)
            fill(owner, to_ns(now))
            settled(owner)
        with connected(config) as large, connected(other) as few:
            yield large, few


async def seeded(config: DatabaseConfig, now: datetime) -> None:
    writer = RowWriter(config)
    await writer.write(list(seeds(now)))
    await writer.close()


@contextmanager
def connected(config: DatabaseConfig, *, readonly: bool = True) -> Iterator[Connection]:
    user, secret = (config.readonly_user, config.readonly_password) if readonly else (config.user, config.password)
    login = f"host=127.0.0.1 port={config.pg_port} dbname=qdb user={user}"
    with psycopg.connect(
        login, password=secret.get_secret_value(), autocommit=True, cursor_factory=psycopg.ClientCursor
    ) as connection:
        yield connection


def repeat(owner: Connection) -> None:
    """Every other table's last two hours, again and again for a month."""
    views = {name for (name,) in rows_of(owner, "SELECT view_name FROM views()")}
    for table, ts in rows_of(owner, TABLES_SQL):
        if table in views:
            continue
        columns = [str(name) for (name,) in rows_of(owner, COLUMNS_SQL, {"table": table})]
        moved: list[Composable] = [
            SQL("dateadd('h', -{hours} * x::INT, {ts})").format(hours=REPEATED_H, ts=Identifier(str(ts)))
            if name == ts
            else Identifier(name)
            for name in columns
        ]
        owner.execute(
            SQL(
                "INSERT INTO {table} ({columns}) SELECT {moved} FROM {table} CROSS JOIN long_sequence({times})"
                " WHERE {ts} > dateadd('h', -{hours}, now())"
            ).format(
                table=Identifier(str(table)),
                columns=SQL(", ").join(map(Identifier, columns)),
                moved=SQL(", ").join(moved),
                times=DAYS * 24 // REPEATED_H,
                ts=Identifier(str(ts)),
                hours=REPEATED_H,
            )
        )


def fill(owner: Connection, now_ns: int) -> None:
    """Trades of thirty days and quotes of six, oldest first."""
    for statement, rows, days in ((TRADES_SQL, TRADES, DAYS), (QUOTES_SQL, QUOTES, 6)):
        step_ns = days * DAY_NS // rows
        for first in range(0, rows, CHUNK):
            count = min(CHUNK, rows - first)
            start_ns = now_ns - (rows - first) * step_ns
            made = {"start_ns": start_ns, "step_ns": step_ns, "first": 10**9 + first, "rows": count}
            owner.execute(statement, made)
            settled(owner)


def settled(owner: Connection) -> None:
    """Until all is applied and every view has seen it."""
    limit_s = time.monotonic() + SETTLED_S_MAX
    while [row for row in rows_of(owner, BEHIND_SQL) if row[0]]:
        if time.monotonic() > limit_s:
            raise SystemExit(f"QuestDB did not catch up in {SETTLED_S_MAX:.0f} s")
        time.sleep(0.5)


def rows_of(
    owner: Connection, sql: LiteralString, values: Mapping[str, object] | None = None
) -> list[tuple[object, ...]]:
    return owner.execute(sql, values).fetchall()


def told(
    what: str, asked: Sequence[Asked], span: Span, both: tuple[Connection, Connection], asks: int
) -> list[dict[str, object]]:
    """A figure of each of the slowest panels, with the number of those above the limit as `lost`."""
    found = []
    for each in asked:
        sql = expanded(each.sql, span).encode()
        for connection in both:
            seconds(connection, sql)
        ours, theirs = ([seconds(connection, sql) for _ in range(asks)] for connection in both)
        found.append((p95(ours), p95(theirs), each.name))
    found.sort(reverse=True)
    above = sum(ours > LIMIT_S for ours, _, _ in found)
    return [
        {
            "name": f"boards, {what}: {name}",
            "unit": "s at p95",
            "ares": round(ours, 3),
            "peer": round(theirs, 3),
            "peer_name": "the few rows of the tests",
            "limit": LIMIT_S,
            "limit_name": "a second",
            "ratio_vs_peer": round(ours / theirs, 1),
            "ratio_vs_limit": round(ours / LIMIT_S, 3),
            "lost": above,
            "n": asks,
            "versions": {"psycopg": metadata.version("psycopg")},
        }
        for ours, theirs, name in found[: max(10, above)]
    ]


def seconds(connection: Connection, sql: bytes) -> float:
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(sql)
        cursor.fetchall()
    return time.perf_counter() - began


def p95(times: Sequence[float]) -> float:
    return quantiles(times, n=20)[-1]
