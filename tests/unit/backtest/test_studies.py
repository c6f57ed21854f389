"""Sweeps, walks and draws against what is known of them beforehand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from statistics import NormalDist

import numpy as np
import pytest

from ares.clock import DAY_NS, HOUR_NS
from ares.config.trading import RiskConfig, StrategyConfig, TradingConfig
from ares.errors import UnknownName, UsageError
from backtest.fast.screen import Series
from backtest.fast.settings import Costs, FastSettings
from backtest.figures import figures
from backtest.studies.deflated import deflated_sharpe, expected_best, probable_sharpe
from backtest.studies.monte_carlo import of_blocks, of_trades
from backtest.studies.sweep import sweep
from backtest.studies.trials import Trial, combinations, parsed, with_values
from backtest.studies.walk_forward import Plan, walk_forward, windows
from backtest.trips import trips
from tests.unit.backtest.outcomes import BTC, START_NS, a_test
from trader.portfolio.sizing import Grid

GRID = Grid(Decimal("0.01"), Decimal("0.001"), Decimal(5))
LOOSE = RiskConfig(
    concentration_max=None, drawdown_max=None, leverage_max=None, daily_loss_quote_max=Decimal(100_000),
    price_collar=Decimal("0.5"),
)  # fmt: skip
BASE = FastSettings.of(
    TradingConfig(risk=LOOSE, slippage_max=Decimal("0.05")),
    StrategyConfig(name="trend", max_position_quote=Decimal(500)),
    {BTC: GRID},
    Decimal(1_000),
    Costs(Decimal(0)),
)


def rising_then_falling(days: int) -> Series:
    """Hours of a market that rises for half of the days, then falls, with a wave upon it; always long."""
    hours = np.arange(days * 24)
    level = np.where(hours < days * 12, hours, days * 24 - hours)
    close = np.round(100 + level * 0.1 + np.sin(hours / 3), 2).reshape(-1, 1)
    opened = np.vstack((close[:1], close[:-1]))
    ts = START_NS + hours.astype(np.int64) * HOUR_NS
    return Series((BTC,), HOUR_NS, ts, opened, close, close, close, np.ones_like(close))


def trial(name: str, series: Series) -> Trial:
    return Trial({"strategy": name}, series, BASE)


def long_and_flat(days: int) -> list[Trial]:
    series = rising_then_falling(days)
    return [trial("flat", series.targeting(np.zeros_like(series.targets))), trial("long", series)]


def test_a_sweep_tells_the_best_first_and_how_far_it_came() -> None:
    told: list[int] = []
    trials = long_and_flat(10)
    rising = sweep(trials, "return_share", part=(0, 120), tried=told.append)
    assert rising.best.trial.values == {"strategy": "long"}
    assert rising.best.return_share > 0
    assert told == [1, 2]
    assert sweep(trials, "return_share", part=(125, 240)).best.trial.values == {"strategy": "flat"}
    assert sweep(trials, "drawdown_share_max").best.trial.values == {"strategy": "flat"}


def test_a_trial_that_has_no_ratio_is_the_last() -> None:
    swept = sweep(long_and_flat(10), "sharpe")
    assert [scored.sharpe is None for scored in swept.scored] == [False, True]


def test_an_objective_that_is_none_is_refused() -> None:
    with pytest.raises(UnknownName, match="sharpe"):
        sweep(long_and_flat(10), "luck")


def test_settings_are_set_by_the_names_they_have() -> None:
    found = with_values(BASE, {"max_position_quote": "250", "half_spread_bps": "5", "leverage_max": "0.5"})
    assert (found.max_position_quote, found.costs.half_spread, found.limits.leverage_max) == (
        Decimal(250),
        Decimal("0.0005"),
        Decimal("0.5"),
    )
    with pytest.raises(UnknownName, match="rebalance_share_min"):
        with_values(BASE, {"stop_loss_pct": "1"})
    with pytest.raises(UsageError, match="no number"):
        with_values(BASE, {"slippage_max": "much"})


@pytest.mark.parametrize(
    ("text", "named"),
    [("a", "write it as"), ("a=", "no value"), ("=1", "write it as"), ("a=" + "1," * 10_001, "10001")],
)
def test_what_is_to_be_tried_is_said_as_name_and_values(text: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        combinations(parsed([text]))


def test_every_combination_is_tried_once() -> None:
    assert combinations(parsed(["a=1,2", "b=3, 4"])) == [
        {"a": "1", "b": "3"},
        {"a": "1", "b": "4"},
        {"a": "2", "b": "3"},
        {"a": "2", "b": "4"},
    ]
    with pytest.raises(UsageError, match="named twice"):
        parsed(["a=1", "a=2"])


def test_windows_follow_each_other_and_never_choose_by_what_they_trade() -> None:
    ts = rising_then_falling(10).ts
    rolling, anchored = windows(ts, Plan(4, 2)), windows(ts, Plan(4, 2, anchored=True))
    assert [window.test for window in rolling] == [(96, 144), (144, 192), (192, 240)]
    assert [window.train for window in rolling] == [(0, 96), (48, 144), (96, 192)]
    assert [window.train for window in anchored] == [(0, 96), (0, 144), (0, 192)]
    with pytest.raises(UsageError, match="no window fits"):
        windows(ts, Plan(20, 2))
    with pytest.raises(UsageError, match="above 0"):
        windows(ts, Plan(0, 2))


def test_a_walk_trades_what_was_best_before_and_adds_up() -> None:
    walked = walk_forward(long_and_flat(12), a_test(12), Plan(2, 2), "return_share")
    chosen = [step.chosen.trial.values["strategy"] for step in walked.steps]
    assert chosen == ["long", "long", "long", "flat", "flat"], "the turn is known one window after it came"
    outcome = walked.outcome
    assert outcome.tested.from_ns == START_NS + 2 * DAY_NS
    assert len(outcome.equity) == 240
    assert np.all(np.diff(outcome.equity_ts) > 0)
    profits = sum((trip.profit_quote for trip in trips(outcome.fills)), Decimal(0))
    assert float(profits) == pytest.approx(figures(outcome).pnl_quote, abs=1e-6), "each window ends flat"


def test_the_future_does_not_change_what_a_walk_did_before() -> None:
    trials = long_and_flat(12)
    whole = walk_forward(trials, a_test(12), Plan(2, 2), "return_share").steps
    cut = [replace(each, series=each.series.part(0, 6 * 24)) for each in trials]
    before = walk_forward(cut, a_test(12), Plan(2, 2), "return_share").steps
    assert [step.after.row() for step in before] == [step.after.row() for step in whole[:2]]


def test_deflated_sharpe_is_the_published_example() -> None:
    # Bailey and López de Prado, 2014, section "A numerical example": a yearly ratio of 2.5 over five years of daily
    # returns, 100 trials of variance 1/2 (yearly), skew -3, kurtosis 10: the expected best is 0.1132 a day, DSR 0.9004.
    normal, count, sharpe = NormalDist(), 1_250, 2.5 / np.sqrt(250)
    spread = np.sqrt(0.5 / 250)
    best = spread * (0.42278433509846713 * normal.inv_cdf(0.99) + 0.5772156649015329 * normal.inv_cdf(1 - 1 / 271.828))
    assert best == pytest.approx(0.1132, abs=1e-4)
    variance = 1 + 3 * sharpe + 9 / 4 * sharpe**2
    assert normal.cdf((sharpe - best) * np.sqrt(count - 1) / np.sqrt(variance)) == pytest.approx(0.9004, abs=1e-4)
    # The same spread of ratios as 100 trials gives the same expectation here.
    trials = np.linspace(-1, 1, 100)
    trials *= spread / np.std(trials, ddof=1)
    assert expected_best(trials.tolist()) == pytest.approx(best, abs=1e-6)


def test_probable_sharpe_of_known_skew_and_tails_is_the_formula() -> None:
    values = np.random.default_rng(3).standard_normal(500) * 0.01 + 0.0007
    found = float(np.mean(values) / np.std(values, ddof=1))
    centred = (values - values.mean()) / values.std()
    variance = 1 - np.mean(centred**3) * found + (np.mean(centred**4) - 1) / 4 * found**2
    expected = NormalDist().cdf(found * np.sqrt(499) / np.sqrt(variance))
    assert probable_sharpe(values) == pytest.approx(expected)
    assert probable_sharpe(np.zeros(10)) is None


def test_the_best_of_many_lucky_ones_is_believed_less_than_one_that_was_tried_alone() -> None:
    values = np.random.default_rng(11).standard_normal(250) * 0.01 + 0.001
    alone = deflated_sharpe(values, [0.1])
    among_many = deflated_sharpe(values, np.random.default_rng(5).normal(0, 0.06, 200).tolist())
    assert alone is not None
    assert among_many is not None
    assert among_many < alone - 0.2


def test_draws_of_trades_are_spread_as_sums_of_draws_are() -> None:
    profits = [10.0, -8.0, 3.0, -2.0, 7.0, -4.0] * 10
    drawn = of_trades(profits, 1_000.0, 4_000, seed=1)
    end = drawn.spreads[0]
    deviation = np.std(profits) * np.sqrt(len(profits))
    assert end.at[2] == pytest.approx(1_000 + sum(profits), abs=deviation * 0.1)
    assert end.at[4] - end.at[0] == pytest.approx(2 * 1.645 * deviation, rel=0.08)
    assert 0 < drawn.loss_share < 0.5


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    values = np.random.default_rng(1).standard_normal(300) * 0.01
    one, same, other = (of_blocks(values, 1_000.0, 200, seed) for seed in (1, 1, 2))
    assert one == same
    assert one.spreads != other.spreads


def test_a_block_as_long_as_all_returns_always_comes_to_the_same_end() -> None:
    values = np.array([0.02, -0.01, 0.03, -0.04])
    drawn = of_blocks(values, 1_000.0, 50, seed=1, block=4)
    end, _, fall = drawn.spreads
    whole = 1_000 * float(np.prod(1 + values))
    assert end.at == pytest.approx((whole,) * 5), "the circle is only turned"
    assert fall.at[0] < fall.at[4]


@pytest.mark.parametrize(("block", "named"), [(0, "--block"), (9, "--block")])
def test_blocks_that_do_not_fit_are_refused(block: int, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        of_blocks(np.array([0.1, 0.2, 0.1]), 1_000.0, 5, seed=1, block=block)


def test_too_little_to_draw_from_is_refused() -> None:
    with pytest.raises(UsageError, match="two are the least"):
        of_trades([1.0], 1_000.0, 5, seed=1)
    with pytest.raises(UsageError, match="three are the least"):
        of_blocks(np.array([0.1]), 1_000.0, 5, seed=1)
