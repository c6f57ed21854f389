"""The fast tier in the trader's own words and decimals, a bar at a time: slow, and what the kernel must equal."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Decimal

import numpy as np

from backtest.fast.screen import Series
from backtest.fast.settings import UNIT, FastSettings
from trader.portfolio.money import ZERO, from_market
from trader.portfolio.sizing import Grid, Move, SizingPolicy, size
from trader.risk import Candidate, Refused, RiskState, TradingState, build_rules
from trader.risk.types import Pending

DAY_NS = 86_400_000_000_000
STRATEGY = "s"


@dataclass
class Reference:
    """What the run leaves, in decimals."""

    series: Series
    settings: FastSettings
    cash: Decimal = ZERO
    held: dict[str, Decimal] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)
    closes: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, Move] = field(default_factory=dict)
    fills: list[tuple[int, str, Decimal, Decimal]] = field(default_factory=list)
    equity: list[Decimal] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    expired: int = 0

    def run(self) -> Reference:
        self.cash = self.settings.start_quote
        peak = day_start = self.cash
        day = -1
        for bar in range(len(self.series.ts)):
            self._open(bar)
            self._mark(bar)
            worth = self.cash + sum((q * self.marks[s] for s, q in self.held.items() if q), ZERO)
            self.equity.append(self.cash + sum((q * self.closes[s] for s, q in self.held.items() if q), ZERO))
            decided = int(self.series.ts[bar]) + self.series.step_ns
            if decided // DAY_NS != day:
                day, day_start = decided // DAY_NS, worth
            peak = max(peak, worth)
            if bar + 1 < len(self.series.ts):
                self._decide(bar, worth, worth - day_start, peak - worth)
        return self

    def _open(self, bar: int) -> None:
        for number, symbol in enumerate(self.series.symbols):
            move = self.orders.pop(symbol, None)
            if move is None:
                continue
            price = self._taken(move, float(self.series.open[bar, number]), self.settings.grids[symbol])
            if price is None or (move.side == "buy" and move.quantity * price > self.cash):
                self.expired += 1
                continue
            rate, cost = self.settings.costs.taker_fee, move.quantity * price
            held = self.held.get(symbol, ZERO)
            if move.side == "buy":
                fee = (move.quantity * rate).quantize(UNIT, ROUND_DOWN)
                self.held[symbol], self.cash = held + move.quantity - fee, self.cash - cost
            else:
                self.held[symbol] = held - move.quantity
                self.cash += cost - (cost * rate).quantize(UNIT, ROUND_DOWN)
            signed = move.quantity if move.side == "buy" else -move.quantity
            self.fills.append((bar, symbol, signed, price))

    def _taken(self, move: Move, opened: float, grid: Grid) -> Decimal | None:
        if np.isnan(opened):
            return None
        share = self.settings.costs.half_spread + self.settings.costs.slippage
        if move.side == "buy":
            price = _on_grid(from_market(opened) * (1 + share), grid.price_tick, ROUND_CEILING)
            return None if price > move.price and not self.settings.market else price
        price = _on_grid(from_market(opened) * (1 - share), grid.price_tick, ROUND_FLOOR)
        return None if price < move.price and not self.settings.market else price

    def _mark(self, bar: int) -> None:
        for number, symbol in enumerate(self.series.symbols):
            close = float(self.series.close[bar, number])
            if not np.isnan(close):
                bid, ask = self._quote(close, symbol)
                self.closes[symbol] = from_market(close)
                self.marks[symbol] = (bid + ask) / 2

    def _quote(self, close: float, symbol: str) -> tuple[Decimal, Decimal]:
        tick, share = self.settings.grids[symbol].price_tick, self.settings.costs.half_spread
        bid = _on_grid(from_market(close) * (1 - share), tick, ROUND_FLOOR)
        return bid, _on_grid(from_market(close) * (1 + share), tick, ROUND_CEILING)

    def _decide(self, bar: int, worth: Decimal, day_pnl: Decimal, drawdown: Decimal) -> None:
        settings, pending = self.settings, []
        rules = build_rules(settings.limits)
        policy = SizingPolicy(
            settings.max_position_quote,
            settings.rebalance_share_min,
            settings.slippage_max,
            settings.limits.order_notional_quote_max,
        )
        for number, symbol in enumerate(self.series.symbols):
            target, close = float(self.series.targets[bar, number]), float(self.series.close[bar, number])
            if np.isnan(target) or np.isnan(close):
                continue
            mark, grid = self.marks[symbol], settings.grids[symbol]
            move = size(from_market(target), self.held.get(symbol, ZERO), mark, grid, policy)
            if move.side is None:
                continue
            bid, ask = self._quote(close, symbol)
            state = RiskState(
                TradingState.ACTIVE, ZERO, ZERO, mark, None, self.cash, day_pnl,
                positions={(s, STRATEGY): q for s, q in self.held.items()}, marks=self.marks, pending=tuple(pending),
                equity_quote=worth, drawdown_quote=drawdown, spread=(ask - bid) / mark,
            )  # fmt: skip
            verdict = rules.check(Candidate(STRATEGY, symbol, move.side, move.quantity, move.price), state)
            if isinstance(verdict, Refused):
                self.refused[verdict.rule] = self.refused.get(verdict.rule, 0) + 1
                continue
            self.orders[symbol] = move
            price = mark if settings.market else move.price
            pending.append(Pending(STRATEGY, symbol, move.side, move.quantity, price))


def _on_grid(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding=rounding) * tick
