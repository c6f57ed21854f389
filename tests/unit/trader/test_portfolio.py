"""Goal: positions, sizes and orders follow from fills and wishes exactly, worked by hand here."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from trader.portfolio.money import ceil_to, floor_to, from_market, to_scale
from trader.portfolio.orders import (
    IllegalTransition,
    Intent,
    Order,
    OrderReport,
    OrderState,
    Step,
    advance,
    intended,
    step_for,
)
from trader.portfolio.portfolio import Portfolio
from trader.portfolio.positions import Execution, Fill, Position, adopt, apply_fill
from trader.portfolio.sizing import Grid, SizingPolicy, limit_price, size

D = Decimal
BTC = "BTC/USDT"
GRID = Grid(D("0.01"), D("0.00001"), D(5))
POLICY = SizingPolicy(D(4_000), D("0.1"), D("0.001"), D(5_000))


def fill(side: str, quantity: str, price: str, fee: str, currency: str, *, fill_id: str = "1", rate: str = "0") -> Fill:
    assert side in ("buy", "sell")
    cost = D(quantity) * D(price)
    execution = Execution(fill_id, BTC, side, "7", D(quantity), D(price), cost, D(fee), currency, False, 1_000)  # type: ignore[arg-type]
    return Fill(execution, "order", "a", "why", 2_000, D(rate))


def test_a_buy_with_its_fee_in_base_holds_less_at_the_same_cost() -> None:
    position = apply_fill(Position(BTC, "a"), fill("buy", "0.1", "50000", "0.0001", "BTC")).position
    assert (position.quantity, position.cost_basis, position.fees_quote) == (D("0.0999"), D(5_000), D(5))
    assert position.average_price == D("50050.0500500501")


def test_a_buy_with_its_fee_in_quote_costs_more() -> None:
    position = apply_fill(Position(BTC, "a"), fill("buy", "0.1", "50000", "5", "USDT")).position
    assert (position.quantity, position.cost_basis) == (D("0.1"), D(5_005))


def test_a_fee_in_a_third_currency_counts_at_its_rate() -> None:
    position = apply_fill(Position(BTC, "a"), fill("buy", "0.1", "50000", "0.01", "BNB", rate="600")).position
    assert (position.quantity, position.cost_basis, position.fees_quote) == (D("0.1"), D(5_006), D(6))


def test_a_sell_realises_its_proceeds_less_fee_and_the_cost_of_what_left() -> None:
    held = adopt(Position(BTC, "a"), D("0.2"), D(50_000), 1)
    booked = apply_fill(held, fill("sell", "0.05", "60000", "3", "USDT"))
    assert booked.excess == 0
    assert booked.position.realised_quote == D(3_000 - 3 - 2_500)
    assert (booked.position.quantity, booked.position.cost_basis) == (D("0.15"), D(7_500))


def test_closing_takes_all_of_the_cost_along() -> None:
    held = adopt(Position(BTC, "a"), D("0.3"), D("33333.333333333667"), 1)
    assert held.cost_basis == D("10000.0000000001")
    position = apply_fill(held, fill("sell", "0.3", "50000", "0", "USDT")).position
    assert (position.quantity, position.cost_basis) == (D(0), D(0))


def test_a_sell_beyond_the_book_leaves_it_flat_and_is_reported() -> None:
    booked = apply_fill(adopt(Position(BTC, "a"), D("0.1"), D(50_000), 1), fill("sell", "0.15", "50000", "0", "USDT"))
    assert (booked.position.quantity, booked.excess) == (D(0), D("0.05"))
    assert booked.position.realised_quote == D(2_500)


def test_every_change_of_a_position_is_later_than_the_one_before() -> None:
    first = apply_fill(Position(BTC, "a"), fill("buy", "0.1", "50000", "0", "BTC")).position
    second = apply_fill(first, fill("sell", "0.1", "50000", "0", "USDT", fill_id="2")).position
    assert (first.changed_at_ns, second.changed_at_ns) == (1_000, 1_001)
    assert (first.seq, second.seq) == (1, 2)


def test_a_symbol_without_a_mark_is_worth_what_it_cost() -> None:
    portfolio = Portfolio()
    portfolio.apply(fill("buy", "0.1", "50000", "0", "BTC"))
    assert portfolio.worth({}).pnl_quote == 0
    worth = portfolio.worth({BTC: D(51_000)})
    assert (worth.positions_quote, worth.unrealised_quote, worth.pnl_quote) == (D(5_100), D(100), D(100))


def test_adopting_twice_is_adopting_once() -> None:
    portfolio = Portfolio()
    assert portfolio.adopt(BTC, "a", D("0.05"), D(50_000), 1) is not None
    assert portfolio.adopt(BTC, "a", D("0.05"), D(60_000), 2) is None
    assert portfolio.position(BTC, "a").cost_basis == D(2_500)
    assert portfolio.fills == 1


@pytest.mark.parametrize(
    ("target", "held", "side", "quantity", "reason"),
    [
        ("1", "0", "buy", "0.08", "to_target"),
        ("0.5", "0", "buy", "0.04", "to_target"),
        ("7", "0", "buy", "0.08", "to_target"),
        ("1", "0.075", None, "0", "below_rebalance_share"),
        ("1", "0.08", None, "0", "at_target"),
        ("0", "0.08", "sell", "0.08", "closing"),
        ("-1", "0.001", "sell", "0.001", "closing"),
        ("-1", "0.000019", None, "0", "below_cost_min"),
        ("-1", "0.00009", None, "0", "below_cost_min"),
        ("-1", "0.0000011", None, "0", "at_target"),
        ("-1", "0", None, "0", "at_target"),
        ("0", "0.5", "sell", "0.1", "closing"),
        ("0.5", "0.08", "sell", "0.04", "to_target"),
    ],
)
def test_a_wish_becomes_an_order_on_the_grid(
    target: str, held: str, side: str | None, quantity: str, reason: str
) -> None:
    move = size(D(target), D(held), D(50_000), GRID, POLICY)
    assert (move.side, move.quantity, move.reason) == (side, D(quantity), reason)


def test_rounding_never_makes_a_price_worse_than_the_slippage() -> None:
    assert limit_price("buy", D("61837.635"), D("0.001"), D("0.01")) == D("61899.47")
    assert limit_price("sell", D("61837.635"), D("0.001"), D("0.01")) == D("61775.80")


def test_money_helpers_round_as_they_say() -> None:
    assert from_market(0.1) == D("0.1")
    assert floor_to(D("0.129"), D("0.01")) == D("0.12")
    assert ceil_to(D("0.121"), D("0.01")) == D("0.13")
    assert floor_to(D("0.129"), D(0)) == D("0.129")
    assert to_scale(D("0.00000000005")) == D(0)


INTENT = Intent(
    order_id="ares1",
    account="paper",
    venue="sim",
    symbol=BTC,
    strategy="a",
    version=1,
    side="buy",
    type="limit",
    time_in_force="IOC",
    quantity=D(1),
    price=D(50_000),
    mark=D(50_000),
    source="signal",
    cycle_id="c",
    correlation_id="x",
    decided_at_ns=1,
)


def order(state: OrderState, filled: str = "0") -> Order:
    fresh, _ = intended(INTENT)
    return replace(fresh, state=state, filled_quantity=D(filled))


def report(state: OrderState, filled: str = "0") -> OrderReport:
    return OrderReport("ares1", "7", BTC, "buy", state, D(1), D(filled), D(filled) * 50_000, 5)


@pytest.mark.parametrize("final", [s for s in OrderState if s.final])
@pytest.mark.parametrize("state", list(OrderState))
def test_a_final_order_never_changes(final: OrderState, state: OrderState) -> None:
    with pytest.raises(IllegalTransition):
        advance(order(final), Step("x", state, 2))
    assert step_for(order(final), report(state, "1"), 2) is None


def test_an_order_cannot_lose_what_was_filled() -> None:
    with pytest.raises(IllegalTransition):
        advance(order(OrderState.PARTIALLY_FILLED, "0.5"), Step("x", OrderState.FILLED, 2, filled_quantity=D("0.4")))


def test_an_unknown_order_is_not_unsent_again() -> None:
    with pytest.raises(IllegalTransition):
        advance(order(OrderState.UNKNOWN), Step("x", OrderState.SUBMITTED, 2))


def test_old_news_is_no_step() -> None:
    assert step_for(order(OrderState.PARTIALLY_FILLED, "0.5"), report(OrderState.ACCEPTED), 2) is None
    assert step_for(order(OrderState.PARTIALLY_FILLED, "0.5"), report(OrderState.PARTIALLY_FILLED, "0.5"), 2) is None
    assert step_for(order(OrderState.ACCEPTED), report(OrderState.REJECTED), 2) is None


def test_an_accepted_order_that_filled_something_is_partly_filled() -> None:
    step = step_for(order(OrderState.UNKNOWN), report(OrderState.ACCEPTED, "0.3"), 2)
    assert step is not None
    assert (step.state, step.filled_quantity) == (OrderState.PARTIALLY_FILLED, D("0.3"))


def test_what_remains_of_an_order_is_nothing_once_it_is_final() -> None:
    assert order(OrderState.UNKNOWN, "0.25").remaining == D("0.75")
    assert order(OrderState.EXPIRED, "0.25").remaining == D(0)
