"""`ares features`, `ares signals` and `ares models` as a person types them, against a real QuestDB."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from analytics.commands import signals_app
from analytics.features.commands import app as features_app
from analytics.models.commands import models_app
from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownName
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from tests.helpers import settings_file


@pytest.fixture
def quiet_again() -> Iterator[None]:
    """A command sends the process' logs to its own stderr; here the process goes on after it."""
    handlers = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    """The command line, configured for the tests' QuestDB and a venue of its own."""
    monkeypatch.setenv(
        "ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, f"[training]\nmodel = 'of_{venue}'\n"))
    )
    return CliRunner()


async def answer(cli: CliRunner, app: typer.Typer, *arguments: str) -> list[dict[str, object]]:
    result = await asyncio.to_thread(cli.invoke, app, [*arguments, "--json"], catch_exceptions=False)
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


async def freeze(writer: RowWriter, database: Database, venue: str) -> None:
    ts_ns = SystemClock().now_ns() - 120 * NANOS_PER_SECOND
    known = UtcNs(ts_ns + 61 * NANOS_PER_SECOND)
    scope = {"venue": venue, "symbol": venue, "known_at_kind": "live"}
    value = {"version": 1, "revision": 0, "value": 55.5, "known_at": known}
    wish = {"version": 1, "revision": 0, "target": 0.25, "confidence": 0.5, "known_at": known}
    await writer.write(
        [
            Row("feature_values", ts_ns, {**scope, "name": "rsi_14"}, value),
            Row("signal_values", ts_ns, {**scope, "strategy": "signal_momentum"}, wish),
        ]
    )
    await database.wait_applied(["feature_values", "signal_values"])


async def test_features_are_listed_with_what_they_say(cli: CliRunner) -> None:
    rows = await answer(cli, features_app, "list")
    (rsi,) = [row for row in rows if row["feature"] == "rsi_14_v1"]
    assert rsi["warm_up_bars"] == 14
    assert str(rsi["what"]).startswith("relative strength")


async def test_feature_is_shown_with_its_definition_and_newest_values(
    cli: CliRunner, writer: RowWriter, database: Database, venue: str
) -> None:
    await freeze(writer, database, venue)
    rows = await answer(cli, features_app, "show", "rsi_14")
    assert [(row["value"], row["version"]) for row in rows if row["symbol"] == venue] == [(55.5, 1)]
    shown = await asyncio.to_thread(cli.invoke, features_app, ["show", "rsi_14"], catch_exceptions=False)
    assert "CREATE OR REPLACE VIEW rsi_14_v1" in shown.stdout


async def test_latest_signals_can_be_narrowed_to_a_strategy(
    cli: CliRunner, writer: RowWriter, database: Database, venue: str
) -> None:
    await freeze(writer, database, venue)
    assert [r["target"] for r in await answer(cli, signals_app, "latest") if r["symbol"] == venue] == [0.25]
    others = await answer(cli, signals_app, "latest", "--strategy", "signal_direction")
    assert [row for row in others if row["symbol"] == venue] == []
    listed = {row["signal"] for row in await answer(cli, signals_app, "list")}
    assert {"signal_direction_v1", "signal_momentum_v1"} <= listed


def test_unknown_names_are_answered_with_the_known_ones(cli: CliRunner) -> None:
    for app, arguments in (
        (features_app, ["show", "rsi_15"]),
        (signals_app, ["latest", "--strategy", "magic"]),
        (models_app, ["train", "magic"]),
    ):
        with pytest.raises(UnknownName, match="Known: "):
            cli.invoke(app, arguments, catch_exceptions=False)


@pytest.mark.usefixtures("quiet_again")
async def test_training_by_hand_says_what_came_of_it_and_is_listed(cli: CliRunner, venue: str) -> None:
    trained = await asyncio.to_thread(cli.invoke, models_app, ["train", f"of_{venue}"], catch_exceptions=False)
    assert "status=skipped" in trained.stdout
    assert "fewer than training.rows_min" in trained.stdout
    (run,) = [row for row in await answer(cli, models_app, "list") if row["model"] == f"of_{venue}"]
    assert run["status"] == "skipped"
