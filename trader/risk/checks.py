"""All rules in their order; the first refusal is the answer."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.rules.buying_power import BuyingPower
from trader.risk.rules.daily_loss import DailyLossLimit
from trader.risk.rules.gross_exposure import GrossExposureLimit
from trader.risk.rules.held_quantity import HeldQuantity
from trader.risk.rules.order_notional import OrderNotionalLimit
from trader.risk.rules.position_limit import PositionLimit
from trader.risk.rules.price_collar import PriceCollar
from trader.risk.rules.stale_mark import StaleMark
from trader.risk.rules.stale_quote import StaleQuote
from trader.risk.rules.stale_signal import StaleSignal
from trader.risk.rules.trading_state import TradingStateRule
from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Rule, Verdict


@dataclass(frozen=True, slots=True)
class Limits:
    """The figures of all rules, in the units of their names."""

    order_notional_quote_max: Decimal
    position_quote_max: Decimal
    gross_exposure_quote_max: Decimal
    daily_loss_quote_max: Decimal
    price_collar: Decimal
    signal_age_s_max: Decimal
    quote_age_s_max: Decimal
    mark_age_s_max: Decimal


@dataclass(frozen=True, slots=True)
class RiskRules:
    """Checks an order against every rule."""

    stale_signal: StaleSignal
    stale_quote: StaleQuote
    rules: tuple[Rule, ...]

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        """The first refusal, or `APPROVED`."""
        every: tuple[Rule, ...] = (self.stale_signal, self.stale_quote, *self.rules)
        for rule in every:
            verdict = rule.check(order, state)
            if isinstance(verdict, Refused):
                return verdict
        return APPROVED


def build_rules(limits: Limits) -> RiskRules:
    """All rules: first whether to trade at all, then whether the price is sane, then how much."""
    return RiskRules(
        StaleSignal(limits.signal_age_s_max),
        StaleQuote(limits.quote_age_s_max),
        (
            TradingStateRule(),
            PriceCollar(limits.price_collar),
            HeldQuantity(),
            StaleMark(limits.mark_age_s_max),
            OrderNotionalLimit(limits.order_notional_quote_max),
            PositionLimit(limits.position_quote_max),
            GrossExposureLimit(limits.gross_exposure_quote_max),
            DailyLossLimit(limits.daily_loss_quote_max),
            BuyingPower(),
        ),
    )
