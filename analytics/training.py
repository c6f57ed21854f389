"""Trains the direction model on a version of a dataset, registers it, and records the outcome in `training_runs`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from analytics.catalog import catalog_of, definitions
from analytics.datasets.events import Source
from analytics.datasets.maker import BAR_COLUMNS, Datasets, NothingKnown, whole_micros
from analytics.datasets.registry import Version
from analytics.facts import BarKey, BarValues, Value
from analytics.lineage import trained_made
from analytics.models.artifact import Model, artifact_path, save
from analytics.models.cluster import engine
from analytics.models.code import code_version
from analytics.models.direction import Dataset, Fit, NoFit, Trial, dataset, fit
from analytics.models.examine import settings_text
from analytics.models.outcomes import asked_of
from analytics.models.overfit import deflated_sharpe, overfit_probability
from analytics.models.registry import ModelRegistry, Pins
from analytics.models.search import Progress, Search, quiet
from analytics.models.stages import Stages
from ares.clock import HOUR_NS, NANOS_PER_MILLI, Clock, to_datetime
from ares.config.settings import AresConfig
from ares.control import Json
from ares.errors import UsageError
from ares.lake.frame import Frame
from ares.model.row import Cell, Row, UtcNs
from ares.service.lineage import record
from ares.store import Database, RowWriter
from ares.store.pool import as_int
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)

BAR_NAMES = frozenset(column.name for column in BAR_COLUMNS)


@dataclass(slots=True)
class Training:
    """One training of one model.

    Raises `StoreUnavailable`, `StoreRejected`, `ControlUnavailable`, `OperatingError` (artifact, lake) and, where a
    version that is cited is not there, `UsageError`.
    """

    config: AresConfig
    clock: Clock
    database: Database
    writer: RowWriter
    state_dir: Path
    datasets: Datasets
    progress: Progress = quiet
    made_by: str = "train"

    async def run(self) -> Mapping[str, Json]:
        """Fit, judge, keep and record; too little history, or data that may not be used, is a recorded outcome."""
        now_ns = self.clock.now_ns()
        version = version_of(now_ns)
        found = await self._data(now_ns)
        if found is None:
            return await self._ended(version, "skipped", nothing(self.config.training.rows_min))
        source, frame = found
        named = {"dataset": source.id}
        if source.made.judged.quality == "fail" and self.config.training.failed_quality == "refuse":
            return await self._ended(version, "refused", {"rows": 0, "reason": refusal(source), **named})
        features, bars = read_frame(frame)
        settings = self.config.training
        asked = asked_of(settings)
        if asked.side and asked.side not in frame.names:
            raise UsageError(
                f"training.dataset = {source.id!r}: has no column {asked.side}, which training.label = 'meta' follows. "
                f"Make a version with it: ares data make {source.made.name} --signal {asked.side}"
            )
        data = dataset(features, bars, asked)
        with engine(settings, self._searches / "cluster") as executor:
            fitted = fit(data, settings, Search(self._searches, executor, self.progress), executor)
        if isinstance(fitted, NoFit):
            status = "refused" if fitted.refused else "skipped"
            return await self._ended(version, status, {**skipped(fitted, data), **named}, fitted.trials)
        self.datasets.registry.cite(source, f"{settings.model}@{version}")
        row = self._keep(fitted, data, version)
        made = trained_made(settings.model, version, source.id, fitted.features)
        run = (f"{settings.model}-{version}", self.clock.now_ns())
        await record(self.datasets.control, self.config.lineage, "train", run, made, clock=self.clock)
        told = {**row, **named, "reason": accepted(source, str(row["reason"]))}
        outcome = await self._ended(version, "ok", told, fitted.chosen.trials)
        await self._staged(source, version, row, fitted)
        return outcome

    async def _ended(
        self, version: str, status: str, row: Mapping[str, Cell], trials: Sequence[Trial] = ()
    ) -> Mapping[str, Json]:
        model, now_ns = self.config.training.model, self.clock.now_ns()
        run = training_row(model, version, status, now_ns, row)
        await self.writer.write([run, *(experiment_row(run, trial) for trial in trials)])
        await self.database.wait_applied(["training_runs"])
        metrics.TRAINING_RUNS.labels(model, status).inc()
        log.info("model_trained", model=model, version=version, status=status, reason=row["reason"])
        return {"model": model, "version": version, "status": status, **reported(row)}

    @property
    def _searches(self) -> Path:
        return self.state_dir / "models" / self.config.training.model / "search"

    async def _staged(self, source: Version, version: str, row: Mapping[str, Cell], fitted: Fit) -> None:
        """Register a version with all that it rests on; it is champion at once, or waits at the gate.

        At once is before it is registered: opening a new registry takes longer than a fit, and scoring waits.
        """
        settings, who = self.config.training, self.made_by
        registry = ModelRegistry.of(self.config.models, self.state_dir)
        stages = Stages(self.datasets.control, registry, self.clock, settings.model, [])
        if settings.promotion == "newest":
            stages.crown(version, "newest, by training.promotion", who)
            await self._written(stages)
        path = artifact_path(self.state_dir, settings.model, version)
        run_id = registry.register(pins_of(settings.model, version, source, row, fitted), path)
        stages.tell(version, "registered", f"learnt from {source.id}", who, run_id)
        if settings.promotion == "newest":
            registry.point(settings.model, "champion", version)
        else:
            stages.place(version, "candidate", "waits for `ares models promote`", who)
        await self._written(stages)

    async def _written(self, stages: Stages) -> None:
        await self.writer.write(stages.rows)
        await self.database.wait_applied(["model_events"])

    async def _data(self, now_ns: int) -> tuple[Version, Frame] | None:
        """The version that the settings name, or a new one of the newest window; None if nothing is frozen there."""
        settings = self.config.training
        wanted = settings.dataset or settings.model
        if "@" in wanted:
            cited = self.datasets.registry.get(wanted)
            return cited, await self.datasets.read(cited)
        known_to_ns = whole_micros(now_ns)
        source = Source(
            self.config.ingest.venue,
            sorted(self.config.ingest.symbols),
            self._views(),
            whole_micros(now_ns - round(settings.window_hours * HOUR_NS)),
            known_to_ns,
        )
        try:
            return await self.datasets.make(wanted, source, known_to_ns, f"train {settings.model}")
        except NothingKnown:
            return None

    def _views(self) -> list[str]:
        """What a version of the dataset has a column of: all features, and the signal that a meta-label follows."""
        side = asked_of(self.config.training).side
        views = [each.view for each in definitions("feature")]
        if not side:
            return views
        catalog = catalog_of(self.config.features.folder(self.state_dir))
        return [*views, catalog.one(side).view]

    def _keep(self, fitted: Fit, data: Dataset, version: str) -> dict[str, Cell]:
        name = self.config.training.model
        path = artifact_path(self.state_dir, name, version)
        digest = save(Model(name, version, fitted.features, fitted.train_to_ns, fitted.classifier), path)
        return {
            "rows": fitted.rows,
            "rows_test": fitted.rows_test,
            "features": ",".join(fitted.features),
            "null_share": data.null_share,
            "auc": fitted.auc,
            "log_loss": fitted.log_loss,
            "base_rate": fitted.base_rate,
            "train_from": UtcNs(fitted.train_from_ns),
            "train_to": UtcNs(fitted.train_to_ns),
            "artifact": path.relative_to(self.state_dir).as_posix(),
            "artifact_sha256": digest,
            "reason": left_out_text(data),
            **evidence_of(fitted),
            "settings": settings_text(fitted.chosen.recipe, self.config.training),
        }


def evidence_of(fitted: Fit) -> dict[str, Cell]:
    """What a run shows beyond how well it ranks."""
    whole = [trial for trial in fitted.chosen.trials if trial.state == "complete"]
    found: dict[str, Cell] = {
        "brier": fitted.calibration.brier,
        "ece": fitted.calibration.ece,
        "net_share": fitted.earned.total,
        "trades": fitted.earned.trades,
        "canary_auc": fitted.canaries.shuffled_auc,
        "sharpe_deflated": deflated_sharpe(fitted.earned.net, [each.sharpe for each in whole]),
    }
    luck = overfit_probability(np.array([each.net for each in whole]).T) if len(whole) > 1 else None
    return found if luck is None else {**found, "overfit_share": luck}


def pins_of(model: str, version: str, source: Version, row: Mapping[str, Cell], fitted: Fit) -> Pins:
    """All that a version rests on, as text."""
    made = source.made
    what = {
        "dataset": source.id,
        "dataset_sha256": made.sha256,
        "view_hashes": orjson.dumps(made.view_hashes, option=orjson.OPT_SORT_KEYS).decode(),
        "gaps": made.judged.gaps,
        "quality": made.judged.quality,
        "code_version": code_version(),
        "features": ",".join(fitted.features),
        "seed": str(fitted.chosen.recipe.seed),
        "settings": str(row["settings"]),
    }
    numbers = ("rows", "rows_test", "auc", "log_loss", "base_rate", "brier", "ece", "net_share", "trades")
    metrics = {name: float(value) for name in numbers if isinstance(value := row.get(name), int | float)}
    importance = {f"importance.{name}": value for name, value in fitted.canaries.importance.items()}
    return Pins(model, version, str(row["artifact_sha256"]), what, {**metrics, **importance})


def experiment_row(run: Row, trial: Trial) -> Row:
    """A row of `experiments`."""
    symbols = {"model": run.symbols["model"], "family": trial.recipe.family, "state": trial.state}
    params = orjson.dumps(dict(trial.recipe.params), option=orjson.OPT_SORT_KEYS).decode()
    columns: dict[str, Cell] = {
        "run_id": run.columns["run_id"],
        "trial": trial.number,
        "params": params,
        "log_loss": trial.log_loss,
    }
    if trial.net:
        columns["net_share"] = sum(trial.net) / len(trial.net)
    return Row("experiments", run.ts_ns, symbols, columns)


def read_frame(frame: Frame) -> tuple[dict[BarKey, dict[str, Value]], dict[BarKey, BarValues]]:
    """A version's rows as the model takes them: features and bars by bar."""
    names = [name for name in frame.names if name not in BAR_NAMES]
    features: dict[BarKey, dict[str, Value]] = {}
    bars: dict[BarKey, BarValues] = {}
    for record_ in frame.records():
        cells = dict(zip(frame.names, record_, strict=True))
        key = BarKey(str(cells["symbol"]), as_int(cells["ts"]))
        bars[key] = BarValues._make(cells[name] for name in BarValues._fields)
        features[key] = {name: cells[name] for name in names}
    return features, bars


def refusal(source: Version) -> str:
    """Why a version is not learnt from."""
    checks = ", ".join(each for each in source.made.judged.not_ok if each.startswith("fail"))
    return f"quality of dataset {source.id}: fail ({checks}). Mend it, or set training.failed_quality = 'accept'"


def accepted(source: Version, reason: str) -> str:
    """What there is to say of a run that went on with data of failed quality."""
    if source.made.judged.quality != "fail":
        return reason
    said = f"quality of dataset {source.id}: fail, accepted by training.failed_quality"
    return f"{said}; {reason}" if reason else said


def nothing(rows_min: int) -> dict[str, Cell]:
    """What a run leaves behind in whose window nothing is frozen."""
    return {"rows": 0, "reason": f"0 complete rows, fewer than training.rows_min = {rows_min}"}


def skipped(outcome: NoFit, data: Dataset) -> dict[str, Cell]:
    """What a run that fitted nothing leaves behind."""
    return {
        "rows": outcome.rows,
        "features": ",".join(data.features),
        "null_share": data.null_share,
        "reason": outcome.reason,
    }


def training_row(model: str, version: str, status: str, now_ns: int, columns: Mapping[str, Cell]) -> Row:
    """A row of `training_runs`. The family stands in its settings."""
    symbols = {"model": model, "version": version, "status": status}
    settings = columns.get("settings")
    if isinstance(settings, str):
        symbols["family"] = str(orjson.loads(settings)["family"])
    return Row("training_runs", now_ns, symbols, {"run_id": f"{model}-{version}", **columns})


def left_out_text(data: Dataset) -> str:
    """Which candidates were not used, and how often they were NULL."""
    shares = ", ".join(f"{name} ({share:.0%} NULL)" for name, share in sorted(data.left_out.items()))
    return f"left out: {shares}" if shares else ""


def version_of(now_ns: int) -> str:
    """A version that sorts by time and is unlike every other: 20260301T120000.123."""
    return f"{to_datetime(now_ns):%Y%m%dT%H%M%S}.{now_ns // NANOS_PER_MILLI % 1_000:03d}"


def reported(row: Mapping[str, Cell]) -> dict[str, Json]:
    """The figures of a run that people ask for first."""
    chosen = (
        "dataset",
        "rows",
        "rows_test",
        "auc",
        "log_loss",
        "base_rate",
        "ece",
        "net_share",
        "null_share",
        "reason",
    )
    return {name: value for name in chosen if isinstance(value := row.get(name), int | float | str)}
