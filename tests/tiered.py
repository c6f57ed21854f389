"""What tests of tiers share: a QuestDB in which days may go, rules that let them, and rows of nine days."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ares.clock import DAY_NS, SystemClock, floor_ns
from ares.config.lake import LakeConfig, TierRule
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from backup.tiers.commands import asked
from backup.tiers.retention import Done, applied

TODAY_NS = floor_ns(time.time_ns(), DAY_NS)
SPAN = (TODAY_NS - 60 * DAY_NS, TODAY_NS + 2 * DAY_NS)
RULES = (
    TierRule(table="trades", parquet_after_days=3, cold_after_days=3, drop_after_days=5),
    TierRule(table="quotes", cold_after_days=4, drop_after_days=5),
    TierRule(table="books", parquet_after_days=2, cold_after_days=4, drop_after_days=5),
    TierRule(table="funding", cold_after_days=1, drop_after_days=5),
)
WHOLE = "SELECT count(*) AS n, count(DISTINCT update_id) AS ids, sum(update_id) AS total FROM quotes WHERE venue = 'v'"


def config_of(server: DatabaseConfig, state_dir: Path) -> AresConfig:
    """Rules that drop after five days, and no backup that is asked for."""
    lake = LakeConfig(tiers=RULES, backup_before_drop="any")
    return AresConfig(environment=EnvironmentConfig(state_dir=state_dir), database=server, lake=lake)


def with_rule(config: AresConfig, **rule: object) -> AresConfig:
    """The same with one rule only."""
    tiers = (TierRule.model_validate(rule),)
    return config.model_copy(update={"lake": config.lake.model_copy(update={"tiers": tiers})})


@asynccontextmanager
async def emptied(server: DatabaseConfig, *, views: bool = False) -> AsyncIterator[Database]:
    """Empty tables; with `views` the bars are made anew, which the emptying of trades ended."""
    tables = ("trades", "quotes", "books", "funding", "cold_partitions", "gaps", "datasets", "restore_drills")
    async with await Database.connect(server) as database:
        for table in tables:
            await database.execute(f"TRUNCATE TABLE {table}")
        for table in ("trades", "quotes", "books"):
            await database.execute(f"ALTER TABLE {table} SET TTL 0 HOURS")
        await database.wait_applied(tables)
        for view in ("bars_1m", "bar_days", "bars_5m", "bars_1h", "bars_1d") if views else ():
            await rebuilt(database, view)
        yield database


async def rebuilt(database: Database, view: str) -> None:
    """One after the other: the rebuild of a view empties it, which makes those above it invalid."""
    status = f"SELECT count() AS n FROM materialized_views() WHERE view_name = '{view}' AND view_status = 'valid'"
    valid = False
    async with asyncio.timeout(60):
        while not valid:  # it may be told after the order that its table was emptied: then it is ordered anew
            await database.execute(f"REFRESH MATERIALIZED VIEW {view} FULL")
            for _ in range(60):
                await asyncio.sleep(0.05)
                if valid := bool(await number(database, status)):
                    break


def quotes(days: int = 9, per_day: int = 12) -> list[Row]:
    """Two symbols, the newest today, as many a day."""
    rows = []
    for day in range(days):
        for step in range(per_day):
            ts_ns = TODAY_NS - day * DAY_NS + step * (DAY_NS // per_day) + 123
            for symbol in ("BTC/USDT", "O'X/USDT"):
                number = len(rows)
                rows.append(quote(ts_ns, symbol, number))
    return rows


def quote(ts_ns: int, symbol: str, number: int, bid: float = 100.0) -> Row:
    columns = {"update_id": number, "bid": bid + number, "bid_amount": 1.5, "ask": 101.0 + number, "ask_amount": 2.0}
    return Row(
        "quotes", ts_ns, {"venue": "v", "symbol": symbol, "ts_source": "venue"}, {**columns, "received_at": None}
    )


def trades(days: int = 9, per_day: int = 12) -> list[Row]:
    rows = []
    for day in range(days):
        for step in range(per_day):
            ts_ns = TODAY_NS - day * DAY_NS + step * (DAY_NS // per_day)
            symbols = {"venue": "v", "symbol": "BTC/USDT", "side": "buy", "source": "stream"}
            seq = day * per_day + step
            received = UtcNs(ts_ns + 5_000_001)
            columns = {"trade_id": str(seq), "seq": seq, "price": 100.0 + seq, "amount": 1.0, "received_at": received}
            rows.append(Row("trades", ts_ns, symbols, columns))
    return rows


async def stored(database: Database, config: AresConfig, rows: list[Row]) -> None:
    writer = RowWriter(config.database)
    await writer.write(rows)
    await writer.close()
    await database.wait_applied({row.table for row in rows}, 60)


async def run(config: AresConfig, *tables: str) -> list[Done]:
    return await applied(config, SystemClock(), config.environment.state_dir, tables)


def outcomes(done: list[Done]) -> list[str]:
    return [f"{each.step.action} {each.outcome}" for each in done]


async def ask(config: AresConfig, sql: str, span: tuple[int, int] = SPAN) -> list[tuple[object, ...]]:
    answer = await asked(config, sql, span, 100_000, None)
    assert not isinstance(answer, int)
    return answer.rows


async def number(database: Database, sql: str) -> int:
    row = await database.fetch_one(sql)
    assert row is not None
    return int(str(row["n"]))
