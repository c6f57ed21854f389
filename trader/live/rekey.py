"""Keys that are replaced while trading goes on: new ones sign nothing before the venue has said what they may do."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ares.clock import Clock
from ares.config.settings import VenueConfig
from ares.errors import ConfigError, VenueRejected, VenueUnavailable
from ares.telemetry import get_logger, metrics
from trader.live.gate import require_harmless_key
from trader.venues.errors import WRONG_KEY
from trader.venues.gateway import KeyRights

LOOK_S = 5.0
"""How soon the venue is asked again that did not answer."""

log = get_logger(__name__)


class KeyedVenue(Protocol):
    """A venue whose requests we sign. `rights_with` raises `VenueUnavailable` and `VenueRejected`."""

    def signs_with(self, config: VenueConfig) -> bool: ...
    async def rights_with(self, config: VenueConfig) -> KeyRights: ...
    def rekey(self, config: VenueConfig) -> None: ...


class KeyChange:
    """Changes to the keys that were wished for last, if they are harmless; until then the old ones stay in use."""

    def __init__(self, venue: KeyedVenue, name: str, clock: Clock) -> None:
        self._venue = venue
        self._name = name
        self._clock = clock
        self._changing: asyncio.Task[None] | None = None
        metrics.KEY_REFUSED.labels(name).set(0)

    def wish(self, config: VenueConfig, *, real: bool) -> None:
        """Change to these keys; `real`: money moves there, so that what the venue does not say is not assumed."""
        if self._changing is not None:
            self._changing.cancel()
        self._changing = asyncio.create_task(self._change(config, real=real), name="rekey")

    async def settled(self) -> None:
        """Return once the last wish was followed or refused."""
        if self._changing is not None:
            await asyncio.gather(self._changing, return_exceptions=True)

    async def close(self) -> None:
        """Give up what has not come about."""
        if self._changing is not None:
            self._changing.cancel()
        await self.settled()

    async def _change(self, config: VenueConfig, *, real: bool) -> None:
        while True:
            try:
                if not self._venue.signs_with(config):
                    await require_harmless_key(self._rights(config), self._name, real=real)
                    self._venue.rekey(config)
                    log.info("keys_changed", venue=self._name)
            except VenueUnavailable as error:
                log.warning("new_key_not_looked_at", venue=self._name, cause=str(error), wait_s=LOOK_S)
                await self._clock.sleep(LOOK_S)
            except ConfigError as error:
                metrics.KEY_REFUSED.labels(self._name).set(1)
                log.error("new_key_refused", venue=self._name, cause=str(error))
                return
            else:
                metrics.KEY_REFUSED.labels(self._name).set(0)
                return

    async def _rights(self, config: VenueConfig) -> KeyRights:
        """Raises `ConfigError` for a key that the venue does not know, wherever it is."""
        try:
            return await self._venue.rights_with(config)
        except VenueRejected as error:
            if error.reason != WRONG_KEY:
                raise
            field, way_out = f"venues.{self._name}.api_key", "Give key and secret as the venue gave them"
            raise ConfigError(field, None, f"the venue does not take it: {error}", way_out) from None
