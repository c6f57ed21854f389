"""Returns, falls and what is made of them, over arrays of worth. Pure; annualised over 365 days: venues never close."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from ares.clock import DAY_NS, NANOS_PER_SECOND
from backtest.outcome import Floats, Ints

YEAR_NS = 365 * DAY_NS
DAYS_MIN = 20
"""From so many days on returns are daily; of less history every bar counts."""


@dataclass(frozen=True, slots=True)
class Returns:
    """Shares gained from one period's end to the next, and how long a period is, ns."""

    values: Floats
    ends: Ints
    period_ns: int

    @property
    def per_year(self) -> float:
        return YEAR_NS / self.period_ns


def returns(ts: Ints, equity: Floats, start_quote: float, period_ns: int | None = None) -> Returns:
    """Of a worth that was `start_quote` before the first moment. `period_ns` None: days if there are 20, else bars.

    A period without a moment has no return of its own: the next one holds it. Worth of 0 or less ends the account, and
    what follows has no return.
    """
    if len(ts) < 2:
        return Returns(np.empty(0), np.empty(0, np.int64), period_ns or DAY_NS)
    step = int(np.median(np.diff(ts)))
    if period_ns is None:
        period_ns = DAY_NS if ts[-1] - ts[0] >= DAYS_MIN * DAY_NS else step
    number = (ts - 1) // max(period_ns, step)
    last = np.flatnonzero(np.append(number[1:] != number[:-1], True))
    worth = np.concatenate(([start_quote], equity[last]))
    alive = len(worth) if np.all(worth > 0) else int(np.argmax(worth <= 0)) + 1
    values: Floats = worth[1:alive] / worth[: alive - 1] - 1
    return Returns(values, ts[last][: alive - 1], max(period_ns, step))


def sharpe(gained: Returns) -> float | None:
    """Mean over sample deviation, annualised, no riskless rate (Sharpe, 1994). None where nothing varies."""
    spread = float(np.std(gained.values, ddof=1)) if len(gained.values) > 1 else 0.0
    return float(np.mean(gained.values)) / spread * sqrt(gained.per_year) if spread > TINY else None


def sortino(gained: Returns) -> float | None:
    """Mean over the root of the mean squared loss, annualised (Sortino and Price, 1994). None without a loss."""
    if not len(gained.values):
        return None
    down = float(np.sqrt(np.mean(np.minimum(gained.values, 0.0) ** 2)))
    return float(np.mean(gained.values)) / down * sqrt(gained.per_year) if down > TINY else None


TINY = 1e-15
"""A deviation below it is the rounding of floats."""


def volatility(gained: Returns) -> float | None:
    """Sample deviation, annualised."""
    return float(np.std(gained.values, ddof=1)) * sqrt(gained.per_year) if len(gained.values) > 1 else None


def yearly_growth(start_quote: float, end_quote: float, span_ns: int) -> float | None:
    """Compound growth in a year (CAGR), a share; None for an account that is lost or a span of nothing."""
    if span_ns <= 0 or start_quote <= 0 or end_quote <= 0:
        return None
    exponent = float(np.log(end_quote / start_quote)) * YEAR_NS / span_ns
    return float(np.expm1(exponent)) if exponent < 700 else None


def drawdowns(equity: Floats, start_quote: float) -> Floats:
    """How far the worth lies below its highest so far, shares of that; the start counts."""
    if not len(equity):
        return np.empty(0)
    peak = np.maximum.accumulate(np.maximum(equity, start_quote))
    fallen: Floats = 1 - equity / peak
    return fallen


def longest_fall_s(ts: Ints, fallen: Floats, start_ns: int) -> float:
    """Seconds from a highest worth until it was there again, at their longest; the end counts as if it was."""
    if not len(ts):
        return 0.0
    moments = np.concatenate(([start_ns], ts))
    below = np.concatenate(([False], fallen > 0))
    tops = np.where(below, start_ns, moments)
    since = np.maximum.accumulate(tops)
    reached = np.concatenate((since[:1], since[:-1]))
    waited = np.where(below, moments - since, np.where(np.concatenate(([False], below[:-1])), moments - reached, 0))
    return float(np.max(waited)) / NANOS_PER_SECOND
