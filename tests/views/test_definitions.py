"""Goal: no feature and no signal knows the future, and each is the same from wherever it is read."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import timedelta

import pytest

from analytics.catalog import Definition, definitions
from analytics.testing import SyntheticMarket
from ares.clock import HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns, to_datetime
from ares.model.row import Row, UtcNs
from ares.store import Database, Record, RowWriter
from tests.views.test_examples import settled

VIEWS = (*definitions("feature"), *definitions("signal"))
MINUTES = 200
SEEN = 40


@pytest.fixture(scope="module")
def start_ns() -> int:
    """Yesterday, for tables with a TTL take no older rows; a full hour, where a moving average starts anew.

    One for all tests of this module: an hour may begin between two that read the same market.
    """
    return floor_ns(SystemClock().now_ns(), HOUR_NS) - 24 * HOUR_NS


def predictions(venue: str, symbols: Sequence[str], start_ns: int, minutes: int, rng: random.Random) -> list[Row]:
    return [
        Row(
            "predictions",
            ts_ns,
            {"venue": venue, "symbol": symbol, "model": "direction", "version": "v1", "known_at_kind": "live"},
            {"score": rng.random(), "known_at": UtcNs(ts_ns + MINUTE_NS + NANOS_PER_SECOND)},
        )
        for ts_ns in range(start_ns, start_ns + minutes * MINUTE_NS, MINUTE_NS)
        for symbol in symbols
    ]


def everything(market: SyntheticMarket, start_ns: int, minutes: int) -> list[Row]:
    scores = predictions(market.venue, market.symbols, start_ns, minutes, market.rng)
    ticks = [*market.trades(start_ns, minutes), *market.books(start_ns, minutes)]
    return [*ticks, *market.funding(start_ns, minutes), *scores]


async def write_settled(database: Database, writer: RowWriter, rows: Sequence[Row]) -> None:
    await writer.write(rows)
    await settled(database)


async def read(database: Database, view: str, venue: str, start_ns: int, end_ns: int) -> list[Record]:
    rows = await database.fetch(
        f"DECLARE @from := %(from)s, @to := %(to)s SELECT * FROM {view} WHERE venue = %(venue)s",
        {"from": to_datetime(start_ns), "to": to_datetime(end_ns), "venue": venue},
    )
    return sorted(rows, key=lambda row: (str(row["ts"]), str(row["symbol"])))


def like(rows: Sequence[Record]) -> list[object]:
    return [
        {k: pytest.approx(v, rel=1e-9, abs=1e-12) if isinstance(v, float) else v for k, v in row.items()}
        for row in rows
    ]


async def test_nothing_changes_when_everything_later_is_randomised(
    database: Database, writer: RowWriter, venue: str, start_ns: int
) -> None:
    market = SyntheticMarket(venue)
    t_ns = start_ns + (MINUTES - 1) * MINUTE_NS
    await write_settled(database, writer, everything(market, start_ns, MINUTES))
    before = {d.view: await read(database, d.view, venue, t_ns - SEEN * MINUTE_NS, t_ns) for d in VIEWS}
    assert all(len(rows) == (SEEN + 1) * 2 for rows in before.values())
    assert all(any(row.get("value", row.get("target")) is not None for row in rows) for rows in before.values())

    market.rng, market.prices = random.Random(99), dict.fromkeys(market.symbols, 5_000.0)
    later_ns = t_ns + MINUTE_NS
    first = everything(market, later_ns, 30)
    market.seqs = {symbol: seq - 60 for symbol, seq in market.seqs.items()}  # rewrites half of what it has just made
    second = everything(market, later_ns, 15)
    gap = market.gap("BTC/USDT", later_ns + 5, later_ns + 20 * MINUTE_NS, "lost", 0)
    await write_settled(database, writer, [*first, *second, gap, *market.candles(later_ns, 30)])
    await write_settled(database, writer, market.marks(later_ns + 40 * MINUTE_NS, later_ns + 35 * MINUTE_NS))
    after = {d.view: await read(database, d.view, venue, t_ns - SEEN * MINUTE_NS, t_ns) for d in VIEWS}
    assert [view for view in before if after[view] != like(before[view])] == []


async def test_a_view_that_peeks_is_caught(database: Database, writer: RowWriter, venue: str, start_ns: int) -> None:
    cheat = f"cheat_{venue}"
    await database.execute(
        f"CREATE OR REPLACE VIEW {cheat} AS (DECLARE OVERRIDABLE @from := now(), OVERRIDABLE @to := now()"
        " SELECT ts, venue, symbol, max(close) OVER (PARTITION BY venue, symbol) AS value FROM bars_1m"
        " WHERE ts >= @from)"
    )
    market = SyntheticMarket(venue)
    await write_settled(database, writer, market.trades(start_ns, 5))
    before = await read(database, cheat, venue, start_ns, start_ns + 5 * MINUTE_NS)
    market.prices = dict.fromkeys(market.symbols, 5_000.0)
    await write_settled(database, writer, market.trades(start_ns + 5 * MINUTE_NS, 5))
    after = await read(database, cheat, venue, start_ns, start_ns + 5 * MINUTE_NS)
    await database.execute(f"DROP VIEW {cheat}")
    assert after[: len(before)] != like(before)


@pytest.mark.parametrize("definition", VIEWS, ids=lambda d: d.view)
async def test_value_does_not_depend_on_where_reading_starts(
    definition: Definition, database: Database, writer: RowWriter, start_ns: int
) -> None:
    venue, market = "one_market_for_all_bounds", SyntheticMarket("one_market_for_all_bounds", seed=5)
    t_ns = start_ns + (MINUTES - 2) * MINUTE_NS
    if not await database.fetch("SELECT ts FROM trades WHERE venue = %(venue)s LIMIT 1", {"venue": venue}):
        await write_settled(database, writer, everything(market, start_ns, MINUTES))
    alone = await read(database, definition.view, venue, t_ns, t_ns)
    assert len(alone) == 2
    assert all(row.get("value", row.get("target")) is not None for row in alone)
    for minutes in (1, 7, 59, 61, 180):
        wide = await read(database, definition.view, venue, t_ns - minutes * MINUTE_NS, t_ns)
        assert wide[-2:] == like(alone)
    unaligned = await read(database, definition.view, venue, t_ns - 90 * NANOS_PER_SECOND, t_ns + 59 * NANOS_PER_SECOND)
    assert unaligned[-2:] == like(alone)


async def test_every_alias_reads_its_newest_version(database: Database, start_ns: int) -> None:
    moment = to_datetime(start_ns) + timedelta(hours=2)
    for definition in VIEWS:
        newest = max(d.version for d in VIEWS if d.name == definition.name)
        if definition.version == newest:
            rows = await database.fetch(
                f"DECLARE @from := %(t)s, @to := %(t)s SELECT * FROM {definition.name} WHERE venue = 'nobody'",
                {"t": moment},
            )
            assert rows == []
            (view,) = await database.fetch(
                "SELECT view_sql FROM views() WHERE view_name = %(name)s", {"name": definition.name}
            )
            assert f"{definition.name}_v{newest}" in str(view["view_sql"])
