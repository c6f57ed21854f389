"""The trader's control port, for what people order through the door."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from ares.errors import UsageError
from ares.service.trader_asked import Answer, ask_trader
from ares.service.trader_door import NoTrader, TraderPlace

ORDER_S_MAX = 25.0


class TraderDoor:
    """Asks the trader of this place. What it refuses is a `UsageError` with its own words."""

    def __init__(self, place: TraderPlace) -> None:
        self._place = place

    async def ask(self, verb: str, query: Mapping[str, str] | None = None) -> Answer:
        """What the trader says of itself: status, why, limits. Raises `NoTrader`, `UsageError`."""
        return _said(*await ask_trader(self._place, verb, ORDER_S_MAX, query=query))

    async def order(self, verb: str, body: Mapping[str, str]) -> Answer:
        """A command; `actor` in the body is who gave it. Raises `NoTrader`, `UsageError`."""
        return _said(*await ask_trader(self._place, verb, ORDER_S_MAX, body=body))


def _said(status: int, said: Answer) -> Answer:
    message = str(said.get("message", status))
    if status in {HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST}:
        raise UsageError(f"trader: {message}")
    if status != HTTPStatus.OK:
        raise NoTrader(f"trader: {message}")
    return said
