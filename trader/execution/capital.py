"""What the account began with and what came and went since: what profit is measured against.

Stream `capital/<account>`: `counted` once, at the first start, then `moved` for every deposit and withdrawal.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from ares.control import ControlStore, NewEvent
from ares.events.types import Origin
from ares.model.row import Row
from ares.telemetry import get_logger
from trader.events import CAPITAL_COUNTED, CAPITAL_MOVED, REGISTRY, CapitalCounted, CapitalMoved
from trader.portfolio.money import ZERO, to_scale
from trader.rows import capital_row

log = get_logger(__name__)


class Capital:
    """The only writer of the account's capital. `quote` is what was committed, in the reporting currency."""

    def __init__(self, control: ControlStore, account: str) -> None:
        self._control = control
        self._account = account
        self._seq = 0
        self._moved: set[str] = set()
        self._writing = asyncio.Lock()
        self.quote = ZERO

    @property
    def is_counted(self) -> bool:
        """Whether it is known what the account began with."""
        return self._seq > 0

    async def load(self) -> None:
        """Replay what was said before."""
        for stored in await asyncio.to_thread(self._control.read, self._stream, self._seq):
            said = REGISTRY.read(stored).body
            assert isinstance(said, CapitalCounted | CapitalMoved), "nothing else is in this stream"
            self._apply(said, stored.seq)

    async def count(self, said: CapitalCounted, now_ns: int) -> None:
        """Write down what the account begins with; once in its life."""
        async with self._writing:
            assert not self.is_counted, "capital is counted once"
            await self._append(CAPITAL_COUNTED.new(said, now_ns, self._origin()), said, now_ns)
        log.info("capital_counted", equity=str(said.equity_quote), currency=said.currency)

    async def move(self, said: CapitalMoved, now_ns: int) -> bool:
        """Write down that money came or went; False if this movement was written before."""
        async with self._writing:
            assert self.is_counted, "capital is counted at the first start"
            if said.movement_id in self._moved:
                return False
            await self._append(CAPITAL_MOVED.new(said, now_ns, self._origin()), said, now_ns)
        log.info("capital_moved", movement_id=said.movement_id, amount=str(said.amount_quote))
        return True

    async def _append(self, event: NewEvent, said: CapitalCounted | CapitalMoved, now_ns: int) -> None:
        row: Row = capital_row(self._account, said, self.quote + amount_of(said), now_ns, self._seq + 1)
        seq = await asyncio.to_thread(self._control.append, self._stream, [event], expected_seq=self._seq, mirror=[row])
        self._apply(said, seq)

    def _apply(self, said: CapitalCounted | CapitalMoved, seq: int) -> None:
        if isinstance(said, CapitalMoved):
            self._moved.add(said.movement_id)
        self.quote += amount_of(said)
        self._seq = seq

    @property
    def _stream(self) -> str:
        return f"capital/{self._account}"

    def _origin(self) -> Origin:
        return Origin(attributes={"account": self._account})


def amount_of(said: CapitalCounted | CapitalMoved) -> Decimal:
    """By how much capital changes, in the reporting currency, to scale."""
    return to_scale(said.equity_quote if isinstance(said, CapitalCounted) else said.amount_quote)
