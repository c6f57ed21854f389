"""Trains on the longest real bars there are beside the checkout, and judges out of sample: `make train-real`.

Features are computed here from the bars alone: no recording that is long has a book. DATA names another folder.
"""

from __future__ import annotations

import argparse
import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from analytics.models.arrays import Floats, Ints
from analytics.models.direction import Dataset, Fit, fit, parted
from analytics.models.earning import earned_by_symbol
from analytics.models.families import fitted, recipe_of, scores
from analytics.models.labels import UNKNOWN, forward
from analytics.models.outcomes import asked_of
from ares.clock import NANOS_PER_MILLI, to_ns
from ares.config.training import TrainingConfig

COST_BPS = 10.0
FAMILIES = ("logistic", "boosting")
"""By default; forests take minutes on so many rows."""
WARM_UP = 60


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of bars, of how many minutes each, and how far ahead a model looks."""

    file: str
    bar_minutes: int
    horizon: int


RECORDINGS = (
    Recording("binance_usdm_FILUSDT_1m_2023-08_2023-11.csv.gz", 1, 30),
    Recording("binance_spot_BTCUSDT_5m_2023-10_2024-06.csv.gz", 5, 6),
    Recording("ftx_BTC-PERP_1m_20211231-20220201.csv.gz", 1, 30),
)


@dataclass(frozen=True, slots=True)
class Bars:
    """What a recording holds. `bought`: the volume that takers bought, None where it is not recorded."""

    ts_ns: Ints
    close: Floats
    volume: Floats
    bought: Floats | None


def read(file: Path) -> Bars:
    """Bars by the names of their columns, or in the order of Binance's public klines where there is no head."""
    with gzip.open(file, "rt", encoding="utf-8") as text:
        rows = list(csv.reader(text))
    if rows[0][0].isdigit():
        names = ["open_time", "open", "high", "low", "close", "volume", "close_time", "quote", "count", "bought"]
    else:
        names, rows = [name.lower().replace("taker_buy_volume", "bought") for name in rows[0]], rows[1:]
    columns = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    if "open_time" in columns:
        ts_ns = np.array([int(cell) for cell in columns["open_time"]], dtype=np.int64) * NANOS_PER_MILLI
    else:
        times = [datetime.fromisoformat(cell).replace(tzinfo=UTC) for cell in columns["timestamp"]]
        ts_ns = np.array([to_ns(time) for time in times], dtype=np.int64)
    numbers = {
        name: np.array(columns[name], dtype=np.float64) for name in ("close", "volume", "bought") if name in columns
    }
    return Bars(ts_ns, numbers["close"], numbers["volume"], numbers.get("bought"))


def features(bars: Bars) -> dict[str, Floats]:
    """What is known of a bar at its close: returns, how wild it was, how much was traded, who bought."""
    log_close = np.log(bars.close)
    step = np.diff(log_close, prepend=log_close[0])
    found = {f"return_{n}": log_close - np.roll(log_close, n) for n in (1, 3, 12, 48)}
    mean = np.convolve(step**2, np.ones(30) / 30)[: len(step)]
    found["volatility_30"] = np.sqrt(mean)
    average = np.convolve(bars.volume, np.ones(48) / 48)[: len(bars.volume)]
    found["volume_ratio"] = np.log((bars.volume + 1e-9) / (average + 1e-9))
    if bars.bought is not None:
        share = np.divide(bars.bought, bars.volume, out=np.full_like(bars.volume, 0.5), where=bars.volume > 0)
        found["imbalance"] = 2 * share - 1
    return found


def dataset_of(bars: Bars, horizon: int, cost_bps: float, names: Sequence[str] = ()) -> Dataset:
    """Rows of the features named (all by default). Bars on both sides of a hole have no outcome across it."""
    named = {name: values for name, values in features(bars).items() if not names or name in names}
    labels = forward(bars.close, horizon, cost_bps * 1e-4)
    whole = np.zeros(len(bars.close), dtype=bool)
    step = int(np.median(np.diff(bars.ts_ns)))
    span = bars.ts_ns[horizon:] - bars.ts_ns[: len(bars.ts_ns) - horizon]
    whole[: len(span)] = span == horizon * step
    known = np.flatnonzero((labels.y != UNKNOWN) & whole & (np.arange(len(bars.close)) >= WARM_UP))
    return Dataset(
        tuple(named), np.column_stack(list(named.values()))[known], labels.y[known], bars.ts_ns[known], {},
        bars.ts_ns[labels.end[known]], labels.change[known], np.zeros(len(known), dtype=np.int64), np.ones(len(known)),
    )  # fmt: skip


def settings(recording: Recording, family: str, cost_bps: float) -> TrainingConfig:
    minutes = recording.bar_minutes
    said = {"families": (family,), "horizon_bars": recording.horizon, "cost_bps": cost_bps}
    return TrainingConfig.model_validate({**said, "embargo_bars": WARM_UP * minutes})


def told(recording: Recording, bars: Bars, families: Sequence[str]) -> None:
    """One line a family, and two that say where the foresight comes from."""
    data = dataset_of(bars, recording.horizon, COST_BPS)
    ahead = recording.horizon * recording.bar_minutes
    print(
        f"{recording.file}: {len(data.y)} rows, {data.y.mean():.3f} rise by more than {COST_BPS:g} bips in {ahead} min"
    )
    for family in families:
        found = fit(data, settings(recording, family, COST_BPS))
        if not isinstance(found, Fit):
            print(f"  {family}: {found.reason}", flush=True)
            continue
        print(
            f"  {family}: auc {found.auc:.3f}, log-loss {found.log_loss:.4f} (base rate alone "
            f"{base_loss(found.base_rate):.4f}), ece {found.calibration.ece:.3f}, net {found.earned.total:+.3f}, "
            f"trades {found.earned.trades}, of {found.rows_test} rows",
            flush=True,
        )
    config = settings(recording, "logistic", COST_BPS)
    print(f"  volatility alone, the same question: auc {plain(data_of(bars, recording, 'volatility_30'), config):.3f}")
    way = dataset_of(bars, recording.horizon, 0.0)
    free = settings(recording, "logistic", 0.0)
    print(f"  all features, only up or down: auc {plain(way, free):.3f}; costs left out, net {gross(way, free):+.3f}")


def data_of(bars: Bars, recording: Recording, name: str) -> Dataset:
    return dataset_of(bars, recording.horizon, COST_BPS, (name,))


def base_loss(rate: float) -> float:
    """The log-loss of who always says the base rate, nats a row."""
    return float(-(rate * np.log(rate) + (1 - rate) * np.log(1 - rate)))


def plain(data: Dataset, config: TrainingConfig) -> float:
    """The area under the ROC curve of a logistic regression, on the rows that it has not seen."""
    early, late = parted(data, config)
    return float(roc_auc_score(late.y, scores(fitted(recipe_of("logistic", 7), early.x, early.y), late.x)))


def gross(data: Dataset, config: TrainingConfig) -> float:
    """What following it would have earned where nothing costs anything, as a share of the money."""
    early, late = parted(data, config)
    said = scores(fitted(recipe_of("logistic", 7), early.x, early.y), late.x)
    return earned_by_symbol(said, late, asked_of(config).terms).total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--families", nargs="+", default=FAMILIES, help="which compete; also forest, ensemble")
    asked = parser.parse_args()
    folder = asked.folder / "bars"
    there = [each for each in RECORDINGS if (folder / each.file).is_file()]
    if not there:
        print(f"SKIPPED: no recordings in {folder}. Name the folder that has bars/{RECORDINGS[0].file}: DATA=folder")
    for recording in there:
        told(recording, read(folder / recording.file), asked.families)


if __name__ == "__main__":
    main()
