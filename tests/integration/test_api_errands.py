"""Goal: what takes long is asked for over HTTP, carried out once, followed, cancelled, and never repeated."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ares.config.settings import DatabaseConfig
from tests.api import OpenDoor, config_of, open_door
from tests.errands import asked, runner, until
from tests.helpers import running


@pytest.fixture
async def door(
    questdb_config: DatabaseConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenDoor]:
    own = tmp_path / "own.toml"
    own.write_text(
        f"[database]\nhttp_port = {questdb_config.http_port}\npg_port = {questdb_config.pg_port}\n", encoding="utf-8"
    )
    monkeypatch.setenv("ARES_CONFIG", str(own))
    async with open_door(config_of(questdb_config, tmp_path / "state")) as there:
        yield there


async def test_a_job_is_run_in_the_name_of_who_asks_and_told_step_by_step(door: OpenDoor) -> None:
    errand = await asked(door, "/jobs/leaks/runs", "operator", {})
    assert (errand["state"], errand["asked_by"]) == ("asked", "operator")
    async with running(runner(door.context.config)):
        ended = await until(door, errand["id"], "operator", "done", "failed")
    assert ended["state"] == "done", ended
