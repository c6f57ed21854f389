"""Goal: what Prometheus sees halts a real trader through a real Alertmanager and the receiver; Watchdog is heard."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import aiohttp
import pytest

from alerting.ops import run_ops
from alerting.receiver.events import REGISTRY, AlertActed, AlertFired
from alerting.receiver.service import AlertsService
from ares.clock import SystemClock
from ares.config.settings import AresConfig
from ares.control import ControlStore
from ares.service.http import ProbeServer
from ares.service.types import Health, ServiceContext
from ares.telemetry import metrics
from tests.conftest import free_port, require_program
from tests.helpers import eventually, running
from tests.integration.test_trader_control import parts_on
from trader.control_port import ControlPort
from trader.runtime import Trader

CLOCK = SystemClock()
SECONDS_MAX = 50.0


class Probed:
    """The trader as its process shows it: this test's metrics."""

    def health(self) -> Health:
        return Health(ready=True)


@pytest.fixture
def config(tmp_path: Path) -> AresConfig:
    require_program("prometheus", "apt-get install prometheus")
    require_program("prometheus-alertmanager", "apt-get install prometheus-alertmanager")
    alerting = {
        "port": free_port(),
        "prometheus_port": free_port(),
        "alertmanager_port": free_port(),
        "actions": {"Unprotected": "halt"},
    }
    return AresConfig.model_validate(
        {
            "environment": {"state_dir": tmp_path},
            "alerting": alerting,
            "control": {"url": f"sqlite:///{tmp_path / 'control.db'}"},
            "database": {"health_port": free_port()},
        }
    )


async def test_what_prometheus_sees_halts_the_trader(config: AresConfig, control: ControlStore, tmp_path: Path) -> None:
    trader = Trader(parts_on(control))
    await trader.leadership.wait()
    await trader.begin()
    assert trader.states.current.state.value == "ACTIVE"
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    await door.start()
    probes = ProbeServer(Probed(), "127.0.0.1", 0)  # type: ignore[arg-type]  # only health is asked of it
    card = {"pid": os.getpid(), "port": await probes.start()}
    (tmp_path / "run" / "trader.json").write_text(json.dumps(card), encoding="utf-8")
    metrics.TRADER_UNPROTECTED_SECONDS.labels("BTC/USDT", "signal_momentum").set(45)
    stopping, said = asyncio.Event(), list[str]()
    receiver = AlertsService(ServiceContext(config, CLOCK, "alerts"))
    try:
        async with running(receiver):
            ops = asyncio.create_task(run_ops(config, said.append, stopping))
            began_s = CLOCK.monotonic_s()
            while (await trader.states.refresh()).state.value != "HALTED":
                assert not ops.done(), said
                assert CLOCK.monotonic_s() - began_s < SECONDS_MAX, said
                await asyncio.sleep(0.2)
            await eventually(lambda: len(control.read("alert_action/trader")) == 1)
            await eventually(lambda: metrics.ALERT_PATH_HEARD._value.get() > 0, 40)
            await people_are_told_too(config)
            stopping.set()
            await ops
    finally:
        stopping.set()
        metrics.TRADER_UNPROTECTED_SECONDS.clear()
        await probes.stop()
        await door.stop()
    assert (trader.states.current.actor, trader.states.current.reason) == (
        "alert",
        "Unprotected: signal_momentum holds BTC/USDT without its protection for 45s",
    )
    (acted,) = (REGISTRY.read(each).body for each in control.read("alert_action/trader"))
    assert isinstance(acted, AlertActed)
    assert (acted.name, acted.action, acted.outcome, acted.detail) == (
        "Unprotected", "halt", "done", "the trader is HALTED",
    )  # fmt: skip
    (fired, *_) = (REGISTRY.read(each).body for each in control.read(f"alert/{acted.fingerprint}"))
    assert isinstance(fired, AlertFired)
    assert (fired.severity, fired.team, fired.labels["symbol"]) == ("page", "trading", "BTC/USDT")


async def people_are_told_too(config: AresConfig) -> None:
    """Alertmanager says itself to which receivers it hands the alert."""
    address = f"http://127.0.0.1:{config.alerting.alertmanager_port}/api/v2/alerts"
    async with aiohttp.ClientSession() as http, http.get(address) as answer:
        alerts = await answer.json()
    (ours,) = (each for each in alerts if each["labels"]["alertname"] == "Unprotected")
    assert [each["name"] for each in ours["receivers"]] == ["actions", "trading_desk"]
