"""The trader's tables as the log means them: orders, the book, the trading state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ares.config import AresConfig
from ares.events import Event
from ares.events.projection import Projection
from ares.model.row import Row
from ares.store import load_queries
from trader.events import BookOpened, FillBooked, StateChanged
from trader.execution.journal import history
from trader.portfolio.portfolio import ADOPTED
from trader.portfolio.positions import Position, adopt, apply_fill
from trader.rows import Identity, fill_row, order_row, position_row, state_row

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
        positions: dict[tuple[str, str], Position] = {}
        venue = self._venue
        for event in events:
            account = event.stored.stream.partition("/")[2]
            match event.body:
                case BookOpened(said, adopted):
                    venue = said or venue
                    for each in adopted:
                        key = (each.symbol, each.strategy)
                        positions[key] = adopt(Position(*key), each.quantity, each.mark, event.stored.ts_ns)
                        yield position_row(Identity(account, venue), positions[key], ADOPTED, ADOPTED)
                case FillBooked(fill):
                    key = (fill.execution.symbol, fill.strategy)
                    positions[key] = apply_fill(positions.get(key, Position(*key)), fill).position
                    yield fill_row(Identity(account, venue), fill)
                    yield position_row(Identity(account, venue), positions[key], "fill", fill.execution.fill_id)


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


def projections(config: AresConfig) -> Sequence[Projection]:
    """What an account's streams are projected to."""
    return [OrdersProjection(), BookProjection(config.trading.venue), StateProjection()]
