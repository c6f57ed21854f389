"""Goal: two traders under one state directory are found apart, who leads by all, and `ares deploy` speaks to both."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import PortInUse, UsageError
from ares.service.trader_door import NoTrader, TraderPlace, address_path, colors_here, token_path
from ares.service.types import color_named
from tests.helpers import ROOT
from trader.control_port import ControlPort
from trader.handover.settings import settings_of
from trader.parts import TraderParts
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import PaperVenue, StaticReader

BTC, STRATEGY = "BTC/USDT", "signal_momentum"
CLOCK = SystemClock()


class Place:
    """Two traders that run, each with its door."""

    def __init__(self, control: ControlStore, folder: Path) -> None:
        self.folder = folder
        config = TradingConfig(
            strategies=(StrategyConfig(name=STRATEGY, max_position_quote=Decimal(4_000)),),
            cycle_s=0.3,
            sweep_s=0.3,
            lease_s=9.5,
        )
        now_ns, price = CLOCK.now_ns() + 3_600 * 10**9, Decimal(50_000)  # as fresh for the whole test
        signals = {(STRATEGY, 1, BTC): SignalSeen(now_ns, now_ns, 1.0, 0.9)}
        market = MarketSeen(signals, {BTC: QuoteSeen(price, price, now_ns)}, {BTC: price})
        parts = TraderParts(
            config=config,
            symbols=(BTC,),
            control=control,
            gateway=PaperVenue(CLOCK, {BTC: price}, {"USDT": Decimal(20_000)}),
            reader=StaticReader(market),
            clock=CLOCK,
            instance="one",
            request_s_max=1.0,
        )
        self.ports: dict[str, ControlPort] = {}
        self.traders: dict[str, Trader] = {}
        self.running: dict[str, asyncio.Task[None]] = {}
        self._parts = parts

    async def start(self, color: str) -> None:
        self.traders[color] = self._built(color)
        self.ports[color] = ControlPort(self.traders[color].commander, self.folder, "127.0.0.1", 0, color=color)
        await self.ports[color].start()
        self.running[color] = asyncio.create_task(self._run(color))

    def _built(self, color: str) -> Trader:
        async def led() -> None:
            await self.ports[color].lead()

        return Trader(replace(self._parts, color=color, instance=f"trader-{color}", led=led))

    async def _run(self, color: str) -> None:
        """As the service does."""
        while True:
            await self.traders[color].run()
            self.traders[color] = self._built(color)
            self.ports[color].serve(self.traders[color].commander)

    async def leads(self, color: str) -> None:
        async with asyncio.timeout(60):
            while not self.traders[color].health().ready:
                await asyncio.sleep(0.02)

    async def warm(self, color: str) -> None:
        async with asyncio.timeout(60):
            while self.traders[color].handover.standby.venue_trouble:
                await asyncio.sleep(0.02)

    async def deploy(self, *words: str) -> tuple[int, str]:
        """The command line, as an operator types it."""
        plain = {k: v for k, v in os.environ.items() if not k.startswith("ARES_")}
        settings = {"ARES_ENVIRONMENT__STATE_DIR": str(self.folder), "ARES_TRADING__CYCLE_S": "0.3"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ares.cli", "deploy", *words),
            env={**plain, **settings, "COLUMNS": "200"},
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    async def end(self) -> None:
        for task in self.running.values():
            task.cancel()
        await asyncio.gather(*self.running.values(), return_exceptions=True)
        for port in self.ports.values():
            await port.stop()


@pytest.fixture
async def place(control: ControlStore, tmp_path: Path) -> AsyncIterator[Place]:
    there = Place(control, tmp_path)
    await there.start("blue")
    await there.leads("blue")
    await there.start("green")
    await there.warm("green")
    yield there
    await there.end()
    assert colors_here(tmp_path) == []
    assert not token_path(tmp_path).exists()


def door(folder: Path, color: str = "") -> str:
    return address_path(folder, color).read_text(encoding="utf-8")


async def test_a_trader_is_verified_takes_over_and_goes_back_by_the_command_line(place: Place) -> None:
    assert door(place.folder) == door(place.folder, "blue") != door(place.folder, "green")
    code, said = await place.deploy("verify", "--color", "green", "--json")
    assert code == 0, said
    checks = {each["check"]: each["status"] for each in json.loads(said)}
    assert checks["door"] == checks["leader"] == checks["book"] == checks["key"] == "ok"
    code, said = await place.deploy("switch", "--to", "green", "--reason", "release", "--watch", "1", "--json")
    assert code == 0, said
    told = json.loads(said)
    assert told["leader"] == "green"
    assert told["seconds"] < 60
    assert door(place.folder) == door(place.folder, "green")
    code, said = await place.deploy("switch", "--to", "green", "--reason", "again", "--watch", "1")
    assert (code, "green leads already" in said) == (0, True), said
    code, said = await place.deploy("rollback", "--reason", "odd fills")
    assert (code, "blue leads and trades" in said) == (0, True), said
    assert door(place.folder) == door(place.folder, "blue")
    code, said = await place.deploy("status", "--json")
    rows = {each["color"]: each for each in json.loads(said)}
    found = [(rows[color]["leads"], rows[color]["doing"]) for color in ("blue", "green")]
    assert found == [(True, "trading"), (False, "standing by")]


async def test_a_colour_that_is_not_here_or_none_is_named(place: Place) -> None:
    code, said = await place.deploy("verify", "--color", "red")
    assert (code, "no red trader runs here" in said) == (1, True), said
    code, said = await place.deploy("switch", "--to", "Re d", "--reason", "x")
    assert (code, "not a colour" in said) == (2, True), said
    with pytest.raises(NoTrader):
        TraderPlace(place.folder, color="red").door()
    with pytest.raises(UsageError, match="not a colour"):
        color_named("to", "")


async def test_a_trader_beside_another_takes_any_port_and_a_lone_one_says_that_its_own_is_taken(place: Place) -> None:
    taken = int(door(place.folder, "blue").rpartition(":")[2])
    third = ControlPort(place.traders["green"].commander, place.folder, "127.0.0.1", taken, color="red")
    assert await third.start() != taken
    assert door(place.folder) == door(place.folder, "blue"), "who stands by is found by its colour"
    await third.stop()
    assert colors_here(place.folder) == ["blue", "green"]
    with pytest.raises(PortInUse):
        await ControlPort(place.traders["green"].commander, place.folder, "127.0.0.1", taken).start()


def test_settings_that_decide_trading_are_told_without_secrets_and_addresses_of_its_own() -> None:
    venue = {"rest_url": "http://127.0.0.1:1", "ws_url": "ws://127.0.0.1:1", "api_secret": "hush-hush"}
    trading = {"control_port": 1, "control_token": "a secret of both"}
    config = AresConfig.model_validate({"trading": trading, "venues": {"sim": venue}})
    told = settings_of(config)
    assert told["trading.venue"] == '"sim"'
    assert told["venues.sim.rest_url"] == '"http://127.0.0.1:1"'
    assert not [path for path in told if "secret" in path or "control_port" in path or "token" in path]
