"""The figures of a backtest: one definition each, for both tiers, studies, reports and rows. Pure.

Shares are of 1, money is in the quote currency, times in seconds. None: there is nothing that the figure could be of.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import numpy as np

from ares.clock import NANOS_PER_SECOND
from backtest.outcome import Floats, Ints, Outcome
from backtest.returns import drawdowns, longest_fall_s, returns, sharpe, sortino, volatility, yearly_growth
from backtest.trips import Trip, held_s, trips


@dataclass(frozen=True, slots=True)
class Month:
    """What a month of the calendar, UTC, brought."""

    year: int
    month: int
    return_share: float


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one outcome. What each is made of says the guide Backtests, with sources.

    `return_share`, `cagr`: of the start, of the start in a year. `sharpe`, `sortino`, `volatility` are annualised from
    returns over `period_s`. `drawdown_share_max` is the deepest fall from a highest worth, `drawdown_s_max` the longest
    time until it was there again. `trades` are round trips that ended, and so are those behind `win_share`,
    `profit_factor` (gains over losses) and `expectancy_quote` (mean profit). `exposure_share`: of the time, that in
    which anything was held.
    """

    start_quote: float
    end_quote: float
    pnl_quote: float
    return_share: float
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    calmar: float | None
    drawdown_share_max: float
    drawdown_s_max: float
    fills: int
    trades: int
    win_share: float | None
    profit_factor: float | None
    expectancy_quote: float | None
    fees_quote: float
    turnover_quote: float
    exposure_share: float
    period_s: float
    months: tuple[Month, ...] = ()

    def numbers(self) -> dict[str, float | None]:
        """Every figure by its name; the months are no figure."""
        return {name: value for name, value in asdict(self).items() if name != "months"}


def figures(outcome: Outcome, period_ns: int | None = None) -> Figures:
    """The figures of an outcome. `period_ns`: of the returns behind the ratios; None: days if there are 20, else bars.

    An outcome without a bar, or without a fill, has figures too.
    """
    tested, every = outcome.tested, trips(outcome.fills)
    start = float(tested.start_quote)
    end = float(outcome.equity[-1]) if len(outcome.equity) else start
    gained = returns(outcome.equity_ts, outcome.equity, start, period_ns)
    fallen = drawdowns(outcome.equity, start)
    growth = yearly_growth(start, end, tested.to_ns - tested.from_ns)
    deepest = float(np.max(fallen)) if len(fallen) else 0.0
    span_s = (tested.to_ns - tested.from_ns) / NANOS_PER_SECOND
    won, factor, expected = _of_trips([float(trip.profit_quote) for trip in every if trip.closed_ns is not None])
    return Figures(
        start_quote=start,
        end_quote=end,
        pnl_quote=end - start,
        return_share=end / start - 1,
        cagr=growth,
        volatility=volatility(gained),
        sharpe=sharpe(gained),
        sortino=sortino(gained),
        calmar=growth / deepest if growth is not None and deepest > 0 else None,
        drawdown_share_max=deepest,
        drawdown_s_max=longest_fall_s(outcome.equity_ts, fallen, tested.from_ns),
        fills=len(outcome.fills),
        trades=sum(1 for trip in every if trip.closed_ns is not None),
        win_share=won,
        profit_factor=factor,
        expectancy_quote=expected,
        fees_quote=float(sum(fill.fee for fill in outcome.fills)),
        turnover_quote=float(sum(fill.amount * fill.price for fill in outcome.fills)),
        exposure_share=_exposure(every, tested.to_ns, span_s),
        period_s=gained.period_ns / NANOS_PER_SECOND,
        months=months(outcome.equity_ts, outcome.equity, start),
    )


def _exposure(every: list[Trip], end_ns: int, span_s: float) -> float:
    return min(1.0, held_s(every, end_ns) / span_s) if span_s > 0 else 0.0


def _of_trips(profits: list[float]) -> tuple[float | None, float | None, float | None]:
    """Share that won, gains over losses, mean."""
    if not profits:
        return None, None, None
    gains = sum(profit for profit in profits if profit > 0)
    losses = -sum(profit for profit in profits if profit < 0)
    won = sum(1 for profit in profits if profit > 0) / len(profits)
    return won, gains / losses if losses > 0 else None, sum(profits) / len(profits)


def months(ts: Ints, equity: Floats, start_quote: float) -> tuple[Month, ...]:
    """What every month of the calendar brought, the first and last as far as they were tested."""
    if not len(ts):
        return ()
    number = ((ts - 1) // NANOS_PER_SECOND).astype("datetime64[s]").astype("datetime64[M]")
    last = np.flatnonzero(np.append(number[1:] != number[:-1], True))
    worth = np.concatenate(([start_quote], equity[last]))
    gained = worth[1:] / worth[:-1] - 1
    calendar = [datetime.fromtimestamp(int(ts[at] - 1) // NANOS_PER_SECOND, UTC) for at in last]
    return tuple(Month(day.year, day.month, float(share)) for day, share in zip(calendar, gained, strict=True))
