"""Strategies that were stopped out and have not said anything else since: kept in the journal, so that a restart is no
new signal.
"""

from __future__ import annotations

import asyncio

from ares.control import ControlStore, NewEvent
from ares.events.types import Origin
from ares.model.market import Side
from ares.telemetry import get_logger
from trader.events import REGISTRY, RELEASED, STOPPED_OUT, Released, StoppedOut
from trader.portfolio.orders import Intent

Key = tuple[str, str, int]
"""(symbol, strategy, version)"""

log = get_logger(__name__)


def wants_out(target: float, stopped_by: Side | None) -> bool:
    """Whether a target says to hold nothing, or the other side of what an order of this side closed."""
    if stopped_by is None:
        return False
    return target <= 0 if stopped_by == "sell" else target >= 0


class Rests:
    """Stream `rests/<account>`: `stopped_out` when a protective order was executed, `released` once its strategy wanted
    out of the symbol, or to its other side. Between the two the strategy opens nothing of it.
    """

    def __init__(self, control: ControlStore, account: str) -> None:
        self._control = control
        self._account = account
        self._stream = f"rests/{account}"
        self._seq = 0
        self._since_ns: dict[Key, int] = {}
        self._sides: dict[Key, Side] = {}
        """Of the orders that closed what was held."""
        self._writing = asyncio.Lock()

    async def load(self) -> None:
        """Read what was said before."""
        for stored in await asyncio.to_thread(self._control.read, self._stream, self._seq):
            match REGISTRY.read(stored).body:
                case StoppedOut(symbol, strategy, version, side=side):
                    self._since_ns[symbol, strategy, version] = stored.ts_ns
                    self._sides[symbol, strategy, version] = side
                case Released(symbol, strategy, version):
                    self._since_ns.pop((symbol, strategy, version), None)
            self._seq = stored.seq

    def since_ns(self, symbol: str, strategy: str, version: int) -> int | None:
        """Since when this strategy rests; None if it does not."""
        return self._since_ns.get((symbol, strategy, version))

    def side(self, symbol: str, strategy: str, version: int) -> Side | None:
        """Of the order by which it was stopped out, if it rests: a sale if it was long, a purchase if short."""
        key = (symbol, strategy, version)
        return self._sides[key] if key in self._since_ns else None

    async def stopped_out(self, intent: Intent, now_ns: int) -> None:
        """A protective order is being executed: from now on its strategy rests. Saying it twice is saying it once."""
        key = (intent.symbol, intent.strategy, intent.version)
        async with self._writing:
            if key not in self._since_ns:
                stopped = StoppedOut(*key, intent.order_id, intent.side)
                await self._append(STOPPED_OUT.new(stopped, now_ns, self._origin(key)))
                self._since_ns[key], self._sides[key] = now_ns, intent.side
                log.warning("stopped_out", symbol=intent.symbol, strategy=intent.strategy, order_id=intent.order_id)

    async def wants_out(self, symbol: str, strategy: str, version: int, known_at_ns: int, now_ns: int) -> None:
        """The strategy said at `known_at_ns` that it wants out: if it rested by then, it may open again."""
        key = (symbol, strategy, version)
        async with self._writing:
            since_ns = self._since_ns.get(key)
            if since_ns is not None and known_at_ns >= since_ns:
                await self._append(RELEASED.new(Released(*key), now_ns, self._origin(key)))
                del self._since_ns[key]
                log.info("released", symbol=symbol, strategy=strategy)

    async def _append(self, event: NewEvent) -> None:
        self._seq = await asyncio.to_thread(self._control.append, self._stream, [event], expected_seq=self._seq)

    def _origin(self, key: Key) -> Origin:
        return Origin(attributes={"account": self._account, "symbol": key[0], "strategy": key[1]})
