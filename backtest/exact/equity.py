"""What the account was worth at the close of every bar, worked out from its fills and the bars' prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from backtest.outcome import Fill, Floats, Ints
from backtest.tape import Bars


class EquityCurve:
    """Grows by a stretch at a time. In doubles: what is exact is the ledger, this is for curves and ratios."""

    def __init__(self, cash: Decimal) -> None:
        self._cash = float(cash)
        self._base: dict[str, float] = {}
        self._close: dict[str, float] = {}
        self._taken = 0
        self._waiting: list[Fill] = []
        self._ts: list[Ints] = []
        self._equity: list[Floats] = []

    def add(self, bars: Mapping[str, Bars], fills: Sequence[Fill]) -> None:
        """A stretch that was played to its end; `fills` are all so far, of which those that are new are taken.

        A fill at a bar's very end belongs to the equity there. A bar without a price leaves the price of before.
        """
        self._waiting.extend(fills[self._taken :])
        self._taken = len(fills)
        ends = np.unique(np.concatenate([each.ends for each in bars.values()])) if bars else np.empty(0, np.int64)
        if not len(ends):
            return
        now = sorted((fill for fill in self._waiting if fill.ts_ns <= ends[-1]), key=lambda fill: fill.ts_ns)
        self._waiting = [fill for fill in self._waiting if fill.ts_ns > ends[-1]]
        cash, held = self._flows(now, ends)
        equity = self._cash + cash
        for symbol in sorted({*bars, *self._base, *held}):
            base = self._base.get(symbol, 0.0) + held.get(symbol, np.zeros(len(ends)))
            equity = equity + base * self._prices(symbol, bars.get(symbol), ends)
            self._base[symbol] = float(base[-1])
        self._cash += float(cash[-1])
        self._ts.append(ends)
        self._equity.append(equity)

    def result(self) -> tuple[Ints, Floats]:
        """Moments, UTC ns, and equity, in quote."""
        if not self._ts:
            return np.empty(0, np.int64), np.empty(0, np.float64)
        return np.concatenate(self._ts), np.concatenate(self._equity)

    def _flows(self, fills: Sequence[Fill], ends: Ints) -> tuple[Floats, dict[str, Floats]]:
        """What came in, in quote and in base by symbol, until each moment."""
        cash: Floats = np.zeros(len(ends))
        held: dict[str, Floats] = {}
        places = np.searchsorted(ends, np.array([fill.ts_ns for fill in fills], dtype=np.int64))
        for place, fill in zip(places.tolist(), fills, strict=True):
            cost, amount, fee = fill.amount * fill.price, fill.amount, fill.fee
            base = held.setdefault(fill.symbol, np.zeros(len(ends)))
            if fill.side == "buy":  # the fee is taken of what is received
                cash[place] -= float(cost)
                base[place] += float(amount - fee / fill.price)
            else:
                cash[place] += float(cost - fee)
                base[place] -= float(amount)
        return np.cumsum(cash), {symbol: np.cumsum(moved) for symbol, moved in held.items()}

    def _prices(self, symbol: str, bars: Bars | None, ends: Ints) -> Floats:
        """The last close at each moment; 0 before the first, when nothing of it can be held."""
        before = self._close.get(symbol, 0.0)
        if bars is None or not len(bars.ts):
            return np.full(len(ends), before)
        known = ~np.isnan(bars.close)
        closes = np.concatenate(([before], bars.close[known]))
        prices = closes[np.searchsorted(bars.ends[known], ends, side="right")]
        self._close[symbol] = float(closes[-1])
        return prices
