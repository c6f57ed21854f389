"""What the trader needs of a venue. Two implementations pass one contract: ccxt's, and the one in `trader.testing`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from ares.model.market import Side
from ares.resilience import Rate
from trader.portfolio.orders import OrderReport, OrderType
from trader.portfolio.portfolio import Funding
from trader.portfolio.positions import Execution
from trader.portfolio.sizing import Grid


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order on its way out. `quantity` in base, on the venue's grid; prices in quote, None where it has none."""

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    time_in_force: str
    quantity: Decimal
    price: Decimal | None
    reduce_only: bool = False
    """The venue shall execute no more of it than closes what the account holds of a contract."""
    stop_price: Decimal | None = None
    trailing_bips: int = 0


@dataclass(frozen=True, slots=True)
class PairRequest:
    """Two sells or two buys of one quantity, on their way out; what executes one ends the other."""

    list_id: str
    above: OrderRequest
    below: OrderRequest


@dataclass(frozen=True, slots=True)
class Balance:
    """What the account holds of one currency.

    Where contracts are held `free` is what margin may be given of, and counts profit that was not taken; `locked` is
    the rest of what is there, so it may be below 0.
    """

    free: Decimal
    locked: Decimal

    @property
    def total(self) -> Decimal:
        return self.free + self.locked


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """What the account holds of a contract, whoever ordered it. `quantity` in base, below 0 on the short side.

    `entry_price` in quote: unrealised profit, as the venue counts it, is measured from there. `liquidation_price` in
    quote, None where the venue names none.
    """

    quantity: Decimal
    entry_price: Decimal
    liquidation_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class KeyRights:
    """What the account's key may do beside looking."""

    trade: bool
    withdraw: bool


class VenueGateway(Protocol):
    """Every call may raise `VenueUnavailable` and `VenueRejected`; `submit` and `cancel` also `OrderOutcomeUnknown`."""

    async def connect(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        """Learn the grids of `symbols` before anything else. Raises `UnknownSymbol`."""
        ...

    async def grids(self, symbols: Sequence[str]) -> Mapping[str, Grid]:
        """The same as the venue says it now; symbols that it does not list any more are missing."""
        ...

    def obstacle(self, symbol: str) -> str | None:
        """Why no order of this symbol can be sent now, in a decision's words; None if one can, as far as is known."""
        ...

    async def look_around(self, symbols: Sequence[str]) -> None:
        """Learn whether the venue works, which of `symbols` it lets trade, and how often it lets itself be asked."""
        ...

    def rates(self) -> Sequence[tuple[Rate, int, int]]:
        """What the venue counts, how much of it is used, and its limit."""
        ...

    async def rights(self) -> KeyRights:
        """What our key may do. `VenueRejected` where the venue does not tell."""
        ...

    async def submit(self, request: OrderRequest) -> OrderReport:
        """Send an order, once. `VenueRejected` means it does not exist; every doubt is `OrderOutcomeUnknown`."""
        ...

    async def submit_pair(self, request: PairRequest) -> tuple[OrderReport, OrderReport]:
        """Send a pair, once, as `submit` does: both legs or neither; the one above the market first."""
        ...

    async def cancel(self, symbol: str, client_order_id: str) -> None:
        """Ask for the end of an order, and with it of its pair.

        Whether it came is for `find_order` to say, whatever this returns or raises.
        """
        ...

    async def amend(self, symbol: str, client_order_id: str, quantity: Decimal) -> None:
        """Ask for less of an open order, in base, what was filled included; it keeps its id and its place in the queue.

        Whether it came is for `find_order` to say, whatever this returns or raises.
        """
        ...

    async def find_order(
        self, symbol: str, *, client_order_id: str | None = None, venue_order_id: str | None = None
    ) -> OrderReport | None:
        """An order by either id; None if the venue shows none (which just after a submit proves nothing)."""
        ...

    async def open_orders(self) -> list[OrderReport]:
        """All open orders of the account, strangers' too."""
        ...

    async def executions_of(self, symbol: str, venue_order_id: str) -> list[Execution]:
        """All executions of one order."""
        ...

    async def executions_after(self, symbol: str, fill_id: int) -> list[Execution]:
        """The account's executions of a symbol with a higher id, oldest first, at most one page."""
        ...

    async def last_fill_id(self, symbol: str) -> int:
        """The highest id among the account's executions of a symbol; 0 before the first."""
        ...

    async def balances(self) -> Mapping[str, Balance]:
        """What the account holds, by currency."""
        ...

    async def positions(self) -> Mapping[str, VenuePosition]:
        """What the account holds of contracts, by symbol, flat ones left out; empty where coins are traded."""
        ...

    async def funding_after(self, ts_ns: int) -> list[Funding]:
        """Funding paid or received at or after a moment, oldest first, at most one page; empty where coins are traded.

        Ids are unique by symbol, so a payment that is told twice is known by its own.
        """
        ...

    async def marks(self, symbols: Sequence[str]) -> Mapping[str, Decimal]:
        """The middle of best bid and ask now, in quote; symbols without a market are missing."""
        ...

    async def close(self) -> None: ...
