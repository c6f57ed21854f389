"""The model "direction": the probability that the price is higher after the next bars. Pure: arrays in, a fit out.

Logistic regression over standardised features: with a few thousand noisy rows it errs less than anything that can
remember them, and its score moves smoothly with its inputs, which a position should too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analytics.facts import BarKey, BarValues, Value, as_matrix
from ares.clock import MINUTE_NS
from ares.config.settings import TrainingConfig

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Ints = np.ndarray[tuple[int, ...], np.dtype[np.int64]]

NULL_SHARE_MAX = 0.2
"""A feature that is NULL more often is left out: what could not be had in the past teaches nothing about it."""
REGULARISATION_C = 0.1


class Classifier(Protocol):
    """What we use of a scikit-learn pipeline."""

    def fit(self, x: Floats, y: Ints) -> object: ...
    def predict_proba(self, x: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Dataset:
    """One row a bar whose features and outcome are known, in order of time. `null_shares` tells of all candidates."""

    features: tuple[str, ...]
    x: Floats
    y: Ints
    ts_ns: Ints
    null_shares: Mapping[str, float]

    @property
    def null_share(self) -> float:
        """The share of NULLs over all candidate features."""
        shares = self.null_shares.values()
        return sum(shares) / len(shares) if shares else 1.0

    @property
    def left_out(self) -> dict[str, float]:
        """The candidates that were not used, with how often they were NULL."""
        return {name: share for name, share in self.null_shares.items() if name not in self.features}


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


@dataclass(frozen=True, slots=True)
class NoFit:
    """Why there is no model: a normal outcome where there is little history."""

    reason: str
    rows: int


def dataset(
    features: Mapping[BarKey, Mapping[str, Value]], bars: Mapping[BarKey, BarValues], horizon_bars: int
) -> Dataset:
    """Complete bars, labelled by whether the close was higher `horizon_bars` later; unmoved prices are left out."""
    labels = {key: label for key in features if (label := label_of(key, bars, horizon_bars)) is not None}
    names = sorted({name for values in features.values() for name in values})
    shares = {n: sum(features[k].get(n) is None for k in labels) / len(labels) for n in names} if labels else {}
    used = tuple(name for name in names if shares.get(name, 1.0) <= NULL_SHARE_MAX)
    rows = [
        (key.ts_ns, label, row)
        for key, label in sorted(labels.items(), key=lambda item: (item[0].ts_ns, item[0].symbol))
        if used and (row := as_matrix(features[key], used)) is not None
    ]
    return Dataset(
        used,
        np.array([row for _, _, row in rows], dtype=np.float64).reshape(len(rows), len(used)),
        np.array([label for _, label, _ in rows], dtype=np.int64),
        np.array([ts_ns for ts_ns, _, _ in rows], dtype=np.int64),
        shares,
    )


def label_of(key: BarKey, bars: Mapping[BarKey, BarValues], horizon_bars: int) -> int | None:
    """1 if the close rises over the horizon, 0 if it falls, None if it does neither or either close is not known."""
    now = bars.get(key)
    then = bars.get(BarKey(key.symbol, key.ts_ns + horizon_bars * MINUTE_NS))
    if now is None or then is None or now.close is None or then.close is None or now.close == then.close:
        return None
    return int(then.close > now.close)


def fit(data: Dataset, config: TrainingConfig) -> Fit | NoFit:
    """Fit on the earlier bars, judge on the later ones; an embargo between them keeps outcomes from leaking across."""
    rows = len(data.y)
    if rows < config.rows_min:
        return NoFit(f"{rows} complete rows, fewer than training.rows_min = {config.rows_min}", rows)
    moments = np.unique(data.ts_ns)
    cut_ns = int(moments[min(len(moments) - 1, round(len(moments) * (1 - config.test_share)))])
    purge_ns = (config.horizon_bars + config.embargo_bars) * MINUTE_NS
    early, late = data.ts_ns < cut_ns - purge_ns, data.ts_ns >= cut_ns
    for name, part in (("training", early), ("test", late)):
        if len(np.unique(data.y[part])) < 2:
            return NoFit(f"only one outcome among the {int(part.sum())} {name} rows", rows)
    classifier = new_classifier(config.seed)
    classifier.fit(data.x[early], data.y[early])
    judged = classifier.predict_proba(data.x[late])[:, 1]
    return Fit(
        classifier,
        data.features,
        int(early.sum()),
        int(late.sum()),
        auc=float(roc_auc_score(data.y[late], judged)),
        log_loss=float(log_loss(data.y[late], judged)),
        base_rate=float(data.y[late].mean()),
        train_from_ns=int(data.ts_ns[early].min()),
        train_to_ns=int(data.ts_ns[early].max()) + config.horizon_bars * MINUTE_NS,
    )


def new_classifier(seed: int) -> Classifier:
    """An unfitted model."""
    regression = LogisticRegression(C=REGULARISATION_C, max_iter=1_000, random_state=seed)
    return cast("Classifier", make_pipeline(StandardScaler(), regression))


def probabilities(classifier: Classifier, rows: Sequence[Sequence[float]]) -> list[float]:
    """The probability of a rise for every row of features."""
    if not rows:
        return []
    return [float(p) for p in classifier.predict_proba(np.array(rows, dtype=np.float64))[:, 1]]
