"""What an exact backtest supposes of the market and of the way to it. Frozen; checked when it is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ares.config.trading import TradingConfig
from ares.errors import ConfigError
from trader.portfolio.money import ZERO
from trader.portfolio.positions import is_linear
from trader.risk import TradingState

BPS = Decimal(10_000)
FIGURES = ("var_quote_max", "volume_share_max")
"""Limits on figures of weeks of bars, which are not worked out here."""


def _require(field: str, value: object, holds: bool, way_out: str) -> None:
    if not holds:
        raise ConfigError(field, value, "not possible in a backtest", way_out)


@dataclass(frozen=True, slots=True)
class Latency:
    """How long what is on its way takes, seconds: from a signal that is known to its decision, from an order that is
    sent to the venue, and of the venue's answer back.
    """

    decide_s: float = 0.02
    submit_s: float = 0.05
    answer_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Frictions:
    """What stands between the price of the tape and ours; where quotes were recorded they say the spread themselves.

    `half_spread_bps`: how far best bid and ask lie from the last traded price, in 1/10,000 of it. `slippage_bps`: how
    much worse than the best who takes is served. `depth_share`: what may be taken at once, as a share of what the last
    minute traded; None: as much as the venue takes in one order. `queue_share`: what stands before an order that rests
    at its price, as a share of what the last minute traded.
    """

    half_spread_bps: Decimal = Decimal("0.5")
    slippage_bps: Decimal = ZERO
    depth_share: Decimal | None = None
    queue_share: Decimal = Decimal("0.1")
    quote_stands_s: float = 60.0
    """For how long after a trade its price is taken for a young quote: quotes change far more often than trades."""

    def __post_init__(self) -> None:
        for name in ("half_spread_bps", "slippage_bps", "queue_share"):
            _require(f"frictions.{name}", getattr(self, name), getattr(self, name) >= 0, "Make it 0 or more")
        depth = self.depth_share
        _require("frictions.depth_share", depth, depth is None or depth > 0, "Make it more than 0, or leave it out")
        together = self.half_spread_bps + self.slippage_bps
        _require("frictions.half_spread_bps", self.half_spread_bps, together < BPS, "Prices would be below 0")


@dataclass(frozen=True, slots=True)
class ExactSettings:
    """A backtest of the exact tier. `trading` is what the trader itself works by; `cash` is in the quote currency."""

    trading: TradingConfig
    cash: Decimal
    latency: Latency = Latency()
    frictions: Frictions = Frictions()
    state: TradingState = TradingState.ACTIVE
    """What the kill switch says all the time."""
    holdings: Mapping[str, Decimal] = field(default_factory=dict)
    """What the strategy holds at the start, by symbol, in base: taken over at the first price there is."""

    def __post_init__(self) -> None:
        _require("cash", self.cash, self.cash > 0, "Begin with more than 0 of the quote currency")
        risk = self.trading.risk
        for name in FIGURES:
            value = getattr(risk, name)
            way_out = "It needs figures that a backtest does not work out: unset it for the backtest"
            _require(f"trading.risk.{name}", value, value is None, way_out)
        way_out = "Limits drawn in by turbulence are not worked out in a backtest: switch it off for the backtest"
        _require("trading.risk.scaling", risk.scaling, not risk.scaling, way_out)
        for strategy in self.trading.strategies:
            for symbol in strategy.symbols:
                require_spot(symbol)


def require_spot(symbol: str) -> None:
    """Raises `ConfigError` for a contract: margin and funding are not played here."""
    way_out = "A backtest plays spot; contracts (margin, funding, liquidation) run against the simulated exchange"
    _require("symbols", symbol, not is_linear(symbol), way_out)
