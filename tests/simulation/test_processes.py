"""Goal: a trader that is killed at any moment, its journal on a disk, has the exchange's own record in its book."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from ares.config.settings import DatabaseConfig, VenueConfig
from ares.control import ControlStore
from ares.store import RowWriter
from tests.integration.test_trader_service import (
    BTC,
    CLOCK,
    FLIP_S,
    environ,
    feeding,
    orders_reach,
    serving,
    start_trader,
    tail,
    told,
)
from trader.execution.journal import OrderJournal
from trader.execution.ledger import Ledger
from trader.portfolio.portfolio import ADOPTED
from trader.rows import Identity
from trader.venues.ccxt_gateway import CcxtGateway

KILLS = int(os.environ.get("ARES_TEST_PROCESS_KILLS", "0"))
ORDERS = "v3/order"
FAULTS = ({"kind": "accept_timeout", "on": ORDERS}, {"kind": "5xx", "on": ORDERS}, {"kind": "429", "on": ORDERS})
ENDED_S_MAX = 30


@pytest.mark.skipif(not KILLS, reason="make simulate-processes runs it; one kill: test_trader_service.py")
async def test_a_trader_killed_at_random_moments_has_the_exchanges_record_in_its_book(
    questdb_config: DatabaseConfig, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    log, rng = tmp_path / "trader.log", random.Random(KILLS)
    async with serving(tmp_path / "exchange") as exchange, aiohttp.ClientSession(exchange.address) as http:
        settings = environ(exchange, questdb_config, venue, tmp_path)
        process = await start_trader(settings, log)
        try:
            async with feeding(http, writer, venue):
                for _ in range(KILLS):
                    orders, _ = await told(http)
                    await orders_reach(http, len(orders) + 1, log)
                    if rng.random() < 0.5:
                        async with http.post("/sim/misbehave", json=rng.choice(FAULTS)):
                            pass
                    await asyncio.sleep(rng.uniform(0, FLIP_S))
                    assert process.returncode is None, tail(log)
                    process.kill()
                    await process.wait()
                    process = await start_trader(settings, log)
                orders, _ = await told(http)
                await orders_reach(http, len(orders) + 1, log)
            await all_settled(tmp_path)
        finally:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(ENDED_S_MAX):
                await process.wait()
        await agree(http, exchange.address, venue, tmp_path)


async def all_settled(state_dir: Path, seconds: float = 60.0) -> None:
    """Wait until the journal has no order that is under way: nothing is decided without a quote."""
    control = ControlStore.open(f"sqlite:///{state_dir / 'control.db'}")
    try:
        async with asyncio.timeout(seconds):
            await asyncio.sleep(2 * FLIP_S)
            while await OrderJournal(control, "paper").load():
                await asyncio.sleep(0.2)
    finally:
        control.close()


async def agree(http: aiohttp.ClientSession, address: str, venue: str, state_dir: Path) -> None:
    """Orders, executions and coins of the exchange's record are those of the journal and the book."""
    orders, submissions = await told(http)
    assert set(submissions.values()) == {1}
    assert len({order["clientOrderId"] for order in orders}) == len(orders) > KILLS
    control = ControlStore.open(f"sqlite:///{state_dir / 'control.db'}")
    gateway = CcxtGateway(venue, door(address), CLOCK)
    try:
        ledger, journal = Ledger(control, Identity("paper", venue)), OrderJournal(control, "paper")
        await ledger.load()
        for order in orders:
            ours = await journal.find(order["clientOrderId"])
            assert ours is not None, "an orphan"
            assert ours.state.final
            assert ledger.portfolio.filled(ours.intent.order_id) == Decimal(order["executedQty"])
        await gateway.connect([BTC])
        executions = await gateway.executions_after(BTC, 0)
        assert all(ledger.portfolio.knows(BTC, execution.fill_id) for execution in executions)
        assert ledger.portfolio.knows(BTC, f"{ADOPTED}/signal_momentum"), "the coins that were there are in the book"
        assert ledger.portfolio.fills == len(executions) + 1
        assert ledger.portfolio.quantity(BTC) == (await gateway.balances())["BTC"].total
        assert ledger.excess == 0
    finally:
        await gateway.close()
        control.close()


def door(address: str) -> VenueConfig:
    return VenueConfig.model_validate(
        {
            "rest_url": address,
            "ws_url": address.replace("http", "ws"),
            "api_key": "key",
            "api_secret": "secret",
            "request_timeout_s": 5,
        }
    )
