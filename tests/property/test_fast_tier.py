"""The compiled loop decides, sizes and refuses as the trader's own code does, to the unit and the tick."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.fast.kernel import REFUSALS
from backtest.fast.screen import Series, screen
from backtest.fast.settings import Costs, FastSettings
from tests.property.fast_reference import Reference
from trader.portfolio.sizing import Grid
from trader.risk import Limits

STEP_NS = 3_600_000_000_000
SYMBOLS = ("BTC/USDT", "ETH/USDT", "DOGE/USDT")
TICKS = (Decimal("0.01"), Decimal("0.001"), Decimal("0.5"))
STEPS = (Decimal("0.00001"), Decimal("0.001"), Decimal("0.25"))


def quote(*values: int) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(value) for value in values])


def share(*values: str) -> st.SearchStrategy[Decimal]:
    return st.sampled_from([Decimal(value) for value in values])


LIMITS = st.builds(
    Limits,
    order_notional_quote_max=quote(300, 5_000),
    position_quote_max=quote(950, 10_000),
    gross_exposure_quote_max=quote(700, 20_000),
    daily_loss_quote_max=quote(5, 500),
    price_collar=share("0.01", "0.001"),
    signal_age_s_max=quote(180),
    quote_age_s_max=quote(10),
    mark_age_s_max=quote(60),
    net_exposure_quote_max=st.one_of(st.none(), quote(600)),
    strategy_exposure_quote_max=st.one_of(st.none(), quote(650)),
    leverage_max=st.one_of(st.none(), share("0.5", "1.1")),
    concentration_max=st.one_of(st.none(), share("0.3", "0.5")),
    drawdown_max=st.one_of(st.none(), share("0.01", "0.2")),
    spread_max=st.one_of(st.none(), share("0.0015")),
)
SETTINGS = st.builds(
    FastSettings,
    grids=st.just(
        {
            symbol: Grid(tick, step, Decimal(5), Decimal(20) if number else None)
            for number, (symbol, tick, step) in enumerate(zip(SYMBOLS, TICKS, STEPS, strict=True))
        }
    ),
    max_position_quote=quote(500, 1_000),
    limits=LIMITS,
    start_quote=quote(400, 2_500),
    rebalance_share_min=share("0", "0.01", "0.1"),
    slippage_max=share("0.005", "0.0005"),
    market=st.booleans(),
    costs=st.builds(
        Costs, share("0", "0.001", "0.00075"), share("0", "0.0001", "0.0007"), share("0", "0.0002")
    ),
)  # fmt: skip


def series(seed: int, bars: int, symbols: int) -> Series:
    """A wandering market on the grid, with holes; targets that stay, turn, leave the range and are missing."""
    chance = np.random.default_rng(seed)
    ticks = np.array([float(tick) for tick in TICKS[:symbols]])
    steps = chance.standard_normal((bars, symbols)) * chance.choice([0.002, 0.02])
    close = np.maximum(1, np.round(100 * np.exp(np.cumsum(steps, axis=0)) / ticks)) * ticks
    close = np.round(close, 3)
    opened = np.roll(close, 1, axis=0)
    opened[0] = close[0]
    moved = chance.random((bars, symbols)) < 0.3
    opened = np.where(moved, np.round(np.round(opened * 1.001 / ticks) * ticks, 3), opened)
    targets = np.round(np.repeat(chance.uniform(-1.2, 1.2, (bars // 5 + 1, symbols)), 5, axis=0)[:bars], 2)
    for array, often in ((targets, 0.05), (close, 0.03), (opened, 0.03)):
        array[chance.random((bars, symbols)) < often] = np.nan
    ts = 1_700_000_000_000_000_000 + np.arange(bars, dtype=np.int64) * STEP_NS
    return Series(SYMBOLS[:symbols], STEP_NS, ts, opened, close, close, close, targets)


@given(seed=st.integers(0, 2**32 - 1), symbols=st.integers(1, 3), chosen=SETTINGS)
@settings(max_examples=40)
def test_the_kernel_equals_the_traders_own_sizing_and_rules(seed: int, symbols: int, chosen: FastSettings) -> None:
    given_series = series(seed, 60, symbols)
    expected = Reference(given_series, chosen).run()
    found = screen(given_series, chosen)
    names = [given_series.symbols[number] for number in found.symbol]
    amounts = [Decimal(int(units)).scaleb(-8) for units in found.units]
    prices = [int(t) * chosen.grids[name].price_tick for t, name in zip(found.ticks, names, strict=True)]
    assert list(zip(found.bar.tolist(), names, amounts, prices, strict=True)) == expected.fills
    assert found.expired == expected.expired
    counted = {name: count for name, count in zip(REFUSALS, found.refused.tolist(), strict=True) if count}
    assert counted == expected.refused
    np.testing.assert_allclose(found.equity, [float(worth) for worth in expected.equity], rtol=1e-12)
