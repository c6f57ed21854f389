"""The settings of `[trading]` as rules and sizing want them."""

from __future__ import annotations

from decimal import Decimal

from ares.config.trading import StrategyConfig, TradingConfig
from trader.portfolio.sizing import SizingPolicy
from trader.risk import Limits


def limits(config: TradingConfig) -> Limits:
    """The configured limits, before anything that was set while trading goes on."""
    risk = config.risk
    return Limits(
        order_notional_quote_max=risk.order_notional_quote_max,
        position_quote_max=risk.position_quote_max,
        gross_exposure_quote_max=risk.gross_exposure_quote_max,
        daily_loss_quote_max=risk.daily_loss_quote_max,
        price_collar=risk.price_collar,
        signal_age_s_max=Decimal(str(risk.signal_age_s_max)),
        quote_age_s_max=Decimal(str(risk.quote_age_s_max)),
        mark_age_s_max=Decimal(str(risk.mark_age_s_max)),
        net_exposure_quote_max=risk.net_exposure_quote_max,
        strategy_exposure_quote_max=risk.strategy_exposure_quote_max,
        leverage_max=risk.leverage_max,
        concentration_max=risk.concentration_max,
        drawdown_max=risk.drawdown_max,
        var_quote_max=risk.var_quote_max,
        volume_share_max=risk.volume_share_max,
        spread_max=risk.spread_max,
        orders_per_minute_max=None if risk.orders_per_minute_max is None else Decimal(risk.orders_per_minute_max),
        duplicate_s=None if risk.duplicate_s is None else Decimal(str(risk.duplicate_s)),
        liquidation_share_min=risk.liquidation_share_min,
        soft_share=risk.soft_share,
    )


def sizing(config: TradingConfig, strategy: StrategyConfig, effective: Limits) -> SizingPolicy:
    """How orders of a strategy are sized."""
    return SizingPolicy(
        max_position_quote=strategy.max_position_quote,
        rebalance_share_min=Decimal(str(config.rebalance_share_min)),
        slippage_max=config.slippage_max,
        order_notional_quote_max=effective.order_notional_quote_max,
    )
