"""What has to be so before an account trades, and stays so: a key that can do no more than trade, and an agreement."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from ares.errors import ConfigError, VenueRejected
from trader.live.agreements import Agreements
from trader.live.settings import Terms
from trader.venues.gateway import KeyRights


async def require_harmless_key(asked: Awaitable[KeyRights], name: str, *, real: bool) -> None:
    """A stolen key that may withdraw is stolen money. Raises `ConfigError` for one, and `VenueUnavailable`.

    `asked` is the venue's answer to what the key may do.

    A test venue may leave open what a key can do; one where money moves may not.
    """
    field = f"venues.{name}.api_key"
    try:
        rights = await asked
    except VenueRejected as error:
        if not real:
            return
        problem = f"the venue does not say what it may do: {error}"
        raise ConfigError(field, None, problem, "Use a key whose rights the venue tells") from None
    if rights.withdraw:
        raise ConfigError(field, None, "it may withdraw", "Make a key at the venue that may trade and not withdraw")
    if not rights.trade:
        raise ConfigError(field, None, "it may not trade", "Let it trade, at the venue: on spot, or futures")


class Gate:
    """Whether the terms that are traded now were agreed to. Without terms no money is at stake, and it stands open."""

    def __init__(self, agreements: Agreements, terms: Terms | None) -> None:
        self.agreements = agreements
        self.terms = terms

    async def obstacle(self) -> str | None:
        """Why real money must not be traded now, if so. Raises `ControlUnavailable`."""
        if self.terms is None:
            return None
        agreement = await asyncio.to_thread(self.agreements.current)
        if agreement.covers(self.terms):
            return None
        said = f"two people have not agreed to terms {self.terms.digest} (it is {agreement.state})"
        return f"{said}: ares trader live status"
