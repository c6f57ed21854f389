"""Figures keep their laws: books that balance, and what a plain loop over the definition says."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ares.clock import DAY_NS, NANOS_PER_SECOND
from backtest.figures import figures
from backtest.outcome import Fill, Side
from backtest.returns import drawdowns, longest_fall_s, returns
from backtest.trips import moved, trips
from tests.unit.backtest.outcomes import START_NS, daily

WORTH = st.lists(st.floats(1.0, 1e6), min_size=1, max_size=60)
MOVES = st.lists(
    st.tuples(st.sampled_from(["BTC/USDT", "ETH/USDT"]), st.booleans(), st.integers(1, 500), st.integers(50, 150)),
    max_size=40,
)


def spot_fills(moves: list[tuple[str, bool, int, int]]) -> list[Fill]:
    """Fills of a spot account that never sells what it has not, a fee of a thousandth from what is received."""
    held: dict[str, Decimal] = {}
    fills: list[Fill] = []
    for number, (symbol, sells, lots, price) in enumerate(moves):
        have = held.get(symbol, Decimal(0))
        amount = Decimal(lots) / 100
        if sells and have < Decimal("0.01"):
            continue
        if sells:  # a third of the sales leave dust
            amount = have - Decimal("0.005") if lots % 3 == 0 else min(amount, have)
        side: Side = "sell" if sells else "buy"
        each = Fill(
            START_NS + number, symbol, side, amount, Decimal(price), amount * price / 1000, "taker", str(number)
        )
        held[symbol] = have + moved(each)[0]
        fills.append(each)
    return fills


@given(moves=MOVES)
def test_profits_of_all_trips_and_what_is_open_add_up_to_the_accounts(moves: list[tuple[str, bool, int, int]]) -> None:
    fills = spot_fills(moves)
    cash = sum((moved(each)[1] for each in fills), Decimal(0))
    realised = sum((trip.profit_quote for trip in trips(fills)), Decimal(0))
    spent: dict[str, tuple[Decimal, Decimal]] = {}
    for each in fills:
        change, money = moved(each)
        held, cost = spent.get(each.symbol, (Decimal(0), Decimal(0)))
        cost = cost - money if change > 0 else cost * (1 + change / held)
        spent[each.symbol] = held + change, cost
    open_cost = sum((cost for _, cost in spent.values()), Decimal(0))
    assert float(realised) == pytest.approx(float(cash + open_cost), abs=1e-9)


@given(worth=WORTH)
def test_falls_are_those_of_a_plain_loop(worth: list[float]) -> None:
    start, top, top_s, deepest, longest = 1_000.0, 1_000.0, 0, 0.0, 0
    below = False
    for day, each in enumerate(worth, start=1):
        if each >= top:
            longest = max(longest, day - top_s) if below else longest
            top, top_s, below = each, day, False
        else:
            below, deepest = True, max(deepest, 1 - each / top)
            longest = max(longest, day - top_s)
    ends = START_NS + np.arange(1, len(worth) + 1, dtype=np.int64) * DAY_NS
    fallen = drawdowns(np.array(worth), start)
    assert float(np.max(fallen)) == pytest.approx(deepest)
    assert longest_fall_s(ends, fallen, START_NS) == longest * DAY_NS / NANOS_PER_SECOND


@given(worth=WORTH, scale=st.floats(0.1, 10))
def test_shares_do_not_depend_on_the_size_of_the_account(worth: list[float], scale: float) -> None:
    ends = START_NS + np.arange(1, len(worth) + 1, dtype=np.int64) * DAY_NS
    one = returns(ends, np.array(worth), 1_000.0)
    other = returns(ends, np.array(worth) * scale, 1_000.0 * scale)
    np.testing.assert_allclose(one.values, other.values, rtol=1e-9, atol=1e-12)


@given(worth=WORTH)
def test_returns_and_months_multiply_to_the_whole(worth: list[float]) -> None:
    outcome = daily(*worth)
    assume(len(worth) > 1)
    whole = worth[-1] / 1_000
    gained = returns(outcome.equity_ts, outcome.equity, 1_000.0).values
    assert np.prod(1 + gained) == pytest.approx(whole)
    assert np.prod([1 + month.return_share for month in figures(outcome).months]) == pytest.approx(whole)
