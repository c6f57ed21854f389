"""Outcomes made by hand."""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from ares.clock import DAY_NS
from backtest.outcome import Fill, Outcome, Side, Tested

START_NS = 1_704_067_200_000_000_000  # 2024-01-01
BTC = "BTC/USDT"


def a_test(days: int, start_quote: int = 1_000, symbols: tuple[str, ...] = (BTC,)) -> Tested:
    end_ns = START_NS + days * DAY_NS
    return Tested("trend", 1, "sim", symbols, START_NS, end_ns, Decimal(start_quote), "d" * 16, "c" * 16)


def daily(*equity: float, fills: tuple[Fill, ...] = (), start_quote: int = 1_000) -> Outcome:
    """Worth at the end of each day."""
    ends = START_NS + np.arange(1, len(equity) + 1, dtype=np.int64) * DAY_NS
    return Outcome("fast", a_test(len(equity), start_quote), fills, ends, np.array(equity, dtype=np.float64), {})


def fill(day: float, side: Side, amount: str, price: str, fee: str = "0", *, symbol: str = BTC) -> Fill:
    ts_ns = START_NS + round(day * DAY_NS)
    return Fill(ts_ns, symbol, side, Decimal(amount), Decimal(price), Decimal(fee), "taker", f"{symbol}{ts_ns}{side}")
