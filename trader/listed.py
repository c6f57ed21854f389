"""What the venue lists: the ticks and lots of what is traded or held, kept young."""

from __future__ import annotations

from collections.abc import Iterable

from ares.errors import VenueError
from ares.telemetry import get_logger
from trader.account import Account

log = get_logger(__name__)


async def refresh_instruments(account: Account, symbols: Iterable[str], age_s_max: float) -> None:
    """Ask again for those of `symbols` and of what is held that are older; what was not seen is as it was."""
    wanted = {*symbols, *account.held()}
    try:
        listed = await account.parts.instruments.get(wanted, age_s_max)
    except VenueError as error:
        log.warning("instruments_not_seen", cause=str(error))
        return
    unlisted = frozenset(wanted - listed.keys())
    for symbol in sorted(unlisted - account.unlisted):
        log.warning("instrument_not_listed", symbol=symbol)
    account.unlisted = unlisted
