"""The doctor on a real machine, with the database up and with everything down."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ares.clock import SystemClock
from ares.config import AresConfig
from ares.config.settings import DatabaseConfig, EnvironmentConfig, MonitoringConfig
from ares.config.trading import TradingConfig
from ares.control import ControlStore
from ares.service.doctor import Finding, examine


def config(path: Path, database: DatabaseConfig) -> AresConfig:
    return AresConfig(
        environment=EnvironmentConfig(state_dir=path),
        database=database,
        trading=TradingConfig(control_port=0),
        monitoring=MonitoringConfig(port_base=0),
    )


async def examined(settings: AresConfig) -> dict[str, Finding]:
    return {finding.check: finding for finding in await examine(settings, SystemClock())}


async def test_sound_installation_has_no_failures(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}").close()
    found = await examined(config(tmp_path, questdb_config))
    assert not [finding for finding in found.values() if finding.status == "fail"]
    assert found["version of QuestDB"].status == "ok"
    assert found["clock against QuestDB"].status == "ok"
    assert found["storage"].status == "ok"
    assert found["control store"].observed == "sound"


async def test_with_everything_down_it_says_what_could_not_be_asked(port: int, tmp_path: Path) -> None:
    found = await examined(config(tmp_path / "not_there", DatabaseConfig(health_port=port)))
    assert found["database"].status == found["state directory"].status == found["control store"].status == "skip"
    assert "ares db start" in found["database"].way_out


async def test_damaged_control_store_fails(port: int, tmp_path: Path) -> None:
    path = tmp_path / "control.db"
    ControlStore.open(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    content = bytearray(path.read_bytes())
    content[100:4_000] = b"\xff" * 3_900
    path.write_bytes(content)
    found = await examined(config(tmp_path, DatabaseConfig(health_port=port)))
    assert found["control store"].status == "fail"


async def test_second_run_long_after_the_first_forecasts_the_disk(port: int, tmp_path: Path) -> None:
    settings = config(tmp_path, DatabaseConfig(health_port=port))
    assert "no forecast yet" in (await examined(settings))["disk"].observed
    sizes = tmp_path / "run" / "sizes.json"
    sizes.write_text(f"[[{SystemClock().now_ns() - 86_400 * 10**9}, 0]]", encoding="utf-8")
    (tmp_path / "grown").write_bytes(b"x" * 1_000_000)
    assert "days left" in (await examined(settings))["disk"].observed
