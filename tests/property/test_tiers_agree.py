"""Where both tiers know a setting they do the same: the trader itself is what the fast one is measured by."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import numpy as np
import pytest
import structlog

from ares.clock import MINUTE_NS
from backtest.outcome import Outcome
from tests.property.tiers import drawn

SEEDS = int(os.environ.get("ARES_TEST_TIERS", "8"))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A thousand runs of a trader say more than a test can keep."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    yield
    structlog.configure(**before)


def traded(outcome: Outcome) -> list[tuple[object, ...]]:
    """Fills by their bar, in one order: of two in one bar both tiers may name either first."""
    return sorted((f.ts_ns // MINUTE_NS, f.symbol, f.side, f.amount, f.price, f.fee) for f in outcome.fills)


def test_both_tiers_trade_alike_to_the_last_digit() -> None:
    fills = 0
    for seed in range(SEEDS):
        market = drawn(seed)
        fast, exact = market.fast(), market.exact()
        assert traded(fast) == traded(exact), f"seed {seed}"
        assert dict(fast.refusals) == dict(exact.refusals), f"seed {seed}"
        np.testing.assert_array_equal(fast.equity_ts, exact.equity_ts)
        np.testing.assert_allclose(fast.equity, exact.equity, rtol=0, atol=1e-8 * (1 + len(fast.fills)))
        fills += len(fast.fills)
    assert fills > SEEDS, "markets in which nothing happens prove nothing"


def test_another_wish_is_told_apart() -> None:
    market = drawn(0)
    before = traded(market.exact())
    market.series.targets[:] = np.roll(market.series.targets, 3, axis=0)
    assert traded(market.fast()) != before
