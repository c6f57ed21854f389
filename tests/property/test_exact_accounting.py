"""Whatever the market does and the strategy wants: no coin and no cent comes or goes but by a fill and its fee."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.exact.settings import Frictions, Latency
from tests.backtests import CASH, SYMBOL, Made, played

PRICES = st.floats(40_000, 60_000).map(lambda price: round(price, 2))
TARGETS = st.floats(-1.0, 1.0).map(lambda target: round(target, 2)) | st.just(float("nan"))
MINUTES = st.lists(st.tuples(PRICES, TARGETS), min_size=2, max_size=12)
FRICTIONS = st.builds(
    Frictions,
    half_spread_bps=st.integers(0, 6).map(Decimal),
    slippage_bps=st.integers(0, 6).map(Decimal),
    depth_share=st.none() | st.integers(1, 20).map(lambda bips: Decimal(bips) / 10_000),
)


@settings(max_examples=25)
@given(minutes=MINUTES, frictions=FRICTIONS, lag_s=st.sampled_from([0.0, 0.05, 30.0]))
def test_money_and_coins_are_the_sum_of_fills_and_fees(
    minutes: list[tuple[float, float]], frictions: Frictions, lag_s: float
) -> None:
    closes, targets = [price for price, _ in minutes], [target for _, target in minutes]
    ran = played(Made(closes, targets), frictions=frictions, latency=Latency(0.0, lag_s, lag_s))
    cash, coins = CASH, Decimal(0)
    for fill in ran.outcome.fills:
        cost = fill.amount * fill.price
        if fill.side == "buy":
            cash -= cost
            coins += fill.amount - fill.fee / fill.price
        else:
            cash += cost - fill.fee
            coins -= fill.amount
    assert ran.cash == cash
    assert ran.holdings[SYMBOL] == pytest.approx(coins, abs=Decimal("1e-18"))
    assert ran.cash >= 0
    assert ran.holdings[SYMBOL] >= 0
    assert len(ran.outcome.equity) == len(closes)
