"""The account's book: fills, funding and adoptions in the control store, applied once, replayed at start.

Stream `fills/<account>`: `opened` (once, with what was adopted), then a `filled` each, `foreign_filled` for what nobody
here ordered, `funding_paid` for a perpetual's funding. The event, the fill's row and the row of the position after it
are one transaction, so the book and its mirror never disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal

from ares.control import ControlStore
from ares.events.types import Origin
from ares.model.row import Row
from ares.model.strategies import FOREIGN
from ares.resilience import to_the_end
from ares.telemetry import get_logger, metrics
from trader.events import (
    FILLED,
    FOREIGN_FILLED,
    FUNDED,
    OPENED,
    REGISTRY,
    Adoption,
    BookOpened,
    FillBooked,
    ForeignFillBooked,
    FundingBooked,
)
from trader.portfolio.money import ZERO
from trader.portfolio.portfolio import ADOPTED, FUNDING, Funding, FundingShare, Portfolio, split_funding
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
        self.opened_at_ns = 0
        self.funded_to_ns = 0
        """When the newest payment of funding that is in the book fell due; 0 before the first."""
        self.excess = ZERO
        """Base sold beyond the book since the start, all symbols: not 0 means that the book was wrong."""

    @property
    def seq(self) -> int:
        """How many entries of the log are in the book."""
        return self._seq

    @property
    def is_open(self) -> bool:
        """Whether this account ever started."""
        return self._seq > 0

    async def load(self) -> None:
        """Replay the book, from where it was replayed to before: who stands by does it again and again."""
        async with self._writing:
            await to_the_end(asyncio.to_thread(self._replay))

    async def open(self, adoptions: Sequence[Adoption], now_ns: int) -> None:
        """Begin the book, with coins that were there before; once in the life of an account."""
        assert not self.is_open, "a book is opened once"
        positions = [self._adopt(adoption, now_ns) for adoption in adoptions]
        rows = [position_row(self._who, position, ADOPTED, ADOPTED) for position in positions]
        event = OPENED.new(BookOpened(self._who.venue, tuple(adoptions)), now_ns, Origin(attributes=self._about()))
        self._seq = await asyncio.to_thread(self._control.append, self._stream, [event], expected_seq=0, mirror=rows)
        self.opened_at_ns = now_ns

    async def book(self, fills: Sequence[Fill]) -> int:
        """Commit fills that are new; returns how many were."""
        async with self._writing:
            booked = 0
            for fill in fills:
                booked += await self._book(fill)
            return booked

    async def book_foreign(self, fill: Fill) -> bool:
        """Commit an execution that nobody here ordered; False if it was booked before."""
        async with self._writing:
            return await self._book(fill, foreign=True)

    async def book_funding(self, funding: Funding, now_ns: int) -> bool:
        """Commit a funding payment once, shared out among those who held its symbol then; False if it was before."""
        async with self._writing:
            if self.portfolio.knows(funding.symbol, f"{FUNDING}/{funding.payment_id}"):
                return False
            shares = split_funding(funding, self.portfolio.held_at(funding.symbol, funding.ts_ns))
            after = self.portfolio.preview_funding(funding, shares)
            rows = [position_row(self._who, each, FUNDING, f"{FUNDING}/{funding.payment_id}") for each in after]
            origin = Origin(attributes=self._about() | {"symbol": funding.symbol})
            event = FUNDED.new(FundingBooked(funding, shares), now_ns, origin)
            self._seq = await asyncio.to_thread(
                self._control.append, self._stream, [event], expected_seq=self._seq, mirror=rows
            )
            self._fund(funding, shares)
            log.info("funding_booked", symbol=funding.symbol, amount=str(funding.amount))
            return True

    async def _book(self, fill: Fill, *, foreign: bool = False) -> bool:
        execution = fill.execution
        if self.portfolio.knows(execution.symbol, execution.fill_id):
            return False
        preview = self.portfolio.preview(fill)
        rows: list[Row] = [
            fill_row(self._who, fill),
            position_row(self._who, preview.position, FOREIGN if foreign else "fill", execution.fill_id),
        ]
        event = (
            FOREIGN_FILLED.new(ForeignFillBooked(fill), fill.received_at_ns, Origin(attributes=self._about(fill)))
            if foreign
            else FILLED.new(FillBooked(fill), fill.received_at_ns, self._origin(fill))
        )
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
        for stored in self._control.stream(self._stream, self._seq):
            body = REGISTRY.read(stored).body
            match body:
                case FillBooked(fill) | ForeignFillBooked(fill):
                    self.portfolio.apply(fill)
                case FundingBooked(funding, shares):
                    self._fund(funding, shares)
                case BookOpened(_, adopted):
                    self.opened_at_ns = stored.ts_ns
                    for each in adopted:
                        self._adopt(each, stored.ts_ns)
                case _:
                    raise AssertionError("nothing else is in this stream")
            self._seq = stored.seq

    def _fund(self, funding: Funding, shares: Sequence[FundingShare]) -> None:
        self.portfolio.fund(funding, shares)
        self.funded_to_ns = max(self.funded_to_ns, funding.ts_ns)

    def _about(self, fill: Fill | None = None) -> dict[str, str]:
        """What subscribers may filter an event of the book by."""
        about = {"account": self._who.account, "venue": self._who.venue}
        return about if fill is None else about | {"symbol": fill.execution.symbol, "strategy": fill.strategy}

    def _origin(self, fill: Fill) -> Origin:
        """Whose piece of work a fill is; what it hangs on is its order's intent."""
        return Origin(fill.correlation_id, f"order/{self._who.account}/{fill.order_id}@1", self._about(fill))
