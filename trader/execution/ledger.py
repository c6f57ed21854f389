"""The account's book: fills and adoptions in the control store, applied once, replayed at start.

Stream `fills/<account>`: `opened` (once, with what was adopted), then a `filled` each. The event, the fill's row and
the row of the position after it are one transaction, so the book and its mirror never disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ares.control import ControlStore, Json, NewEvent, StoredEvent
from ares.model.row import Row
from ares.telemetry import get_logger, metrics
from trader.execution.codec import dump_fill, load_fill
from trader.portfolio.money import ZERO
from trader.portfolio.portfolio import ADOPTED, Portfolio
from trader.portfolio.positions import Fill, Position
from trader.rows import Identity, fill_row, position_row

log = get_logger(__name__)

Adoption = tuple[str, str, Decimal, Decimal]
"""(symbol, strategy, quantity in base, mark in quote)"""


class Ledger:
    """The only writer of positions. `portfolio` is what was committed, never more."""

    def __init__(self, control: ControlStore, who: Identity) -> None:
        self._control = control
        self._who = who
        self._stream = f"fills/{who.account}"
        self._seq = 0
        self._writing = asyncio.Lock()
        self.portfolio = Portfolio()
        self.excess = ZERO
        """Base sold beyond the book since the start, all symbols: not 0 means that the book was wrong."""

    @property
    def is_open(self) -> bool:
        """Whether this account ever started."""
        return self._seq > 0

    async def load(self) -> None:
        """Replay the book."""
        for event in await asyncio.to_thread(self._control.read, self._stream):
            _replay(self.portfolio, event)
            self._seq = event.seq

    async def open(self, adoptions: Sequence[Adoption], now_ns: int) -> None:
        """Begin the book, with coins that were there before; once in the life of an account."""
        assert not self.is_open, "a book is opened once"
        adopted: list[Json] = [[s, strategy, str(q), str(mark)] for s, strategy, q, mark in adoptions]
        positions = [self._adopt(adoption, now_ns) for adoption in adoptions]
        rows = [position_row(self._who, position, ADOPTED, ADOPTED) for position in positions]
        event = NewEvent("opened", now_ns, {"adopted": adopted})
        self._seq = await asyncio.to_thread(self._control.append, self._stream, [event], expected_seq=0, mirror=rows)

    async def book(self, fills: Sequence[Fill]) -> int:
        """Commit fills that are new; returns how many were."""
        async with self._writing:
            booked = 0
            for fill in fills:
                booked += await self._book(fill)
            return booked

    async def _book(self, fill: Fill) -> bool:
        execution = fill.execution
        if self.portfolio.knows(execution.symbol, execution.fill_id):
            return False
        preview = self.portfolio.preview(fill)
        rows: list[Row] = [
            fill_row(self._who, fill),
            position_row(self._who, preview.position, "fill", execution.fill_id),
        ]
        event = NewEvent("filled", fill.received_at_ns, dump_fill(fill))
        self._seq = await asyncio.to_thread(
            self._control.append, self._stream, [event], expected_seq=self._seq, mirror=rows
        )
        self.portfolio.apply(fill)
        self._tell(fill, preview.position, preview.excess)
        return True

    def _tell(self, fill: Fill, position: Position, excess: Decimal) -> None:
        execution = fill.execution
        metrics.TRADER_FILLS.labels(execution.symbol, execution.side).inc()
        metrics.TRADER_POSITION.labels(position.symbol, position.strategy).set(float(position.quantity))
        log.info(
            "fill_booked",
            order_id=fill.order_id,
            correlation_id=fill.correlation_id,
            symbol=execution.symbol,
            side=execution.side,
            quantity=str(execution.quantity),
            price=str(execution.price),
        )
        if excess:
            self.excess += excess
            log.error("sold_beyond_the_book", order_id=fill.order_id, symbol=execution.symbol, excess=str(excess))

    def _adopt(self, adoption: Adoption, now_ns: int) -> Position:
        position = self.portfolio.adopt(*adoption, now_ns)
        assert position is not None, "a symbol is adopted once"
        return position

    def quantities(self) -> Mapping[tuple[str, str], Decimal]:
        """What is held by (symbol, strategy), in base; flat ones left out."""
        return {(p.symbol, p.strategy): p.quantity for p in self.portfolio.positions() if p.quantity}


def _replay(portfolio: Portfolio, event: StoredEvent) -> None:
    if event.type == "filled":
        portfolio.apply(load_fill(event.payload))
        return
    adopted = event.payload["adopted"]
    assert isinstance(adopted, list), "an opening event lists what was adopted"
    for entry in adopted:
        assert isinstance(entry, list), "an adoption is symbol, strategy, quantity, mark"
        symbol, strategy, quantity, mark = entry
        portfolio.adopt(str(symbol), str(strategy), Decimal(str(quantity)), Decimal(str(mark)), event.ts_ns)
