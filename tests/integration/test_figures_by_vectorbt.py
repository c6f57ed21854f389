"""The fast tier's figures by an independent implementation: vectorbt, from the same trades and the same closes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from ares.clock import MINUTE_NS
from backtest.fast.screen import Series
from backtest.fast.signals import ema_cross
from backtest.figures import figures
from backtest.outcome import Outcome
from backtest.trips import moved
from tests.helpers import ROOT
from tests.property.tiers import START_NS, drawn

PEER = ROOT / "bench" / "peers" / "vectorbt" / ".venv" / "bin" / "python"
SCRIPT = ROOT / "bench" / "peers" / "figures_vectorbt.py"
WORTH_OFF_MAX, RATIO_OFF_MAX = 1e-9, 1e-6
"""Shares: of money, and of what is made of returns, whose rounding a ratio enlarges."""
DAYS, FILLS_MIN = 40, 60
ABOUT_TRADES = ("end_quote", "pnl_quote", "return_share")
RATIOS = ("volatility", "sharpe", "sortino", "drawdown_share_max")

pytestmark = pytest.mark.skipif(not os.environ.get("ARES_TEST_PEERS"), reason="sets up vectorbt: make figures-proof")


@dataclass(frozen=True)
class Case:
    """An outcome, its bars, and the period of the returns behind its ratios, as vectorbt says it."""

    series: Series
    outcome: Outcome
    period: str


def weeks() -> Case:
    """Forty days of two symbols that cross their averages, under the costs and limits of a drawn market."""
    market = next(each for each in map(drawn, range(100)) if len(each.series.symbols) == 2)
    chance = np.random.default_rng(7)
    close = np.round(100 * np.exp(np.cumsum(chance.standard_normal((DAYS * 1_440, 2)) * 0.0007, axis=0)), 2)
    opened = np.vstack((close[:1], close[:-1]))
    ts = START_NS + np.arange(len(close), dtype=np.int64) * MINUTE_NS
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    targets = ema_cross(close, 60, 240)
    series = Series(market.series.symbols, MINUTE_NS, ts, opened, high, low, close, targets)
    return Case(series, replace(market, series=series).fast(), "1D")


def by_vectorbt(case: Case, path: Path) -> Mapping[str, float]:
    """What vectorbt makes of the same trades. A fee, taken of what is received, makes the price worse."""
    series = case.series
    coins, price = (np.full(series.close.shape, np.nan) for _ in range(2))
    for fill in case.outcome.fills:
        at = int(np.searchsorted(series.ts, fill.ts_ns)), series.symbols.index(fill.symbol)
        base, quote = moved(fill)
        assert np.isnan(coins[at]), "one order a bar and symbol"
        coins[at], price[at] = float(base), float(-quote / base)
    np.savez(path, ts=series.ts, close=series.close, moved=coins, price=price)
    command = [PEER, SCRIPT, path, str(case.outcome.tested.start_quote), case.period]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=1_500)
    found: Mapping[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def hours() -> Case:
    """A drawn market in which much is traded."""
    drawn_ones = ((each, each.fast()) for each in map(drawn, range(100)))
    market, outcome = next((each, said) for each, said in drawn_ones if len(said.fills) > FILLS_MIN)
    return Case(market.series, outcome, "1min")


@pytest.mark.parametrize("made", [hours, weeks])
def test_worth_profit_and_ratios_are_those_of_vectorbt(made: Callable[[], Case], tmp_path: Path) -> None:
    case = made()
    ours, theirs = figures(case.outcome).numbers(), by_vectorbt(case, tmp_path / "trades.npz")
    assert theirs["orders"] == len(case.outcome.fills) > FILLS_MIN
    for name in ABOUT_TRADES:
        assert ours[name] == pytest.approx(theirs[name], rel=WORTH_OFF_MAX, abs=1e-9), name
    for name in RATIOS:
        assert ours[name] == pytest.approx(theirs[name], rel=RATIO_OFF_MAX), name


def test_a_worth_that_is_a_little_off_is_told_apart(tmp_path: Path) -> None:
    case = hours()
    worse = case.outcome.fills[0]._replace(price=case.outcome.fills[0].price * 2)
    other = replace(case, outcome=replace(case.outcome, fills=(worse, *case.outcome.fills[1:])))
    theirs = by_vectorbt(other, tmp_path / "trades.npz")
    assert figures(case.outcome).pnl_quote != pytest.approx(theirs["pnl_quote"], rel=WORTH_OFF_MAX)
