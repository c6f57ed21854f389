"""What the application is made of: built once by the service, given to every route."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api.notify.senders import Senders
from api.rates import Rates
from api.trader import TraderDoor
from api.turns import Turns
from ares.clock import Clock
from ares.config.settings import AresConfig
from ares.control.access import AccessStore
from ares.control.errands import ErrandStore
from ares.security.access.door import Door
from ares.security.access.provider import Provider
from ares.security.access.targets import Targets
from ares.store import Database


@dataclass(frozen=True, slots=True)
class Parts:
    """`database` reads what is followed and shown, and is kept free for it: what a route reads may take long, and is
    read in `turns`. `people` is for statements that people write: it has a shorter deadline, and is watched.
    `provider`: of identities, if one is set.
    `reports`: the folder of pages that errands write.
    """

    config: Callable[[], AresConfig]
    clock: Clock
    door: Door
    access: AccessStore
    errands: ErrandStore
    reports: Path
    database: Database
    turns: Turns
    people: Database
    trader: TraderDoor
    targets: Targets
    senders: Senders
    rates: Rates
    statements: asyncio.Semaphore
    provider: Provider | None = None
