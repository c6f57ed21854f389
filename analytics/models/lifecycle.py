"""Validates, promotes, compares and rolls back versions of a model: reads what is recorded, lets pure rooms decide."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analytics.datasets.maker import Datasets
from analytics.datasets.registry import Version
from analytics.models.artifact import Model, artifact_path, load
from analytics.models.calibration import log_losses
from analytics.models.direction import Dataset, dataset
from analytics.models.examine import Rival, Subject, examine, settings_of
from analytics.models.gate import Evidence, Finding, judge
from analytics.models.outcomes import Asked, asked_of, outcomes_of
from analytics.models.recorded import bar_of, bars_of, sides
from analytics.models.registry import ModelRegistry, Stage
from analytics.models.sequential import Compared, compare
from analytics.models.stages import Stages
from analytics.training import read_frame
from ares.clock import HOUR_NS, Clock, to_datetime
from ares.config.settings import AresConfig
from ares.config.training import TrainingConfig
from ares.errors import OperatingError, UnknownName, UsageError
from ares.lake.frame import Frame
from ares.store import Database, Param, Record, RowWriter, load_queries
from ares.store.pool import as_str

QUERIES = load_queries("analytics", "queries/models.sql")
SCORES_MAX = 200_000
NOTHING = np.zeros(0)


@dataclass(frozen=True, slots=True)
class Validated:
    """A version, what is known of it, and what each check says."""

    version: str
    evidence: Evidence
    findings: Sequence[Finding]

    @property
    def passed(self) -> bool:
        """Whether every check did."""
        return all(finding.passed for finding in self.findings)


@dataclass(slots=True)
class Lifecycle:
    """The versions of the model that is trained here.

    Raises `StoreUnavailable`, `StoreRejected`, `ControlUnavailable`, `OperatingError`, `UnknownName`, `UsageError`.
    """

    config: AresConfig
    clock: Clock
    database: Database
    writer: RowWriter
    state_dir: Path
    datasets: Datasets

    @property
    def model(self) -> str:
        """Its name."""
        return self.config.training.model

    def stages(self) -> Stages:
        """Where its versions stand."""
        registry = ModelRegistry.of(self.config.models, self.state_dir)
        return Stages(self.datasets.control, registry, self.clock, self.model, [])

    async def validate(self, version: str) -> Validated:
        """Every check of a version, against the champion of now."""
        run = await self.trained(version)
        champion = self.stages().standing.champion
        source = await asyncio.to_thread(self.datasets.registry.get, as_str(run["dataset"]))
        frame = await self.datasets.read(source)
        subject = await self._subject(run, source, frame)
        rival = None if champion in (None, version) else await self._rival(str(champion), frame)
        evidence = await asyncio.to_thread(examine, subject, rival, self.clock.now_ns(), self.clock.monotonic_s)
        return Validated(version, evidence, judge(evidence, self.config.models))

    async def promote(self, version: str, stage: Stage, reason: str, who: str) -> Validated:
        """Let a version become candidate, challenger or champion, if it passes; why not is recorded too."""
        found = await self.validate(version)
        stages = self.stages()
        path = artifact_path(self.state_dir, self.model, version)
        if found.passed:
            await asyncio.to_thread(stages.registry.restore, self.model, version, path)
        await asyncio.to_thread(stages.decide, version, found.findings, stage, reason, who)
        await self._written(stages)
        return found

    async def rollback(self, reason: str, who: str, to: str | None = None) -> str:
        """Let an earlier champion be champion again; a running service takes it up within seconds."""
        stages = self.stages()
        target = await asyncio.to_thread(stages.rollback, reason, who, to)
        path = artifact_path(self.state_dir, self.model, target)
        await asyncio.to_thread(stages.registry.restore, self.model, target, path)
        await self._written(stages)
        return target

    async def demote(self, model: str, version: str, reason: str) -> bool:
        """Let the champion before come back for one that drifted away; False where none did, or it is not champion."""
        standing = self.stages().standing
        followers = [earlier for earlier in standing.champions[:-1] if earlier != version]
        if model != self.model or standing.champion != version or not followers:
            return False
        await self.rollback(reason, "drift")
        return True

    async def compare(self, first: str, second: str, hours: float) -> Compared:
        """Which of two versions foresaw better the bars that both have scored: the second against the first."""
        since_ns = self.clock.now_ns() - round(hours * HOUR_NS)
        scope: dict[str, Param] = {"venue": self.config.ingest.venue, "from": to_datetime(since_ns)}
        asked = await self._asked_of_both(first, second)
        if asked is None:
            raise UsageError(
                f"second = {second!r}: foresees another outcome than {first!r}, by training.label or its numbers. "
                "Compare two that were fitted by the same"
            )
        pair: dict[str, Param] = {"model": self.model, "first": first, "second": second, "rows_max": SCORES_MAX}
        said = await self.database.fetch(QUERIES["scores"], {**scope, **pair})
        bars = bars_of(await self.database.fetch(QUERIES["closes"], scope))
        outcomes = outcomes_of(bars, asked, await sides(self.database, asked, scope))
        both = [(row, outcomes[key]) for row in said if (key := bar_of(row)) in outcomes]
        y = np.array([outcome.y for _, outcome in both], dtype=np.int64)
        champion, challenger = (
            log_losses(y, np.array([_number(row[name]) for row, _ in both], dtype=np.float64))
            for name in ("first", "second")
        )
        symbols = max(1, len({str(row["symbol"]) for row, _ in both}))
        horizon = asked.horizon_bars * symbols
        return compare(champion, challenger, self.config.models.compare_alpha, horizon_bars=horizon)

    async def _asked_of_both(self, first: str, second: str) -> Asked | None:
        """Which outcome two versions were fitted to foresee; None if it is not the same."""
        runs = [await self.trained(version) for version in (first, second)]
        one, other = (asked_of(settings_of(as_str(run["settings"]), self.config.training)[1]) for run in runs)
        return one if one == other else None

    async def watch(self, hours: float, who: str) -> tuple[str, Compared] | None:
        """Act on the comparison of champion and challenger: the better one is champion afterwards.

        A challenger that was champion before comes back by a rollback; any other must pass the gate. None without one;
        one that foresees another outcome than the champion stays beside it.
        """
        stages = self.stages()
        standing = stages.standing
        if standing.champion is None or standing.challenger is None:
            return None
        if await self._asked_of_both(standing.champion, standing.challenger) is None:
            return "foresees another outcome", compare(NOTHING, NOTHING, self.config.models.compare_alpha)
        found = await self.compare(standing.champion, standing.challenger, hours)
        reason = f"{found.verdict} by {found.edge:+.5f} nats a bar over {found.rows} bars"
        if found.verdict == "better" and standing.challenger in standing.champions:
            await self.rollback(f"{standing.challenger} is {reason}", who, standing.challenger)
            return "rolled_back", found
        if found.verdict == "better":
            done = await self.promote(standing.challenger, "champion", reason, who)
            return "champion" if done.passed else "refused", found
        if found.verdict == "worse":
            await asyncio.to_thread(stages.tell, standing.challenger, "demoted", reason, who)
            await asyncio.to_thread(stages.registry.clear, self.model, "challenger")
            await self._written(stages)
            return "demoted", found
        return "undecided", found

    async def trained(self, version: str) -> Record:
        """The run that fitted a version. Raises `UnknownName`, `UsageError` (nothing was fitted then)."""
        run = await self.database.fetch_one(QUERIES["trained"], {"model": self.model, "version": version})
        if run is None:
            known = await self.database.fetch(QUERIES["versions"], {"model": self.model})
            raise UnknownName("version", version, [as_str(each["version"]) for each in known])
        if run["status"] != "ok" or run["dataset"] is None or run["settings"] is None:
            raise UsageError(f"version = {version!r}: {run['status']}, without what it can be judged by. Train another")
        return run

    async def _subject(self, run: Record, source: Version, frame: Frame) -> Subject:
        features = as_str(run["features"]).split(",")
        recipe, then = settings_of(as_str(run["settings"]), self.config.training)
        model, trouble = await self._loaded(run)
        deployed = await self.database.fetch(QUERIES["view_hashes"])
        ahead = await self.database.fetch(QUERIES["looks_ahead"], {"venue": source.made.source.venue})
        made = source.made
        return Subject(
            model=model,
            artifact=trouble,
            features=features,
            data=rows_of(frame, features, then),
            recipe=recipe,
            config=then,
            gaps=made.judged.gaps,
            quality=made.judged.quality,
            data_to_ns=made.span_to_ns,
            recorded=made.view_hashes,
            deployed={as_str(row["view_name"]): as_str(row["digest"]) for row in deployed},
            looks_ahead=[as_str(row["view_name"]) for row in ahead],
        )

    async def _rival(self, version: str, frame: Frame) -> Rival | None:
        """The champion on the candidate's rows; None if its file cannot be used, or its features are not there."""
        run = await self.trained(version)
        model, _ = await self._loaded(run)
        if model is None:
            return None
        _, then = settings_of(as_str(run["settings"]), self.config.training)
        data = rows_of(frame, list(model.features), then)
        return Rival(model, data) if data.features == model.features else None

    async def _loaded(self, run: Record) -> tuple[Model | None, str]:
        version = as_str(run["version"])
        path = artifact_path(self.state_dir, self.model, version)
        try:
            return await asyncio.to_thread(load, path, as_str(run["artifact_sha256"]), version), ""
        except OperatingError as error:
            return None, str(error)

    async def _written(self, stages: Stages) -> None:
        """Write the steps to where scoring looks; the outbox carries the same rows, should this fail."""
        await self.writer.write(stages.rows)
        await self.database.wait_applied(["model_events"])


def rows_of(frame: Frame, features: Sequence[str], config: TrainingConfig) -> Dataset:
    """A version's rows for exactly these features: those that it has not are not there, however often NULL."""
    values, bars = read_frame(frame)
    asked = asked_of(config)
    wanted = [*features, asked.side]
    chosen = {key: {name: row[name] for name in wanted if name in row} for key, row in values.items()}
    return dataset(chosen, bars, asked)


def _number(value: object) -> float:
    assert isinstance(value, int | float), value
    return float(value)
