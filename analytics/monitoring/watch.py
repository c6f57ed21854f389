"""The job `drift`: looks at every version in use, writes what it sees as rows of `drift`, and demotes what fails on."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analytics.datasets.maker import Datasets
from analytics.facts import BarKey, BarValues, Value
from analytics.models.artifact import artifact_path
from analytics.models.examine import settings_of
from analytics.models.outcomes import Asked, asked_of, outcomes_of
from analytics.models.recorded import bar_of, bars_of, sides
from analytics.models.standing import Entry, Standings
from analytics.monitoring.demotion import Demoter
from analytics.monitoring.grading import (
    GRADES,
    Features,
    Observation,
    come_to_pass,
    feature_drift,
    performance,
    score_drift,
    worst,
)
from analytics.monitoring.profile import Profile, keep_profile, kept_profile, profile_of, profile_path
from analytics.scoring import ready_judge
from analytics.serving import Judge, Role
from analytics.training import read_frame
from ares.clock import DAY_NS, MINUTE_NS, NANOS_PER_SECOND, Clock, to_datetime
from ares.config.settings import AresConfig
from ares.config.training import TrainingConfig
from ares.control import Json
from ares.errors import OperatingError, UsageError
from ares.model.row import Row
from ares.store import Database, Param, RowWriter, load_queries
from ares.store.pool import as_float, as_int, as_str
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)

QUERIES = {**load_queries("analytics", "queries/models.sql"), **load_queries("analytics", "queries/drift.sql")}
REMEMBERED_DAYS = 7
"""Runs that are older count for no row of failures."""


@dataclass(frozen=True, slots=True)
class Live:
    """What happened in the window since `from`: features, scores by version, bars."""

    scope: Mapping[str, Param]
    features: Features
    scores: Mapping[str, Mapping[BarKey, float]]
    bars: Mapping[BarKey, BarValues]


@dataclass(frozen=True, slots=True)
class Watched:
    """What one run saw of one version."""

    entry: Entry
    role: Role
    found: Sequence[Observation]


@dataclass(slots=True)
class DriftWatch:
    """One run over all versions of one model in use. Raises `StoreUnavailable`, `StoreRejected`.

    A version whose dataset or file cannot be read is still judged by what it said and what came of it.
    """

    config: AresConfig
    clock: Clock
    database: Database
    writer: RowWriter
    state_dir: Path
    datasets: Datasets
    stages: Standings
    demoter: Demoter

    async def run(self) -> Mapping[str, Json]:
        """Watch, record, tell the metrics, and demote a champion that failed `training.demote_after` runs in a row."""
        model, now_ns = self.config.training.model, self.clock.now_ns()
        standing = await self.stages.standing(model)
        if not standing.entries:
            return {"model": model, "versions": 0}
        live = await self._live(now_ns)
        watched = [
            Watched(entry, "champion" if entry is standing.champion else "challenger", await self._watch(entry, live))
            for entry in standing.entries
        ]
        run_id = uuid.uuid4().hex
        await self.writer.write([row for each in watched for row in self._rows(each, run_id, now_ns)])
        await self.database.wait_applied(["drift"])
        tell(model, watched, now_ns)
        demoted = [
            each.entry.version for each in watched if each.role == "champion" and await self._judged(each, now_ns)
        ]
        grades = [each.grade for one in watched for each in one.found]
        counts: dict[str, Json] = {f"{grade}": grades.count(grade) for grade in GRADES}
        return {"model": model, "versions": len(watched), **counts, "demoted": ", ".join(demoted)}

    async def _watch(self, entry: Entry, live: Live) -> list[Observation]:
        by, scores = self.config.drift, live.scores.get(entry.version, {})
        judge = await self._judge(entry)
        profile = None if judge is None else await self._profile(entry, judge)
        names = () if judge is None else judge.model.features
        asked = asked_by(entry, self.config.training)
        outcomes = outcomes_of(live.bars, asked, await sides(self.database, asked, live.scope))
        return [
            *await asyncio.to_thread(feature_drift, profile, names, live.features, by),
            score_drift(profile, list(scores.values()), by),
            *performance(come_to_pass(scores, outcomes), entry.log_loss, by),
        ]

    async def _judge(self, entry: Entry) -> Judge | None:
        path = artifact_path(self.state_dir, self.config.training.model, entry.version)
        try:
            return await asyncio.to_thread(ready_judge, path, entry)
        except OperatingError as error:
            log.warning("drift_without_model", version=entry.version, cause=str(error))
            return None

    async def _profile(self, entry: Entry, judge: Judge) -> Profile | None:
        """What was kept of the version's training, or made of its dataset now and kept."""
        path = profile_path(self.state_dir, judge.model.name, entry.version)
        kept = await asyncio.to_thread(kept_profile, path)
        if kept is not None or entry.dataset is None:
            return kept
        try:
            frame = await self.datasets.read(self.datasets.registry.get(entry.dataset))
            features, _ = await asyncio.to_thread(read_frame, frame)
            made = await asyncio.to_thread(profile_of, judge, features)
            await asyncio.to_thread(keep_profile, path, made)
        except (OperatingError, UsageError) as error:
            log.warning("drift_without_reference", version=entry.version, dataset=entry.dataset, cause=str(error))
            return None
        return made

    async def _live(self, now_ns: int) -> Live:
        scope: dict[str, Param] = {
            "venue": self.config.ingest.venue,
            "model": self.config.training.model,
            "from": to_datetime(now_ns - self.config.drift.window_minutes * MINUTE_NS),
            "to": to_datetime(now_ns),
        }
        features: dict[BarKey, dict[str, Value]] = {}
        for row in await self.database.fetch(QUERIES["features"], scope):
            name, value = f"{as_str(row['name'])}_v{as_int(row['number'])}", row["value"]
            features.setdefault(bar_of(row), {})[name] = None if value is None else as_float(value)
        scores: dict[str, dict[BarKey, float]] = {}
        for row in await self.database.fetch(QUERIES["scores"], scope):
            if row["score"] is not None:
                scores.setdefault(as_str(row["version"]), {})[bar_of(row)] = as_float(row["score"])
        bars = bars_of(await self.database.fetch(QUERIES["closes"], scope))
        return Live(scope, features, scores, bars)

    async def _judged(self, watched: Watched, now_ns: int) -> bool:
        """Demote a version that has failed often enough in a row; True if it was."""
        model, wanted = self.config.training.model, self.config.training.demote_after
        in_a_row = await self._failed_in_a_row(watched, now_ns)
        due = 0 < wanted <= in_a_row
        metrics.MODEL_DEMOTION_DUE.labels(model).set(int(due))
        if not due:
            return False
        told = "; ".join(each.told for each in worst(watched.found))
        reason = f"failed {in_a_row} runs of drift in a row: {told}"
        if not await self.demoter.demote(model, watched.entry.version, reason):
            log.error("model_should_be_demoted", model=model, version=watched.entry.version, reason=reason)
            return False
        metrics.MODEL_DEMOTION_DUE.labels(model).set(0)
        log.warning("model_demoted", model=model, version=watched.entry.version, reason=reason)
        return True

    async def _failed_in_a_row(self, watched: Watched, now_ns: int) -> int:
        scope: dict[str, Param] = {
            "venue": self.config.ingest.venue,
            "model": self.config.training.model,
            "version": watched.entry.version,
            "since": to_datetime(now_ns - REMEMBERED_DAYS * DAY_NS),
        }
        in_a_row = 0
        for row in await self.database.fetch(QUERIES["recent"], scope):
            if not as_int(row["fails"]):
                break
            in_a_row += 1
        return in_a_row

    def _rows(self, watched: Watched, run_id: str, now_ns: int) -> list[Row]:
        window_s = self.config.drift.window_minutes * MINUTE_NS / NANOS_PER_SECOND
        shared = {
            "venue": self.config.ingest.venue,
            "model": self.config.training.model,
            "version": watched.entry.version,
            "role": watched.role,
        }
        return [
            Row(
                "drift",
                now_ns,
                {**shared, "feature": each.feature, "metric": each.metric, "grade": each.grade},
                {
                    "run_id": run_id,
                    "value": each.value,
                    "warn": each.limit.warn,
                    "fail": each.limit.fail,
                    "rows": each.rows,
                    "window_s": window_s,
                },
            )
            for each in watched.found
        ]


def asked_by(entry: Entry, config: TrainingConfig) -> Asked:
    """Which outcome a version was fitted to foresee; of one that kept no settings what is set now."""
    return asked_of(config if entry.settings is None else settings_of(entry.settings, config)[1])


def tell(model: str, watched: Sequence[Watched], now_ns: int) -> None:
    """What was seen, as metrics: every figure of the champion, and how many of each grade by role."""
    metrics.MODEL_DRIFT.clear()
    metrics.DRIFT_CHECKED.labels(model).set(now_ns / NANOS_PER_SECOND)
    for role in ("champion", "challenger"):
        found = [each for one in watched if one.role == role for each in one.found]
        for grade in GRADES:
            metrics.DRIFT_CHECKS.labels(model, role, grade).set(sum(each.grade == grade for each in found))
        for each in found:
            if role == "champion" and each.value is not None:
                metrics.MODEL_DRIFT.labels(model, each.metric, each.feature).set(each.value)
            if each.grade == "fail":
                log.warning("model_drifts", model=model, role=role, metric=each.metric, feature=each.feature)
