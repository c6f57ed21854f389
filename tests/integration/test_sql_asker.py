"""Goal: without a Grafana the SQL alerts reach Alertmanager all the same, and begin and end there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from alerting.ops import run_ops
from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.store import Database, RowWriter
from tests.conftest import free_port, require_program
from tests.sql_alerts import MINUTE, equity_row, moved

CLOCK = SystemClock()
SECONDS_MAX = 60.0


def fires(told: list[dict[str, dict[str, str]]], name: str, account: str) -> list[str]:
    """Summaries of an account's alerts of this name."""
    ours = [each for each in told if each["labels"].get("account") == account]
    return [each["annotations"]["summary"] for each in ours if each["labels"]["alertname"] == name]


async def test_a_drawdown_in_the_tables_is_told_by_ops_and_over_when_it_is_made_good(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    require_program("prometheus", "apt-get install prometheus")
    require_program("prometheus-alertmanager", "apt-get install prometheus-alertmanager")
    ports = {name: free_port() for name in ("port", "prometheus_port", "alertmanager_port")}
    config = AresConfig.model_validate(
        {
            "environment": {"state_dir": tmp_path},
            "alerting": ports,
            "control": {"url": f"sqlite:///{tmp_path / 'control.db'}"},
            "database": questdb_config.model_dump(exclude_unset=True),
        }
    )
    account, address = f"of_{venue}", f"http://127.0.0.1:{ports['alertmanager_port']}/api/v2/alerts"

    async def written(*aged: tuple[float, int]) -> None:
        await writer.write(moved([(age_s, equity_row(account, worth)) for age_s, worth in aged], CLOCK.now_ns()))
        await database.wait_applied(["equity"])

    await written((10 * MINUTE, 10_900), (MINUTE, 10_000))
    stopping, said = asyncio.Event(), list[str]()
    ops = asyncio.create_task(run_ops(config, said.append, stopping))

    async def until(wanted: list[str]) -> None:
        async with asyncio.timeout(SECONDS_MAX), aiohttp.ClientSession() as http:
            while True:
                assert not ops.done(), said
                try:
                    async with http.get(address) as answer:
                        if fires(await answer.json(), "Drawdown", account) == wanted:
                            return
                except aiohttp.ClientError:
                    pass
                await asyncio.sleep(0.5)

    try:
        await until([f"{account} fell by 165.1% of its drawdown limit"])
        await written((0, 10_900))
        await until([])
    finally:
        stopping.set()
        await asyncio.gather(ops, return_exceptions=True)
    assert ops.exception() is None


async def test_who_asks_is_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require_program("prometheus-alertmanager", "apt-get install prometheus-alertmanager")
    require_program("prometheus", "apt-get install prometheus")
    asked: list[str] = []

    async def ask(*_: object) -> None:
        asked.append("asked")

    monkeypatch.setattr("alerting.ops.SqlAsker.run", ask)
    for who in ("grafana", "ops"):
        ports = {name: free_port() for name in ("port", "prometheus_port", "alertmanager_port")}
        config = AresConfig.model_validate(
            {"environment": {"state_dir": tmp_path}, "alerting": {**ports, "sql_asked_by": who}}
        )
        stopping, said = asyncio.Event(), list[str]()
        ops = asyncio.create_task(run_ops(config, said.append, stopping))
        async with asyncio.timeout(SECONDS_MAX):
            while not any(line.startswith("Alertmanager:") for line in said):
                assert not ops.done(), said
                await asyncio.sleep(0.1)
        stopping.set()
        await ops
        assert asked == (["asked"] if who == "ops" else [])
