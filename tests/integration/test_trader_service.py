"""Goal: the trader as a process, killed in the middle of its work, sends nothing twice and loses no fill."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.model.row import Row, UtcNs
from ares.store import RowWriter
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from trader.execution.ledger import Ledger
from trader.rows import Identity

BTC = "BTC/USDT"
CLOCK = SystemClock()
ROOT = Path(__file__).resolve().parents[2]
OPENING = {"USDT": Decimal(20_000), "BTC": Decimal("0.05")}
FLIP_S = 2.0
DRAIN_S_MAX = 20


@asynccontextmanager
async def serving(state_dir: Path) -> AsyncIterator[Exchange]:
    exchange = Exchange(ExchangeOptions(state_dir, port=0, keys=Keys("key", "secret"), balances=OPENING), CLOCK)
    await exchange.start()
    running = asyncio.create_task(exchange.run())
    try:
        yield exchange
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await exchange.stop()


def environ(exchange: Exchange, config: DatabaseConfig, venue: str, state_dir: Path) -> dict[str, str]:
    """The settings of a quick trader, as a user would set them."""
    own = {
        "ENVIRONMENT__STATE_DIR": str(state_dir),
        "DATABASE__HTTP_PORT": str(config.http_port),
        "DATABASE__PG_PORT": str(config.pg_port),
        "DATABASE__HEALTH_PORT": str(config.health_port),
        f"VENUES__{venue.upper()}__REST_URL": exchange.address,
        f"VENUES__{venue.upper()}__WS_URL": exchange.address.replace("http", "ws"),
        f"VENUES__{venue.upper()}__API_KEY": "key",
        f"VENUES__{venue.upper()}__API_SECRET": "secret",
        f"VENUES__{venue.upper()}__REQUEST_TIMEOUT_S": "1",
        "INGEST__SYMBOLS": '["BTC/USDT"]',
        "TRADING__VENUE": venue,
        "TRADING__ACCOUNT": "paper",
        "TRADING__STRATEGIES": '[{"name": "signal_momentum", "max_position_quote": "1000"}]',
        "TRADING__CYCLE_S": "0.5",
        "TRADING__SWEEP_S": "0.3",
        "TRADING__UNKNOWN_POLL_S": "0.2",
        "TRADING__UNKNOWN_VISIBILITY_S": "1",
        "TRADING__LEASE_S": "9.5",
        "TRADING__CONTROL_PORT": "0",
        "MONITORING__PORT_BASE": "0",
    }
    plain = {k: v for k, v in os.environ.items() if not k.startswith("ARES_")}
    return plain | {f"ARES_{name}": value for name, value in own.items()}


async def start_trader(settings: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    with log.open("ab") as out:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ares.cli", "service", "run", "trader"),
            env=settings,
            cwd=ROOT,
            stdout=out,
            stderr=out,
        )


async def feed(exchange: aiohttp.ClientSession, writer: RowWriter, venue: str, *, signals: bool = True) -> None:
    """Quotes of the exchange, and a signal that turns from all to nothing and back."""
    for number in count():
        async with exchange.get("/api/v3/ticker/bookTicker", params={"symbol": "BTCUSDT"}) as answer:
            top = await answer.json()
        now_ns = CLOCK.now_ns()
        target = 1.0 if now_ns // round(FLIP_S * NANOS_PER_SECOND) % 2 else 0.0
        quote = Row(
            "quotes",
            now_ns,
            {"venue": venue, "symbol": BTC, "ts_source": "receipt"},
            {
                "update_id": number,
                "bid": float(top["bidPrice"]),
                "ask": float(top["askPrice"]),
                "received_at": UtcNs(now_ns),
            },
        )
        wish = Row(
            "signal_values",
            now_ns,
            {"venue": venue, "symbol": BTC, "strategy": "signal_momentum", "known_at_kind": "live"},
            {"version": 1, "revision": 0, "target": target, "confidence": 1.0, "known_at": UtcNs(now_ns)},
        )
        await writer.write([quote, wish] if signals else [quote])
        await asyncio.sleep(0.2)


@asynccontextmanager
async def feeding(
    exchange: aiohttp.ClientSession, writer: RowWriter, venue: str, *, signals: bool = True
) -> AsyncIterator[None]:
    """While the block lasts there are quotes, and signals if so wanted."""
    task = asyncio.create_task(feed(exchange, writer, venue, signals=signals))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def trading(settings: dict[str, str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A trader that runs to the block's end, and then drains."""
    process = await start_trader(settings, log)
    try:
        yield process
        assert process.returncode is None, tail(log)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(DRAIN_S_MAX):
            ended = await process.wait()
    assert ended == 0, tail(log)


async def told(http: aiohttp.ClientSession) -> tuple[list[dict[str, str]], dict[str, int]]:
    """What the exchange knows of our orders: all it accepted, and how often each client id was sent."""
    async with http.get("/sim/orders") as answer:
        body = await answer.json()
    return cast("list[dict[str, str]]", body["orders"]), cast("dict[str, int]", body["submissions"])


def tail(log: Path) -> str:
    return log.read_text(encoding="utf-8")[-4_000:]


async def orders_reach(http: aiohttp.ClientSession, number: int, log: Path, seconds: float = 90.0) -> None:
    try:
        async with asyncio.timeout(seconds):
            while len((await told(http))[0]) < number:
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"fewer than {number} orders: {tail(log)}")


async def test_a_trader_killed_again_and_again_sends_nothing_twice_and_its_book_is_the_venues(
    questdb_config: DatabaseConfig, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    log = tmp_path / "trader.log"
    async with serving(tmp_path / "exchange") as exchange, aiohttp.ClientSession(exchange.address) as http:
        settings = environ(exchange, questdb_config, venue, tmp_path)
        async with feeding(http, writer, venue):
            killed = await start_trader(settings, log)
            try:
                await orders_reach(http, 1, log)
                async with http.post("/sim/misbehave", json={"kind": "accept_timeout", "on": "order"}):
                    pass
                orders, _ = await told(http)
                await orders_reach(http, len(orders) + 1, log)
                assert killed.returncode is None, tail(log)
            finally:
                with suppress(ProcessLookupError):
                    killed.kill()
                await killed.wait()
            orders, _ = await told(http)
            async with trading(settings, log):
                await orders_reach(http, len(orders) + 2, log)
        orders, submissions = await told(http)
        assert set(submissions.values()) == {1}
        control = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
        ledger = Ledger(control, Identity("paper", venue))
        await ledger.load()
        control.close()
        filled = sum((Decimal(order["executedQty"]) for order in orders), Decimal(0))
        assert sum((ledger.portfolio.filled(o["clientOrderId"]) for o in orders), Decimal(0)) == filled
        assert ledger.excess == 0
        assert not (tmp_path / "run" / "trader.token").exists()
