"""The figures of all rules: their names, their units, which way is tighter, and what the scale multiplies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil

MINUTE_S = 60
"""Orders are counted by so many seconds for the limit on their rate."""


@dataclass(frozen=True, slots=True)
class Limits:
    """In the units of their names; None: not limited. `soft_share`: from this share of a limit on, it warns."""

    order_notional_quote_max: Decimal
    position_quote_max: Decimal
    gross_exposure_quote_max: Decimal
    daily_loss_quote_max: Decimal
    price_collar: Decimal
    signal_age_s_max: Decimal
    quote_age_s_max: Decimal
    mark_age_s_max: Decimal
    net_exposure_quote_max: Decimal | None = None
    strategy_exposure_quote_max: Decimal | None = None
    leverage_max: Decimal | None = None
    concentration_max: Decimal | None = None
    drawdown_max: Decimal | None = None
    var_quote_max: Decimal | None = None
    volume_share_max: Decimal | None = None
    spread_max: Decimal | None = None
    orders_per_minute_max: Decimal | None = None
    duplicate_s: Decimal | None = None
    liquidation_share_min: Decimal | None = None
    soft_share: Decimal = Decimal(1)

    def get(self, name: str) -> Decimal | None:
        """A limit by its name."""
        value: Decimal | None = getattr(self, name)
        return value

    @property
    def sent_s(self) -> int:
        """For how long an order that was sent still matters to a rule, seconds: to the rate, or to what comes again."""
        return max(MINUTE_S, ceil(self.duplicate_s or 0))

    def tightened(self, by: Mapping[str, Decimal]) -> Limits:
        """These, or those where they are tighter."""
        return self.with_values({n: v for n, v in by.items() if LIMITS[n].is_tighter(v, self.get(n))})

    def with_values(self, values: Mapping[str, Decimal]) -> Limits:
        """These, with some set to other values."""
        return replace(self, **values) if values else self

    def scaled(self, scale: Decimal) -> Limits:
        """Limits on exposure times a scale in (0, 1]; all others as they are."""
        if scale == 1:
            return self
        scaled = {name: value * scale for name in SCALED if (value := self.get(name)) is not None}
        return self.with_values(scaled)


@dataclass(frozen=True, slots=True)
class Named:
    """One limit: its unit, whether it is a least (all others are a most), and whether it bounds exposure."""

    unit: str
    least: bool = False
    scales: bool = False

    def is_tighter(self, value: Decimal | None, than: Decimal | None) -> bool:
        """Whether one value refuses more than another; None refuses nothing."""
        if value is None or than is None:
            return than is None and value is not None
        return value > than if self.least else value < than


LIMITS: Mapping[str, Named] = {
    "order_notional_quote_max": Named("quote"),
    "position_quote_max": Named("quote", scales=True),
    "gross_exposure_quote_max": Named("quote", scales=True),
    "net_exposure_quote_max": Named("quote", scales=True),
    "strategy_exposure_quote_max": Named("quote", scales=True),
    "leverage_max": Named("factor", scales=True),
    "concentration_max": Named("share", scales=True),
    "daily_loss_quote_max": Named("quote"),
    "drawdown_max": Named("share"),
    "var_quote_max": Named("quote", scales=True),
    "volume_share_max": Named("share"),
    "spread_max": Named("share"),
    "price_collar": Named("share"),
    "liquidation_share_min": Named("share", least=True),
    "orders_per_minute_max": Named("orders"),
    "duplicate_s": Named("s", least=True),
    "signal_age_s_max": Named("s"),
    "quote_age_s_max": Named("s"),
    "mark_age_s_max": Named("s"),
}
"""Every limit that may be set while trading goes on, by the name of its setting."""

SCALED = tuple(name for name, named in LIMITS.items() if named.scales)
