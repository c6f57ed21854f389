"""Keeps the versions of a model that are in use loaded, and turns their answers into rows of `predictions`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from analytics.facts import BarKey, Span, Stamp, knowledge
from analytics.models.artifact import Model, artifact_path, load
from analytics.models.compiled import compile_classifier
from analytics.models.standing import QUERIES, Entry, RecordedStages, Standing, Standings
from analytics.serving import Features, Judge, Score, Scored, Serving
from ares.clock import to_datetime
from ares.errors import ModelUnusable, OperatingError
from ares.model.row import Row, UtcNs
from ares.store import Database, Param
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


@dataclass(slots=True)
class Scorer:
    """Holds the versions in use; without a champion nothing is scored. Raises `StoreUnavailable`, `StoreRejected`.

    `serving` is replaced as a whole, by versions that are loaded, compiled and warm: who scores takes it once, so that
    no bar waits for a swap and no pass mixes versions. `refused` says why a version is not used; until it goes or the
    process does it is not tried again, and the one before goes on.
    """

    database: Database
    venue: str
    name: str
    state_dir: Path
    ab_share: float = 0.0
    stages: Standings | None = None
    serving: Serving = field(default_factory=Serving)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def model(self) -> Model | None:
        """The champion in use."""
        return None if self.serving.champion is None else self.serving.champion.model

    @property
    def trouble(self) -> str:
        """What people should know: versions that should be in use and are not."""
        going_on = "nothing is scored" if self.model is None else f"{self.model.version} goes on"
        said = [f"model {self.name}@{version} is refused, {going_on}: {why}" for version, why in self.refused.items()]
        return "; ".join(said)

    async def reload(self) -> bool:
        """Take up who is in use now; True if somebody came, went or changed places."""
        standing = await (self.stages or RecordedStages(self.database)).standing(self.name)
        if standing.champion is None:
            return False
        wanted = {entry.version for entry in standing.entries}
        self.refused = {version: why for version, why in self.refused.items() if version in wanted}
        champion = await self._judge(standing.champion) or self.serving.champion
        challengers = [await self._judge(entry) for entry in standing.challengers]
        ready = tuple(judge for judge in challengers if judge is not None and judge is not champion)
        metrics.MODEL_REFUSED.labels(self.name).set(len(self.refused))
        return self._swap(Serving(champion, ready, self.ab_share), standing)

    def _swap(self, new: Serving, standing: Standing) -> bool:
        old, self.serving = self.serving, new
        if (old.champion, old.versions) == (new.champion, new.versions):
            return False
        metrics.MODEL_SWAPS.labels(self.name).inc()
        if new.champion is not None and standing.champion is not None:
            if new.champion.version == standing.champion.version:
                metrics.MODEL_AUC.labels(self.name).set(standing.champion.auc)
            log.info("models_in_use", model=self.name, champion=new.champion.version, all=list(new.versions))
        return True

    async def _judge(self, entry: Entry) -> Judge | None:
        """The version ready to be asked: as it is loaded already, or from its file. None if it is refused."""
        for judge in self.serving.judges:
            if judge.version == entry.version:
                return judge
        if entry.version in self.refused:
            return None
        path = artifact_path(self.state_dir, self.name, entry.version)
        try:
            return await asyncio.to_thread(ready_judge, path, entry)
        except OperatingError as error:
            self.refused[entry.version] = str(error)
            log.error("model_refused", model=self.name, version=entry.version, cause=str(error))
            return None

    async def scored(self, span: Span) -> Scored:
        """What of a span is scored already."""
        scope: dict[str, Param] = {
            "venue": self.venue,
            "model": self.name,
            "from": to_datetime(span.start_ns),
            "to": to_datetime(span.end_ns),
        }
        rows = await self.database.fetch(QUERIES["scored"], scope)
        found = [(BarKey(as_str(row["symbol"]), as_int(row["ts_ns"])), row) for row in rows]
        return Scored(
            frozenset((key, as_str(row["version"])) for key, row in found),
            frozenset(key for key, row in found if row["served"]),
        )

    def predict(self, features: Features, already: Scored, stamp: Stamp) -> list[Row]:
        """A row for what every version in use has to say of these bars and has not said."""
        serving = self.serving  # once: a swap in the middle must not give two champions
        began = time.perf_counter()
        scores = serving.scores(features, already)
        if scores:
            metrics.SCORING_SECONDS.observe(time.perf_counter() - began)
        return [prediction(score, stamp) for score in scores]


def ready_judge(path: Path, entry: Entry) -> Judge:
    """Load, compile, prove and warm a version. Raises `OperatingError`."""
    try:
        model = load(path, entry.sha256, entry.version)
    except OperatingError:
        raise
    except Exception as error:  # unpickling raises whatever the classes of another release make of it
        raise ModelUnusable(f"model artifact {path} cannot be read: {type(error).__name__}: {error}") from error
    scorer = compile_classifier(model.classifier)
    if scorer.features != len(model.features):
        named = len(model.features)
        raise ModelUnusable(f"model artifact {path} names {named} features and was fitted on {scorer.features}")
    return Judge(model, scorer)


def prediction(score: Score, stamp: Stamp) -> Row:
    """A row of `predictions`."""
    known = knowledge(score.key.ts_ns, 0, stamp.now_ns, stamp.lateness_ns)
    return Row(
        "predictions",
        score.key.ts_ns,
        {
            "venue": stamp.venue,
            "symbol": score.key.symbol,
            "model": score.model.name,
            "version": score.model.version,
            "known_at_kind": known.kind,
            "role": score.role,
        },
        {"score": score.score, "known_at": UtcNs(known.at_ns), "served": score.served},
    )
