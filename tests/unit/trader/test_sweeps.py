"""Goal: an execution that nobody was told of is found, however late, whatever was booked and whoever died meanwhile."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.account import SHOWN_S_MAX
from trader.portfolio.orders import Intent, OrderReport
from trader.runtime import Trader
from trader.venues.gateway import OrderRequest


async def given_up(bench: Bench, trader: Trader) -> Intent:
    """An order that was sent, never answered, and not found for so long that it was taken for absent."""
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    await trader.cycle.run()
    (order,) = trader.desk.orders()
    await bench.pass_time(trader, 7)
    assert trader.desk.orders() == []
    return order.intent


async def arrives(bench: Bench, intent: Intent) -> None:
    """The network gives the order up at last, and the venue executes it."""
    request = OrderRequest(
        intent.order_id, intent.symbol, intent.side, intent.type, intent.time_in_force, intent.quantity, intent.price
    )
    await bench.venue.submit(request)


def held(trader: Trader) -> Decimal:
    return trader.ledger.portfolio.position(BTC, STRATEGY).quantity


async def test_a_late_execution_is_booked_though_a_younger_one_was_booked_before_a_crash(bench: Bench) -> None:
    trader = await bench.trader()
    intent = await given_up(bench, trader)
    await arrives(bench, intent)
    await bench.advance(5)
    bench.market(target=1.0)
    await trader.cycle.run()
    assert trader.ledger.portfolio.last_fill_id(BTC) == 2
    assert trader.ledger.portfolio.filled(intent.order_id) == 0
    successor = await bench.trader()
    assert successor.ledger.portfolio.filled(intent.order_id) == intent.quantity
    assert held(successor) == bench.venue.holdings["BTC"] - Decimal("0.05")


async def test_a_late_execution_before_anything_was_booked_is_not_taken_for_one_of_before_us(bench: Bench) -> None:
    trader = await bench.trader()
    intent = await given_up(bench, trader)
    await arrives(bench, intent)
    successor = await bench.trader()
    assert successor.ledger.portfolio.filled(intent.order_id) == intent.quantity


async def test_an_execution_is_booked_when_its_order_is_shown_at_last(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = await bench.trader()
    intent = await given_up(bench, trader)
    await arrives(bench, intent)
    with monkeypatch.context() as hiding:
        hide_orders(bench, hiding)
        assert await trader.account.sweep_executions([BTC]) == 0
    assert await trader.account.sweep_executions([BTC]) == 1
    assert held(trader) == bench.venue.holdings["BTC"] - Decimal("0.05")


async def test_an_execution_whose_order_is_never_shown_does_not_keep_later_ones_from_being_booked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = await bench.trader()
    intent = await given_up(bench, trader)
    await bench.venue.submit(OrderRequest("by-hand-1", BTC, "buy", "market", "IOC", Decimal("0.01"), None))
    await arrives(bench, intent)
    with monkeypatch.context() as hiding:
        hide_orders(bench, hiding, only="by-hand-1")
        assert await trader.account.sweep_executions([BTC]) == 0
        await bench.advance(SHOWN_S_MAX)
        assert await trader.account.sweep_executions([BTC]) == 2
    assert trader.ledger.portfolio.filled(intent.order_id) == intent.quantity


def hide_orders(bench: Bench, monkeypatch: pytest.MonkeyPatch, only: str = "") -> None:
    """The part of the venue that shows orders lags behind the part that shows executions."""
    find = type(bench.venue).find_order

    async def lag(venue: object, symbol: str, **ids: str) -> OrderReport | None:
        found = await find(bench.venue, symbol, **ids)
        return None if found is not None and only in ("", found.client_order_id) else found

    monkeypatch.setattr(type(bench.venue), "find_order", lag)
