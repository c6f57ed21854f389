"""Goal: a version can be made again to the byte, a leaking feature never passes, and signals can be judged."""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from analytics.datasets.commands import checkout_app
from analytics.datasets.events import Source
from analytics.facts import BarKey, BarValues, SignalValues, Stamp, ValueKey
from analytics.features.checks import looked, quality_rows
from analytics.features.market import made_up
from analytics.features.proof import Prover
from analytics.features.worlds import WARM_UP_SPARE, Bars
from analytics.jobs import DRIFT, TRAIN, lifecycle, opened
from analytics.models.lifecycle import Lifecycle
from analytics.scoring import Scorer
from analytics.serving import NOTHING_SCORED
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns
from ares.config import load_config
from ares.config.settings import AresConfig, DatabaseConfig
from ares.errors import UsageError
from ares.model.row import Row
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from tests.helpers import ROOT, settings_file
from tests.integration.test_features_proof import base_of, leaking

BTC = "BTC/USDT"
MINUTES = 700
SIGNAL = "signal_momentum_v1"
TABLES = ["bar_facts", "feature_values", "signal_values", "predictions", "quality_checks"]

AGAIN = """
import json, os, sys
from pathlib import Path
import duckdb
from analytics.models.artifact import Model, save
from analytics.models.direction import fit, Fit
from analytics.models.examine import settings_of
from analytics.models.lifecycle import rows_of
from ares.config.training import TrainingConfig
from ares.lake.frame import Column, frame_of
folder, pinned = Path(sys.argv[1]), json.loads(sys.argv[2])
made = json.loads((folder / "dataset.json").read_text())
names = ", ".join("epoch_ns(ts)" if kind == "moment" else f'"{name}"' for name, kind in made["columns"])
rows = duckdb.sql(f"SELECT {names} FROM read_parquet('{folder}/*.parquet')").fetchall()
frame = frame_of([Column(*each) for each in made["columns"]], made["keys"], rows)
recipe, then = settings_of(pinned["settings"], TrainingConfig(model=pinned["model"], rows_min=100))
found = fit(rows_of(frame, pinned["features"].split(","), then), then)
assert isinstance(found, Fit), found
assert found.chosen.recipe == recipe
model = Model(pinned["model"], "", found.features, found.train_to_ns, found.classifier)
print(len(os.sched_getaffinity(0)), save(model, folder / "again.joblib"))
"""


@dataclass
class Market:
    """Frozen bars of one symbol with a feature that knows a little, and a signal with one that knows when it pays."""

    database: Database
    writer: RowWriter
    venue: str
    start_ns: int

    async def freeze(self, minutes: int = MINUTES, leak: str = "") -> None:
        rng = random.Random(7)
        closes = [100.0]
        for _ in range(minutes + 5):
            closes.append(closes[-1] * math.exp(rng.gauss(0, 1e-3)))
        rows: list[Row] = []
        for minute in range(minutes):
            ts_ns, close = self.start_ns + minute * MINUTE_NS, closes[minute]
            stamp = Stamp(self.venue, ts_ns + MINUTE_NS + NANOS_PER_SECOND, 0)
            bar = BarValues("traded", "trades", close, close, close, close, 1.0, close, 4, 0.5)
            rows.append(stamp.bar(BarKey(BTC, ts_ns), 0, bar, "h"))
            rise, side = closes[minute + 5] / close - 1, rng.choice([0.8, -0.5, 0.0])
            values = {"momentum_15": 500 * rise + rng.gauss(0, 1), "rsi_14": 350 * side * rise + rng.gauss(0, 0.5)}
            if leak:
                values[leak] = 300 * rise + rng.gauss(0, 1)
            rows += [stamp.feature(ValueKey(BTC, ts_ns, name, 1), 0, value, "h") for name, value in values.items()]
            wish = SignalValues(side, 0.5, None)
            rows.append(stamp.signal(ValueKey(BTC, ts_ns, "signal_momentum", 1), 0, wish, "h", ts_ns + MINUTE_NS))
        await self.writer.write(rows)
        await self.database.wait_applied(TABLES)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> AresConfig:
    text = (
        f"symbols = ['{BTC}']\n[training]\nmodel = 'of_{venue}'\nrows_min = 100\nwindow_hours = 48\n"
        "promotion = 'gated'\n[models]\nlatency_us_max = 500000\nece_max = 0.25\nrows_min = 50\ntrades_min = 5\n"
        "psi_max = 5\n[drift]\nwindow_minutes = 720\nrows_min = 50\n"
    )
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, text)))
    return load_config()


@pytest.fixture
def market(database: Database, writer: RowWriter, venue: str) -> Market:
    start_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS) - (MINUTES + 10) * MINUTE_NS
    return Market(database, writer, venue, start_ns)


def training(config: AresConfig, **changes: object) -> ServiceContext:
    """A context whose settings of training are others."""
    section = type(config.training).model_validate({**config.training.model_dump(), **changes})
    return ServiceContext(config.model_copy(update={"training": section}), SystemClock(), "test")


async def trained(context: ServiceContext) -> str:
    outcome = await TRAIN.run(context)
    assert outcome["status"] == "ok", outcome
    return str(outcome["version"])


def pinned_of(models: Lifecycle, version: str) -> Mapping[str, str]:
    return models.stages().registry.pinned(models.model, version)


def made_again(folder: Path, told: str) -> str:
    """What another process, on one processor, makes of a folder and of what is pinned."""
    one = {min(os.sched_getaffinity(0))}
    return subprocess.run(
        [sys.executable, "-c", AGAIN, str(folder), told],
        cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True, text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, one),
    ).stdout  # fmt: skip


async def test_checked_out_version_and_what_is_pinned_give_the_model_again_on_one_processor(
    market: Market, config: AresConfig, tmp_path: Path
) -> None:
    await market.freeze()
    context = training(config, families=("boosting",))
    version = await trained(context)
    async with lifecycle(context) as models:
        pinned = pinned_of(models, version)
    folder = tmp_path / "out"
    result = await asyncio.to_thread(CliRunner().invoke, checkout_app, [pinned["dataset"], "--to", str(folder)])
    structlog.reset_defaults()  # its stderr ended with the command
    assert result.exit_code == 0, result.output
    manifest = json.loads((folder / "dataset.json").read_text())
    assert manifest["sha256"] == pinned["dataset_sha256"]
    told = json.dumps({"model": config.training.model, **pinned})
    again = await asyncio.to_thread(made_again, folder, told)
    assert again.split() == ["1", pinned["artifact_sha256"]]
    second = await trained(training(config, families=("boosting",), dataset=pinned["dataset"]))
    async with lifecycle(context) as models:
        assert pinned_of(models, second)["artifact_sha256"] == pinned["artifact_sha256"]


async def test_model_of_a_feature_whose_proof_failed_is_refused_until_a_proof_holds(
    market: Market, config: AresConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    name = f"next_{venue}"
    select = """SELECT ts, venue, symbol, value FROM (
        SELECT ts, venue, symbol, lead(close, 3) OVER (PARTITION BY venue, symbol ORDER BY ts) / close AS value
        FROM bars_1m_checked) WHERE ts >= @from AND ts <= @to"""
    view = leaking(f"{name}_v1", "bars_1m_checked", select)
    await database.execute(view.sql)
    await market.freeze(leak=name)
    now_ns = SystemClock().now_ns()
    source = Source(venue, [BTC], ["momentum_15_v1", view.view], market.start_ns, now_ns // 1_000 * 1_000)
    context = training(config, dataset=f"leaky_{venue}@1")
    async with opened(context) as datasets:
        await datasets.make(f"leaky_{venue}", source, now_ns // 1_000 * 1_000, "test")
    version = await trained(context)

    async def leaks_found() -> list[str]:
        async with lifecycle(context) as models:
            found = await models.promote(version, "candidate", "trying", "test")
        return [finding.observed for finding in found.findings if finding.check == "leak" and not finding.passed]

    assert await leaks_found() == [], "nobody has looked yet, and canaries cannot know"
    bars = Bars(base_of(20), 2, WARM_UP_SPARE)
    proved = await made_up(database, writer, f"{venue}p", bars)
    (verdict,) = await Prover(database, proved, f"{venue}w").prove([view], bars.base_ns, bars.count)
    assert verdict.different
    await writer.write(quality_rows([looked(verdict)], venue, SystemClock().now_ns(), market.start_ns))
    await database.wait_applied(TABLES)
    assert await leaks_found() == [f"{view.view} looks ahead"]
    told = await database.fetch(
        "SELECT reason FROM model_events WHERE model = %(model)s AND event = 'refused'", {"model": f"of_{venue}"}
    )
    assert f"leak: refused, {view.view} looks ahead" in str(told[-1]["reason"])
    mended = type(verdict)(view, 4, 4, 0, ())
    await writer.write(quality_rows([looked(mended)], venue, SystemClock().now_ns(), market.start_ns))
    await database.wait_applied(TABLES)
    assert await leaks_found() == [], "the newest proof counts"
    await database.execute(f"DROP VIEW {view.view}")


async def test_model_of_a_meta_label_is_trained_validated_served_and_watched_by_what_following_would_have_won(
    market: Market, config: AresConfig, tmp_path: Path
) -> None:
    await market.freeze()
    database, venue = market.database, market.venue
    context = training(config, label="meta", meta_signal=SIGNAL)
    version = await trained(context)
    async with lifecycle(context) as models:
        run = await models.trained(version)
        source = models.datasets.registry.get(str(run["dataset"]))
        found = await models.promote(version, "champion", "it knows when the signal pays", "test")
    assert SIGNAL in source.made.source.features
    assert SIGNAL in source.made.view_hashes
    assert run["features"] == "momentum_15_v1,rsi_14_v1", "what the signal wants is asked about, and not learnt from"
    assert float(str(run["auc"])) > 0.65
    assert int(str(run["rows"])) + int(str(run["rows_test"])) < MINUTES * 0.75, "bars without a side are left out"
    assert [finding.text for finding in found.findings if not finding.passed] == []
    scorer = Scorer(database, venue, config.training.model, tmp_path)
    await scorer.reload()
    assert scorer.model is not None
    frozen = await database.fetch(
        "SELECT ts::long AS ts_ns, symbol, name, value FROM feature_values WHERE venue = %(venue)s", {"venue": venue}
    )
    values: dict[BarKey, dict[str, float]] = {}
    for row in frozen:
        key = BarKey(str(row["symbol"]), int(str(row["ts_ns"])))
        values.setdefault(key, {})[f"{row['name']}_v1"] = float(str(row["value"]))
    await market.writer.write(scorer.predict(values, NOTHING_SCORED, Stamp(venue, SystemClock().now_ns(), 0)))
    await database.wait_applied(TABLES)
    assert (await DRIFT.run(context))["versions"] == 1
    (seen,) = await database.fetch(
        "SELECT value, grade, rows FROM drift WHERE venue = %(venue)s AND metric = 'log_loss'", {"venue": venue}
    )
    assert seen["grade"] == "ok"
    assert float(str(seen["value"])) < 0.66, "by whether the price rose it would be near 0.69"
    scored = await database.fetch_one(
        "SELECT count() AS scores FROM predictions WHERE venue = %(venue)s", {"venue": venue}
    )
    assert scored is not None
    assert int(str(seen["rows"])) < int(str(scored["scores"])) * 0.8, (
        "where the signal wants nothing there is no outcome"
    )
    other = await trained(training(config, dataset=source.id))
    async with lifecycle(context) as models:
        models.stages().place(other, "challenger", "a model of rises beside it", "test")
        told = await models.watch(48.0, "test")
        with pytest.raises(UsageError, match="foresees another outcome"):
            await models.compare(version, other, 48.0)
    assert told is not None
    assert (told[0], told[1].verdict) == ("foresees another outcome", "undecided")
