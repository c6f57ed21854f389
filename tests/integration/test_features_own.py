"""Goal: an analyst's file becomes a feature while everything runs, as the guide says, or is refused with the reason."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics.catalog import Definition
from analytics.features import deploy
from analytics.features.commands import app
from analytics.features.deploy import Deployment
from analytics.features.own import Own, read_file
from analytics.features.scratch import FOLDER, Scratch
from analytics.services import ANALYTICS
from analytics.testing import SyntheticMarket
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, Clock, SystemClock, floor_ns
from ares.config import load_config
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownName, UsageError
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ares.store.migrate import Statement, migrate
from tests.helpers import ROOT, running, settings_file
from tests.questdb import whole_schema

GUIDE = ROOT / "docs" / "guides" / "analyst" / "add-a-feature.md"
BTC = "BTC/USDT"
MINUTES = 90
WAIT_S_MAX = 60.0


def guide_sql() -> str:
    (sql,) = re.findall(r"^   ```sql\n(.*?)^   ```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return "".join(f"{line[3:]}\n" for line in sql.splitlines())


def guide_commands() -> list[list[str]]:
    blocks = re.findall(r"^ *```bash\n(.*?)^ *```$", GUIDE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    commands = [shlex.split(line) for block in blocks for line in block.splitlines()]
    assert all(command[:2] == ["ares", "features"] for command in commands)
    return [command[2:] for command in commands]


@pytest.fixture
def context(
    monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path
) -> ServiceContext:
    more = f"[training]\nmodel = 'of_{venue}'\nrows_min = 1000000\ncron = '0 0 1 1 *'\n"
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, more)))
    monkeypatch.chdir(tmp_path)
    return ServiceContext(load_config(), SystemClock(), "test")


def typed(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run `ares features` in a process of its own, where the test stands."""
    return subprocess.run(
        [sys.executable, "-m", "ares.cli", "features", *arguments],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


async def frozen(database: Database, venue: str, name: str) -> int:
    await database.wait_applied(["feature_values"])
    row = await database.fetch_one(
        "SELECT count(value) AS n FROM feature_values WHERE venue = %(venue)s AND name = %(name)s",
        {"venue": venue, "name": name},
    )
    assert row is not None
    return int(str(row["n"]))


async def test_the_guides_commands_lead_to_frozen_values_without_a_restart(
    context: ServiceContext, database: Database, writer: RowWriter, venue: str
) -> None:
    await a_market(writer, venue)
    written("close_position_v1", guide_sql())
    shutil.copytree(whole_schema(), context.state_dir / FOLDER / whole_schema().name)
    said: dict[str, str] = {}
    async with running(ANALYTICS.build(context)) as service:
        async with asyncio.timeout(WAIT_S_MAX):
            while not service.health().ready or service.health().detail:
                await asyncio.sleep(0.1)
        for command in guide_commands():
            rows = ["--json"] if command[0] in {"list", "serve", "check"} else []  # a table folds its cells
            result = await asyncio.to_thread(typed, [*command, *rows])
            assert result.returncode == 0, (command, result.stdout, result.stderr)
            said[command[0]] = result.stdout
            if command[0] == "deploy":
                async with asyncio.timeout(WAIT_S_MAX):
                    while not await frozen(database, venue, "close_position"):
                        await asyncio.sleep(0.2)
    assert "close_position_v1 is deployed: the same in 16 bars" in said["deploy"]
    assert "close_position leads to it" in " ".join(said["deploy"].split())
    assert "close_position_v1" in said["list"]
    assert "CREATE OR REPLACE VIEW close_position_v1" in said["show"]
    assert "close_position_v1" in said["serve"]
    assert "feature_look_ahead" in said["check"]
    assert {row["grade"] for row in json.loads(said["check"])} <= {"ok", "warn"}
    assert "2 features: close_position.csv" in said["export"]
    assert "is retired" in said["retire"]
    left = await database.fetch("SELECT view_name FROM views() WHERE view_name LIKE 'close_position%'")
    assert left == []
    assert await frozen(database, venue, "close_position") > 0, "what is frozen stays"


async def a_market(writer: RowWriter, venue: str) -> None:
    """An hour and a half of a venue's candles and then our own trades, complete up to two minutes ago."""
    market = SyntheticMarket(venue, symbols=[BTC])
    now_ns = SystemClock().now_ns()
    start_ns = floor_ns(now_ns, MINUTE_NS) - MINUTES * MINUTE_NS
    await writer.write(market.candles(start_ns, MINUTES - 60))
    await writer.write(market.trades(start_ns + (MINUTES - 61) * MINUTE_NS, 60))
    await writer.write(market.marks(now_ns, start_ns + (MINUTES - 2) * MINUTE_NS + NANOS_PER_SECOND))


@pytest.fixture
async def deployment(
    context: ServiceContext, database: Database, writer: RowWriter, monkeypatch: pytest.MonkeyPatch, venue: str
) -> Deployment:
    """One whose proofs are made in the tests' own QuestDB, under names that nobody else uses."""

    @asynccontextmanager
    async def here(
        config: DatabaseConfig, clock: Clock, kept: Path, own: Sequence[Statement]
    ) -> AsyncIterator[Scratch]:
        yield Scratch(context.config.database, database, writer)

    monkeypatch.setattr(deploy, "scratch", here)
    monkeypatch.setattr(deploy, "MADE_UP", f"made_up_{venue}")
    own = Own(context.config.features.folder(context.state_dir))
    return Deployment(context.config, own, database, writer, SystemClock())


def written(name: str, sql: str) -> Path:
    path = Path(f"{name}.sql")
    path.write_text(sql, encoding="utf-8")
    return path


def of_mine(venue: str, version: int = 1, change: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """The guide's feature under a name of the test's own, with a change."""
    view = f"mine_{venue}_v{version}"
    return view, guide_sql().replace("close_position_v1", view).replace(*change)


async def test_file_that_looks_ahead_is_refused_and_nothing_stays(deployment: Deployment, venue: str) -> None:
    later = "lead(close, 2) OVER (PARTITION BY venue, symbol ORDER BY ts) AS later"
    view, sql = of_mine(venue, 1, ("AS known\n", f"AS known, {later}\n"))
    sql = sql.replace("THEN (close - bottom)", "THEN (later - bottom)")
    with pytest.raises(UsageError, match=rf"{view} knows the future.*2 minutes past the bar's end at trades\.price"):
        await deployment.deploy(written(view, sql), stable=False)
    assert deployment.own.statements() == []
    await deployment.database.execute(f"DROP VIEW IF EXISTS {view}")


async def test_versions_live_side_by_side_and_the_stable_name_moves_when_told(
    deployment: Deployment, database: Database, writer: RowWriter, venue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, sql = of_mine(venue)
    other, changed = of_mine(venue, 2, ("(close - bottom) /", "(top - close) /"))
    name = first.removesuffix("_v1")
    assert (await deployment.deploy(written(first, sql), stable=False)).stable
    monkeypatch.setattr(deploy, "MADE_UP", f"made_up_2_{venue}")
    assert not (await deployment.deploy(written(other, changed), stable=False)).stable
    assert {d.view for d in deployment.own.catalog().features if d.own} == {first, other}
    assert await leads_to(database, name) == first
    monkeypatch.setattr(deploy, "MADE_UP", f"made_up_3_{venue}")
    assert (await deployment.deploy(written(other, changed), stable=True)).stable
    assert await leads_to(database, name) == other
    reader = written("reader", sql.replace(first, f"reader_{venue}_v1").replace("bars_1m_checked", name))
    own = deployment.own
    own.keep(replace(read_file(reader), name=f"reader_{venue}"), stable=False)
    with pytest.raises(UsageError, match="Retire those first"):
        await deployment.retire(other)
    own.retire(replace(read_file(reader), name=f"reader_{venue}"))
    for each in (first, other):
        await deployment.retire(each)
        await database.execute(f"DROP VIEW IF EXISTS {each}")
    with pytest.raises(UnknownName, match=first):
        await deployment.retire(first)


async def leads_to(database: Database, name: str) -> str:
    (row,) = await database.fetch("SELECT view_sql FROM views() WHERE view_name = %(name)s", {"name": name})
    (found,) = re.findall(r"FROM (\w+)", str(row["view_sql"]))
    return found


async def test_migration_brings_own_views_and_leaves_out_what_cannot_be(
    deployment: Deployment, database: Database, writer: RowWriter, venue: str
) -> None:
    view, sql = of_mine(venue)
    good = read_file(written(view, sql))
    deployment.own.keep(good, stable=False)
    broken = replace(good, name=f"broken_{venue}", sql=sql.replace(view, f"broken_{venue}_v1").replace("close,", "no,"))
    deployment.own.keep(broken, stable=False)
    await migrate(database, writer, SystemClock(), own=deployment.own.statements())
    there = await database.fetch("SELECT view_name FROM views() WHERE view_name LIKE %(like)s", {"like": f"%{venue}%"})
    assert {str(row["view_name"]) for row in there} == {view, good.name}
    for each in (good.name, view):
        await database.execute(f"DROP VIEW {each}")


REFUSED = {
    "a name that is taken": (("close_position_v1", "rsi_14_v1"), r"Ares brings this name \(rsi_14_v1\.sql\)"),
    "a missing label": (("-- Owner: research.\n", ""), "'-- Owner: "),
    "inputs that are others": (("Inputs: bars_1m_checked", "Inputs: quotes"), r"'-- Inputs: bars_1m_checked\.'"),
    "no bounds": (("@to", "@until"), "DECLARE OVERRIDABLE @from"),
    "another name in the header": (("VIEW close_position_v1", "VIEW other_v1"), "called alike"),
    "no version": (("VIEW close_position_v1", "VIEW close_position"), "NAME_vN"),
    "two statements": ((");\n", ");\nCREATE OR REPLACE VIEW x AS (SELECT 1);\n"), "one statement"),
    "no view": (("CREATE OR REPLACE VIEW", "DROP VIEW"), "one statement"),
    "a table without a proof": (("bars_1m_checked", "fills"), "no proof is made"),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
async def test_unsound_file_is_refused_with_what_is_wanted(deployment: Deployment, what: str) -> None:
    (said, instead), wanted = REFUSED[what]
    sql = guide_sql()
    assert said in sql
    with pytest.raises(UsageError, match=wanted):
        await deployment.deploy(written("mine", sql.replace(said, instead)), stable=False)
    assert deployment.own.statements() == []


async def test_a_version_with_frozen_values_keeps_its_meaning(
    deployment: Deployment, database: Database, writer: RowWriter, venue: str
) -> None:
    view, sql = of_mine(venue)
    await database.execute(sql.rstrip().rstrip(";"))
    name = view.removesuffix("_v1")
    await database.execute(
        "INSERT INTO feature_values (ts, venue, symbol, name, version, revision, value) VALUES"
        " (now(), %(venue)s, 'X', %(name)s, 1, 0, 1.0)",
        {"venue": venue, "name": name},
    )
    await database.wait_applied(["feature_values"])
    with pytest.raises(UsageError, match=f"1 values of it are frozen.*{name}_v2"):
        await deployment.deploy(written(view, sql.replace("(close - bottom)", "(top - close)")), stable=False)
    await database.execute(f"DROP VIEW {view}")


def test_export_and_check_refuse_what_they_cannot(context: ServiceContext) -> None:
    for command, wanted in (
        (["export", "rsi_14", "--from", "soon", "--to", "2026-03-02", "--out", "x.csv"], "not a moment"),
        (["export", "rsi_14", "--from", "2026-03-01", "--to", "2026-03-02", "--out", "x.doc"], r"\.parquet or \.csv"),
        (["check", "--bars", "0"], "between 1 and"),
    ):
        with pytest.raises(UsageError, match=wanted):
            CliRunner().invoke(app, command, catch_exceptions=False)


def test_list_says_what_headers_say(context: ServiceContext) -> None:
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"], catch_exceptions=False).stdout)
    (rsi,) = [row for row in rows if row["feature"] == "rsi_14_v1"]
    assert (rsi["unit"], rsi["inputs"], rsi["own"]) == ("0 to 100", ["bars_1m_checked"], False)
    assert rsi["checks"][0] == "between 0 and 100 (fail)"


def test_an_own_definition_is_marked_so() -> None:
    assert not Definition("feature", "x", 1, "", "", 0).own
