"""What a trader is built from."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ares.clock import Clock
from ares.config.trading import TradingConfig
from ares.control import ControlStore
from trader.execution.lease import BLUE
from trader.handover.outside import NOTHING_OUTSIDE, Outside
from trader.live.settings import Terms
from trader.reader import MarketReader
from trader.venues.announced import Announced
from trader.venues.gateway import VenueGateway


async def _unheard() -> None:
    """Nobody has to be told that we lead."""


@dataclass(frozen=True, slots=True)
class TraderParts:
    """What reaches out, and the settings. `symbols` are those of strategies without a list of their own;
    `request_s_max` is how long a request to the venue can take, seconds.
    """

    config: TradingConfig
    symbols: Sequence[str]
    control: ControlStore
    gateway: VenueGateway
    reader: MarketReader
    clock: Clock
    instance: str
    request_s_max: float
    terms: Terms | None = None
    """What two people have to agree to before it is traded; None where no money moves."""
    rng: random.Random = field(default_factory=random.Random)
    """Draws how long to wait before the venue is asked again."""
    four_eyes: bool = False
    """Whether raising a limit takes a second person."""
    announced: Announced = field(default_factory=Announced)
    color: str = BLUE
    """What tells two traders of one account apart."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """By which it trades, for who compares it with another trader."""
    outside: Outside = NOTHING_OUTSIDE
    """What is looked at before it may take over, beside what it knows itself."""
    led: Callable[[], Awaitable[None]] = _unheard
    """Told each time that it begins to lead."""
