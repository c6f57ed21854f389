"""Goal: a trader of another journal on the same account is noticed at the venue, stops ours, and keeps it stopped.

Two regions after a partition: the second restored a copy of the first one's journal, and both reach the venue.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from ares.control import ControlStore
from ares.control.copying import copy_sqlite
from tests.unit.trader.conftest import BTC, Bench
from trader.command_log import Order
from trader.execution.rivals import QUIET_S, AnotherTrades
from trader.execution.state import RESTORE, RIVAL
from trader.risk import TradingState
from trader.runtime import ACCOUNT_S, Trader
from trader.venues.gateway import OrderRequest

LOOKED = Order("ada", "restored; the book agrees with the venue")
OURS = f"ares{0:032x}"


@pytest.fixture
async def elsewhere(bench: Bench, tmp_path: Path) -> AsyncIterator[Bench]:
    """The second region: the journal as it was copied while the first region's trader ran; the same venue and clock."""
    await bench.trader()
    copy_sqlite(tmp_path / "control.db", tmp_path / "copied.db")
    control = ControlStore.open(f"sqlite:///{tmp_path / 'copied.db'}")
    yield replace(bench, control=control, traders=[], instances=100)
    control.close()


async def leading(bench: Bench) -> Trader:
    """The first region's trader, which lives and leads by its own journal."""
    await bench.advance(1)
    first = bench.traders[0]
    await first.leadership.wait()
    return first


async def restored(there: Bench) -> Trader:
    """A trader on a restored journal, as `ares backup restore` leaves it, that leads and has reconciled."""
    await there.build().states.change(TradingState.HALTED, RESTORE, "restored", there.clock.now_ns())
    return await there.trader()


async def looks(there: Bench, trader: Trader) -> None:
    """Until it looks at the account the next time."""
    await there.pass_time(trader, ACCOUNT_S)
    await trader.follow_once(there.clock.monotonic_s() - ACCOUNT_S)


def said(trader: Trader) -> tuple[TradingState, str]:
    return trader.states.current.state, trader.states.current.actor


async def test_leases_of_two_journals_keep_neither_from_leading_and_the_restored_one_sends_nothing(
    bench: Bench, elsewhere: Bench
) -> None:
    second, first = await restored(elsewhere), await leading(bench)
    assert first.leadership.may_send()
    assert second.leadership.may_send(), "what keeps it from trading is its state, not a lease"
    bench.market(target=1.0)
    await second.cycle.run()
    assert not bench.venue.submissions


async def test_whoever_is_restored_may_not_be_resumed_while_the_first_one_trades(
    bench: Bench, elsewhere: Bench
) -> None:
    second, first = await restored(elsewhere), await leading(bench)
    bench.market(target=1.0)
    await first.cycle.run()
    await looks(elsewhere, second)
    (order_id,) = bench.venue.submissions
    assert said(second) == (TradingState.HALTED, RIVAL)
    assert order_id in second.states.current.reason
    with pytest.raises(AnotherTrades, match=f"{order_id}.*End its key at the venue, then try again after 120 s"):
        await second.commander.resume(LOOKED)
    assert said(second) == (TradingState.HALTED, RIVAL)
    await elsewhere.pass_time(second, QUIET_S)
    await second.commander.resume(LOOKED)
    await second.states.refresh()
    assert said(second) == (TradingState.ACTIVE, "ada")


async def test_each_of_two_that_trade_at_once_stops_at_what_the_other_did(bench: Bench, elsewhere: Bench) -> None:
    second, first = await restored(elsewhere), await leading(bench)
    await second.commander.resume(LOOKED)
    await second.states.refresh()
    bench.market(target=0.5)
    await first.cycle.run()
    assert len(bench.venue.submissions) == 1
    await looks(elsewhere, second)
    assert said(second) == (TradingState.HALTED, RIVAL)
    bench.market(target=0.0)
    await second.cycle.run()
    assert len(bench.venue.submissions) == 1, "it sends nothing any more"


async def test_one_that_goes_on_trading_is_noticed_again_after_a_resume(bench: Bench, elsewhere: Bench) -> None:
    second = await restored(elsewhere)
    await second.commander.resume(LOOKED)
    for target in (0.4, 0.8):
        first = await leading(bench)
        bench.market(target=target)
        await first.cycle.run()
        await looks(elsewhere, second)
        assert said(second) == (TradingState.HALTED, RIVAL)
        await elsewhere.pass_time(second, QUIET_S + 1)
        await second.commander.resume(LOOKED)
    assert len(bench.venue.submissions) == 2


async def test_what_a_halted_first_region_may_still_hold_is_no_sign_that_it_trades(
    bench: Bench, elsewhere: Bench
) -> None:
    """An order that the copy of the journal lacks stood before, and is executed later."""
    lost = OrderRequest(OURS, BTC, "buy", "limit", "GTC", Decimal("0.01"), Decimal(40_000))
    bench.venue.rest(lost)
    stands = bench.venue.orders[OURS]
    second = await restored(elsewhere)
    await elsewhere.advance(5)
    filled = bench.venue._filled(lost, lost.quantity, Decimal(40_000), (Decimal(0), "BTC"))
    bench.venue.fills[-1] = replace(filled, venue_order_id=stands.venue_order_id)
    bench.venue.orders[OURS] = replace(stands, ts_ns=bench.clock.now_ns(), filled_quantity=Decimal("0.005"))
    await looks(elsewhere, second)
    assert second.ledger.portfolio.position(BTC, "foreign").quantity == Decimal("0.01"), "it was seen, and booked"
    assert said(second) == (TradingState.HALTED, RESTORE)
    await second.commander.resume(LOOKED)


async def test_what_was_executed_before_we_began_is_no_sign_of_life(bench: Bench, elsewhere: Bench) -> None:
    await bench.venue.submit(OrderRequest(OURS, BTC, "buy", "market", "IOC", Decimal("0.01"), None))
    await bench.advance(1)
    second = await restored(elsewhere)
    assert second.ledger.portfolio.position(BTC, "foreign").quantity == Decimal("0.00999")
    assert said(second) == (TradingState.HALTED, RESTORE)
    await second.commander.resume(LOOKED)


async def test_an_open_order_of_another_trader_is_a_sign_before_it_is_executed(bench: Bench) -> None:
    trader = await bench.trader()
    await bench.advance(1)
    bench.venue.rest(OrderRequest(OURS, BTC, "buy", "limit", "GTC", Decimal("0.01"), Decimal(40_000)))
    await trader.account.check_open_orders()
    await trader.states.refresh()
    assert said(trader) == (TradingState.HALTED, RIVAL)
    assert bench.venue.cancels == [], "it is not ours to cancel"


async def test_a_person_at_the_venue_is_no_other_trader(bench: Bench) -> None:
    trader = await bench.trader()
    await bench.advance(1)
    bench.venue.rest(OrderRequest("by-hand-1", BTC, "buy", "limit", "GTC", Decimal("0.01"), Decimal(40_000)))
    await bench.venue.submit(OrderRequest("by-hand-2", BTC, "buy", "market", "IOC", Decimal("0.01"), None))
    await looks(bench, trader)
    assert said(trader)[0] is TradingState.ACTIVE


async def test_why_a_person_halted_stays_what_they_said(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.halt(Order("ada", "worse fills"))
    await bench.advance(1)
    bench.venue.rest(OrderRequest(OURS, BTC, "buy", "limit", "GTC", Decimal("0.01"), Decimal(40_000)))
    await looks(bench, trader)
    assert (said(trader), trader.states.current.reason) == ((TradingState.HALTED, "ada"), "worse fills")
    with pytest.raises(AnotherTrades):
        await trader.commander.resume(LOOKED)
