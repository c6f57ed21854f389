"""Trains the direction model on frozen, point-in-time rows and records the outcome in `training_runs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from analytics.facts import BarKey, BarValues, Value
from analytics.models.artifact import Model, artifact_path, save
from analytics.models.direction import Dataset, Fit, NoFit, dataset, fit
from analytics.scoring import QUERIES
from analytics.truth import bars_of
from ares.clock import HOUR_NS, NANOS_PER_MILLI, Clock, to_datetime
from ares.config.settings import AresConfig
from ares.control import Json
from ares.model.row import Cell, Row, UtcNs
from ares.store import Database, Param, RowWriter
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


@dataclass(slots=True)
class Training:
    """One training of one model. Raises `StoreUnavailable`, `StoreRejected`, `OperatingError` (artifact)."""

    config: AresConfig
    clock: Clock
    database: Database
    writer: RowWriter
    state_dir: Path

    async def run(self) -> Mapping[str, Json]:
        """Fit, judge, keep and record; too little history is a recorded outcome, not an error."""
        now_ns = self.clock.now_ns()
        features, bars = await self._read(now_ns)
        settings = self.config.training
        data = dataset(features, bars, settings.horizon_bars)
        fitted = fit(data, settings)
        version = version_of(now_ns)
        row = skipped(fitted, data) if isinstance(fitted, NoFit) else self._keep(fitted, data, version)
        status = "skipped" if isinstance(fitted, NoFit) else "ok"
        await self.writer.write([training_row(settings.model, version, status, self.clock.now_ns(), row)])
        await self.database.wait_applied(["training_runs"])
        metrics.TRAINING_RUNS.labels(settings.model, status).inc()
        log.info("model_trained", model=settings.model, version=version, status=status, reason=row["reason"])
        return {"model": settings.model, "version": version, "status": status, **reported(row)}

    async def _read(self, now_ns: int) -> tuple[dict[BarKey, dict[str, Value]], dict[BarKey, BarValues]]:
        features: dict[BarKey, dict[str, Value]] = {}
        bars: dict[BarKey, BarValues] = {}
        start_ns = now_ns - round(self.config.training.window_hours * HOUR_NS)
        for symbol in self.config.ingest.symbols:
            scope: dict[str, Param] = {
                "venue": self.config.ingest.venue,
                "symbol": symbol,
                "from": to_datetime(start_ns),
                "to": to_datetime(now_ns),
            }
            for row in await self.database.fetch(QUERIES["training_features"], scope):
                value = row["value"]
                found = features.setdefault(BarKey(symbol, as_int(row["ts_ns"])), {})
                found[f"{as_str(row['name'])}_v{as_int(row['version'])}"] = (
                    float(value) if isinstance(value, int | float) else None
                )
            bars |= bars_of(await self.database.fetch(QUERIES["training_bars"], scope))
        return features, bars

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
    chosen = ("rows", "rows_test", "auc", "log_loss", "base_rate", "null_share", "reason")
    return {name: value for name in chosen if isinstance(value := row.get(name), int | float | str)}
