"""In which words a venue is spoken to: what can be set."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from ares.config.section import Reloadable, Section


class SpokenConfig(Section):
    """The protocol of a venue; `ccxt` is whatever ccxt.pro makes of the exchange that `ccxt_id` names."""

    protocol: Literal[
        "binance", "binanceusdm", "bybit", "bybitlinear", "ccxt", "coinbase", "kraken", "okx", "okxswap"
    ] = "binance"  # fmt: skip
    ccxt_id: str = Field("", description="with protocol ccxt: ccxt's name of the exchange whose spot is collected")
    play_money: bool = Field(default=False, description="a test venue: its orders move no money")
    ccxt_sandbox: bool = Field(default=False, description="with protocol ccxt: the exchange's test addresses")

    @model_validator(mode="after")
    def _named(self) -> Self:
        if (self.protocol == "ccxt") != bool(self.ccxt_id):
            raise ValueError("ccxt_id: the exchange's name in ccxt, with protocol ccxt and only there")
        return self


class MaintenanceWindow(Section):
    """A time in which a venue said that it will be worked on, UTC.

    >>> MaintenanceWindow.model_validate({"begins": "2026-12-01T02:00:00Z", "ends": "2026-12-01T04:00:00Z"}).ends.hour
    4
    """

    begins: AwareDatetime
    ends: AwareDatetime

    @model_validator(mode="after")
    def _a_span_of_utc(self) -> Self:
        for name, moment in (("begins", self.begins), ("ends", self.ends)):
            if moment.utcoffset() != timedelta(0):
                raise ValueError(f"{name} = {moment.isoformat()}: not UTC. Write it like 2026-12-01T02:00:00Z")
        if self.begins >= self.ends:
            raise ValueError(f"begins = {self.begins.isoformat()} is not before ends = {self.ends.isoformat()}")
        return self


class AnnouncedConfig(Section):
    """What a venue has announced, and what is done about it."""

    maintenance: Reloadable[tuple[MaintenanceWindow, ...]] = Field(
        (), description="windows {begins, ends}, UTC, in which nothing is opened there; what closes is sent"
    )
    maintenance_lead_s: Reloadable[Annotated[float, Field(ge=0)]] = Field(
        300.0, description="so long before a window nothing is opened any more"
    )
    maintenance_cancels: Reloadable[bool] = Field(
        default=False, description="orders that rest are cancelled when a window's lead begins; protection stays"
    )

    @model_validator(mode="after")
    def _apart(self) -> Self:
        for one, other in pairwise(sorted(self.maintenance, key=lambda window: window.begins)):
            if other.begins < one.ends:
                both = f"{one.begins.isoformat()} and {other.begins.isoformat()}"
                raise ValueError(f"maintenance: the windows that begin {both} overlap. Make them one")
        return self
