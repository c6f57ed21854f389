"""Backtests that are asked for over the API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ares.security.access.roles import Permission
from ares.service.errands.spec import Arguments, ErrandSpec, Place

Day = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?)?$",
        max_length=19,
        examples=["2024-08-01"],
        description="UTC",
    ),
]
Figure = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,10})?$", max_length=30, examples=["20000"])]
Symbol = Annotated[str, Field(max_length=50, pattern=r"^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$", examples=["BTC/USDT"])]


class BacktestWish(Arguments):
    """Test a strategy over the past, as `ares backtest run` does."""

    strategy: str = Field(
        max_length=100, pattern=r"^[a-z][a-z0-9_]*$", examples=["signal_momentum"], description="without its version"
    )
    version: int | None = Field(None, ge=1, le=10**6, description="null: the newest that has signals")
    from_: Day = Field(alias="from")
    to: Day = Field(description="exclusive, UTC")
    symbols: list[Symbol] = Field(default_factory=list, max_length=100, description="empty: all that it has signals of")
    venue: str | None = Field(None, max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")
    tier: Literal["exact", "fast"] = Field("exact", description="the trader itself, or vectorised")
    cash: Figure = Field("20000", description="what the account begins with, in the quote currency")
    position: Figure | None = Field(None, description="size at target 1, in quote; null: as trading.strategies says")
    latency_ms: float = Field(50.0, ge=0, le=60_000, allow_inf_nan=False)
    half_spread_bps: Figure = Field("0.5", examples=["0.5"])
    slippage_bps: Figure = Field("0", examples=["0"])
    depth_share: Figure | None = None
    report: bool = Field(default=True, description="write a page, and run anew; else the same run of before will do")

    @field_validator("strategy")
    @classmethod
    def _plain(cls, strategy: str) -> str:
        name, separator, version = strategy.rpartition("_v")
        if separator and name and version.isdecimal():
            raise ValueError(f"strategy = {strategy!r}: leave the version out, and say it as `version`")
        return strategy

    @field_validator("from_", "to")
    @classmethod
    def _is_there(cls, day: str) -> str:
        try:
            datetime.fromisoformat(day)
        except ValueError:
            raise ValueError(f"{day!r}: is no day, or no time of one") from None
        return day

    @model_validator(mode="after")
    def _forwards(self) -> BacktestWish:
        if self.from_ >= self.to:
            raise ValueError(f"from = {self.from_!r}: is not before to = {self.to!r}")
        return self

    def command(self, place: Place) -> Sequence[str]:
        """One option each, its value behind `=`."""
        options = {
            "from": self.from_,
            "to": self.to,
            "symbols": ",".join(self.symbols) or None,
            "venue": self.venue,
            "tier": self.tier,
            "cash": self.cash,
            "position": self.position,
            "latency-ms": str(self.latency_ms),
            "half-spread-bps": self.half_spread_bps,
            "slippage-bps": self.slippage_bps,
            "depth-share": self.depth_share,
            "report": str(place.report) if self.report else None,
        }
        said = [f"--{name}={value}" for name, value in options.items() if value is not None]
        named = self.strategy if self.version is None else f"{self.strategy}_v{self.version}"
        return "backtest", "run", "--json", "--progress-lines", *said, "--", named

    def concerns(self) -> str | None:
        return self.strategy


BACKTEST = ErrandSpec(
    "backtest", "Test a strategy over the past.", Permission.RUN_BACKTESTS, "/backtests", BacktestWish, limit_s=7_200.0
)
