"""The service against the simulated exchange: whatever it does wrong, every id it issued is stored or accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig, VenueConfig
from ares.service import ServiceContext
from ares.store import Database
from ingest.services import INGEST
from simulator.exchange import Exchange, ExchangeOptions
from simulator.market import BUNDLED, PACKAGE, Source
from simulator.recording import load_recording

SYMBOLS = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT"}
HISTORY_HOURS = 0.25

WHOLE = """
SELECT min(seq) AS first_seq, max(seq) AS last_seq, count() AS stored, count_distinct(seq) AS ids
FROM trades WHERE venue = %(venue)s AND symbol = %(symbol)s
"""
UNHEALED = """
SELECT count() AS n FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = 'trades'
LATEST ON ts PARTITION BY gap_id) WHERE status <> 'healed'
"""
CAUSES = "SELECT DISTINCT cause FROM gaps WHERE venue = %(venue)s"
BARS = """
WITH ours AS (
  SELECT ts, symbol, arg_min(price, seq) AS open, max(price) AS high, min(price) AS low, arg_max(price, seq) AS close,
    sum(amount) AS volume, sum(CASE WHEN side = 'buy' THEN amount ELSE 0.0 END) AS buy_volume
  FROM trades WHERE venue = %(venue)s SAMPLE BY 1m
)
SELECT o.symbol, o.open = v.open AS open, o.high = v.high AS high, o.low = v.low AS low, o.close = v.close AS close,
  abs(o.volume - v.volume) AS volume_off, abs(o.buy_volume - v.buy_volume) AS buy_volume_off
FROM ours o JOIN (SELECT * FROM venue_bars_1m WHERE venue = %(venue)s) v ON o.ts = v.ts AND o.symbol = v.symbol
WHERE o.ts >= dateadd('m', -13, now()) AND o.ts < dateadd('m', -1, now())
"""


@dataclass
class Running:
    """Exchange and service, both at work."""

    name: str
    address: str
    database: Database

    async def ask(self, path: str) -> dict[str, object]:
        async with aiohttp.ClientSession() as session, session.get(self.address + path) as answer:
            body: dict[str, object] = await answer.json()
            return body

    async def misbehave(self, kind: str, count: int) -> None:
        body = {"kind": kind, "count": count}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.address}/sim/misbehave", json=body) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def first(self, sql: str, **params: str) -> dict[str, object]:
        record = await self.database.fetch_one(sql, {"venue": self.name, **params})
        return dict(record or {})

    async def until_whole(self) -> None:
        """Every id issued so far is stored once, and no gap is open."""
        issued = {s: int(str((await self.ask(f"/sim/issued?symbol={v}"))["last"])) for s, v in SYMBOLS.items()}
        behind: object = None
        for _ in range(150):
            behind = [s for s in SYMBOLS if not await self.is_whole(s, issued[s])]
            if not behind and (await self.first(UNHEALED))["n"] == 0:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"not whole: {behind}")

    async def is_whole(self, symbol: str, issued: int) -> bool:
        row = await self.first(WHOLE, symbol=symbol)
        if row.get("first_seq") is None:
            return False
        first, last, stored, ids = (int(str(row[name])) for name in ("first_seq", "last_seq", "stored", "ids"))
        assert stored == ids
        return last >= issued and ids == last - first + 1


@pytest.fixture(scope="module")
def recordings() -> tuple[Source, ...]:
    """Read once: that costs a second, which is most of what starting an exchange costs."""
    return tuple(load_recording(PACKAGE / "recordings" / name) for name in BUNDLED)


@pytest.fixture
async def running(
    questdb_config: DatabaseConfig, database: Database, venue: str, tmp_path: Path, recordings: tuple[Source, ...]
) -> AsyncIterator[Running]:
    clock = SystemClock()
    exchange = Exchange(ExchangeOptions(state_dir=tmp_path / "exchange", port=0, recordings=recordings), clock)
    await exchange.start()
    address = exchange.address
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path),
        database=questdb_config,
        venues={venue: VenueConfig(rest_url=address, ws_url=address.replace("http", "ws"))},
        ingest=IngestConfig(
            venue=venue,
            symbols=tuple(SYMBOLS),
            backfill_trades_hours=HISTORY_HOURS,
            backfill_bars_hours=HISTORY_HOURS,
            backoff_s_min=0.05,
            backoff_s_max=0.2,
        ),
    )
    service = INGEST.build(ServiceContext(config, clock, "ingest-test"))
    await service.start()
    tasks = [asyncio.create_task(exchange.run()), asyncio.create_task(service.run())]
    try:
        yield Running(venue, address, database)
        assert [task.exception() for task in tasks if task.done()] == []
    finally:
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        await service.stop()
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        await exchange.stop()


async def test_every_issued_id_is_stored_whatever_the_venue_does(running: Running) -> None:
    await running.until_whole()
    for kind, count in (("duplicate", 20), ("reorder", 20), ("gap", 20), ("disconnect", 3)):
        await running.misbehave(kind, count)
        await asyncio.sleep(1.0)
        await running.until_whole()
    causes = {
        str(r["cause"]) for r in await running.database.fetch(f"SELECT cause FROM gaps WHERE venue = '{running.name}'")
    }
    assert "disconnect" in causes


async def test_bars_of_collected_trades_equal_the_venues_own_candles(running: Running) -> None:
    await running.until_whole()
    done = "SELECT count_distinct(symbol) AS n FROM ingest_watermarks WHERE venue = %(venue)s AND channel = 'backfill'"
    async with asyncio.timeout(20):
        while (await running.first(done))["n"] != 2:
            await asyncio.sleep(0.1)
    await running.database.wait_applied(["trades", "venue_bars_1m"])
    rows = await running.database.fetch(BARS, {"venue": running.name})
    assert len(rows) >= 20
    for row in rows:
        assert [row[name] for name in ("open", "high", "low", "close")] == [True] * 4, row
        assert float(str(row["volume_off"])) < 1e-9
        assert float(str(row["buy_volume_off"])) < 1e-9
