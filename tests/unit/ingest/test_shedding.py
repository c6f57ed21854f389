"""What is dropped when there is no room: books first, then quotes, each as an outage; never trades."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from ares.clock import SystemClock
from ares.model.market import Book, Entry, Quote, Trade
from ares.model.row import Row
from ingest.collector import shed_channels
from ingest.desk import Desk
from ingest.feed import Channel, Frame
from ingest.validation import Limits

BTC = "BTC/USDT"
CLOCK = SystemClock()
T0 = CLOCK.now_ns() - 10**9


class Passing:
    """A feed whose payloads are the events."""

    def decode(self, frame: Frame) -> Sequence[object]:
        return [frame.payload]

    def runs(self, frames: Sequence[Frame]) -> None:
        return None


def rows_of(desk: Desk, channel: Channel, event: object) -> list[Entry]:
    return list(desk.rows_of(Passing(), [Frame(channel, event, T0)]))  # type: ignore[arg-type] - what is used of a feed


def quote(number: int) -> Quote:
    return Quote("sim", BTC, number, 99.0, 1.0, 101.0, 1.0, T0 + number, T0 + number, "receipt")


def book(number: int) -> Book:
    return Book("sim", BTC, number, ((99.0, 1.0),), ((101.0, 1.0),), T0 + number, T0 + number, "receipt")


def trade(seq: int) -> Trade:
    return Trade("sim", BTC, str(seq), seq, "buy", 100.0, 1.0, T0 + seq, T0 + seq, "stream")


@pytest.mark.parametrize(
    ("pressure", "dropped"),
    [(0.0, set()), (0.79, set()), (0.8, {"books"}), (0.9, {"books", "quotes"}), (1.0, {"books", "quotes"})],
)
def test_the_less_room_the_more_is_dropped(pressure: float, dropped: set[str]) -> None:
    assert shed_channels(pressure) == dropped


@pytest.mark.parametrize(("channel", "event"), [("quotes", quote), ("books", book)])
def test_what_is_dropped_is_one_outage_from_the_last_that_was_kept_to_the_first_kept_again(
    channel: Channel, event: Callable[[int], Quote | Book]
) -> None:
    desk = Desk("sim", (BTC,), Limits(60.0, 10.0), CLOCK)
    assert rows_of(desk, channel, event(1)) == [event(1)]
    desk.shed = frozenset({channel})
    dropped = [row for number in range(2, 50) for row in rows_of(desk, channel, event(number))]
    assert [(row.symbols["status"], row.symbols["cause"]) for row in gaps(dropped)] == [("open", "shed")]
    assert len(dropped) == 1
    desk.shed = frozenset()
    kept, closing = rows_of(desk, channel, event(50))
    assert kept == event(50)
    [closed] = gaps([closing])
    assert (closed.symbols["status"], closed.columns["started_at"]) == ("lost", T0 + 1)
    assert closed.columns["ended_at"] == T0 + 50


def test_trades_are_kept_whatever_is_dropped() -> None:
    desk = Desk("sim", (BTC,), Limits(60.0, 10.0), CLOCK)
    desk.shed = shed_channels(1.0)
    assert [rows_of(desk, "trades", trade(seq)) for seq in (1, 2)] == [[trade(1)], [trade(2)]]


def gaps(rows: Sequence[Entry]) -> list[Row]:
    return [row for row in rows if isinstance(row, Row) and row.table == "gaps"]
