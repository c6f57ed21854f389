"""Another trader of ours on the same account, by another journal: in a region that was thought lost, say.

Two journals are two leases, so neither keeps the other's trader from sending. What both share is the venue. An order
of our form there that our journal does not know was sent by another journal's trader; if it came after we began, that
one lives. Orders that stood there when we began may be what a restore has lost, and say nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from ares.clock import NANOS_PER_SECOND, Clock, isoformat
from ares.errors import UsageError
from ares.telemetry import get_logger
from trader.execution.state import TradingStates

QUIET_S = 120.0
"""How long nothing of another trader's may have been seen before a person may resume: four looks at the account."""

log = get_logger(__name__)


class AnotherTrades(UsageError):
    """Another trader of ours acts on the account, by another journal; both would order what one decided."""

    code = "another_trades"


@dataclass(frozen=True, slots=True)
class Sighting:
    """An order that another trader of ours sent, and when we saw it."""

    order_id: str
    symbol: str
    seen_ns: int

    def __str__(self) -> str:
        return f"order {self.order_id} of {self.symbol}, seen at {isoformat(self.seen_ns)}"


class Rivals:
    """Whether another trader acts on this account; HALTED at the first sign of one."""

    def __init__(self, states: TradingStates, clock: Clock) -> None:
        self._states = states
        self._clock = clock
        self._began_ns: int | None = None
        self._left: set[str] = set()
        self.last: Sighting | None = None

    def begin(self) -> None:
        """From now on: the account was looked at, so what comes to light later came later."""
        self._began_ns = self._clock.now_ns()

    async def saw(self, order_id: str, symbol: str, ts_ns: int) -> None:
        """Take note of an order of our form that the journal does not know; `ts_ns`: when the venue says it acted."""
        if self._began_ns is None:
            self._left.add(order_id)
        elif order_id not in self._left and ts_ns > self._began_ns:
            now_ns = self._clock.now_ns()
            self.last = Sighting(order_id, symbol, now_ns)
            log.error("another_trader", order_id=order_id, symbol=symbol)
            await self._states.rivalled(f"another trader of ours acts on this account: {self.last}", now_ns)

    def obstacle(self) -> str | None:
        """Why nobody may resume; None if nothing was seen for long enough."""
        if self.last is None or self._clock.now_ns() - self.last.seen_ns > QUIET_S * NANOS_PER_SECOND:
            return None
        return (
            f"another trader of ours acts on this account ({self.last}). End its key at the venue, then try again "
            f"after {QUIET_S:g} s"
        )

    def require_none(self, command: str) -> None:
        """Raises `AnotherTrades` while another trader acts here, or did a moment ago."""
        obstacle = self.obstacle()
        if obstacle is not None:
            raise AnotherTrades(f"{command} = now: {obstacle}")
