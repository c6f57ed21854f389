"""In which words a venue is spoken to: what can be set."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from ares.config.section import Section


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
