"""Goal: a real Grafana loads every board, source and rule without an error, and its own queries are answered.

`make test-grafana GRAFANA=folder` runs it against a Grafana that was unpacked or built there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from alerting.grafana import password_file
from alerting.ops import ops_dir, programs, run_ops
from alerting.sql_rules import RULES
from ares.clock import SystemClock, to_datetime
from ares.config.settings import AresConfig, DatabaseConfig
from ares.store import Database, RowWriter
from tests.boards import BOARDS, asked_of_panels, expressions, panels, with_variables
from tests.boards_rows import seeds
from tests.conftest import free_port

HOME = os.environ.get("ARES_TEST_GRAFANA", "")
STARTED_S_MAX, ASKED_S_MAX = 300.0, 180.0
OK, NANOS_PER_MS, SHOWN_MS, QUERIES_MIN = 200, 1_000_000, 7_200_000, 100
CLOCK = SystemClock()

pytestmark = pytest.mark.skipif(not HOME, reason="make test-grafana GRAFANA=folder runs it")


@asynccontextmanager
async def grafana(questdb: DatabaseConfig, state_dir: Path) -> AsyncIterator[aiohttp.ClientSession]:
    """One that `ares ops up` runs, over a database with rows for every board; asked as its admin."""
    ports = {name: free_port() for name in ("port", "prometheus_port", "alertmanager_port", "grafana_port")}
    config = AresConfig.model_validate(
        {
            "environment": {"state_dir": state_dir},
            "alerting": {**ports, "grafana_home": HOME, "sql_asked_by": "grafana"},
            "control": {"url": f"sqlite:///{state_dir / 'control.db'}"},
            "database": questdb.model_dump(exclude_unset=True),
        }
    )
    stopping, said = asyncio.Event(), list[str]()
    ops = asyncio.create_task(run_ops(config, said.append, stopping))
    try:
        async with asyncio.timeout(STARTED_S_MAX):
            while not await asyncio.to_thread(programs(config)[-1].ready):
                assert not ops.done(), said
                await asyncio.sleep(0.5)
        login = aiohttp.encode_basic_auth("admin", password_file(ops_dir(state_dir)).read_text())
        address = f"http://127.0.0.1:{ports['grafana_port']}"
        async with aiohttp.ClientSession(address, headers={"Authorization": login}) as http:
            yield http
    finally:
        stopping.set()
        await ops


async def test_all_is_loaded_and_answered_without_an_error(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, tmp_path: Path
) -> None:
    await writer.write(list(seeds(to_datetime(CLOCK.now_ns()))))
    await database.wait_applied(None)
    async with grafana(questdb_config, tmp_path) as http:
        await sources_answer(http)
        for board in BOARDS:
            await board_is_loaded(http, board)
        assert await refused(http) == {}
        await rules_are_well(http)
        await alerts_go_to_alertmanager(http)


async def alerts_go_to_alertmanager(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/v1/provisioning/contact-points") as answer:
        assert "prometheus-alertmanager" in {each["type"] for each in await answer.json()}
    async with http.get("/api/v1/provisioning/policies") as answer:
        assert (await answer.json())["receiver"] == "alertmanager"


async def sources_answer(http: aiohttp.ClientSession) -> None:
    async with http.get("/api/datasources") as answer:
        assert {each["uid"] for each in await answer.json()} == {"questdb", "prometheus", "traces"}
    asked = {"questdb": {"rawSql": "SELECT 1 AS one", "format": "table"}, "prometheus": {"expr": "vector(1)"}}
    assert [await error_of(http, uid, words) for uid, words in asked.items()] == ["", ""]


async def error_of(http: aiohttp.ClientSession, uid: str, words: Mapping[str, str]) -> str:
    """Why a source does not answer this; nothing where it does."""
    until_ms = CLOCK.now_ns() // NANOS_PER_MS
    query = {"refId": "A", "datasource": {"uid": uid}, "intervalMs": 60_000, "maxDataPoints": 500, **words}
    body = {"queries": [query], "from": str(until_ms - SHOWN_MS), "to": str(until_ms)}
    async with http.post("/api/ds/query", json=body) as answer:
        told = await answer.json()
    return str(told.get("results", {}).get("A", {}).get("error") or ("" if answer.status == OK else told))


async def board_is_loaded(http: aiohttp.ClientSession, board: Path) -> None:
    """As it stands in its file, in the folder of Ares."""
    async with http.get(f"/api/dashboards/uid/{board.stem}") as answer:
        assert answer.status == OK, board.stem
        there = await answer.json()
    assert there["meta"]["folderTitle"] == "Ares"
    assert there["meta"]["provisioned"] is True
    assert [each["title"] for each in there["dashboard"]["panels"]] == [each["title"] for each in panels(board)]


async def refused(http: aiohttp.ClientSession) -> dict[str, str]:
    """Of all panels' queries those that Grafana's own sources do not answer, with why."""
    errors: dict[str, str] = {}
    for board in BOARDS:
        for asked in asked_of_panels(board):
            form = "time_series" if asked.is_series else "table"
            words = {"rawSql": with_variables(asked.sql), "format": form}
            errors[asked.name] = await error_of(http, "questdb", words)
        for each in expressions(board):
            errors[each.name] = await error_of(http, "prometheus", {"expr": each.filled(rate="5m", shown="5m")})
    assert len(errors) > QUERIES_MIN
    return {name: error for name, error in errors.items() if error}


async def rules_are_well(http: aiohttp.ClientSession) -> None:
    """Each has been asked, and none ended in an error."""
    rules: dict[str, dict[str, str]] = {}
    async with asyncio.timeout(ASKED_S_MAX):
        while not rules or any(rule["lastEvaluation"] < "2000" for rule in rules.values()):
            await asyncio.sleep(1)
            async with http.get("/api/prometheus/grafana/api/v1/rules") as answer:
                told = await answer.json()
            rules = {rule["name"]: rule for group in told["data"]["groups"] for rule in group["rules"]}
    assert set(rules) == {rule.name for rule in RULES}
    assert {name: rule.get("lastError") for name, rule in rules.items() if rule["health"] not in {"ok", "nodata"}} == {}
