"""A moving-average cross by the fast tier, from nothing to its result: JSON of its orders and gain.

screen_ares.py BARS.npz SIZE FEE
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal

import numpy as np

from ares.clock import MINUTE_NS
from backtest.fast.screen import Screened, Series, screen
from backtest.fast.settings import Costs, FastSettings
from backtest.fast.signals import ema_cross
from backtest.outcome import Floats
from trader.portfolio.sizing import Grid
from trader.risk import Limits

SYMBOL, START_NS, SPANS = "BTC/USDT", 1_672_531_200_000_000_000, (20, 50)
START_QUOTE = 1_000_000
BIG = Decimal(10**9)
LIMITS = Limits(BIG, BIG, BIG, BIG, Decimal("0.9"), Decimal(180), Decimal(10), Decimal(60))


def settings(size: Decimal, fee: Decimal) -> FastSettings:
    """All in or out, and nothing that holds it back."""
    return FastSettings(
        {SYMBOL: Grid(Decimal("0.0001"), Decimal("0.00000001"), Decimal(0))},
        size,
        LIMITS,
        start_quote=Decimal(START_QUOTE),
        rebalance_share_min=Decimal("0.999"),
        slippage_max=Decimal("0.5"),
        costs=Costs(fee),
    )


def screened(opened: Floats, close: Floats, chosen: FastSettings) -> Screened:
    """The cross and what it trades, over bars of a minute."""
    column, opened = close.reshape(-1, 1), opened.reshape(-1, 1)
    ts = START_NS + np.arange(len(close), dtype=np.int64) * MINUTE_NS
    targets = ema_cross(column, *SPANS)
    return screen(Series((SYMBOL,), MINUTE_NS, ts, opened, column, column, column, targets), chosen)


def gained(run: Screened) -> float:
    """A share of the start."""
    return float(run.equity[-1]) / START_QUOTE - 1


if __name__ == "__main__":
    bars = np.load(sys.argv[1])
    done = screened(bars["open"], bars["close"], settings(Decimal(sys.argv[2]), Decimal(sys.argv[3])))
    print(json.dumps({"orders": len(done.bar), "gained": gained(done)}))
