"""Whether a venue takes orders now, by what it says itself."""

from __future__ import annotations

from collections.abc import Mapping

from ares.telemetry import get_logger, metrics
from trader.venues.errors import is_maintenance

TRADING = "TRADING"

log = get_logger(__name__)


class VenueCondition:
    """Known from the venue's status, the symbols' own, and errors that say the same.

    What an error told holds until the venue says of itself that it works again.
    """

    def __init__(self, venue: str) -> None:
        self._venue = venue
        self._maintenance = False
        self._resting: Mapping[str, str] = {}
        metrics.VENUE_MAINTENANCE.labels(venue).set(0)

    def obstacle(self, symbol: str) -> str | None:
        """Why no order of a symbol is taken, in a decision's words."""
        if self._maintenance:
            return "venue_maintenance"
        return f"symbol_{self._resting[symbol].lower()}" if symbol in self._resting else None

    def learn(self, *, maintenance: bool) -> None:
        """The venue's word about itself."""
        if maintenance != self._maintenance:
            log.warning("venue_maintenance", venue=self._venue, under_way=maintenance)
        self._maintenance = maintenance
        metrics.VENUE_MAINTENANCE.labels(self._venue).set(maintenance)

    def learn_symbols(self, statuses: Mapping[str, str]) -> None:
        """The venue's word about symbols, in its own terms: TRADING, BREAK, HALT, …"""
        resting = {symbol: status for symbol, status in statuses.items() if status != TRADING}
        for symbol in resting.keys() - self._resting.keys():
            log.warning("symbol_not_trading", venue=self._venue, symbol=symbol, status=resting[symbol])
        for symbol in self._resting.keys() - resting.keys():
            log.warning("symbol_trades_again", venue=self._venue, symbol=symbol)
        self._resting = resting

    def heed(self, error: Exception) -> None:
        """An error of ccxt's that may say that the venue is being worked on."""
        if is_maintenance(error):
            self.learn(maintenance=True)
