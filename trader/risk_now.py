"""What the rules look at, as it is now: the account, its orders under way, and the prices that were seen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ares.config.trading import TradingConfig
from trader.account import Account
from trader.decide import age_s
from trader.execution.tracked import SENT_S
from trader.reader import MarketSeen, QuoteSeen
from trader.risk import Limits, RiskState, ScalePolicy, TradingState, drawdown_share, exposure_scale


@dataclass(frozen=True, slots=True)
class PricesSeen:
    """What an order is judged by: `mark` and `reference` in quote, ages in seconds, `spread` a share of the mark.

    `volume_quote` and `loss_shares` are None and empty where no row tells them.
    """

    mark: Decimal
    quote_age_s: Decimal
    reference: Decimal | None
    signal_age_s: Decimal
    spread: Decimal | None
    volume_quote: Decimal | None = None
    loss_shares: Mapping[str, Decimal] = field(default_factory=dict)


def risk_now(
    account: Account, trading_state: TradingState, now_ns: int, prices: PricesSeen, sent_s: int = SENT_S
) -> RiskState:
    """The state an order would be checked against at this moment; `sent_s`: `Limits.sent_s` where they are known."""
    ledger, desk = account.parts.ledger, account.parts.desk
    positions = ledger.quantities()
    costs = {symbol: ledger.portfolio.position(symbol, strategy).average_price for symbol, strategy in positions}
    return RiskState(
        trading_state=trading_state,
        signal_age_s=prices.signal_age_s,
        quote_age_s=prices.quote_age_s,
        mark=prices.mark,
        reference=prices.reference,
        cash_free_quote=account.cash.free,
        day_pnl_quote=account.day_pnl_quote,
        positions=positions,
        marks={**costs, **account.last_marks()},
        mark_age_s=account.mark_age_s(now_ns),
        pending=desk.pending(),
        equity_quote=account.equity_quote,
        drawdown_quote=account.drawdown_quote,
        spread=prices.spread,
        volume_quote=prices.volume_quote,
        loss_shares=prices.loss_shares,
        sent=desk.sent(now_ns, sent_s),
        leverage=account.parts.leverage,
        liquidation_shares=account.liquidation_shares(),
    )


def scale_now(account: Account, config: TradingConfig, effective: Limits, market: MarketSeen, symbol: str) -> Decimal:
    """How far limits on exposure are drawn in for one symbol: 1 where scaling is off."""
    scale = Decimal(1)
    if config.risk.scaling:
        seen = market.figures.activity.get(symbol)
        policy = ScalePolicy(config.risk.scale_min, effective.drawdown_max)
        drawdown = drawdown_share(account.equity_quote, account.drawdown_quote)
        scale = exposure_scale(None if seen is None else seen.turbulence, drawdown, policy)
    return scale


def prices_of(symbol: str, quote: QuoteSeen, market: MarketSeen, signal_known_at_ns: int, now_ns: int) -> PricesSeen:
    """What rules are told of a market as rows tell it, for an order that rests on a signal."""
    activity = market.figures.activity.get(symbol)
    return PricesSeen(
        mark=quote.mark,
        quote_age_s=age_s(now_ns, quote.received_at_ns),
        reference=market.trades.get(symbol),
        signal_age_s=age_s(now_ns, signal_known_at_ns),
        spread=quote.spread,
        volume_quote=None if activity is None else activity.volume_quote,
        loss_shares=market.figures.loss_shares,
    )
