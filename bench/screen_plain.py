"""The same cross by a plain compiled loop whose code is kept: as little as a process that compiles can do."""

from __future__ import annotations

import json
import sys

import numba
import numpy as np

from backtest.outcome import Floats


@numba.njit(cache=True)
def plain(close: Floats, fee: float) -> tuple[float, int]:
    """As little as a backtest can be: no lots, no limits, no worth by bar."""
    quick = slow = close[0]
    held, cash, orders, before = 0.0, 1.0, 0, 0
    for price in close:
        quick += (price - quick) * 2 / 21
        slow += (price - slow) * 2 / 51
        now = 1 if quick > slow else -1
        if now != before:
            if now == 1 and held == 0.0:
                held, cash, orders = cash / price / (1 + fee), 0.0, orders + 1
            elif now == -1 and held > 0:
                cash, held, orders = held * price * (1 - fee), 0.0, orders + 1
        before = now
    return cash + held * close[-1], orders


if __name__ == "__main__":
    worth, orders = plain(np.load(sys.argv[1])["close"], float(sys.argv[3]))
    print(json.dumps({"orders": orders, "gained": worth - 1}))
