"""All rules in their order; the first refusal is the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from trader.risk.limits import Limits
from trader.risk.rules.buying_power import BuyingPower
from trader.risk.rules.concentration import ConcentrationLimit
from trader.risk.rules.daily_loss import DailyLossLimit
from trader.risk.rules.drawdown import DrawdownLimit
from trader.risk.rules.duplicate_order import DuplicateOrder
from trader.risk.rules.gross_exposure import GrossExposureLimit
from trader.risk.rules.held_quantity import HeldQuantity
from trader.risk.rules.leverage import LeverageLimit
from trader.risk.rules.liquidation import LiquidationLimit
from trader.risk.rules.liquidity import LiquidityLimit
from trader.risk.rules.net_exposure import NetExposureLimit
from trader.risk.rules.order_notional import OrderNotionalLimit
from trader.risk.rules.order_rate import OrderRateLimit
from trader.risk.rules.position_limit import PositionLimit
from trader.risk.rules.price_collar import PriceCollar
from trader.risk.rules.spread import SpreadLimit
from trader.risk.rules.stale_mark import StaleMark
from trader.risk.rules.stale_quote import StaleQuote
from trader.risk.rules.stale_signal import StaleSignal
from trader.risk.rules.strategy_exposure import StrategyExposureLimit
from trader.risk.rules.trading_state import TradingStateRule
from trader.risk.rules.value_at_risk import VarLimit
from trader.risk.types import APPROVED, Candidate, Gauge, Refused, RiskState, Rule, Verdict, Warned


@dataclass(frozen=True, slots=True)
class RiskRules:
    """Checks an order against every rule."""

    stale_signal: StaleSignal
    stale_quote: StaleQuote
    rules: tuple[Rule, ...]
    soft_share: Decimal = Decimal(1)

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        """The first refusal, or `APPROVED`."""
        return next((v for _, v in self._verdicts(order, state) if isinstance(v, Refused)), APPROVED)

    def check_all(self, order: Candidate, state: RiskState) -> list[tuple[str, Verdict]]:
        """What each rule says, by its name, in their order."""
        return list(self._verdicts(order, state))

    def _verdicts(self, order: Candidate, state: RiskState) -> Iterator[tuple[str, Verdict]]:
        every: tuple[Rule, ...] = (self.stale_signal, self.stale_quote, *self.rules)
        return ((type(rule).__name__, rule.check(order, state)) for rule in every)

    def warnings(self, order: Candidate, state: RiskState) -> tuple[Warned, ...]:
        """The soft limits that an order passes: `soft_share` of those that refuse."""
        found: list[Warned] = []
        for rule in self.rules:
            reading = rule.measure(order, state) if isinstance(rule, Gauge) else None
            if reading is None or reading.observed is None:
                continue
            soft = reading.limit * self.soft_share
            if soft < reading.observed <= reading.limit:
                found.append(Warned(type(rule).__name__, reading.observed, soft, reading.unit))
        return tuple(found)

    def fitting(self, order: Candidate, state: RiskState) -> Decimal:
        """How much of an order's quantity keeps within the soft limit on liquidity: a smaller order is as good."""
        for rule in self.rules:
            if isinstance(rule, LiquidityLimit):
                return rule.fitting(order, state, self.soft_share)
        return order.quantity


def build_rules(limits: Limits) -> RiskRules:
    """All rules: first whether to trade at all, then whether the price is sane, then how much."""
    return RiskRules(
        StaleSignal(limits.signal_age_s_max),
        StaleQuote(limits.quote_age_s_max),
        (*_whether(limits), *_how_much(limits), *_how_bad(limits), BuyingPower()),
        limits.soft_share,
    )


def _whether(limits: Limits) -> list[Rule]:
    return [
        TradingStateRule(),
        PriceCollar(limits.price_collar),
        HeldQuantity(),
        StaleMark(limits.mark_age_s_max),
        *_if_set(SpreadLimit, limits.spread_max),
        *_if_set(DuplicateOrder, limits.duplicate_s),
        *_if_set(OrderRateLimit, limits.orders_per_minute_max),
    ]


def _how_much(limits: Limits) -> list[Rule]:
    return [
        OrderNotionalLimit(limits.order_notional_quote_max),
        *_if_set(LiquidityLimit, limits.volume_share_max),
        PositionLimit(limits.position_quote_max),
        *_if_set(StrategyExposureLimit, limits.strategy_exposure_quote_max),
        GrossExposureLimit(limits.gross_exposure_quote_max),
        *_if_set(NetExposureLimit, limits.net_exposure_quote_max),
        *_if_set(ConcentrationLimit, limits.concentration_max),
        *_if_set(LeverageLimit, limits.leverage_max),
    ]


def _how_bad(limits: Limits) -> list[Rule]:
    return [
        DailyLossLimit(limits.daily_loss_quote_max),
        *_if_set(DrawdownLimit, limits.drawdown_max),
        *_if_set(VarLimit, limits.var_quote_max),
        *_if_set(LiquidationLimit, limits.liquidation_share_min),
    ]


def _if_set(rule: Callable[[Decimal], Rule], limit: Decimal | None) -> list[Rule]:
    """The rule of a limit that may be left out."""
    return [] if limit is None else [rule(limit)]
