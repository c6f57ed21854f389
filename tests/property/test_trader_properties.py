"""Goal: whatever the order of fills, reports and wishes, the books balance and nothing is sold that is not there."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trader.events import FILLED, INTENDED, FillBooked, OrderIntended
from trader.execution.ids import DecisionName, client_order_id, is_ours
from trader.portfolio.money import ZERO, to_scale
from trader.portfolio.orders import Intent, OrderReport, OrderState, Step, advance, intended, step_for
from trader.portfolio.portfolio import Portfolio
from trader.portfolio.positions import Execution, Fill
from trader.portfolio.sizing import Grid, SizingPolicy, limit_price, size
from trader.risk import APPROVED, Candidate, Limits, Pending, RiskState, TradingState, build_rules

D = Decimal
SYMBOLS = ("BTC/USDT", "ETH/USDT")


def decimals(low: str, high: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(D(low), D(high), allow_nan=False, allow_infinity=False, places=places)


@st.composite
def fills(draw: st.DrawFn) -> Fill:
    symbol, side = draw(st.sampled_from(SYMBOLS)), draw(st.sampled_from(("buy", "sell")))
    quantity, price = draw(decimals("0.00001", "5", 5)), draw(decimals("0.01", "90000", 2))
    base, quote = symbol.split("/")
    currency = draw(st.sampled_from((base, quote, "BNB"))) if side == "buy" else draw(st.sampled_from((quote, "BNB")))
    worth = {base: quantity, quote: quantity * price, "BNB": D(1)}[currency]
    execution = Execution(
        fill_id=str(draw(st.integers(1, 40))),
        symbol=symbol,
        side=side,
        venue_order_id=str(draw(st.integers(1, 9))),
        quantity=quantity,
        price=price,
        cost=quantity * price,
        fee=(worth * draw(decimals("0", "0.002", 4))).quantize(D("0.00000001")),
        fee_currency=currency,
        maker=draw(st.booleans()),
        ts_ns=draw(st.integers(1, 10**18)),
    )
    rate = draw(decimals("0", "900", 2))
    return Fill(execution, draw(st.sampled_from(("o1", "o2"))), draw(st.sampled_from(("a", "b"))), "why", 5, rate)


def cash_paid(fill: Fill) -> Decimal:
    """Quote that left the account by a fill, fees in quote or at their rate included."""
    execution = fill.execution
    base, quote = execution.symbol.split("/")
    fee = ZERO
    if execution.fee_currency == quote:
        fee = to_scale(execution.fee)
    elif execution.fee_currency != base:
        fee = to_scale(execution.fee * fill.fee_rate)
    cost = to_scale(execution.cost)
    return cost + fee if execution.side == "buy" else fee - cost


@given(st.lists(fills(), max_size=30))
def test_cash_paid_equals_cost_held_less_profit_realised(history: list[Fill]) -> None:
    portfolio, paid = Portfolio(), ZERO
    for fill in history:
        if portfolio.apply(fill) is not None:
            paid += cash_paid(fill)
    held = sum((p.cost_basis - p.realised_quote for p in portfolio.positions()), ZERO)
    assert held == paid


@given(st.lists(fills(), max_size=30))
def test_no_position_is_ever_short_and_a_flat_one_cost_nothing(history: list[Fill]) -> None:
    portfolio = Portfolio()
    for fill in history:
        portfolio.apply(fill)
        for position in portfolio.positions():
            assert position.quantity >= 0
            assert position.cost_basis >= 0
            assert position.quantity > 0 or position.cost_basis == 0


@given(st.lists(fills(), max_size=20), st.randoms(use_true_random=False))
def test_fills_that_come_again_change_nothing(history: list[Fill], rng: object) -> None:
    once, again = Portfolio(), Portfolio()
    for fill in history:
        once.apply(fill)
    for number, fill in enumerate(history):
        again.apply(fill)
        for repeated in history[: number + 1]:
            assert again.apply(repeated) is None
    assert once.positions() == again.positions()
    assert (once.filled("o1"), once.filled("o2")) == (again.filled("o1"), again.filled("o2"))


@given(fills())
def test_a_fill_survives_the_journal(fill: Fill) -> None:
    assert FILLED.load(FILLED.dump(FillBooked(fill)), FILLED.version) == FillBooked(fill)


INTENT = Intent(
    order_id="ares1",
    account="paper",
    venue="sim",
    symbol="BTC/USDT",
    strategy="a",
    version=1,
    side="buy",
    type="limit",
    time_in_force="IOC",
    quantity=D(10),
    price=D(50_000),
    mark=D(50_000),
    source="signal",
    cycle_id="c",
    correlation_id="x",
    decided_at_ns=1,
)

AT_VENUE = (
    OrderState.ACCEPTED,
    OrderState.PARTIALLY_FILLED,
    OrderState.FILLED,
    OrderState.CANCELED,
    OrderState.EXPIRED,
    OrderState.REJECTED,
)


@st.composite
def reports(draw: st.DrawFn) -> OrderReport:
    filled = D(draw(st.integers(0, 10)))
    return OrderReport(
        "ares1", "7", "BTC/USDT", "buy", draw(st.sampled_from(AT_VENUE)), D(10), filled, filled * 50_000, 1
    )


@given(st.lists(st.one_of(reports(), st.just(None)), max_size=25))
def test_reports_and_doubts_in_any_order_are_legal_and_only_grow(history: list[OrderReport | None]) -> None:
    order, _ = intended(INTENT)
    order = advance(order, Step("submitted", OrderState.SUBMITTED, 2))
    for report in history:
        before = order
        if report is None:
            if order.state.final or order.state is OrderState.UNKNOWN:
                continue
            step: Step | None = Step("order_outcome_unknown", OrderState.UNKNOWN, 3)
        else:
            step = step_for(order, report, 3)
        if step is not None:
            order = advance(order, step)
        assert order.filled_quantity >= before.filled_quantity
        assert not before.state.final or order == before
        assert ZERO <= order.remaining <= INTENT.quantity


@given(st.lists(reports(), max_size=12))
def test_reports_that_come_again_change_nothing(history: list[OrderReport]) -> None:
    order, _ = intended(INTENT)
    order = advance(order, Step("submitted", OrderState.SUBMITTED, 2))
    for report in history:
        step = step_for(order, report, 3)
        if step is not None:
            order = advance(order, step)
            assert step_for(order, report, 3) is None


names = st.builds(
    DecisionName,
    account=st.text(max_size=20),
    strategy=st.text(max_size=20),
    version=st.integers(0, 99),
    symbol=st.text(max_size=12),
    decided_at_ns=st.integers(0, 2**62),
    source=st.sampled_from(("signal", "flatten")),
    leg=st.integers(0, 50),
    attempt=st.integers(0, 9),
)


@given(names, names)
def test_client_ids_fit_the_venue_and_tell_decisions_apart(one: DecisionName, other: DecisionName) -> None:
    assert re.fullmatch(r"[.A-Z:/a-z0-9_-]{1,36}", client_order_id(one))
    assert is_ours(client_order_id(one))
    assert (client_order_id(one) == client_order_id(other)) == (one == other)


@given(decimals("0.01", "90000", 2), st.none() | decimals("0.01", "90000", 2), st.none() | st.integers(0, 2**62))
def test_an_intent_survives_the_journal(mark: Decimal, price: Decimal | None, known_at_ns: int | None) -> None:
    intent = replace(INTENT, mark=mark, price=price, signal_known_at_ns=known_at_ns)
    assert INTENDED.load(INTENDED.dump(OrderIntended(intent)), INTENDED.version) == OrderIntended(intent)


GRID = Grid(D("0.01"), D("0.00001"), D(5))


@given(
    decimals("-3", "3", 4),
    decimals("0", "1", 8),
    decimals("1000", "90000", 2),
    decimals("10", "9000", 2),
    decimals("0", "0.01", 4),
)
def test_a_size_is_on_the_grid_never_oversells_and_never_passes_its_target(
    target: Decimal, held: Decimal, mark: Decimal, most: Decimal, slippage: Decimal
) -> None:
    move = size(target, held, mark, GRID, SizingPolicy(most, D("0.1"), slippage, D(5_000)))
    assert move.target_quantity * mark <= most
    assert move.quantity % GRID.amount_step == 0
    if move.side == "sell":
        assert move.quantity <= held
        assert held - move.quantity >= move.target_quantity
        assert move.quantity * mark <= 5_000
    elif move.side == "buy":
        assert held + move.quantity <= move.target_quantity
        assert move.price <= mark * (1 + slippage)


@given(st.sampled_from(("buy", "sell")), decimals("1000", "90000", 3), decimals("0", "0.05", 4))
def test_a_limit_price_is_never_worse_than_the_slippage(side: str, mark: Decimal, slippage: Decimal) -> None:
    if side == "buy":
        assert limit_price("buy", mark, slippage, GRID.price_tick) <= mark * (1 + slippage)
    else:
        assert limit_price("sell", mark, slippage, GRID.price_tick) >= mark * (1 - slippage)


LIMITS = Limits(D(5_000), D(10_000), D(20_000), D(500), D("0.05"), D(180), D(10), D(60))

orders = st.builds(
    Pending,
    strategy=st.sampled_from(("a", "b")),
    symbol=st.sampled_from(SYMBOLS),
    side=st.sampled_from(("buy", "sell")),
    remaining=decimals("0", "1", 5),
    price=decimals("90", "110", 2),
)


@given(
    st.lists(orders, max_size=6),
    st.dictionaries(st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(("a", "b"))), decimals("0", "150", 5)),
    st.sampled_from(("buy", "sell")),
    decimals("0.00001", "60", 5),
    decimals("-1000", "1000", 2),
)
def test_whatever_is_approved_keeps_every_limit_in_the_worst_case(
    pending: list[Pending],
    positions: dict[tuple[str, str], Decimal],
    side: str,
    quantity: Decimal,
    day_pnl: Decimal,
) -> None:
    marks = dict.fromkeys(SYMBOLS, D(100))
    state = RiskState(
        TradingState.ACTIVE, D(1), D(1), D(100), D(100), D(15_000), day_pnl, positions, marks, tuple(pending)
    )
    order = Candidate("a", SYMBOLS[0], "buy" if side == "buy" else "sell", quantity, D(101) if side == "buy" else D(99))
    if build_rules(LIMITS).check(order, state) is not APPROVED:
        return
    assert order.quantity * D(99) <= 5_000
    if order.side == "sell":
        assert order.quantity <= state.held(order.symbol, order.strategy)
        return
    assert (state.worst_case_quantity(order.symbol) + quantity) * 101 <= 10_000
    assert state.gross_worst_case_quote() + quantity * 101 <= 20_000
    assert day_pnl > -500
