"""Goal: what should protect a position follows from its cost and quantity alone, and never sells more than is held."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ares.config.trading import ProtectionConfig, StrategyConfig, TradingConfig
from ares.model.market import Side
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.events import StoppedOut
from trader.execution.protection import alone
from trader.execution.rests import wants_out
from trader.execution.tracked import excludes, protects_contract
from trader.portfolio.orders import Intent, Source
from trader.portfolio.positions import Position
from trader.portfolio.protection import Leg, ProtectionPolicy, plan_protection
from trader.portfolio.sizing import Grid
from trader.why import REASONS, Circumstances, Decided, sentence

GRID = Grid(Decimal("0.01"), Decimal("0.00001"), Decimal(5))
shares = st.decimals(Decimal("0.0001"), Decimal("0.9"), places=4)


def position(quantity: str, cost: str) -> Position:
    return Position(BTC, STRATEGY, Decimal(quantity), Decimal(cost))


def test_a_pair_lies_around_what_was_paid_on_the_tick() -> None:
    policy = ProtectionPolicy(stop_loss=Decimal("0.02"), take_profit=Decimal("0.03"))
    plan = plan_protection(policy, position("0.0799256", "4000"), Decimal(50_000), GRID)
    assert plan.quantity == Decimal("0.07992")
    assert plan.legs == (
        Leg("limit_maker", price=Decimal("51547.94")),
        Leg("stop_loss", stop_price=Decimal("49045.62")),
    )
    assert (plan.reached, plan.is_sellable) == ("", True)


@pytest.mark.parametrize(("mark", "reached"), [("49000", "stop_loss"), ("51000", "take_profit"), ("50000", "")])
def test_a_price_that_the_market_passed_already_is_said(mark: str, reached: str) -> None:
    policy = ProtectionPolicy(stop_loss=Decimal("0.02"), take_profit=Decimal("0.02"))
    assert plan_protection(policy, position("0.1", "5000"), Decimal(mark), GRID).reached == reached


def test_what_a_trailing_stop_left_unsold_is_sold_and_not_followed_anew() -> None:
    policy = ProtectionPolicy(trailing_bips=100)
    assert plan_protection(policy, position("0.1", "5000"), Decimal(50_000), GRID).reached == ""
    assert plan_protection(policy, position("0.1", "5000"), Decimal(50_000), GRID, was_met=True).reached == "stop_loss"


def test_what_is_worth_less_than_the_venues_least_order_cannot_be_protected() -> None:
    policy = ProtectionPolicy(stop_loss=Decimal("0.02"))
    assert not plan_protection(policy, position("0.0001", "5.01"), Decimal(50_100), GRID).is_sellable


@given(shares, shares, st.integers(0, 10**9), st.integers(1, 10**7))
def test_protection_never_sells_more_than_is_held_and_no_stop_is_too_far(
    loss: Decimal, profit: Decimal, units: int, cost: int
) -> None:
    held = Position(BTC, STRATEGY, Decimal(units) / 10**8, Decimal(cost))
    plan = plan_protection(ProtectionPolicy(stop_loss=loss, take_profit=profit), held, None, GRID)
    assert 0 <= plan.quantity <= held.quantity
    assert held.quantity - plan.quantity < GRID.amount_step
    for leg in plan.legs:
        price = leg.price or leg.stop_price
        assert price is not None
        assert price % GRID.price_tick == 0
        if leg.type == "stop_loss":
            assert price >= held.average_price * (1 - loss)


PERP = "BTC/USDT:USDT"


def contract(quantity: str, cost: str) -> Position:
    return Position(PERP, STRATEGY, Decimal(quantity), Decimal(cost))


@pytest.mark.parametrize(
    ("held", "side", "profit", "stop"),
    [
        (("0.0799", "4000"), "sell", "51564.46", "49061.33"),
        (("-0.0799", "-4000"), "buy", "48560.70", "51063.82"),
    ],
)
def test_two_orders_lie_around_what_a_contract_was_opened_at_on_either_side(
    held: tuple[str, str], side: str, profit: str, stop: str
) -> None:
    policy = ProtectionPolicy(stop_loss=Decimal("0.02"), take_profit=Decimal("0.03"))
    plan = plan_protection(policy, contract(*held), Decimal(50_000), GRID)
    assert (plan.side, plan.quantity) == (side, Decimal("0.0799"))
    assert plan.legs == (
        Leg("take_profit", stop_price=Decimal(profit)),
        Leg("stop_loss", stop_price=Decimal(stop)),
    )
    assert plan.is_sellable, "what only reduces may be worth as little as it is"


@pytest.mark.parametrize(("mark", "reached"), [("51000", "stop_loss"), ("49000", "take_profit"), ("50000", "")])
def test_a_short_has_its_loss_above_and_its_profit_below(mark: str, reached: str) -> None:
    policy = ProtectionPolicy(stop_loss=Decimal("0.02"), take_profit=Decimal("0.02"))
    assert plan_protection(policy, contract("-0.1", "-5000"), Decimal(mark), GRID).reached == reached


@given(shares, shares, st.integers(-(10**6), 10**6).filter(bool), st.integers(1, 10**7))
def test_what_protects_a_contract_closes_all_of_it_and_no_stop_is_too_far(
    loss: Decimal, profit: Decimal, units: int, price: int
) -> None:
    quantity = units * GRID.amount_step
    held = Position(PERP, STRATEGY, quantity, quantity * price)
    plan = plan_protection(ProtectionPolicy(stop_loss=loss, take_profit=profit), held, None, GRID)
    taken, stopped = (leg.stop_price for leg in plan.legs)
    assert taken is not None
    assert stopped is not None
    assert (plan.quantity, plan.side) == (abs(quantity), "sell" if units > 0 else "buy")
    assert taken % GRID.price_tick == stopped % GRID.price_tick == 0
    assert taken > 0
    assert abs(stopped - price) <= price * loss
    assert (taken - price) * units >= 0 >= (stopped - price) * units


@pytest.mark.parametrize(
    ("target", "stopped_by", "out"),
    [
        (0.0, "sell", True),
        (-1.0, "sell", True),
        (0.5, "sell", False),
        (0.0, "buy", True),
        (1.0, "buy", True),
        (-0.5, "buy", False),
        (0.0, None, False),
    ],
)
def test_who_was_stopped_out_wants_out_by_nothing_or_by_the_other_side(
    target: float, stopped_by: Side | None, out: bool
) -> None:
    assert wants_out(target, stopped_by) is out


@pytest.mark.parametrize(
    ("source", "side", "out"), [("signal", "buy", True), ("flatten", "buy", True), ("signal", "sell", False)]
)
def test_what_protects_a_short_keeps_purchases_away_and_lets_the_short_grow(
    source: Source, side: Side, out: bool
) -> None:
    protects = intent_of("protection", "buy")
    assert excludes(protects, intent_of(source, side)) is out
    assert excludes(intent_of("signal", "sell"), intent_of("manual", "buy")), "two decisions never go side by side"
    assert protects_contract(protects)
    assert not protects_contract(intent_of("signal", "buy"))


def intent_of(source: Source, side: Side) -> Intent:
    return Intent(
        order_id=f"{source}-{side}",
        account="paper",
        venue="sim",
        symbol=PERP,
        strategy=STRATEGY,
        version=1,
        side=side,
        type="market",
        time_in_force="IOC",
        quantity=Decimal("0.1"),
        price=None,
        mark=Decimal(50_000),
        source=source,
        cycle_id="",
        correlation_id="",
        decided_at_ns=1,
    )


def test_an_order_that_was_stopped_out_before_sides_were_told_sold() -> None:
    assert StoppedOut("BTC/USDT", STRATEGY, 1, "ares1").side == "sell"


def test_two_strategies_that_share_a_protected_contract_are_told_whose_it_is() -> None:
    stop = ProtectionConfig.model_validate({"stop_loss_pct": "1"})
    one = StrategyConfig(name="one", max_position_quote=Decimal(1), symbols=(PERP, BTC), protection=stop)
    config = TradingConfig(strategies=(one,))
    assert alone(config, (), PERP) == "one"
    assert alone(config, (), BTC) is None, "coins of others are others'"
    assert alone(TradingConfig(strategies=(one.model_copy(update={"protection": None}),)), (), PERP) is None


def test_two_stops_for_one_position_are_refused_by_the_settings() -> None:
    with pytest.raises(ValidationError, match="only one stop can stand"):
        ProtectionConfig.model_validate({"stop_loss_pct": "1", "trailing_pct": "1"})
    with pytest.raises(ValidationError, match=r"trailing_pct = 25: the venue follows by 0\.1 to 20"):
        ProtectionConfig.model_validate({"trailing_pct": "25"})


@pytest.mark.parametrize("reason", ["stopped_out", "unprotected", "protection_stands"])
def test_why_has_words_for_what_protection_keeps_from_being_traded(reason: str) -> None:
    seen = Decided(STRATEGY, BTC, "skip", reason, "ACTIVE", "now")
    words = sentence(seen, Circumstances("ACTIVE", "ada", "", "now"), STRATEGY)
    assert words == REASONS[reason]


async def test_a_venue_that_knows_no_stops_leaves_a_position_unprotected_and_that_is_told(bench: Bench) -> None:
    """Nothing is bought on top of it."""
    bench.configure(protection=ProtectionConfig.model_validate({"stop_loss_pct": "1"}))
    trader = await bench.trader()
    bench.market(target=0.5)
    await trader.cycle.run()
    await bench.pass_time(trader, 12)
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("skip", "unprotected")
    assert "is not protected at the venue" in str((await trader.commander.why(BTC))["lines"])
    events = [row.symbols["event"] for row in bench.rows("protection_events")]
    assert events.count("unprotected") == 1
    assert "refused" in events
    assert len(bench.venue.fills) == 1
