"""Which gateway a venue has, by the protocol it speaks."""

from __future__ import annotations

from ares.clock import Clock
from ares.config.settings import VenueConfig
from trader.venues.ccxt_gateway import CcxtGateway
from trader.venues.usdm_gateway import UsdmGateway


def create_gateway(name: str, config: VenueConfig, clock: Clock, leverage: int) -> CcxtGateway:
    """An unconnected gateway. Raises `ConfigError` for a venue without keys, or of a protocol that cannot be traded."""
    if config.protocol == "binanceusdm":
        return UsdmGateway(name, config, clock, leverage)
    return CcxtGateway(name, config, clock)
