"""Goal: what happens to an order once in a thousand days happens right."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from ares.control import ControlStore, NewEvent
from ares.errors import SequenceConflict
from ares.model.row import Row
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.execution.state import TradingStates
from trader.execution.tracked import Tracked
from trader.portfolio.orders import Intent, Order, OrderState
from trader.portfolio.portfolio import Portfolio
from trader.portfolio.positions import Execution, Fill
from trader.risk import TradingState
from trader.runtime import Trader

D = Decimal


async def committed(bench: Bench, trader: Trader) -> Intent:
    """The intent of an order that was decided, sent and lost on the way."""
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    await trader.cycle.run()
    (order,) = trader.desk.orders()
    return order.intent


def execution(fill_id: str, quantity: str, side: str = "buy", venue_order_id: str = "7") -> Execution:
    return Execution(
        fill_id=fill_id,
        symbol=BTC,
        side="buy" if side == "buy" else "sell",
        venue_order_id=venue_order_id,
        quantity=D(quantity),
        price=D(50_000),
        cost=D(quantity) * 50_000,
        fee=D(0),
        fee_currency="USDT",
        maker=False,
        ts_ns=5,
    )


def fill(fill_id: str, quantity: str, side: str = "buy") -> Fill:
    return Fill(execution(fill_id, quantity, side), "ares1", STRATEGY, "cycle-1", 6, D(0), "")


async def test_the_same_intent_is_committed_once_even_after_its_order_ended(bench: Bench) -> None:
    trader = await bench.trader()
    intent = await committed(bench, trader)
    await bench.pass_time(trader, 7)
    assert trader.desk.orders() == []
    assert await trader.desk.intend(intent) is False
    assert bench.venue.submissions == {intent.order_id: 1}


async def test_executions_that_come_twice_are_booked_once(bench: Bench) -> None:
    trader = await bench.trader()
    await committed(bench, trader)
    (order,) = trader.desk.orders()
    assert await trader.desk.booking.book(order, [execution("901", "0.01")]) == 1
    assert await trader.desk.booking.book(order, [execution("901", "0.01")]) == 0
    assert trader.ledger.portfolio.position(BTC, STRATEGY).quantity == D("0.01")


async def test_a_venue_that_is_away_while_an_order_is_in_doubt_leaves_it_in_doubt(bench: Bench) -> None:
    trader = await bench.trader()
    await committed(bench, trader)
    bench.venue.away = True
    await trader.desk.follow()
    (order,) = trader.desk.orders()
    assert order.state is OrderState.UNKNOWN


async def test_an_ended_order_is_kept_until_all_that_it_filled_is_in_the_book(bench: Bench) -> None:
    """The venue's word that it filled comes before the executions: until they are booked they count as pending."""
    trader = await bench.trader()
    intent = await committed(bench, trader)
    (order,) = trader.desk.orders()
    told = replace(order, state=OrderState.FILLED, venue_order_id="7", filled_quantity=D("0.02"))
    trader.desk._tracked[intent.order_id] = Tracked(told)
    await trader.desk.follow()
    assert [each.remaining for each in trader.desk.pending()] == [D("0.02")]
    bench.venue.fills.append(execution("901", "0.02"))
    await trader.desk.follow()
    assert trader.desk.orders() == []
    assert trader.desk.pending() == ()
    assert trader.ledger.portfolio.filled(intent.order_id) == D("0.02")


async def test_an_order_with_nothing_left_to_happen_is_not_pending(bench: Bench) -> None:
    trader = await bench.trader()
    intent = await committed(bench, trader)
    (order,) = trader.desk.orders()
    trader.desk._tracked[intent.order_id] = Tracked(replace(order, state=OrderState.EXPIRED))
    assert trader.desk.pending() == ()


async def test_a_report_that_brings_no_news_is_no_step(bench: Bench) -> None:
    trader = await bench.trader()
    intent = await committed(bench, trader)
    await bench.pass_time(trader, 7)
    resting = replace(intent, order_id=f"{intent.order_id[:-1]}z", time_in_force="GTC", price=D(40_000))
    assert await trader.desk.intend(resting)
    await trader.desk.send(resting.order_id)
    (order,) = trader.desk.orders()
    assert order.state is OrderState.ACCEPTED
    await trader.desk.follow()
    await trader.desk.follow()
    assert trader.desk.orders() == [order]


async def test_a_stop_waits_only_so_long_for_an_order_that_is_on_its_way(bench: Bench) -> None:
    trader = await bench.trader()
    intent = await committed(bench, trader)
    trader.desk._tracked[intent.order_id].sending = True
    assert await trader.desk.quiet(0) is False
    waiting = asyncio.create_task(trader.desk.quiet(10))
    await bench.advance(0.1)
    trader.desk._tracked[intent.order_id].sending = False
    await bench.advance(0.1)
    assert await waiting is True


async def test_a_lease_that_is_not_held_needs_no_release(bench: Bench) -> None:
    trader = bench.build()
    await trader.leadership.release()
    assert trader.leadership.lease is None


async def test_more_sold_than_the_book_knows_is_counted_and_never_a_short_position(bench: Bench) -> None:
    trader = await bench.trader()
    assert await trader.ledger.book([fill("901", "0.01"), fill("902", "0.03", "sell")]) == 2
    assert trader.ledger.portfolio.position(BTC, STRATEGY).quantity == 0
    assert trader.ledger.excess == D("0.02")
    assert await trader.ledger.book([fill("902", "0.03", "sell")]) == 0


def test_a_fill_whose_id_is_no_number_is_booked_and_moves_no_scan() -> None:
    portfolio = Portfolio()
    assert portfolio.apply(fill("a-1", "0.01")) is not None
    assert portfolio.apply(fill("a-1", "0.01")) is None
    assert portfolio.last_fill_id(BTC) == 0


class Racing:
    """A control store in which somebody else writes to the stream just before us, some times."""

    def __init__(self, control: ControlStore, times: int) -> None:
        self._control = control
        self._append = control.append
        self.times = times

    def append(self, stream: str, events: Sequence[NewEvent], *, expected_seq: int, **rest: object) -> int:
        if self.times:
            self.times -= 1
            raise SequenceConflict("somebody was faster")
        return self._append(stream, events, expected_seq=expected_seq, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("conflicts", [1, 10_000])
async def test_a_state_that_others_change_too_is_set_again_or_said_not_to_be(
    bench: Bench, conflicts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = TradingStates(bench.control, "paper", bench.clock)
    monkeypatch.setattr(bench.control, "append", Racing(bench.control, conflicts).append)
    changing = states.change(TradingState.HALTED, "ada", "drill", 1)
    if conflicts == 1:
        assert (await changing).state is TradingState.HALTED
    else:
        with pytest.raises(SequenceConflict, match="moves faster"):
            await changing


def test_an_order_that_ended_has_nothing_left() -> None:
    intent = Intent(
        "ares1", "paper", "sim", BTC, STRATEGY, 1, "buy", "limit", "IOC", D(1), D(1), D(1), "signal", "c", "k", 1
    )
    assert Order(intent, OrderState.CANCELED, 3, 1).remaining == 0
    assert Order(intent, OrderState.ACCEPTED, 2, 1, filled_quantity=D("0.4")).remaining == D("0.6")


async def test_a_pair_whose_second_leg_cannot_be_committed_leaves_no_first_leg_behind(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = await bench.trader()
    one = await committed(bench, trader)
    await bench.pass_time(trader, 7)
    above, below = (
        replace(one, order_id=f"{one.order_id[:-1]}{leg}", side="sell", source="protection", list_id="list1")
        for leg in "xy"
    )
    journal = trader.account.parts.journal
    commit = journal.intend

    async def only_the_first(intent: Intent, mirror: Sequence[Row] = (), fencing: int = 0) -> Order | None:
        if intent.order_id == below.order_id:
            raise SequenceConflict("somebody else was faster")
        return await commit(intent, mirror, fencing)

    monkeypatch.setattr(journal, "intend", only_the_first)
    with pytest.raises(SequenceConflict):
        await trader.desk.intend_pair(above, below)
    await bench.pass_time(trader, 7)
    assert trader.desk.orders() == [], "the venue never had it, so it ends"
    assert above.order_id not in bench.venue.submissions
