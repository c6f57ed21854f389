"""The account's book: fills and adoptions in the control store, applied once, replayed at start.

Stream `fills/<account>`: `opened` (once, with what was adopted), then a `filled` each. The event, the fill's row and
the row of the position after it are one transaction, so the book and its mirror never disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ares.control import ControlStore
from ares.events.types import Origin
from ares.model.row import Row
from ares.telemetry import get_logger, metrics
from trader.events import FILLED, OPENED, REGISTRY, Adoption, BookOpened, FillBooked
from trader.portfolio.money import ZERO
from trader.portfolio.portfolio import ADOPTED, Portfolio
from trader.portfolio.positions import Fill, Position
from trader.rows import Identity, fill_row, position_row

log = get_logger(__name__)


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
        await asyncio.to_thread(self._replay)

    async def open(self, adoptions: Sequence[Adoption], now_ns: int) -> None:
        """Begin the book, with coins that were there before; once in the life of an account."""
        assert not self.is_open, "a book is opened once"
        positions = [self._adopt(adoption, now_ns) for adoption in adoptions]
        rows = [position_row(self._who, position, ADOPTED, ADOPTED) for position in positions]
        event = OPENED.new(BookOpened(self._who.venue, tuple(adoptions)), now_ns, self._origin())
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
        event = FILLED.new(FillBooked(fill), fill.received_at_ns, self._origin(fill))
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
        position = self.portfolio.adopt(adoption.symbol, adoption.strategy, adoption.quantity, adoption.mark, now_ns)
        assert position is not None, "a symbol is adopted once"
        return position

    def quantities(self) -> Mapping[tuple[str, str], Decimal]:
        """What is held by (symbol, strategy), in base; flat ones left out."""
        return {(p.symbol, p.strategy): p.quantity for p in self.portfolio.positions() if p.quantity}

    def _replay(self) -> None:
        for stored in self._control.stream(self._stream):
            body = REGISTRY.read(stored).body
            if isinstance(body, FillBooked):
                self.portfolio.apply(body.fill)
            else:
                assert isinstance(body, BookOpened), "nothing else is in this stream"
                for each in body.adopted:
                    self._adopt(each, stored.ts_ns)
            self._seq = stored.seq

    def _origin(self, fill: Fill | None = None) -> Origin:
        """Whose piece of work an event of the book is; what an order's fill hangs on is its intent."""
        account = {"account": self._who.account, "venue": self._who.venue}
        if fill is None:
            return Origin(attributes=account)
        attributes = account | {"symbol": fill.execution.symbol, "strategy": fill.strategy}
        return Origin(fill.correlation_id, f"order/{self._who.account}/{fill.order_id}@1", attributes)
