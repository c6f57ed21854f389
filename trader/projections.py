"""The trader's tables as the log means them: orders, the book, the capital, the trading state, limits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ares.config import AresConfig
from ares.events import Event
from ares.events.projection import Projection
from ares.model.row import Row
from ares.model.strategies import FOREIGN
from ares.store import load_queries
from trader.events import (
    BookOpened,
    CapitalCounted,
    CapitalMoved,
    FillBooked,
    ForeignFillBooked,
    FundingBooked,
    LimitAsked,
    LimitSet,
    StateChanged,
)
from trader.execution.capital import amount_of
from trader.execution.journal import history
from trader.portfolio.money import ZERO
from trader.portfolio.portfolio import ADOPTED, FUNDING, Key
from trader.portfolio.positions import Fill, Position, adopt, after_fill, pay_funding
from trader.rows import Identity, capital_row, fill_row, limit_row, order_row, position_row, state_row

Positions = dict[Key, Position]
_LIVE = load_queries("trader", "queries/live.sql")


def _live(*tables: str) -> Mapping[str, str]:
    return {table: _LIVE[table] for table in tables}


class OrdersProjection:
    """The table `order_events`, and by it the view `orders`."""

    name = "orders"
    categories: Sequence[str] = ("order",)
    live = _live("order_events")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for order, step in history(events):
            yield order_row(order, step)


class BookProjection:
    """The tables `fills` and `position_events`, and by them the views `positions` and `pnl`.

    `venue` is where accounts trade whose book does not say so itself.
    """

    name = "positions"
    categories: Sequence[str] = ("fills",)
    live = _live("fills", "position_events")

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        positions: Positions = {}
        venue = self._venue
        for event in events:
            account = event.stored.stream.partition("/")[2]
            who = Identity(account, venue)
            match event.body:
                case BookOpened(said, adopted):
                    venue = said or venue
                    for each in adopted:
                        key = (each.symbol, each.strategy)
                        positions[key] = adopt(Position(*key), each.quantity, each.mark, event.stored.ts_ns)
                        yield position_row(Identity(account, venue), positions[key], ADOPTED, ADOPTED)
                case FillBooked(fill):
                    yield from _filled(who, positions, fill, "fill")
                case ForeignFillBooked(fill):
                    yield from _filled(who, positions, fill, FOREIGN)
                case FundingBooked(funding, shares):
                    for share in shares:
                        key = (funding.symbol, share.strategy)
                        paid = pay_funding(positions.get(key, Position(*key)), share.amount, funding.ts_ns)
                        positions[key] = paid
                        yield position_row(who, paid, FUNDING, f"{FUNDING}/{funding.payment_id}")


def _filled(who: Identity, positions: Positions, fill: Fill, cause: str) -> Iterator[Row]:
    key = (fill.execution.symbol, fill.strategy)
    booked = after_fill(positions.get(key, Position(*key)), fill)
    positions[key] = booked.position
    yield fill_row(who, fill)
    yield position_row(who, booked.position, cause, fill.execution.fill_id)


class CapitalProjection:
    """The table `capital`."""

    name = "capital"
    categories: Sequence[str] = ("capital",)
    live = _live("capital")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        capital = ZERO
        for event in events:
            said, stored = event.body, event.stored
            assert isinstance(said, CapitalCounted | CapitalMoved), "nothing else is in this stream"
            capital += amount_of(said)
            yield capital_row(stored.stream.partition("/")[2], said, capital, stored.ts_ns, stored.seq)


class StateProjection:
    """The table `trading_state`."""

    name = "trading_state"
    categories: Sequence[str] = ("trading_state",)
    live = _live("trading_state")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for event in events:
            assert isinstance(event.body, StateChanged), "nothing else is in this stream"
            account = event.stored.stream.partition("/")[2]
            yield state_row(account, event.body, event.stored.ts_ns, event.stored.seq)


class LimitsProjection:
    """The table `limits`."""

    name = "limits"
    categories: Sequence[str] = ("limits",)
    live = _live("limits")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for event in events:
            assert isinstance(event.body, LimitAsked | LimitSet), "nothing else is in this stream"
            account = event.stored.stream.partition("/")[2]
            yield limit_row(account, event.body, event.stored.ts_ns, event.stored.seq)


def projections(config: AresConfig) -> Sequence[Projection]:
    """What an account's streams are projected to."""
    book = BookProjection(config.trading.venue)
    return [OrdersProjection(), book, CapitalProjection(), StateProjection(), LimitsProjection()]
