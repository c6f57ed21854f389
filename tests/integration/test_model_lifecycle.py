"""Goal: a model goes from data to champion and back by the command line, against a real QuestDB and a real registry."""

from __future__ import annotations

import asyncio
import json
import math
import random
from pathlib import Path

import pytest
import structlog
import typer
from typer.testing import CliRunner

from analytics.datasets.commands import checkout_app
from analytics.facts import BarKey, BarValues, Stamp, ValueKey
from analytics.models.commands import models_app
from analytics.scoring import Scorer
from analytics.testing import SyntheticMarket
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownName, UsageError
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from tests.helpers import settings_file
from tests.integration.test_analytics_commands import answer

BTC = "BTC/USDT"
MINUTES = 1_500
TABLES = ["bar_facts", "feature_values", "predictions", "model_events", "training_runs"]


class Bench:
    """A frozen market with one feature that knows a little, and commands to train on it."""

    def __init__(self, cli: CliRunner, database: Database, writer: RowWriter, venue: str, folder: Path) -> None:
        self.cli, self.database, self.writer, self.venue, self.folder = cli, database, writer, venue, folder
        self.model = f"of_{venue}"
        self.start_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS) - (MINUTES + 5) * MINUTE_NS
        rng = random.Random(7)
        self.closes = [100.0]
        for _ in range(MINUTES + 5):
            self.closes.append(self.closes[-1] * math.exp(rng.gauss(0, 1e-3)))
        self.hints = [1e3 * (self.closes[n + 5] / self.closes[n] - 1) * 0.5 + rng.gauss(0, 1) for n in range(MINUTES)]

    async def freeze(self) -> None:
        rows = []
        for minute in range(MINUTES):
            ts_ns = self.start_ns + minute * MINUTE_NS
            stamp, close = Stamp(self.venue, ts_ns + MINUTE_NS + NANOS_PER_SECOND, 0), self.closes[minute]
            bar = BarValues("traded", "trades", close, close, close, close, 1.0, close, 4, 0.5)
            rows.append(stamp.bar(BarKey(BTC, ts_ns), 0, bar, "h"))
            rows.append(stamp.feature(ValueKey(BTC, ts_ns, "momentum_15", 1), 0, self.hints[minute], "h"))
        await self.writer.write(rows)
        await self.database.wait_applied(TABLES)

    async def run(self, app: typer.Typer, *arguments: str, exits: int = 0) -> str:
        result = await asyncio.to_thread(self.cli.invoke, app, list(arguments))
        structlog.reset_defaults()  # its stderr ended with the command
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == exits, result.output
        return result.stdout

    async def train(self) -> dict[str, object]:
        (outcome,) = json.loads(await self.run(models_app, "train", self.model, "--json"))
        assert outcome["status"] == "ok", outcome
        return dict(outcome)

    async def score(self, version: str, of_truth: float) -> None:
        """What a version would have said of each bar: the truth, by so much."""
        rng = random.Random(version)
        rows = []
        for minute in range(MINUTES - 6):
            up = self.closes[minute + 5] > self.closes[minute]
            score = 0.5 + of_truth * (0.2 if up else -0.2) + rng.uniform(-0.05, 0.05)
            symbols = {"venue": self.venue, "symbol": BTC, "model": self.model, "version": version}
            ts_ns = self.start_ns + minute * MINUTE_NS
            rows.append(
                Row(
                    "predictions", ts_ns, {**symbols, "known_at_kind": "live"},
                    {"score": score, "known_at": UtcNs(ts_ns + MINUTE_NS)},
                )
            )  # fmt: skip
        await self.writer.write(rows)
        await self.database.wait_applied(TABLES)

    async def champion(self) -> str | None:
        """Which version scoring takes up."""
        scorer = Scorer(self.database, self.venue, self.model, self.folder)
        await scorer.reload()
        assert not scorer.refused, scorer.refused
        return None if scorer.model is None else scorer.model.version


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    """The command line, with a gate, for the tests' QuestDB and a venue and a model of its own."""
    text = (
        f"symbols = ['{BTC}']\n[training]\nmodel = 'of_{venue}'\nrows_min = 100\nwindow_hours = 48\n"
        "promotion = 'gated'\n"
        "[models]\nlatency_us_max = 500000\nece_max = 0.2\n"
    )
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, text)))
    return CliRunner()


@pytest.fixture
def bench(cli: CliRunner, database: Database, writer: RowWriter, venue: str, tmp_path: Path) -> Bench:
    return Bench(cli, database, writer, venue, tmp_path)


async def test_candidate_passes_the_gate_is_scored_and_can_be_rolled_back(bench: Bench, tmp_path: Path) -> None:
    await bench.freeze()
    first, second = str((await bench.train())["version"]), str((await bench.train())["version"])
    assert await bench.champion() is None, "behind a gate nothing is in use before somebody promotes it"
    stages = {row["version"]: row["stage"] for row in await answer(bench.cli, models_app, "show")}
    assert (stages[first], stages[second]) == ("candidate", "candidate")
    findings = json.loads(await bench.run(models_app, "validate", first, "--json"))
    assert [row["check"] for row in findings if not row["passed"]] == []
    await bench.run(models_app, "promote", first, "--why", "the first")
    assert await bench.champion() == first
    await bench.run(models_app, "promote", second, "--why", "as good")
    assert await bench.champion() == second
    began_s = SystemClock().monotonic_s()
    assert f"{first} is champion again" in await bench.run(models_app, "rollback", "--why", "trying")
    assert await bench.champion() == first
    assert SystemClock().monotonic_s() - began_s < 60
    pinned = {row["what"]: row["value"] for row in json.loads(await bench.run(models_app, "show", first, "--json"))}
    assert (pinned["stage"], pinned["dataset"], pinned["gaps"]) == ("rolled_back", f"{bench.model}@1", "whole")
    again = {row["what"]: row["value"] for row in json.loads(await bench.run(models_app, "show", second, "--json"))}
    assert again["artifact_sha256"] == pinned["artifact_sha256"], "the same data, trained again, is the same model"
    await bench.run(checkout_app, str(pinned["dataset"]), "--to", str(tmp_path / "d"))
    manifest = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert manifest["sha256"] == pinned["dataset_sha256"]


async def test_refused_candidate_is_told_why_and_scoring_stays(bench: Bench) -> None:
    await bench.freeze()
    first, second = str((await bench.train())["version"]), str((await bench.train())["version"])
    await bench.run(models_app, "promote", first, "--why", "the first")
    gap = SyntheticMarket(bench.venue, symbols=[BTC]).gap(BTC, bench.start_ns, bench.start_ns + 9, "lost", 0)
    await bench.writer.write([gap])
    (file,) = (bench.folder / "models" / bench.model).glob(f"{second}.joblib")
    file.write_bytes(file.read_bytes() + b"x")
    await bench.database.wait_applied(["gaps"])
    third = str((await bench.train())["version"])
    assert "is not the one that was recorded" in await bench.run(
        models_app, "promote", second, "--why", "x", "--json", exits=1
    )
    assert "gaps" in await bench.run(models_app, "promote", third, "--why", "why not", "--json", exits=1)
    assert await bench.champion() == first
    events = await bench.database.fetch(
        "SELECT version, event, reason FROM model_events WHERE model = %(m)s AND event = 'refused'", {"m": bench.model}
    )
    said = {row["version"]: str(row["reason"]) for row in events}
    assert said[second].startswith("artifact: refused")
    assert said[third].startswith("gaps: refused")


async def test_challenger_that_foresees_better_takes_the_place_and_a_worse_one_ends(bench: Bench) -> None:
    from analytics.jobs import COMPARE  # noqa: PLC0415 - beside what it needs
    from ares.config import load_config  # noqa: PLC0415 - reads the fixture's settings
    from ares.service import ServiceContext  # noqa: PLC0415 - as above

    await bench.freeze()
    first, second = str((await bench.train())["version"]), str((await bench.train())["version"])
    await bench.run(models_app, "promote", first, "--why", "the first")
    await bench.run(models_app, "promote", second, "--why", "beside it", "--stage", "challenger")
    context = ServiceContext(load_config(), SystemClock(), "test")
    assert (await COMPARE.run(context))["outcome"] == "undecided"
    await bench.score(first, of_truth=0.0)
    await bench.score(second, of_truth=1.0)
    (found,) = json.loads(await bench.run(models_app, "compare", "--json"))
    assert (found["first"], found["second"], found["verdict"]) == (first, second, "better")
    assert (await COMPARE.run(context))["outcome"] == "champion"
    assert await bench.champion() == second
    await bench.run(models_app, "promote", first, "--why", "as a shadow", "--stage", "challenger")
    assert (await COMPARE.run(context))["outcome"] == "demoted"
    assert (await COMPARE.run(context))["outcome"] == "no challenger"
    await bench.run(models_app, "promote", first, "--why", "by hand")
    await bench.run(models_app, "promote", second, "--why", "as a shadow", "--stage", "challenger")
    assert (await COMPARE.run(context))["outcome"] == "rolled_back", "an earlier champion comes back without the gate"
    assert await bench.champion() == second


async def test_what_cannot_be_asked_for_is_answered_with_the_way_out(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="version"):
        await bench.run(models_app, "validate", "nine")
    with pytest.raises(UsageError, match="no earlier champion"):
        await bench.run(models_app, "rollback", "--why", "trying")
    with pytest.raises(UsageError, match="Name two versions"):
        await bench.run(models_app, "compare")
    with pytest.raises(UnknownName, match="candidate, challenger, champion"):
        await bench.run(models_app, "promote", "nine", "--why", "x", "--stage", "king")
