"""Trains the direction model on a version of a dataset and records the outcome in `training_runs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analytics.catalog import definitions
from analytics.datasets.events import Source
from analytics.datasets.maker import BAR_COLUMNS, Datasets, NothingKnown, whole_micros
from analytics.datasets.registry import Version
from analytics.facts import BarKey, BarValues, Value
from analytics.lineage import trained_made
from analytics.models.artifact import Model, artifact_path, save
from analytics.models.direction import Dataset, Fit, NoFit, dataset, fit
from ares.clock import HOUR_NS, NANOS_PER_MILLI, Clock, to_datetime
from ares.config.settings import AresConfig
from ares.control import Json
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
        data = dataset(features, bars, settings.horizon_bars)
        fitted = fit(data, settings)
        if isinstance(fitted, NoFit):
            return await self._ended(version, "skipped", {**skipped(fitted, data), **named})
        self.datasets.registry.cite(source, f"{settings.model}@{version}")
        row = self._keep(fitted, data, version)
        made = trained_made(settings.model, version, source.id, fitted.features)
        run = (f"{settings.model}-{version}", self.clock.now_ns())
        await record(self.datasets.control, self.config.lineage, "train", run, made, clock=self.clock)
        return await self._ended(version, "ok", {**row, **named, "reason": accepted(source, str(row["reason"]))})

    async def _ended(self, version: str, status: str, row: Mapping[str, Cell]) -> Mapping[str, Json]:
        model = self.config.training.model
        await self.writer.write([training_row(model, version, status, self.clock.now_ns(), row)])
        await self.database.wait_applied(["training_runs"])
        metrics.TRAINING_RUNS.labels(model, status).inc()
        log.info("model_trained", model=model, version=version, status=status, reason=row["reason"])
        return {"model": model, "version": version, "status": status, **reported(row)}

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
            [each.view for each in definitions("feature")],
            whole_micros(now_ns - round(settings.window_hours * HOUR_NS)),
            known_to_ns,
        )
        try:
            return await self.datasets.make(wanted, source, known_to_ns, f"train {settings.model}")
        except NothingKnown:
            return None

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
        }


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
    """A row of `training_runs`."""
    symbols = {"model": model, "version": version, "status": status}
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
    chosen = ("dataset", "rows", "rows_test", "auc", "log_loss", "base_rate", "null_share", "reason")
    return {name: value for name in chosen if isinstance(value := row.get(name), int | float | str)}
