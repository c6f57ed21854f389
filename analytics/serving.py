"""Versions of a model that are loaded and ready to be asked, and whose score of a bar is served in the end. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from analytics.facts import BarKey, Value, as_matrix
from analytics.models.artifact import Model
from analytics.models.compiled import CompiledScorer
from ares.clock import MINUTE_NS

Role = Literal["champion", "challenger"]
Features = Mapping[BarKey, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Judge:
    """A version that is loaded and warm."""

    model: Model
    scorer: CompiledScorer

    @property
    def version(self) -> str:
        return self.model.version

    def asked(self, features: Features, but: Scored) -> dict[BarKey, float]:
        """Its score of every bar that it has not been fitted on nor scored, and has all features of."""
        keys: list[BarKey] = []
        rows: list[list[float]] = []
        for key, values in features.items():
            if key.ts_ns <= self.model.train_to_ns or (key, self.version) in but.versions:
                continue
            row = as_matrix(values, self.model.features)
            if row is not None:
                keys.append(key)
                rows.append(row)
        return dict(zip(keys, self.scorer.probabilities(rows), strict=True))


@dataclass(frozen=True, slots=True)
class Scored:
    """What of some bars is scored already: by which versions, and whether somebody's score is served."""

    versions: frozenset[tuple[BarKey, str]] = field(default_factory=frozenset)
    served: frozenset[BarKey] = field(default_factory=frozenset)


NOTHING_SCORED = Scored()


@dataclass(frozen=True, slots=True)
class Score:
    """What a version says of a bar. Signals read the one that is served."""

    key: BarKey
    model: Model
    role: Role
    score: float
    served: bool


@dataclass(frozen=True, slots=True)
class Serving:
    """All who are asked, as they were at one moment: whoever holds one asks the same versions about every bar.

    `ab_share` of the bars are served by challengers, each as many, drawn by `draw`.
    """

    champion: Judge | None = None
    challengers: tuple[Judge, ...] = ()
    ab_share: float = 0.0

    @property
    def judges(self) -> tuple[Judge, ...]:
        return self.challengers if self.champion is None else (self.champion, *self.challengers)

    @property
    def versions(self) -> tuple[str, ...]:
        return tuple(judge.version for judge in self.judges)

    def scores(self, features: Features, already: Scored) -> list[Score]:
        """What everybody has to say of these bars that is not written yet; of a bar that is served nothing is again."""
        if self.champion is None:
            return []
        said = [(judge, judge.asked(features, already)) for judge in self.judges]
        found: list[Score] = []
        for key in features:
            speakers = [judge for judge, answers in said if key in answers]
            served = None if key in already.served else self.chosen(key, speakers)
            for judge, answers in said:
                if key not in answers or (judge is self.champion and key in already.served):
                    continue
                role: Role = "champion" if judge is self.champion else "challenger"
                found.append(Score(key, judge.model, role, answers[key], judge is served))
        return found

    def chosen(self, key: BarKey, speakers: Sequence[Judge]) -> Judge | None:
        """Whose score of a bar is served: the champion's, or by lot a challenger's; of who has none to say nobody's."""
        lot = draw(key)
        if lot < self.ab_share and self.challengers:
            challenger = self.challengers[int(lot / self.ab_share * len(self.challengers))]
            if challenger in speakers:
                return challenger
        return self.champion if self.champion in speakers else None


def draw(key: BarKey) -> float:
    """A number in [0, 1) that a symbol's minute always has: who is asked again serves the same."""
    digest = blake2b(f"{key.symbol}|{key.ts_ns // MINUTE_NS}".encode(), digest_size=8).digest()
    return int.from_bytes(digest[:7], "big") / (1 << 56)
