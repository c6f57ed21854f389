"""Goal: what a plan does next follows from what was done and what the market is, and never adds up to more than it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from trader.portfolio.orders import Intent, Order, OrderState
from trader.portfolio.plans import (
    ROOM_NS,
    Child,
    ExecutionPolicy,
    Moment,
    Next,
    Plan,
    Progress,
    Recall,
    Stop,
    Wait,
    ends_at_ns,
    next_step,
    shortfall_bips,
)
from trader.portfolio.sizing import Grid

D = Decimal
GRID = Grid(D("0.01"), D("0.00001"), D(5))
START = 1_795_464_300 * NANOS_PER_SECOND
POST_ONLY = ExecutionPolicy(
    name="post_only",
    patience_ns=30 * NANOS_PER_SECOND,
    follow_share=D("0.001"),
    follow_ns_min=5 * NANOS_PER_SECOND,
    gives_up=False,
    slices=4,
    over_ns=40 * NANOS_PER_SECOND,
    visible_share=D("0.25"),
    slippage_max=D("0.001"),
)
TWAP = replace(POST_ONLY, name="twap")
ICEBERG = replace(POST_ONLY, name="iceberg")
BUY = Plan(
    plan_id="ares0123456789abcdef0123456789abcdef",
    account="paper",
    venue="sim",
    symbol="BTC/USDT",
    strategy="signal_momentum",
    version=1,
    side="buy",
    quantity=D("0.08"),
    mark=D(50_000),
    reduces=False,
    policy=POST_ONLY,
    slot_ns=START,
    cycle_id="paper-1",
    correlation_id="1",
    trace_id="",
    signal_known_at_ns=START,
    decided_at_ns=START,
    ends_at_ns=START + 35 * NANOS_PER_SECOND,
)
SELL = replace(BUY, side="sell", reduces=True)
SLICED = replace(BUY, policy=TWAP, ends_at_ns=START + 40 * NANOS_PER_SECOND)


def at(seconds: float, bid: str | None = "50000", ask: str | None = "50000.01", closable: str = "0") -> Moment:
    now_ns = START + round(seconds * NANOS_PER_SECOND)
    quotes = (None if bid is None else D(bid), None if ask is None else D(ask))
    return Moment(now_ns, D(closable), GRID, *quotes)


def done(orders: int, filled: str, seconds: float, *, whole: bool = False, working: Order | None = None) -> Progress:
    at_ns = START + round(seconds * NANOS_PER_SECOND)
    cost = D(filled) * 50_000
    return Progress(orders, D(filled), cost, D(filled), last_at_ns=at_ns, last_is_filled=whole, working=working)


def resting(price: str, state: OrderState = OrderState.ACCEPTED, kind: str = "limit_maker") -> Order:
    intent = Intent(
        order_id="x",
        account="paper",
        venue="sim",
        symbol="BTC/USDT",
        strategy="signal_momentum",
        version=1,
        side="buy",
        type="limit_maker" if kind == "limit_maker" else "limit",
        time_in_force="GTC",
        quantity=D("0.08"),
        price=D(price),
        mark=D(50_000),
        source="signal",
        cycle_id="paper-1",
        correlation_id="1",
        decided_at_ns=START,
    )
    return Order(intent, state, 3, START)


def test_a_maker_rests_at_its_own_sides_best_price_with_all_of_it() -> None:
    assert next_step(BUY, Progress(), at(0)) == Child("limit_maker", "GTC", D("0.08"), D(50_000))
    sells = next_step(SELL, Progress(), at(0, closable="1"))
    assert sells == Child("limit_maker", "GTC", D("0.08"), D("50000.01"))


@pytest.mark.parametrize(
    ("seconds", "bid", "step"),
    [
        (6, "50000", Wait("order_rests")),
        (6, "50040", Wait("order_rests")),
        (6, "50060", Recall("market_moved")),
        (6, "49940", Recall("market_moved")),
        (4, "50060", Wait("order_rests")),
        (6, None, Wait("order_rests")),
        (30, "50000", Recall("patience_over")),
        (30, None, Recall("patience_over")),
    ],
)
def test_an_order_that_rests_is_recalled_when_the_market_left_it_or_patience_is_over(
    seconds: float, bid: str | None, step: Next
) -> None:
    assert next_step(BUY, done(1, "0", 0, working=resting("50000")), at(seconds, bid)) == step


@pytest.mark.parametrize("state", [OrderState.UNKNOWN, OrderState.SUBMITTED, OrderState.INTENDED])
def test_nothing_follows_and_nothing_is_recalled_while_an_orders_outcome_is_unknown(state: OrderState) -> None:
    progress = done(1, "0", 0, working=resting("50000", state))
    assert next_step(BUY, progress, at(34)) == Wait("order_under_way")


def test_after_patience_the_rest_is_taken_once_within_slippage_of_the_mark_of_then() -> None:
    taken = next_step(BUY, done(1, "0.03", 0), at(31, "51000", "51000"))
    assert taken == Child("limit", "IOC", D("0.05"), D(51_051))
    assert next_step(BUY, done(2, "0.04", 31), at(31.5)) == Stop("rest_not_taken")


def test_who_gives_up_takes_nothing() -> None:
    plan = replace(BUY, policy=replace(POST_ONLY, gives_up=True))
    assert next_step(plan, done(1, "0.03", 0), at(31)) == Stop("gave_up")


def test_after_a_maker_that_was_refused_the_next_one_waits() -> None:
    assert next_step(BUY, done(1, "0", 2), at(3)) == Wait("next_order_later")
    assert isinstance(next_step(BUY, done(1, "0", 2), at(7)), Child)


def test_slices_share_what_is_left_and_each_has_its_time() -> None:
    assert next_step(SLICED, Progress(), at(0)) == Child("limit", "IOC", D("0.02"), D("50050.00"))
    assert next_step(SLICED, done(1, "0.005", 0), at(9)) == Wait("slice_done")
    second = next_step(SLICED, done(1, "0.005", 0), at(10))
    assert isinstance(second, Child)
    assert second.quantity == D("0.02500")
    last = next_step(SLICED, done(2, "0.01", 10), at(32))  # the third one's time went by unused
    assert isinstance(last, Child)
    assert last.quantity == D("0.07")
    assert next_step(SLICED, done(3, "0.01", 32), at(40)) == Stop("time_over")


def test_a_slice_is_no_less_than_the_venue_takes_and_leaves_no_less() -> None:
    small = next_step(replace(SLICED, quantity=D("0.00025")), Progress(), at(0))
    assert isinstance(small, Child)
    assert small.quantity == D("0.00010")
    rest = next_step(replace(SLICED, quantity=D("0.00015")), Progress(), at(0))
    assert isinstance(rest, Child)
    assert rest.quantity == D("0.00015")
    assert next_step(replace(SLICED, quantity=D("0.00009")), Progress(), at(0)) == Stop("rest_too_small")


def test_an_iceberg_shows_a_part_and_the_next_when_it_was_filled() -> None:
    plan = replace(BUY, policy=ICEBERG)
    assert next_step(plan, Progress(), at(0)) == Child("limit_maker", "GTC", D("0.02"), D(50_000))
    assert next_step(plan, done(1, "0.02", 0, whole=True), at(0.5)) == Child("limit_maker", "GTC", D("0.02"), D(50_000))
    assert next_step(plan, done(4, "0.08", 3, whole=True), at(4)) == Stop("filled")


def test_a_plan_that_closes_never_sells_more_than_is_held() -> None:
    step = next_step(SELL, Progress(), at(0, closable="0.050005"))
    assert isinstance(step, Child)
    assert step.quantity == D("0.05")
    assert next_step(SELL, done(1, "0.05", 0), at(6, closable="0.000005")) == Stop("nothing_left_to_close")


def test_nothing_is_asked_for_in_the_place_of_an_order_that_the_venue_never_showed() -> None:
    lost = replace(done(1, "0", 0), lost=D("0.02"))
    second = next_step(SLICED, lost, at(10))
    assert isinstance(second, Child)
    assert second.quantity == D("0.02"), "a third of what is left"
    assert next_step(BUY, replace(done(1, "0", 0), lost=BUY.quantity), at(6)) == Stop("order_lost")
    assert next_step(BUY, done(1, "0.08", 0), at(6)) == Stop("filled"), "it was executed for all that"


def test_without_a_quote_nothing_leaves_and_time_ends_it() -> None:
    assert next_step(BUY, Progress(), at(3, None, None)) == Wait("no_quote")
    assert next_step(BUY, Progress(), at(35, None, None)) == Stop("time_over")


def test_a_plan_ends_before_the_next_signal_is_due() -> None:
    second = NANOS_PER_SECOND
    assert ends_at_ns(TWAP, START, START + 3 * second) == START + 43 * second
    assert ends_at_ns(TWAP, START, START + 30 * second) == START + MINUTE_NS
    assert ends_at_ns(POST_ONLY, START, START + 3 * second) == START + 33 * second + ROOM_NS
    assert ends_at_ns(TWAP, START, START + 55 * second) == START + 95 * second
    assert ends_at_ns(TWAP, START, START + 100 * second) == START + 2 * MINUTE_NS


def test_shortfall_is_what_was_paid_above_or_got_below_the_mark() -> None:
    paid = Progress(1, D("0.02"), D("1001"), D("0.02"))
    assert shortfall_bips(BUY, paid) == D(10)
    assert shortfall_bips(SELL, paid) == D(-10)
    assert shortfall_bips(BUY, Progress()) is None


@given(
    st.sampled_from([POST_ONLY, TWAP, ICEBERG]),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 20_000),
    st.lists(st.tuples(st.integers(0, 100), st.integers(40_000, 60_000)), max_size=60),
)
def test_whatever_is_filled_when_a_plan_never_asks_for_more_than_was_decided(
    policy: ExecutionPolicy, side: str, steps: int, moments: list[tuple[int, int]]
) -> None:
    quantity = D(steps) * GRID.amount_step
    plan = replace(BUY if side == "buy" else SELL, policy=policy, quantity=quantity)
    held, progress = quantity, Progress()
    for number, (share, bid) in enumerate(moments):
        step = next_step(plan, progress, at(number * 0.7, str(bid), str(bid + 1), str(held)))
        if isinstance(step, Stop):
            return
        if isinstance(step, Child):
            assert step.quantity > 0
            assert step.quantity % GRID.amount_step == 0
            assert step.price % GRID.price_tick == 0
            assert step.quantity * step.price >= GRID.cost_min
            assert progress.filled + step.quantity <= quantity
            filled = step.quantity * share // 100 // GRID.amount_step * GRID.amount_step
            held -= filled
            progress = done(progress.orders + 1, str(progress.filled + filled), number * 0.7, whole=share == 100)
    assert progress.filled <= quantity
