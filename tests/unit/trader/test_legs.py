"""Goal: from any position there is a way out, in legs that limits and venue take; flips close first."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader.portfolio.forced import bearer, is_forced
from trader.portfolio.legs import Leg, closed_by, next_leg, only_closes, way_out
from trader.portfolio.orders import Intent, intended
from trader.portfolio.portfolio import Portfolio
from trader.portfolio.positions import Execution, Fill
from trader.portfolio.sizing import Grid, SizingPolicy, size
from trader.portfolio.ways_out import closes_own, only_reduces

D = Decimal
BTC, COINS = "BTC/USDT:USDT", "BTC/USDT"
GRID = Grid(D("0.1"), D("0.001"), D(100))
POLICY = SizingPolicy(D(5_000), D("0.1"), D("0.001"), D(2_000))
MARK = D(50_000)
quantities = st.decimals(D("-3"), D(3), allow_nan=False, allow_infinity=False, places=4)


@pytest.mark.parametrize(
    ("target", "held", "side", "sized", "reason"),
    [
        ("-1", "0", "sell", ("0.1", "-0.1"), "to_target"),
        ("-0.5", "0", "sell", ("0.05", "-0.05"), "to_target"),
        ("-7", "0", "sell", ("0.1", "-0.1"), "to_target"),
        ("-1", "-0.1", None, ("0", "-0.1"), "at_target"),
        ("-1", "-0.095", None, ("0", "-0.1"), "below_rebalance_share"),
        ("-0.5", "-0.1", "buy", ("0.04", "-0.05"), "to_target"),
        ("0", "-0.03", "buy", ("0.03", "0"), "closing"),
        ("0", "-0.1", "buy", ("0.04", "0"), "closing"),
        ("1", "-0.03", "buy", ("0.03", "0.1"), "closing_before_flip"),
        ("-1", "0.03", "sell", ("0.03", "-0.1"), "closing_before_flip"),
        ("-1", "0.1", "sell", ("0.04", "-0.1"), "closing_before_flip"),
        ("1", "-0.001", "buy", ("0.101", "0.1"), "to_target"),
        ("-1", "0.0004", "sell", ("0.1", "-0.1"), "to_target"),
        ("0", "-0.001", None, ("0", "0"), "below_cost_min"),
    ],
)
def test_a_wish_on_either_side_becomes_an_order_on_the_grid(
    target: str, held: str, side: str | None, sized: tuple[str, str], reason: str
) -> None:
    move = size(D(target), D(held), MARK, GRID, POLICY, shorts=True)
    assert (move.side, move.quantity, move.target_quantity, move.reason) == (side, *map(D, sized), reason)


def test_a_wish_below_zero_means_flat_where_nothing_can_be_short() -> None:
    assert size(D(-1), D(0), MARK, GRID, POLICY).reason == "at_target"
    assert size(D(-1), D("0.03"), MARK, GRID, POLICY).reason == "closing"


def test_no_order_is_more_than_the_venue_takes_in_one() -> None:
    small = replace(GRID, amount_max=D("0.02"))
    assert size(D(1), D(0), MARK, small, POLICY).quantity == D("0.02")
    assert size(D(0), D("0.1"), MARK, small, POLICY).quantity == D("0.02")
    assert next_leg(D("-0.1"), MARK, small, D(2_000)) == Leg("buy", D("0.02"))


@given(quantities, st.decimals(-2, 2, allow_nan=False, allow_infinity=False, places=3))
def test_cycle_after_cycle_ends_at_the_target_and_crosses_zero_only_when_flat_or_dust(
    held: Decimal, target: Decimal
) -> None:
    dust = GRID.cost_min / MARK + GRID.amount_step
    for _ in range(200):
        move = size(target, held, MARK, GRID, POLICY, shorts=True)
        if move.side is None:
            break
        after = held + (move.quantity if move.side == "buy" else -move.quantity)
        assert move.quantity % GRID.amount_step == 0
        assert held * after >= 0 or abs(held) < dust, "what is held is closed before the other side is opened"
        if abs(after) < abs(held):
            assert move.quantity * MARK <= POLICY.order_notional_quote_max
        held = after
    assert move.side is None
    assert abs(held - move.target_quantity) * MARK < max(
        POLICY.rebalance_share_min * POLICY.max_position_quote, GRID.cost_min * D("1.01")
    )


@given(quantities, st.sampled_from(("buy", "sell")), st.decimals(D("0.001"), 3, places=3))
def test_what_an_order_closes_is_no_more_than_is_held_and_only_on_the_way_out(
    held: Decimal, side: str, quantity: Decimal
) -> None:
    way = "buy" if side == "buy" else "sell"
    closed = closed_by(BTC, held, way, quantity)
    assert 0 <= closed <= min(quantity, abs(held))
    assert closed == 0 or way == way_out(held)
    after = held + (quantity if way == "buy" else -quantity)
    assert only_closes(BTC, held, way, quantity) == (held != 0 and abs(after) < abs(held) and held * after >= 0)


def test_every_sale_of_coins_closes_and_no_purchase_does() -> None:
    assert only_closes(COINS, D(0), "sell", D(1))
    assert not only_closes(COINS, D(-1), "buy", D(1))


@given(quantities.filter(bool), st.decimals(D("1"), D(200_000), places=2))
def test_legs_lead_to_what_the_venue_would_not_take_and_none_is_larger_than_it_must_be(
    held: Decimal, largest: Decimal
) -> None:
    for _ in range(4_000):
        leg = next_leg(held, MARK, GRID, largest)
        if leg is None:
            break
        assert leg.side == way_out(held)
        assert leg.quantity * MARK <= max(largest, GRID.amount_step * MARK)
        before, held = held, held + (leg.quantity if leg.side == "buy" else -leg.quantity)
        assert before * held >= 0, "a leg never crosses zero"
    most = max(GRID.amount_step, min(D(largest) / MARK, abs(held)))
    assert (
        abs(held) < GRID.amount_step
        or most * MARK < GRID.cost_min + GRID.amount_step * MARK
        or abs(held) * MARK < GRID.cost_min + GRID.amount_step * MARK
    )


def test_a_short_is_bought_back_in_legs_of_the_notional_limit() -> None:
    assert next_leg(D("-0.1"), MARK, GRID, D(2_000)) == Leg("buy", D("0.04"))
    assert next_leg(D("-0.02"), MARK, GRID, D(2_000)) == Leg("buy", D("0.02"))
    assert next_leg(D("-0.0009"), MARK, GRID, D(2_000)) is None
    assert next_leg(D(0), MARK, GRID, D(2_000)) is None


def intent(strategy: str, side: str, quantity: str, *, symbol: str = BTC, order_id: str = "x") -> Intent:
    return Intent(
        order_id=order_id,
        account="paper",
        venue="sim",
        symbol=symbol,
        strategy=strategy,
        version=1,
        side="buy" if side == "buy" else "sell",
        type="market",
        time_in_force="IOC",
        quantity=D(quantity),
        price=None,
        mark=MARK,
        source="signal",
        cycle_id="c",
        correlation_id="c",
        decided_at_ns=1,
    )


def book(**held: str) -> Portfolio:
    portfolio = Portfolio()
    for number, (strategy, quantity) in enumerate(held.items()):
        amount = D(quantity)
        side = "buy" if amount > 0 else "sell"
        execution = Execution(
            str(number), BTC, side, "v", abs(amount), MARK, abs(amount) * MARK, D(0), "USDT", maker=False, ts_ns=number
        )
        portfolio.apply(Fill(execution, f"o{number}", strategy, "c", number))
    return portfolio


def test_the_venue_is_told_to_open_nothing_only_where_the_whole_account_gets_smaller() -> None:
    alone = book(a="-1")
    assert only_reduces(intent("a", "buy", "1"), alone, ())
    assert not only_reduces(intent("a", "buy", "1.1"), alone, ()), "it opens what is beyond"
    assert not only_reduces(intent("a", "sell", "1"), alone, ())
    hedged = book(a="-1", b="1")
    cover = intent("a", "buy", "1")
    assert closes_own(cover, hedged)
    assert not only_reduces(cover, hedged, ()), "the account is flat: the venue would refuse the way out"
    assert not only_reduces(intent("b", "sell", "1", symbol=COINS), hedged, ()), "coins have no such word"


def test_orders_under_way_may_take_the_position_first() -> None:
    both = book(a="-1", b="-1")
    other, _ = intended(intent("b", "buy", "1", order_id="other"))
    assert only_reduces(intent("a", "buy", "1"), both, [other])
    large, _ = intended(intent("b", "buy", "1.5", order_id="large"))
    assert not only_reduces(intent("a", "buy", "1"), both, [large])
    itself, _ = intended(intent("a", "buy", "1"))
    assert only_reduces(itself.intent, both, [itself]), "an order does not stand in its own way"


def test_a_liquidation_is_borne_by_whose_position_it_closed() -> None:
    execution = Execution("1", BTC, "buy", "v", D(1), MARK, MARK, D(0), "USDT", maker=False, ts_ns=1)
    assert is_forced("autoclose-1596107620040000020")
    assert is_forced("adl_autoclose")
    assert not is_forced("ares0123")
    assert bearer(execution, {"a": D(-1), "b": D(5), "c": D("-0.5")}) == "a"
    assert bearer(execution, {"a": D("-0.6"), "c": D("-0.5")}) is None, "nobody's alone"
    assert bearer(replace(execution, side="sell"), {"a": D(-1)}) is None
