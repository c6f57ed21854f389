"""Goal: the job `drift` sees on a real database what moved since a version was trained, and demotes what fails on."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from analytics.facts import BarKey, BarValues, Stamp, ValueKey
from analytics.jobs import DRIFT, TRAIN, lifecycle, opened
from analytics.models.artifact import artifact_path
from analytics.models.calibration import log_losses
from analytics.models.outcomes import asked_of, outcomes_of
from analytics.models.recorded import bar_of, bars_of
from analytics.models.standing import RecordedStages
from analytics.monitoring.demotion import Demoter
from analytics.monitoring.profile import profile_path
from analytics.monitoring.watch import DriftWatch
from analytics.scoring import Scorer
from analytics.serving import NOTHING_SCORED
from ares.clock import HOUR_NS, MINUTE_NS, SystemClock, floor_ns
from ares.config.drift import DriftConfig
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig
from ares.config.training import TrainingConfig
from ares.control import Json
from ares.model.row import Row
from ares.service import ServiceContext
from ares.store import Database, Record, RowWriter
from ares.telemetry import metrics
from ares.testing.clock import SteppedClock

BTC, ETH = "BTC/USDT", "ETH/USDT"
LEARNT_MINUTES = 480
LIVE_MINUTES = 60
TABLES = ["bar_facts", "feature_values", "predictions", "training_runs"]


@dataclass
class Recorded:
    """A demoter that does as it is told to, and remembers."""

    obeys: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def demote(self, model: str, version: str, reason: str) -> bool:
        self.asked.append((version, reason))
        return self.obeys


class World:
    """Frozen facts of one venue, and a model that was fitted on the first of them."""

    def __init__(self, database: Database, writer: RowWriter, context: ServiceContext) -> None:
        self.database, self.writer, self.context = database, writer, context
        self.venue, self.model = context.config.ingest.venue, context.config.training.model
        self.start_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS) - 12 * HOUR_NS
        self.rng, self.prices = random.Random(1), {BTC: 100.0, ETH: 10.0}
        self.clock = SteppedClock(self.at(LEARNT_MINUTES + LIVE_MINUTES))

    def at(self, minute: int) -> int:
        return self.start_ns + minute * MINUTE_NS

    async def freeze(self, minutes: Sequence[int], *, shift: float = 0.0) -> None:
        """Bars of a random walk, and features that foresee nothing; `shift` moves one of them."""
        rows: list[Row] = []
        for minute in minutes:
            ts_ns = self.at(minute)
            stamp = Stamp(self.venue, ts_ns + MINUTE_NS, 0)
            for symbol in (BTC, ETH):
                self.prices[symbol] *= 1 + self.rng.gauss(0, 1e-3)
                price = self.prices[symbol]
                bar = BarValues("traded", "trades", price, price, price, price, 1.0, price, 4, 0.5)
                rows.append(stamp.bar(BarKey(symbol, ts_ns), 0, bar, "h"))
                for name, moved in (("momentum_15", shift), ("rsi_14", 0.0)):
                    value = self.rng.gauss(moved, 1)
                    rows.append(stamp.feature(ValueKey(symbol, ts_ns, name, 1), 0, value, "h"))
        await self.write(rows)

    async def score(self) -> None:
        """Let the version in use say something of every bar that it was not fitted on."""
        scorer = Scorer(self.database, self.venue, self.model, self.context.state_dir)
        assert await scorer.reload()
        sql = "SELECT ts::long AS ts_ns, symbol, name, value FROM feature_values WHERE venue = %(venue)s"
        features: dict[BarKey, dict[str, float]] = {}
        for row in await self.database.fetch(sql, {"venue": self.venue}):
            key = BarKey(str(row["symbol"]), int(str(row["ts_ns"])))
            features.setdefault(key, {})[f"{row['name']}_v1"] = float(str(row["value"]))
        await self.write(scorer.predict(features, NOTHING_SCORED, Stamp(self.venue, self.clock.now_ns(), 0)))

    async def write(self, rows: Sequence[Row]) -> None:
        await self.writer.write(rows)
        await self.database.wait_applied(TABLES)

    async def watch(self, demoter: Demoter) -> Mapping[str, Json]:
        """One run, a minute after the one before."""
        await self.clock.advance(60)
        async with opened(self.context) as datasets:
            stages = RecordedStages(self.database)
            known = (self.context.state_dir, datasets, stages, demoter)
            watch = DriftWatch(self.context.config, self.clock, self.database, self.writer, *known)
            return await watch.run()

    async def rows(self) -> dict[tuple[str, str], Record]:
        """What the newest run saw."""
        sql = (
            "SELECT metric, feature, grade, value, warn, fail, rows, role, version FROM drift WHERE venue = %(venue)s"
            " LATEST ON ts PARTITION BY metric, feature"
        )
        found = await self.database.fetch(sql, {"venue": self.venue})
        return {(str(row["metric"]), str(row["feature"])): row for row in found}


@pytest.fixture
async def world(
    database: Database, writer: RowWriter, questdb_config: DatabaseConfig, venue: str, tmp_path: Path
) -> World:
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path),
        database=questdb_config,
        ingest=IngestConfig(venue=venue, symbols=(BTC, ETH)),
        training=TrainingConfig(model=f"of_{venue}", rows_min=200, window_hours=24.0, demote_after=2),
        drift=DriftConfig(window_minutes=LIVE_MINUTES, rows_min=50),
    )
    made = World(database, writer, ServiceContext(config, SystemClock(), "test"))
    await made.freeze(range(LEARNT_MINUTES))
    assert (await TRAIN.run(made.context))["status"] == "ok"
    return made


async def test_what_stayed_as_it_was_is_graded_ok_and_nobody_is_demoted(world: World) -> None:
    await world.freeze(range(LEARNT_MINUTES, LEARNT_MINUTES + LIVE_MINUTES))
    await world.score()
    demoter = Recorded()
    outcome = await world.watch(demoter)
    assert (outcome["versions"], outcome["fail"], outcome["unknown"]) == (1, 0, 0)
    found = await world.rows()
    assert {metric for metric, _ in found} == {"psi", "ks", "missing_rate", "score_psi", "calibration", "log_loss"}
    assert {row["role"] for row in found.values()} == {"champion"}
    assert 100 < int(str(found["psi", "rsi_14_v1"]["rows"])) <= 2 * LIVE_MINUTES
    assert found["log_loss", ""]["value"] == pytest.approx(0.693, abs=0.05)
    for _ in range(3):
        await world.watch(demoter)
    assert demoter.asked == []
    assert metrics.DRIFT_CHECKS.labels(world.model, "champion", "fail")._value.get() == 0


async def test_champion_whose_feature_moved_is_demoted_after_so_many_runs_and_not_before(world: World) -> None:
    await world.freeze(range(LEARNT_MINUTES, LEARNT_MINUTES + LIVE_MINUTES), shift=3.0)
    await world.score()
    demoter = Recorded()
    assert (await world.watch(demoter))["demoted"] == ""
    found = await world.rows()
    assert found["psi", "momentum_15_v1"]["grade"] == found["ks", "momentum_15_v1"]["grade"] == "fail"
    assert found["psi", "rsi_14_v1"]["grade"] == found["missing_rate", "momentum_15_v1"]["grade"] == "ok"
    assert demoter.asked == [], "once is no habit"
    version = str(found["psi", "momentum_15_v1"]["version"])
    assert (await world.watch(demoter))["demoted"] == version
    assert demoter.asked[0][0] == version
    assert demoter.asked[0][1].startswith("failed 2 runs of drift in a row: psi of momentum_15_v1 ")
    assert metrics.MODEL_DRIFT.labels(world.model, "psi", "momentum_15_v1")._value.get() > 1


async def test_champion_that_nobody_may_demote_stays_and_is_alerted_of(world: World) -> None:
    await world.freeze(range(LEARNT_MINUTES, LEARNT_MINUTES + LIVE_MINUTES), shift=3.0)
    due = metrics.MODEL_DEMOTION_DUE.labels(world.model)
    for wanted in (0, 1):
        assert (await world.watch(Recorded(obeys=False)))["demoted"] == ""
        assert due._value.get() == wanted
    never = world.context.config.training.model_copy(update={"demote_after": 0})
    world.context.config = world.context.config.model_copy(update={"training": never})
    demoter = Recorded()
    await world.watch(demoter)
    assert (demoter.asked, due._value.get()) == ([], 0)


async def test_champion_that_drifts_gives_way_to_the_one_before_within_one_run_and_rows_and_events_say_so(
    world: World,
) -> None:
    first = await champion(world)
    assert (await TRAIN.run(world.context))["status"] == "ok"
    second = await champion(world)
    assert first != second
    world.clock = SteppedClock(world.at(800))  # steps of versions are in order of time, and these come after trainings
    await world.freeze(range(800 - LIVE_MINUTES, 800), shift=3.0)
    await world.score()
    context = replace(world.context, clock=world.clock)
    assert (await DRIFT.run(context))["demoted"] == "", "once is no habit"
    await world.clock.advance(60)
    began_s = SystemClock().monotonic_s()
    assert (await DRIFT.run(context))["demoted"] == second
    assert await champion(world) == first, "scoring takes up the one before"
    assert SystemClock().monotonic_s() - began_s < 60
    rows = await world.database.fetch(
        "SELECT version, event, who, reason FROM model_events WHERE model = %(model)s AND who = 'drift' ORDER BY seq",
        {"model": world.model},
    )
    assert [(row["version"], row["event"]) for row in rows] == [(second, "demoted"), (first, "rolled_back")]
    assert str(rows[0]["reason"]).startswith("failed 2 runs of drift in a row: psi of momentum_15_v1 ")
    async with lifecycle(context) as models:
        stages = models.stages()
        assert stages.registry.at(world.model, "champion") == stages.standing.champion == first
        assert stages.standing.stages[second] == "demoted"
        *_, last = models.datasets.control.audit_links()
        assert "drift" in str(last)
    await world.clock.advance(60)
    assert (await DRIFT.run(context))["demoted"] == "", "nobody is left who could follow"
    assert await champion(world) == first


async def champion(world: World) -> str:
    """The version that a service would score by."""
    scorer = Scorer(world.database, world.venue, world.model, world.context.state_dir)
    await scorer.reload()
    assert scorer.model is not None
    return scorer.model.version


async def test_realised_loss_is_of_the_outcome_that_the_version_was_fitted_to_foresee(world: World) -> None:
    """Dear round trips make a rise rare: who says so is right, and would be wrong of "higher or not"."""
    settings = world.context.config.training
    own = {"label": "triple_barrier", "barrier_share": 0.003, "cost_bps": 20.0, "promotion": "newest"}
    dear = TrainingConfig.model_validate({**settings.model_dump(), **own})
    trained = replace(world.context, config=world.context.config.model_copy(update={"training": dear}))
    assert (await TRAIN.run(trained))["status"] == "ok"
    await world.freeze(range(LEARNT_MINUTES, LEARNT_MINUTES + LIVE_MINUTES))
    await world.score()
    assert world.context.config.training.label == "forward", "the settings of now say something else"
    await world.watch(Recorded())
    seen = (await world.rows())["log_loss", ""]
    said = await world.database.fetch(
        "SELECT ts::long AS ts_ns, symbol, score FROM predictions WHERE venue = %(venue)s AND version = %(version)s",
        {"venue": world.venue, "version": str(seen["version"])},
    )
    facts = await world.database.fetch(
        "SELECT *, ts::long AS ts_ns FROM bar_facts WHERE venue = %(venue)s", {"venue": world.venue}
    )
    since_ns = world.clock.now_ns() - LIVE_MINUTES * MINUTE_NS
    scores = {bar_of(row): float(str(row["score"])) for row in said if int(str(row["ts_ns"])) >= since_ns}

    def loss_by(config: TrainingConfig) -> tuple[int, float]:
        outcomes = outcomes_of(bars_of(facts), asked_of(config))
        known = [key for key in scores if key in outcomes]
        y = np.array([outcomes[key].y for key in known], dtype=np.int64)
        return len(known), float(log_losses(y, np.array([scores[key] for key in known])).mean())

    rows, loss = loss_by(dear)
    assert (seen["rows"], seen["value"]) == (rows, pytest.approx(loss))
    assert rows > LIVE_MINUTES
    assert loss_by(settings)[1] > loss + 0.1, "by the label that is set now it would be another figure"


async def test_version_whose_file_or_dataset_is_gone_is_judged_by_what_it_said(world: World, tmp_path: Path) -> None:
    await world.freeze(range(LEARNT_MINUTES, LEARNT_MINUTES + LIVE_MINUTES))
    await world.score()
    await world.watch(Recorded())
    (file,) = (tmp_path / "models").rglob("*.joblib")
    profile = profile_path(tmp_path, world.model, file.name.removesuffix(".joblib"))
    assert profile.is_file(), "what it learnt from is kept beside it"
    profile.unlink()
    artifact_path(tmp_path, world.model, file.name.removesuffix(".joblib")).unlink()
    outcome = await world.watch(Recorded())
    assert (outcome["fail"], outcome["unknown"]) == (0, 1), "the shape of the scores is not known"
    assert outcome["ok"] + outcome["warn"] == 2, "calibration and log-loss are"


async def test_job_runs_where_nothing_was_trained_and_where_something_was(world: World, venue: str) -> None:
    outcome = await DRIFT.run(world.context)
    assert (outcome["model"], outcome["versions"]) == (f"of_{venue}", 1)
    other = world.context.config.model_copy(update={"training": TrainingConfig(model=f"none_{venue}")})
    assert await DRIFT.run(replace(world.context, config=other)) == {"model": f"none_{venue}", "versions": 0}
