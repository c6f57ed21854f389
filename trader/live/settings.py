"""What settings must say before real money is traded, and what a second person agrees to. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson

from ares.config.hosts import is_here
from ares.config.settings import AresConfig, VenueConfig
from ares.control import Json
from ares.errors import ConfigError

LIMITS = ("order_notional_quote_max", "position_quote_max", "gross_exposure_quote_max", "daily_loss_quote_max")
"""Those that nobody may leave at what we happened to choose."""


def is_real(venue: VenueConfig) -> bool:
    """Whether orders to it move money: every venue but one on this machine or one that is said to be a test.

    >>> is_real(VenueConfig(rest_url="http://127.0.0.1:8900", ws_url="ws://127.0.0.1:8900"))
    False
    """
    if venue.play_money:
        return False
    if venue.rest_url is None or venue.ws_url is None:
        return True  # orders then go to the venue's own addresses, whatever the other one says
    return not is_here(urlsplit(venue.rest_url).hostname or "")


@dataclass(frozen=True, slots=True)
class Terms:
    """What is traded with real money, and how much at most: an agreement holds for these and no others."""

    account: str
    venue: str
    strategies: tuple[str, ...]
    limits: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """Their fingerprint, 16 hexadecimal digits."""
        return hashlib.sha256(orjson.dumps(self.as_json(), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]

    def as_json(self) -> dict[str, Json]:
        """As they are shown and recorded."""
        return {
            "account": self.account,
            "venue": self.venue,
            "strategies": list(self.strategies),
            "limits": dict(self.limits),
        }


def terms_of(config: AresConfig) -> Terms | None:
    """What has to be agreed to; None where no money is at stake."""
    trading = config.trading
    venue = config.venues.get(trading.venue)
    if venue is None or not is_real(venue):
        return None
    strategies = [f"{each.name} {each.version}: {each.max_position_quote:f}" for each in trading.strategies]
    limits = [(name, f"{getattr(trading.risk, name):f}") for name in LIMITS]
    if venue.protocol == "binanceusdm":
        limits.append(("leverage", str(trading.leverage)))
    return Terms(trading.account, trading.venue, tuple(sorted(strategies)), tuple(limits))


def require_meant(config: AresConfig) -> None:
    """Raises `ConfigError` for settings that move money without having said so, or say so and move none."""
    trading = config.trading
    if terms_of(config) is None:
        if trading.live:
            way_out = "Set trading.live = false, or trade on a real venue"
            raise ConfigError("trading.live", trading.live, f"venue {trading.venue} moves no money", way_out)
        return
    if config.environment.profile != "prod":
        problem = f"a real venue, and the profile is {config.environment.profile}"
        way_out = f"Trade on the simulator, say venues.{trading.venue}.play_money = true of a test venue, or use prod"
        raise ConfigError("trading.venue", trading.venue, problem, way_out)
    if not trading.live:
        problem = f"{trading.venue} is a real venue: its orders move money"
        raise ConfigError("trading.live", trading.live, problem, "Set trading.live = true once that is what you want")
    for name in LIMITS:
        if name not in trading.risk.model_fields_set:
            problem = "left at what we happened to choose; real money needs a limit that somebody chose"
            raise ConfigError(
                f"trading.risk.{name}", getattr(trading.risk, name), problem, "Set it, if to this very value"
            )
