"""What is traded, how, and within which limits."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from ares.config.section import Count, Port, Reloadable, Seconds, Section, Share
from ares.model.strategies import FOREIGN

Quote = Annotated[Decimal, Field(gt=0)]
BIPS_MIN, BIPS_MAX = 10, 2_000
"""By how much the venue lets a trailing stop follow, in 1/10,000."""
ShareAbove0 = Annotated[Decimal, Field(gt=0, le=1)]
WithinBar = Annotated[float, Field(ge=1, le=50)]
"""Seconds of a plan: signals come every minute, and the next one ends it."""
Percent = Annotated[Decimal, Field(ge=0, lt=100)]


class ProtectionConfig(Section):
    """Orders that stand at the venue for what a strategy holds; 0 is off. See the guide Order kinds and protection."""

    stop_loss_pct: Percent = Field(
        Decimal(0), description="close all once it trades so far against what it was opened at"
    )
    take_profit_pct: Annotated[Decimal, Field(ge=0)] = Field(
        Decimal(0), description="close all so far in favour of what it was opened at"
    )
    trailing_pct: Percent = Field(
        Decimal(0),
        description="close all once it trades so far from its best; 0.1 to 20 (contracts: 10), not with stop_loss_pct",
    )

    @model_validator(mode="after")
    def _one_stop(self) -> Self:
        if self.stop_loss_pct and self.trailing_pct:
            raise ValueError(
                "stop_loss_pct and trailing_pct: only one stop can stand at the venue. Set one of them to 0"
            )
        bips = self.trailing_pct * 100
        if bips and not (BIPS_MIN <= bips <= BIPS_MAX and bips == int(bips)):
            raise ValueError(f"trailing_pct = {self.trailing_pct}: the venue follows by 0.1 to 20 in steps of 0.01")
        return self

    def said(self) -> str | None:
        """The first figure that asks for an order, as it is written; None where none does."""
        asked = ((name, getattr(self, name)) for name in type(self).model_fields)
        return next((f"{name} = {value:f}" for name, value in asked if value), None)


class ExecutionConfig(Section):
    """How a decision becomes orders. See the guide Execution."""

    policy: Literal["ioc", "post_only", "twap", "iceberg"] = Field(
        "ioc", description="ioc: one order at once, of trading.order_type; the others: several, one after the other"
    )
    patience_s: WithinBar = Field(30.0, description="post_only, iceberg: how long orders rest at their own side's best")
    follow_share: Annotated[Decimal, Field(ge=0, lt=1)] = Field(
        Decimal("0.0002"), description="post_only, iceberg: follow once the best price is away by more than this share"
    )
    follow_s_min: Seconds = Field(5.0, description="post_only, iceberg: but not more often than this")
    then: Literal["take", "give_up"] = Field(
        "take", description="post_only, iceberg: after patience_s take the rest within slippage_max, or leave it"
    )
    slices: Annotated[int, Field(ge=2, le=50)] = Field(6, description="twap: how many orders")
    over_s: WithinBar = Field(30.0, description="twap: over how long")
    visible_share: ShareAbove0 = Field(Decimal("0.2"), description="iceberg: how much of the whole is shown at once")


class StrategyConfig(Section):
    """A strategy that may trade: `max_position_quote` is its position at target 1, per symbol."""

    name: str
    version: Count = 1
    max_position_quote: Quote
    symbols: tuple[str, ...] = ()
    protection: ProtectionConfig | None = Field(None, description="instead of trading.protection, for this strategy")
    execution: ExecutionConfig | None = Field(None, description="instead of trading.execution, for this strategy")


class RiskConfig(Section):
    """Limits every order is checked against; quote currency where not said otherwise; unset: not limited.

    `ares risk set` overrides one while trading goes on.
    """

    order_notional_quote_max: Reloadable[Quote] = Decimal("5000")
    position_quote_max: Reloadable[Quote] = Decimal("10000")
    gross_exposure_quote_max: Reloadable[Quote] = Decimal("20000")
    daily_loss_quote_max: Reloadable[Quote] = Decimal("500")
    price_collar: Reloadable[Annotated[Decimal, Field(gt=0, lt=1)]] = Decimal("0.01")
    signal_age_s_max: Reloadable[Seconds] = 180.0
    quote_age_s_max: Reloadable[Seconds] = 10.0
    mark_age_s_max: Reloadable[Seconds] = Field(
        60.0, description="nothing is bought while the last price of something that is held is older"
    )
    net_exposure_quote_max: Reloadable[Quote | None] = Field(Decimal("20000"), description="longs less shorts")
    strategy_exposure_quote_max: Reloadable[Quote | None] = Field(
        Decimal("10000"), description="all positions of one strategy together"
    )
    leverage_max: Reloadable[Quote | None] = Field(
        Decimal("1.1"),
        description="gross exposure over the account's worth; spot borrows nothing, the rest is slippage",
    )
    concentration_max: Reloadable[ShareAbove0 | None] = Field(
        Decimal("0.5"), description="one symbol's share of the account's worth"
    )
    drawdown_max: Reloadable[ShareAbove0 | None] = Field(
        Decimal("0.2"), description="fall of the profit from its highest, as a share of the account's worth then"
    )
    var_quote_max: Reloadable[Quote | None] = Field(
        None, description="historical value at risk, 95 % over one hour; needs 48 hours of bars of what is traded"
    )
    volume_share_max: Reloadable[ShareAbove0 | None] = Field(
        None, description="an order's share of what was traded in the last hour; needs an hour of bars"
    )
    spread_max: Reloadable[ShareAbove0 | None] = Field(
        Decimal("0.01"), description="ask less bid, as a share of their middle"
    )
    orders_per_minute_max: Reloadable[Count | None] = Field(60, description="of the whole account")
    duplicate_s: Reloadable[Seconds | None] = Field(
        3.0, description="the same buy does not come again within this time; keep it below trading.cycle_s"
    )
    liquidation_share_min: Reloadable[ShareAbove0 | None] = Field(
        Decimal("0.1"), description="of contracts: how far from the mark the venue's liquidation price must lie to open"
    )
    soft_share: Reloadable[ShareAbove0] = Field(
        Decimal("0.8"), description="from this share of a limit on, an order that is sent warns"
    )
    scaling: Reloadable[bool] = Field(
        default=False,
        description="draw limits on exposure in when the last hour was wilder than the day, or by drawdown",
    )
    scale_min: Reloadable[ShareAbove0] = Field(Decimal("0.25"), description="limits are never drawn in further")


class TradingConfig(Section):
    """The trading cycle."""

    account: str = "paper"
    venue: str = "sim"
    live: bool = Field(
        default=False, description="orders may move real money; that also needs profile prod and two people"
    )
    quote_currency: str = "USDT"
    leverage: Annotated[int, Field(ge=1, le=125)] = Field(
        1, description="of perpetuals: set at the venue before anything is traded; margin is notional over it"
    )
    cycle_s: Reloadable[Seconds] = Field(5.0, description="a cycle at least this often, beside those at a new signal")
    signal_poll_s: Reloadable[Seconds] = Field(0.02, description="new signals are looked for this often")
    instrument_age_s_max: Reloadable[Seconds] = Field(
        3_600.0, description="an instrument whose ticks and lots were learned longer ago is not traded"
    )
    strategies: tuple[StrategyConfig, ...] = ()
    risk: RiskConfig = RiskConfig()
    protection: ProtectionConfig = ProtectionConfig()
    execution: ExecutionConfig = ExecutionConfig()
    unprotected_s_max: Seconds = Field(
        10.0, description="a position that stands longer without its protection is told of"
    )
    order_type: Literal["limit_ioc", "market"] = "limit_ioc"
    slippage_max: Reloadable[Annotated[Decimal, Field(ge=0, lt=1)]] = Decimal("0.001")
    rebalance_share_min: Reloadable[Share] = Field(
        0.1, description="of the maximum position; smaller moves are not traded"
    )
    adopt_balances_to: str | None = Field(None, description="strategy that takes over coins held at first start")
    foreign_fills: Literal["apart", "adopt"] = Field(
        "apart", description="what was executed on the account and nobody here ordered; apart: strategy 'foreign'"
    )
    foreign_fills_to: str | None = Field(None, description="strategy that takes them over, with foreign_fills = adopt")
    lease_s: Seconds = 15.0
    unknown_poll_s: Seconds = 0.5
    unknown_visibility_s: Seconds = Field(5.0, description="absence counts as evidence only after this long")
    sweep_s: Seconds = 2.0
    dead_man_s: Reloadable[Annotated[float, Field(ge=0)]] = Field(
        0.0,
        description="without a sign of life (`ares trader alive`) within this trading is HALTED; 0: none is asked for",
    )
    storage_grace_s: Reloadable[Seconds] = Field(
        60.0, description="QuestDB may be away for this long before trading is REDUCING until it is back"
    )
    venue_grace_s: Reloadable[Seconds] = Field(60.0, description="the same for the venue")
    control_host: str = Field("127.0.0.1", description="0.0.0.0 lets other machines ask: then behind a mesh only")
    control_port: Port = 8820
    control_url: str | None = Field(
        None,
        pattern=r"^https?://[^\s/@]+/?$",
        description="where others ask the trader, if it is elsewhere: http://trader:8820; unset: as its files here say",
    )
    control_token: SecretStr | None = Field(
        None, description="the trader's and theirs, if they are elsewhere; unset: a new one with each start, in a file"
    )
    control_tls: Literal["off", "mesh"] = Field(
        "off", description="mesh: plain between machines, for a mesh encrypts and says who comes"
    )

    @model_validator(mode="after")
    def _foreign_fills_have_a_place(self) -> Self:
        names = [strategy.name for strategy in self.strategies]
        if FOREIGN in names:
            raise ValueError(f"strategies: the name {FOREIGN!r} is of fills that nobody here ordered. Take another one")
        if self.foreign_fills == "adopt" and self.foreign_fills_to not in names:
            raise ValueError(
                f"foreign_fills_to = {self.foreign_fills_to!r}: foreign_fills = 'adopt' needs a strategy that trades:"
                f" {', '.join(names) or 'none is configured'}"
            )
        return self

    @model_validator(mode="after")
    def _known_to_both(self) -> Self:
        if self.control_url is not None and self.control_token is None:
            raise ValueError("control_url leads to another machine, whose token nobody here knows. Set control_token")
        return self

    @property
    def foreign_strategy(self) -> str:
        """The strategy that fills which nobody here ordered are booked for."""
        return self.foreign_fills_to if self.foreign_fills == "adopt" and self.foreign_fills_to else FOREIGN
