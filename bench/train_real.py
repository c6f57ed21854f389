"""Trains every family on real five-minute bars, judges out of sample: `python -m bench.train_real FILE.csv.gz`.

FILE has the columns of Binance's public klines, without a head. Features are computed here from the bars alone.
"""

from __future__ import annotations

import csv
import gzip
import sys

import numpy as np

from analytics.models.arrays import Floats
from analytics.models.direction import Dataset, Fit, fit
from analytics.models.labels import UNKNOWN, forward
from ares.clock import MINUTE_NS
from ares.config.training import TrainingConfig

BAR_NS = 5 * MINUTE_NS
HORIZON = 6
COST_BPS = 10.0


def features(close: Floats, volume: Floats, taker: Floats) -> dict[str, Floats]:
    log_close = np.log(close)
    step = np.diff(log_close, prepend=log_close[0])
    found = {f"return_{n}": log_close - np.roll(log_close, n) for n in (1, 3, 12, 48)}
    mean = np.convolve(step**2, np.ones(30) / 30)[: len(step)]
    found["volatility_30"] = np.sqrt(mean)
    average = np.convolve(volume, np.ones(48) / 48)[: len(volume)]
    found["volume_ratio"] = np.log((volume + 1e-9) / (average + 1e-9))
    found["imbalance"] = np.divide(2 * taker, volume, out=np.ones_like(volume), where=volume > 0) - 1
    return found


def read(path: str) -> Dataset:
    with gzip.open(path, "rt") as file:
        rows = np.array([[float(cell) for cell in row[:11]] for row in csv.reader(file)])
    close, volume, taker = rows[:, 4], rows[:, 5], rows[:, 9]
    named = features(close, volume, taker)
    labels = forward(close, HORIZON, COST_BPS * 1e-4)
    known = np.flatnonzero((labels.y != UNKNOWN) & (np.arange(len(close)) >= 60))
    ts_ns = (rows[:, 0] * 1_000_000).astype(np.int64)
    return Dataset(
        tuple(named), np.column_stack(list(named.values()))[known], labels.y[known], ts_ns[known], {},
        ts_ns[labels.end[known]], labels.change[known], np.zeros(len(known), dtype=np.int64),
    )  # fmt: skip


def main() -> None:
    data = read(sys.argv[1])
    print(f"{len(data.y)} rows, {data.y.mean():.3f} rise by more than {COST_BPS:g} bips within {HORIZON * 5} minutes")
    for family in ("logistic", "boosting", "forest", "ensemble"):
        settings = {"families": (family,), "horizon_bars": HORIZON, "cost_bps": COST_BPS, "embargo_bars": 60}
        found = fit(data, TrainingConfig.model_validate(settings))
        if not isinstance(found, Fit):
            print(family, found.reason)
            continue
        print(
            f"{family}: auc {found.auc:.4f}, log-loss {found.log_loss:.4f}, ece {found.calibration.ece:.4f}, "
            f"net {found.earned.total:+.4f} in {found.earned.trades} trades, base rate {found.base_rate:.3f}, "
            f"shuffled auc {found.canaries.shuffled_auc:.4f}"
        )


if __name__ == "__main__":
    main()
