"""A sweep: every combination over the same bars, best first, and how much of the best is luck. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from ares.clock import DAY_NS
from ares.errors import UnknownName
from backtest.fast.screen import Screened
from backtest.outcome import Floats
from backtest.returns import Returns, drawdowns, returns, sharpe, sortino
from backtest.studies.deflated import deflated_sharpe
from backtest.studies.trials import Trial

LOWEST = float("-inf")


@dataclass(frozen=True, slots=True)
class Scored:
    """A trial's figures, as `backtest.figures` has them; None: there is nothing they could be of."""

    trial: Trial
    return_share: float
    sharpe: float | None
    sortino: float | None
    drawdown_share_max: float
    fills: int
    refused: int

    def by(self, objective: str) -> float:
        """How good it is: more is better, nothing is worst."""
        value: float | None = getattr(self, objective)
        if value is None:
            return LOWEST
        return -value if objective == "drawdown_share_max" else value

    def row(self) -> dict[str, object]:
        """For a table."""
        told = ("return_share", "sharpe", "sortino", "drawdown_share_max", "fills", "refused")
        return {**self.trial.values, **{name: getattr(self, name) for name in told}}


OBJECTIVES = ("sharpe", "sortino", "return_share", "drawdown_share_max")


@dataclass(frozen=True, slots=True)
class Swept:
    """All trials, best first, and the probability that the best one's Sharpe is more than the luck of the draw."""

    scored: Sequence[Scored]
    objective: str
    deflated_sharpe: float | None

    @property
    def best(self) -> Scored:
        return self.scored[0]


def sweep(
    trials: Sequence[Trial],
    objective: str = "sharpe",
    *,
    part: tuple[int, int] | None = None,
    tried: Callable[[int], None] = lambda _: None,
) -> Swept:
    """Run all trials, over the bars of `part` or all. Raises `UnknownName` for an objective that is none."""
    if objective not in OBJECTIVES:
        raise UnknownName("objective", objective, list(OBJECTIVES))
    assert trials, "a sweep of nothing has no best"
    first, last = part or (0, len(trials[0].series.ts))
    scored: list[tuple[Scored, Returns]] = []
    for number, trial in enumerate(trials, start=1):
        scored.append(score(trial, trial.run(first, last)))
        tried(number)
    ordered = sorted(scored, key=lambda each: each[0].by(objective), reverse=True)
    best = ordered[0][1]
    ratios = [per_period(gained.values) for _, gained in ordered]
    chance = deflated_sharpe(best.values, ratios)
    return Swept([each for each, _ in ordered], objective, chance)


def per_period(values: Floats) -> float:
    """The Sharpe ratio of one period, 0 where nothing varies."""
    gained = Returns(values, np.empty(0, np.int64), DAY_NS)
    return (sharpe(gained) or 0.0) / sqrt(gained.per_year)


def score(trial: Trial, run: Screened) -> tuple[Scored, Returns]:
    """A run's figures, and the returns behind them."""
    start = float(run.settings.start_quote)
    ends = run.series.ts + run.series.step_ns
    gained = returns(ends, run.equity, start)
    fallen = drawdowns(run.equity, start)
    scored = Scored(
        trial,
        return_share=float(run.equity[-1]) / start - 1 if len(run.equity) else 0.0,
        sharpe=sharpe(gained),
        sortino=sortino(gained),
        drawdown_share_max=float(np.max(fallen)) if len(fallen) else 0.0,
        fills=len(run.bar),
        refused=int(run.refused.sum()),
    )
    return scored, gained
