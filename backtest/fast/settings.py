"""What the fast tier is told, and what it cannot be told: settings that need the exact tier are refused by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf

import numpy as np

from ares.config.trading import RiskConfig, StrategyConfig, TradingConfig
from ares.errors import UsageError
from backtest.fast.kernel import UNITS, Grids, Rules
from trader.limits_configured import limits
from trader.portfolio.positions import is_linear
from trader.portfolio.sizing import Grid
from trader.risk import Limits

UNIT = Decimal("0.00000001")
EXACT_TIER = "The fast tier does not know it. Take --tier exact, or leave it out"


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs: shares of the price and of the cost. A taker pays half the spread, slippage and the fee."""

    taker_fee: Decimal = Decimal("0.001")
    half_spread: Decimal = Decimal(0)
    slippage: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class FastSettings:
    """All that a run depends on beside its series. Quote currency and shares of 1, as `[trading]` has them.

    `grids` by symbol; `market`: orders take any price. Of `limits` only what the kernel knows is set.
    """

    grids: Mapping[str, Grid]
    max_position_quote: Decimal
    limits: Limits
    start_quote: Decimal = Decimal(10_000)
    rebalance_share_min: Decimal = Decimal("0.1")
    slippage_max: Decimal = Decimal("0.001")
    market: bool = False
    costs: Costs = field(default_factory=Costs)

    @classmethod
    def of(
        cls,
        config: TradingConfig,
        strategy: StrategyConfig,
        grids: Mapping[str, Grid],
        start_quote: Decimal,
        costs: Costs,
    ) -> FastSettings:
        """The settings of a strategy. Raises `UsageError` for what only the exact tier knows."""
        refuse_the_rest(config, strategy, tuple(grids))
        return cls(
            grids=grids,
            max_position_quote=strategy.max_position_quote,
            limits=limits(config),
            start_quote=start_quote,
            rebalance_share_min=Decimal(str(config.rebalance_share_min)),
            slippage_max=config.slippage_max,
            market=config.order_type == "market",
            costs=costs,
        )

    def rules(self) -> Rules:
        """As the kernel takes them."""
        most = self.limits
        return Rules(
            market=self.market,
            max_position=float(self.max_position_quote),
            rebalance_share=float(self.rebalance_share_min),
            slippage_max=float(self.slippage_max),
            half_spread=float(self.costs.half_spread),
            slippage=float(self.costs.slippage),
            taker_fee=float(self.costs.taker_fee),
            price_collar=float(most.price_collar),
            spread_max=_most(most.spread_max),
            order_notional_max=float(most.order_notional_quote_max),
            position_max=float(most.position_quote_max),
            strategy_exposure_max=_most(most.strategy_exposure_quote_max),
            gross_exposure_max=float(most.gross_exposure_quote_max),
            net_exposure_max=_most(most.net_exposure_quote_max),
            concentration_max=_most(most.concentration_max),
            leverage_max=_most(most.leverage_max),
            daily_loss_max=float(most.daily_loss_quote_max),
            drawdown_max=_most(most.drawdown_max),
        )

    def kernel_grids(self, symbols: tuple[str, ...]) -> Grids:
        """As the kernel takes them. Raises `UsageError` for steps that are not whole units of 1e-8."""
        missing = [symbol for symbol in symbols if symbol not in self.grids]
        if missing:
            raise UsageError(f"symbols = {missing[0]}: nothing is known of its tick and steps. Give its instrument")
        grids = [self.grids[symbol] for symbol in symbols]
        return Grids(
            tick=np.array([float(_above_zero("price_tick", grid.price_tick)) for grid in grids]),
            step=np.array([_units("amount_step", grid.amount_step) for grid in grids], np.int64),
            amount_max=np.array([_most_units(grid.amount_max) for grid in grids], np.int64),
            cost_min=np.array([float(grid.cost_min) for grid in grids]),
        )


def refuse_the_rest(config: TradingConfig, strategy: StrategyConfig, symbols: tuple[str, ...]) -> None:
    """Raises `UsageError` for the first setting that only the exact tier knows."""
    said = next(_only_exact(config, strategy, symbols), None)
    if said is not None:
        raise UsageError(f"{said}: {EXACT_TIER}")


def _only_exact(config: TradingConfig, strategy: StrategyConfig, symbols: tuple[str, ...]) -> Iterator[str]:
    protection = strategy.protection or config.protection
    if (asked := protection.said()) is not None:
        yield f"trading.protection.{asked}"
    policy = (strategy.execution or config.execution).policy
    if policy != "ioc":
        yield f"trading.execution.policy = {policy}"
    yield from (f"symbols = {symbol}, a perpetual" for symbol in symbols if is_linear(symbol))
    yield from _limits_only_exact(config.risk, len(symbols))


def _limits_only_exact(risk: RiskConfig, symbols: int) -> Iterator[str]:
    if risk.scaling:
        yield "trading.risk.scaling = true"
    for name in ("var_quote_max", "volume_share_max"):
        if (value := getattr(risk, name)) is not None:
            yield f"trading.risk.{name} = {value}"
    if risk.orders_per_minute_max is not None and risk.orders_per_minute_max < symbols:
        yield f"trading.risk.orders_per_minute_max = {risk.orders_per_minute_max}, fewer than the {symbols} symbols"


def _most(limit: Decimal | None) -> float:
    return inf if limit is None else float(limit)


def _above_zero(name: str, value: Decimal) -> Decimal:
    if value <= 0:
        raise UsageError(f"{name} = {value}: a venue's grid has steps above 0")
    return value


def _units(name: str, value: Decimal) -> int:
    units = _above_zero(name, value) / UNIT
    if units != int(units):
        raise UsageError(f"{name} = {value}: the fast tier counts in units of 1e-8. Take --tier exact")
    return int(units)


def _most_units(amount: Decimal | None) -> int:
    room = np.iinfo(np.int64).max // 2
    return int(room) if amount is None else min(int(amount * int(UNITS)), int(room))
