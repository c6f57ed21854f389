"""Walk-forward: what was best before is traded after, window by window; only what came after counts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np

from ares.clock import DAY_NS
from ares.errors import UsageError
from backtest.fast.screen import Screened
from backtest.outcome import Fill, Outcome, Tested
from backtest.studies.sweep import Scored, score, sweep
from backtest.studies.trials import Trial


@dataclass(frozen=True, slots=True)
class Plan:
    """Windows: `train_days` to choose by, `test_days` to trade. Anchored: all of the past is chosen by, else a part."""

    train_days: float
    test_days: float
    anchored: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """Bars by number: `train` first and after the last to choose by, `test` to trade."""

    train: tuple[int, int]
    test: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Step:
    """What a window chose, what that did before, and after."""

    from_ns: int
    to_ns: int
    chosen: Scored
    after: Scored


@dataclass(frozen=True, slots=True)
class Walked:
    """All windows, and their out-of-sample parts as one outcome."""

    steps: Sequence[Step]
    outcome: Outcome


def windows(ts: np.ndarray[tuple[int, ...], np.dtype[np.int64]], plan: Plan) -> list[Window]:
    """The windows of these bars, the last one as long as there are bars. Raises `UsageError` where not one fits."""
    if plan.train_days <= 0 or plan.test_days <= 0:
        raise UsageError("--train-days, --test-days: a window has a length above 0")
    found: list[Window] = []
    train_ns, test_ns = round(plan.train_days * DAY_NS), round(plan.test_days * DAY_NS)
    at = int(ts[0]) + train_ns if len(ts) else 0
    while len(ts) and at <= ts[-1]:
        begin, middle, end = np.searchsorted(ts, [at - train_ns, at, at + test_ns]).tolist()
        if middle > begin and end > middle:
            found.append(Window((0 if plan.anchored else begin, middle), (middle, end)))
        at += test_ns
    if not found:
        raise UsageError(
            f"--train-days = {plan.train_days:g}, --test-days = {plan.test_days:g}: no window fits into the range."
            " Take shorter ones, or a longer range"
        )
    return found


def walk_forward(
    trials: Sequence[Trial],
    tested: Tested,
    plan: Plan,
    objective: str = "sharpe",
    walked: Callable[[int, int], None] = lambda _, __: None,
) -> Walked:
    """Choose and trade, window after window; `walked` is told how many windows of how many.

    Each window begins flat, with what the one before was worth at its end: what was held then is valued, not sold, so
    a window's border costs nothing. What is chosen by never reaches into what is traded.
    """
    every = windows(trials[0].series.ts, plan)
    steps: list[Step] = []
    runs: list[Screened] = []
    worth = tested.start_quote
    for number, window in enumerate(every, start=1):
        chosen = sweep(trials, objective, part=window.train).best
        going_on = replace(chosen.trial, settings=replace(chosen.trial.settings, start_quote=worth))
        run = going_on.run(*window.test)
        runs.append(run)
        steps.append(Step(int(run.series.ts[0]), _end(run), chosen, score(going_on, run)[0]))
        worth = Decimal(repr(float(run.equity[-1])))
        walked(number, len(every))
        if worth <= 0:
            break
    return Walked(steps, _joined(runs, replace(tested, from_ns=steps[0].from_ns, to_ns=steps[-1].to_ns)))


def _end(run: Screened) -> int:
    return int(run.series.ts[-1]) + run.series.step_ns


def _joined(runs: Sequence[Screened], tested: Tested) -> Outcome:
    """Several runs, each of which went on with the worth of the one before, as one outcome.

    What a window holds at its end is sold there on paper, at what it is valued at and for nothing: the next one begins
    flat.
    """
    outcomes = [run.outcome(tested) for run in runs]
    refusals: dict[str, int] = {}
    for each in outcomes:
        for rule, count in each.refusals.items():
            refusals[rule] = refusals.get(rule, 0) + count
    fills = [fill for run, each in zip(runs, outcomes, strict=True) for fill in (*each.fills, *_closing(run, each))]
    ts, equity = (np.concatenate([getattr(each, name) for each in outcomes]) for name in ("equity_ts", "equity"))
    return Outcome("fast", tested, tuple(fills), ts, equity, refusals)


def _closing(run: Screened, outcome: Outcome) -> list[Fill]:
    held: dict[str, Decimal] = {}
    for fill in outcome.fills:
        change = fill.amount - fill.fee / fill.price if fill.side == "buy" else -fill.amount
        held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + change
    closing: list[Fill] = []
    for number, symbol in enumerate(run.series.symbols):
        closes = run.series.close[:, number]
        known = closes[~np.isnan(closes)]
        if held.get(symbol, Decimal(0)) > 0 and len(known):
            price = Decimal(repr(float(known[-1])))
            closing.append(
                Fill(_end(run), symbol, "sell", held[symbol], price, Decimal(0), "taker", f"{symbol}@border")
            )
    return closing
