"""The model "direction": the probability that the price is higher after the next bars. Pure: arrays in, a fit out.

Logistic regression over standardised features is what it begins with: with a few thousand noisy rows it errs less than
anything that can remember them, and its score moves smoothly with its inputs, which a position should too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

from analytics.facts import SIGNALS, BarKey, BarValues, Value, as_matrix
from analytics.models.arrays import Flags, Floats, Ints
from analytics.models.calibration import Calibration, calibration
from analytics.models.canaries import Canaries, Traps
from analytics.models.earning import Earned, earned_by_symbol
from analytics.models.executor import HERE, Executor
from analytics.models.families import Classifier, FitWork, Recipe, fit_all, recipe_of, scores
from analytics.models.folds import Times, cut
from analytics.models.outcomes import Asked, asked_of, outcomes_of
from ares.clock import MINUTE_NS
from ares.config.training import TrainingConfig

NULL_SHARE_MAX = 0.2
"""A feature that is NULL more often is left out: what could not be had in the past teaches nothing about it."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row a bar whose features and outcome are known, in order of time. `null_shares` tells of all candidates.

    `end_ns`: the last bar that an outcome rests on; `change`: what was won until then on `side`, a share; `symbol`: its
    number.
    """

    features: tuple[str, ...]
    x: Floats
    y: Ints
    ts_ns: Ints
    null_shares: Mapping[str, float]
    end_ns: Ints
    change: Floats
    symbol: Ints
    side: Floats

    @property
    def null_share(self) -> float:
        """The share of NULLs over all candidate features."""
        shares = self.null_shares.values()
        return sum(shares) / len(shares) if shares else 1.0

    @property
    def left_out(self) -> dict[str, float]:
        """The candidates that were not used, with how often they were NULL."""
        return {name: share for name, share in self.null_shares.items() if name not in self.features}

    @property
    def times(self) -> Times:
        """When the rows were, and when their outcomes."""
        return Times(self.ts_ns, self.end_ns)

    def part(self, rows: Flags | Ints) -> Dataset:
        """Some of the rows."""
        return Dataset(
            self.features,
            self.x[rows],
            self.y[rows],
            self.ts_ns[rows],
            self.null_shares,
            self.end_ns[rows],
            self.change[rows],
            self.symbol[rows],
            self.side[rows],
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """One recipe that was tried, and what came of it before the test: `losses` of its folds, net by block of time.

    `sharpe` is the ratio of a row.
    """

    number: int
    recipe: Recipe
    state: Literal["complete", "pruned"]
    losses: tuple[float, ...]
    net: tuple[float, ...] = ()
    sharpe: float = 0.0

    @property
    def log_loss(self) -> float:
        """The mean over its folds, nats a row."""
        return sum(self.losses) / len(self.losses)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The recipe that did best before the test, and all that were tried."""

    recipe: Recipe
    trials: tuple[Trial, ...] = ()


Chooser = Callable[[Dataset, TrainingConfig], Chosen]


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted model and how it did on later bars that it had not seen. `train_to_ns`: the last bar its labels saw."""

    classifier: Classifier
    features: tuple[str, ...]
    rows: int
    rows_test: int
    auc: float
    log_loss: float
    base_rate: float
    train_from_ns: int
    train_to_ns: int
    chosen: Chosen
    calibration: Calibration
    earned: Earned
    canaries: Canaries


@dataclass(frozen=True, slots=True)
class NoFit:
    """Why there is no model: a normal outcome where there is little history. `refused`: fitted, and not used."""

    reason: str
    rows: int
    refused: bool = False
    trials: tuple[Trial, ...] = field(default=())


def dataset(
    features: Mapping[BarKey, Mapping[str, Value]], bars: Mapping[BarKey, BarValues], asked: Asked | int
) -> Dataset:
    """Complete bars with their outcomes; those that have none are left out. A number asks for that horizon.

    A signal's column is no feature: what it wants of a bar comes after the score. It is the side that is asked about.
    """
    asked = Asked(asked) if isinstance(asked, int) else asked
    sides = {key: values.get(asked.side) for key, values in features.items()}
    outcomes = outcomes_of(bars, asked, sides)
    labels = {key: outcomes[key] for key in features if key in outcomes}
    names = sorted({name for values in features.values() for name in values if not name.startswith(SIGNALS)})
    shares = {n: sum(features[k].get(n) is None for k in labels) / len(labels) for n in names} if labels else {}
    used = tuple(name for name in names if shares.get(name, 1.0) <= NULL_SHARE_MAX)
    numbers = {symbol: number for number, symbol in enumerate(sorted({key.symbol for key in labels}))}
    rows = [
        (key, labels[key], row)
        for key in sorted(labels, key=lambda key: (key.ts_ns, key.symbol))
        if used and (row := as_matrix(features[key], used)) is not None
    ]
    return Dataset(
        used,
        np.array([row for _, _, row in rows], dtype=np.float64).reshape(len(rows), len(used)),
        np.array([outcome.y for _, outcome, _ in rows], dtype=np.int64),
        np.array([key.ts_ns for key, _, _ in rows], dtype=np.int64),
        shares,
        np.array([outcome.end_ns for _, outcome, _ in rows], dtype=np.int64),
        np.array([outcome.change for _, outcome, _ in rows], dtype=np.float64),
        np.array([numbers[key.symbol] for key, _, _ in rows], dtype=np.int64),
        np.array([outcome.side for _, outcome, _ in rows], dtype=np.float64),
    )


def usual(_: Dataset, config: TrainingConfig) -> Chosen:
    """The first family with its usual numbers, untried."""
    return Chosen(recipe_of(config.families[0], config.seed))


def fit(data: Dataset, config: TrainingConfig, choose: Chooser = usual, executor: Executor = HERE) -> Fit | NoFit:
    """Choose and fit on the earlier bars, judge on the later ones; an embargo keeps outcomes from leaking across.

    A model whose canaries learnt something is refused: what taught them teaches it too.
    """
    rows = len(data.y)
    if rows < config.rows_min:
        return NoFit(f"{rows} complete rows, fewer than training.rows_min = {config.rows_min}", rows)
    early, late = parted(data, config)
    for name, part in (("training", early), ("test", late)):
        if len(np.unique(part.y)) < 2:
            return NoFit(f"only one outcome among the {len(part.y)} {name} rows", rows)
    chosen = choose(early, config)
    traps = Traps.of(chosen.recipe, early, late, config.horizon_bars)
    classifier, *learnt = fit_all([FitWork(chosen.recipe, early.x, early.y), *traps.works], executor)
    canaries = traps.sprung(learnt)
    if canaries.alarms:
        return NoFit("; ".join(canaries.alarms), rows, refused=True, trials=chosen.trials)
    judged = scores(classifier, late.x)
    return Fit(
        classifier,
        data.features,
        len(early.y),
        len(late.y),
        auc=float(roc_auc_score(late.y, judged)),
        log_loss=float(log_loss(late.y, judged)),
        base_rate=float(late.y.mean()),
        train_from_ns=int(early.ts_ns.min()),
        train_to_ns=int(early.end_ns.max()),
        chosen=chosen,
        calibration=calibration(late.y, judged),
        earned=earned_by_symbol(judged, late, asked_of(config).terms),
        canaries=canaries,
    )


def parted(data: Dataset, config: TrainingConfig) -> tuple[Dataset, Dataset]:
    """What is learnt from and what is judged by: the last `training.test_share` of the moments."""
    moments = np.unique(data.ts_ns)
    cut_ns = int(moments[min(len(moments) - 1, round(len(moments) * (1 - config.test_share)))])
    early, late = cut(data.times, cut_ns, config.embargo_bars * MINUTE_NS)
    return data.part(early), data.part(late)


def probabilities(classifier: Classifier, rows: Sequence[Sequence[float]]) -> list[float]:
    """The probability of a rise for every row of features."""
    if not rows:
        return []
    return [float(p) for p in scores(classifier, np.array(rows, dtype=np.float64))]
