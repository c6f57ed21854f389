"""What the fast tier is told, and what it refuses by name; its series; and a run worked out by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.config.trading import ExecutionConfig, ProtectionConfig, RiskConfig, StrategyConfig, TradingConfig
from ares.errors import UsageError
from backtest.fast.reading import on_grid
from backtest.fast.screen import Series, screen
from backtest.fast.settings import Costs, FastSettings
from backtest.fast.signals import ema_cross
from backtest.outcome import Floats
from backtest.tape import Bars, Signals
from tests.unit.backtest.outcomes import BTC, START_NS, a_test
from trader.portfolio.sizing import Grid

GRID = Grid(Decimal("0.01"), Decimal("0.001"), Decimal(5))
STRATEGY = StrategyConfig(name="trend", max_position_quote=Decimal(1_000))


def settings(
    trading: TradingConfig | None = None,
    strategy: StrategyConfig = STRATEGY,
    grid: Grid = GRID,
    symbol: str = BTC,
    costs: Costs | None = None,
) -> FastSettings:
    return FastSettings.of(trading or TradingConfig(), strategy, {symbol: grid}, Decimal(10_000), costs or Costs())


def series(opened: list[float], close: list[float], targets: list[float]) -> Series:
    def column(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float64).reshape(-1, 1)

    ts = START_NS + np.arange(len(close), dtype=np.int64) * MINUTE_NS
    bars = (column(opened), column(close), column(close), column(close))
    return Series((BTC,), MINUTE_NS, ts, *bars, column(targets))


def test_a_run_of_four_bars_is_what_is_worked_out_by_hand() -> None:
    costs = Costs(Decimal("0.001"), half_spread=Decimal("0.0005"))
    run = screen(series([100, 100, 100.02, 110], [100, 100, 110, 110], [1, 1, 0, 0]), settings(costs=costs))
    outcome = run.outcome(a_test(1))
    buy, sell = outcome.fills
    assert (buy.side, buy.amount, buy.price, buy.ts_ns) == ("buy", Decimal(10), Decimal("100.05"), START_NS + MINUTE_NS)
    assert buy.fee == Decimal("0.01") * Decimal("100.05")  # a thousandth of the coins
    # 9.99 are held; at a target of 0 all of them go at 110 less half the spread, rounded down to the tick
    assert (sell.side, sell.amount, sell.price) == ("sell", Decimal("9.99"), Decimal("109.94"))
    fee = Decimal("1.09830060")
    assert sell.fee == fee
    cash = 10_000 - Decimal("1000.5") + Decimal("9.99") * Decimal("109.94") - fee
    assert outcome.equity[-1] == pytest.approx(float(cash), abs=1e-9)
    assert outcome.equity_ts[0] == START_NS + MINUTE_NS
    assert outcome.equity[1] == pytest.approx(10_000 - 1_000.5 + 9.99 * 100)


def test_an_order_that_meets_a_price_beyond_its_limit_expires_and_is_tried_again() -> None:
    run = screen(series([100, 100.2, 100], [100, 100, 100], [1, 1, 1]), settings())
    assert run.expired == 1
    assert run.bar.tolist() == [2]


def test_nothing_is_decided_without_a_target_a_close_or_a_next_bar() -> None:
    nan = float("nan")
    run = screen(series([100] * 4, [100, nan, 100, 100], [nan, 1, nan, 1]), settings())
    assert run.bar.tolist() == []
    assert run.equity.tolist() == [10_000.0] * 4


def test_more_fills_than_there_was_room_for_are_all_told(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = series([100.0] * 50, [100.0] * 50, [1.0, 0.0] * 25)
    whole = screen(turns, settings())
    monkeypatch.setattr("backtest.fast.screen.FILLS_EXPECTED", 3)
    assert screen(turns, settings()).units.tolist() == whole.units.tolist()
    assert len(whole.units) == 49


@pytest.mark.parametrize(
    ("trading", "strategy", "symbol", "named"),
    [
        (TradingConfig(protection=ProtectionConfig(stop_loss_pct=Decimal(2))), STRATEGY, BTC, "stop_loss_pct = 2"),
        (TradingConfig(execution=ExecutionConfig(policy="twap")), STRATEGY, BTC, "policy = twap"),
        (TradingConfig(risk=RiskConfig(scaling=True)), STRATEGY, BTC, "scaling = true"),
        (TradingConfig(risk=RiskConfig(var_quote_max=Decimal(100))), STRATEGY, BTC, "var_quote_max = 100"),
        (TradingConfig(risk=RiskConfig(volume_share_max=Decimal("0.1"))), STRATEGY, BTC, "volume_share_max = 0.1"),
        (TradingConfig(), STRATEGY, "BTC/USDT:USDT", "a perpetual"),
    ],
)
def test_a_setting_that_only_the_exact_tier_knows_is_refused_by_its_name(
    trading: TradingConfig, strategy: StrategyConfig, symbol: str, named: str
) -> None:
    with pytest.raises(UsageError, match=f"{named}.*--tier exact"):
        settings(trading, strategy, symbol=symbol)


def test_a_strategys_own_protection_and_execution_count_before_the_general_ones() -> None:
    loose = STRATEGY.model_copy(update={"protection": ProtectionConfig()})
    assert settings(TradingConfig(protection=ProtectionConfig(stop_loss_pct=Decimal(2))), loose)
    tight = STRATEGY.model_copy(update={"execution": ExecutionConfig(policy="iceberg")})
    with pytest.raises(UsageError, match="iceberg"):
        settings(strategy=tight)


@pytest.mark.parametrize(
    ("grid", "named"),
    [
        (Grid(Decimal(0), Decimal("0.001"), Decimal(5)), "price_tick = 0"),
        (Grid(Decimal("0.01"), Decimal("0.000000001"), Decimal(5)), "amount_step"),
    ],
)
def test_a_grid_that_cannot_be_counted_is_refused(grid: Grid, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        screen(series([100], [100], [1]), settings(grid=grid))


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"close": np.array([[1.0]])}, "close: .*one value for each"),
        ({"open": np.array([[0.0], [1.0]])}, "open: a price that is not above 0"),
        ({"ts": np.array([5, 4], dtype=np.int64)}, "go back in time"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(changed: dict[str, Floats], named: str) -> None:
    good = series([100, 100], [100, 100], [1, 1])
    parts = {name: getattr(good, name) for name in ("ts", "open", "high", "low", "close", "targets")} | changed
    with pytest.raises(UsageError, match=named):
        Series((BTC,), MINUTE_NS, **parts)


def test_averages_cross_as_a_plain_loop_says() -> None:
    close = np.array([[1.0], [2.0], [3.0], [2.0], [1.0], [0.5]])
    quick = slow = 1.0
    expected = []
    for (price,) in close.tolist():
        quick += (price - quick) * 2 / 3
        slow += (price - slow) * 2 / 5
        expected.append([1.0 if quick > slow else 0.0])
    assert ema_cross(close, 2, 4).tolist() == expected


def said(*told: tuple[int, float, float]) -> Signals:
    """(minute of the bar, seconds after that bar's end when it was known, target)"""
    ts = START_NS + np.array([minute for minute, _, _ in told], dtype=np.int64) * MINUTE_NS
    late = np.array([round(seconds * NANOS_PER_SECOND) for _, seconds, _ in told], dtype=np.int64)
    target = np.array([wish for _, _, wish in told])
    return Signals(ts, ts + MINUTE_NS + late, target, np.ones(len(told)))


def wished(signals: Signals, bars: int = 4, age_s: float = 180.0) -> list[float | None]:
    ts = START_NS + np.arange(bars, dtype=np.int64) * MINUTE_NS
    price = np.full(bars, 100.0)
    found = on_grid({BTC: Bars(ts, price, price, price, price, price)}, {BTC: signals}, (BTC,), age_s).targets[:, 0]
    return [None if np.isnan(each) else float(each) for each in found]


def test_a_signal_counts_from_the_end_of_its_bar_unless_it_came_late() -> None:
    assert wished(said((0, 1.0, 0.5), (1, 30.0, 0.9))) == [0.5, 0.5, 0.9, 0.9]


def test_of_known_signals_that_of_the_latest_bar_counts_and_a_null_is_none() -> None:
    assert wished(said((1, -30.0, 0.7), (0, 32.0, 0.1), (2, 0.0, float("nan")))) == [None, 0.7, None, None]


def test_a_signal_that_is_too_old_is_none() -> None:
    assert wished(said((0, 0.0, 1.0)), bars=5, age_s=120.0) == [1.0, 1.0, 1.0, None, None]
