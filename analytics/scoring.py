"""Asks the newest model about bars, and turns its answers into rows of `predictions`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from analytics.facts import BarKey, Span, Stamp, Value, as_matrix, knowledge
from analytics.models.artifact import Model, artifact_path, load
from analytics.models.direction import probabilities
from ares.clock import to_datetime
from ares.errors import OperatingError
from ares.model.row import Row, UtcNs
from ares.store import Database, Param, load_queries
from ares.store.pool import as_float, as_int, as_str
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)

QUERIES = load_queries("analytics", "queries/models.sql")


@dataclass(slots=True)
class Scorer:
    """Holds the model in use; without one nothing is scored. Raises `StoreUnavailable`, `StoreRejected`."""

    database: Database
    venue: str
    name: str
    state_dir: Path
    model: Model | None = None
    refused: str = ""

    async def reload(self) -> bool:
        """Take up the newest fitted version, if it is another one than now; True if so.

        A version whose file is missing or altered is refused and named in the log once; the one in use stays.
        """
        row = await self.database.fetch_one(QUERIES["newest_model"], {"model": self.name})
        if row is None:
            return False
        version = as_str(row["version"])
        if version == self.refused or (self.model is not None and self.model.version == version):
            return False
        path = artifact_path(self.state_dir, self.name, version)
        try:
            self.model = await asyncio.to_thread(load, path, as_str(row["artifact_sha256"]), version)
        except OperatingError as error:
            self.refused = version
            log.error("model_refused", model=self.name, version=version, cause=str(error))
            return False
        metrics.MODEL_AUC.labels(self.name).set(as_float(row["auc"]))
        log.info("model_loaded", model=self.name, version=version, auc=row["auc"])
        return True

    async def scored(self, span: Span) -> set[BarKey]:
        """The bars of a span that have a prediction already."""
        scope: dict[str, Param] = {
            "venue": self.venue,
            "model": self.name,
            "from": to_datetime(span.start_ns),
            "to": to_datetime(span.end_ns),
        }
        rows = await self.database.fetch(QUERIES["scored"], scope)
        return {BarKey(as_str(row["symbol"]), as_int(row["ts_ns"])) for row in rows}

    def predict(
        self, features: Mapping[BarKey, Mapping[str, Value]], already: Collection[BarKey], stamp: Stamp
    ) -> list[Row]:
        """A row for every bar that the model has not been fitted on, has all features of, and nobody has scored."""
        if self.model is None:
            return []
        asked: list[BarKey] = []
        matrix: list[list[float]] = []
        for key, values in features.items():
            if key.ts_ns <= self.model.train_to_ns or key in already:
                continue
            row = as_matrix(values, self.model.features)
            if row is not None:
                asked.append(key)
                matrix.append(row)
        answers = probabilities(self.model.classifier, matrix)
        return [prediction(self.model, key, score, stamp) for key, score in zip(asked, answers, strict=True)]


def prediction(model: Model, key: BarKey, score: float, stamp: Stamp) -> Row:
    """A row of `predictions`."""
    known = knowledge(key.ts_ns, 0, stamp.now_ns, stamp.lateness_ns)
    return Row(
        "predictions",
        key.ts_ns,
        {
            "venue": stamp.venue,
            "symbol": key.symbol,
            "model": model.name,
            "version": model.version,
            "known_at_kind": known.kind,
        },
        {"score": score, "known_at": UtcNs(known.at_ns)},
    )
