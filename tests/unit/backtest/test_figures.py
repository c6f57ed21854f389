"""Figures against values worked out by hand."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from ares.clock import DAY_NS
from backtest.benchmark import compare, hold
from backtest.figures import Month, figures
from backtest.trips import trips
from tests.unit.backtest.outcomes import BTC, START_NS, daily, fill


def test_an_account_that_rises_and_falls_by_a_tenth_has_the_figures_of_two_returns() -> None:
    found = figures(daily(1_100.0, 990.0))
    assert found.pnl_quote == -10
    assert found.return_share == pytest.approx(-0.01)
    assert found.volatility == pytest.approx(0.1 * sqrt(2) * sqrt(365))  # deviation of +0.1 and -0.1
    assert found.sharpe == pytest.approx(0.0, abs=1e-12)
    assert found.cagr == pytest.approx(0.99 ** (365 / 2) - 1)
    assert found.drawdown_share_max == pytest.approx(0.1)
    assert found.calmar == pytest.approx((0.99 ** (365 / 2) - 1) / 0.1)
    assert found.drawdown_s_max == 86_400  # from the first day's end to the last moment
    assert found.period_s == 86_400


def test_sharpe_and_sortino_are_annualised_by_the_root_of_the_periods_in_a_year() -> None:
    found = figures(daily(1_020.0, 1_020.0 * 0.99, 1_020.0 * 0.99 * 1.02))
    mean = 0.01
    deviation = sqrt((0.01**2 + 0.02**2 + 0.01**2) / 2)
    assert found.sharpe == pytest.approx(mean / deviation * sqrt(365))
    assert found.sortino == pytest.approx(mean / sqrt(0.01**2 / 3) * sqrt(365))


def test_a_fall_lasts_from_the_highest_worth_until_it_is_reached_again() -> None:
    found = figures(daily(1_100.0, 1_050.0, 1_000.0, 1_100.0, 1_090.0, 1_200.0))
    assert found.drawdown_s_max == 3 * 86_400
    assert found.drawdown_share_max == pytest.approx(1 / 11)


def test_a_loss_on_the_first_day_is_a_fall_from_the_start() -> None:
    found = figures(daily(900.0, 950.0))
    assert found.drawdown_share_max == pytest.approx(0.1)
    assert found.drawdown_s_max == 2 * 86_400


def test_round_trips_win_lose_and_pay_their_fees() -> None:
    every = (
        fill(0.5, "buy", "1", "100", "0.1"),
        fill(1.0, "sell", "0.999", "110", "0.10989"),
        fill(2.0, "buy", "2", "100"),
        fill(2.5, "sell", "2", "95"),
    )
    found = figures(daily(1_000.0, 1_009.78, 999.78, 999.78, fills=every))
    assert found.trades == 2
    assert found.win_share == 0.5
    gain = 0.999 * 110 - 0.10989 - 100  # the fee of the purchase was taken in coins
    assert found.profit_factor == pytest.approx(gain / 10)
    assert found.expectancy_quote == pytest.approx((gain - 10) / 2)
    assert found.fees_quote == pytest.approx(0.20989)
    assert found.turnover_quote == pytest.approx(100 + 0.999 * 110 + 200 + 190)
    assert found.exposure_share == pytest.approx((0.5 + 0.5) / 4)


def test_positions_in_two_symbols_at_once_count_once_as_exposure() -> None:
    every = (
        fill(0.0, "buy", "1", "100"),
        fill(1.0, "buy", "1", "50", symbol="ETH/USDT"),
        fill(2.0, "sell", "1", "100"),
        fill(3.0, "sell", "1", "50", symbol="ETH/USDT"),
    )
    assert figures(daily(1_000.0, 1_000.0, 1_000.0, 1_000.0, fills=every)).exposure_share == 0.75


def test_what_is_still_open_is_no_trade_but_exposure() -> None:
    found = figures(daily(1_000.0, 1_010.0, fills=(fill(1.0, "buy", "1", "100"),)))
    assert (found.trades, found.win_share, found.profit_factor) == (0, None, None)
    assert found.exposure_share == 0.5


def test_an_outcome_of_nothing_has_figures() -> None:
    found = figures(daily())
    assert found.pnl_quote == 0
    assert (found.sharpe, found.cagr, found.trades, found.months) == (None, None, 0, ())
    assert figures(daily(1_000.0, 1_000.0, 1_000.0)).sharpe is None


def test_months_are_those_of_the_calendar_and_multiply_to_the_whole() -> None:
    worth = [1_000.0 + day for day in range(1, 61)]
    found = figures(daily(*worth)).months
    assert [(month.year, month.month) for month in found] == [(2024, 1), (2024, 2)]
    assert found[0] == Month(2024, 1, pytest.approx(0.031))
    assert np.prod([1 + month.return_share for month in found]) == pytest.approx(1.06)


def test_a_lost_account_has_no_growth_and_no_returns_after_the_loss() -> None:
    found = figures(daily(500.0, -10.0, 700.0))
    assert found.cagr == pytest.approx(0.7 ** (365 / 3) - 1)
    assert figures(daily(500.0, -10.0)).cagr is None


def test_twice_the_benchmark_has_beta_two_and_no_alpha() -> None:
    moves = np.array([0.01, -0.02, 0.03, 0.005])
    ts = START_NS + np.arange(1, 5, dtype=np.int64) * DAY_NS
    found = compare(ts, 1_000 * np.cumprod(1 + 2 * moves), 1_000 * np.cumprod(1 + moves), 1_000.0)
    assert found.beta == pytest.approx(2)
    assert found.alpha == pytest.approx(0, abs=1e-12)
    assert found.correlation == pytest.approx(1)
    assert found.information_ratio == pytest.approx(np.mean(moves) / np.std(moves, ddof=1) * sqrt(365))


def test_holding_begins_at_each_symbols_first_price_and_carries_over_holes() -> None:
    closes = np.array([[100.0, np.nan], [np.nan, 10.0], [110.0, 20.0]])
    assert hold(closes, 1_000.0).tolist() == [1_000.0, 1_000.0, 550.0 + 1_000.0]


def test_a_short_contract_pays_its_fees_in_quote() -> None:
    perpetual = "BTC/USDT:USDT"
    every = (
        fill(0.0, "sell", "1", "100", "0.05", symbol=perpetual),
        fill(1.0, "buy", "1", "90", "0.04", symbol=perpetual),
    )
    (trip,) = trips(every)
    assert trip.side == "sell"
    assert float(trip.profit_quote) == pytest.approx(10 - 0.09)


def test_a_fill_through_zero_ends_one_trip_and_begins_the_next() -> None:
    perpetual = "BTC/USDT:USDT"
    every = (fill(0.0, "buy", "1", "100", "0", symbol=perpetual), fill(1.0, "sell", "3", "110", "0", symbol=perpetual))
    closed, open_ = trips(every)
    assert (float(closed.profit_quote), closed.closed_ns) == (10, START_NS + DAY_NS)
    assert (open_.side, float(open_.cost_quote), open_.closed_ns) == ("sell", 220, None)
    assert BTC not in open_.symbol.split(":")[1]
