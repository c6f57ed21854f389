"""What is done with orders that rest when maintenance that a venue announced draws near."""

from __future__ import annotations

from ares.telemetry import get_logger
from trader.execution.desk import OrderDesk
from trader.execution.tracked import PROTECTION
from trader.venues.announced import Announced, Window

log = get_logger(__name__)


class Eve:
    """Acts once for each window, as its lead begins: then the venue still takes a cancel."""

    def __init__(self, announced: Announced, desk: OrderDesk, venue: str) -> None:
        self._announced = announced
        self._desk = desk
        self._venue = venue
        self._told: Window | None = None

    async def heed(self, now_ns: int) -> None:
        """Say that a window is near and, if that is wished for, cancel what rests; what protects a position stays."""
        before, self._told = self._told, self._announced.window(now_ns)
        if self._told is None or self._told == before:
            return
        log.warning("venue_maintenance_announced", venue=self._venue, window=str(self._told))
        if self._announced.cancels:
            await self._desk.cancel_open(sparing=("flatten", PROTECTION))
