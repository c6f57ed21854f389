"""Goal: whatever is ordered and traded, balances and fees add up, nothing is negative, nobody is over-filled."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.matching import DisplayedBook, Engine, Event, Ledger, NewOrder, Refusal, Rules
from simulator.matching.engine import PublicTrade
from simulator.matching.types import ORDER_TYPES, SIDES, TIMES_IN_FORCE, Filled

D = Decimal
RULES = Rules("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D("0.002"))
OPENING = {"USDT": D(5_000), "BTC": D(50)}

ticks = st.integers(9_900, 10_100).map(lambda n: D(n) / 100)
amounts = st.integers(1, 20_000).map(lambda n: D(n) / 1_000)


@st.composite
def books(draw: st.DrawFn) -> DisplayedBook:
    middle = draw(st.integers(9_920, 10_080))
    levels = draw(st.lists(amounts, min_size=0, max_size=6))
    bids = tuple((D(middle - i) / 100, amount) for i, amount in enumerate(levels))
    asks = tuple((D(middle + 1 + i) / 100, amount) for i, amount in enumerate(reversed(levels)))
    return DisplayedBook(bids, asks)


@st.composite
def orders(draw: st.DrawFn) -> NewOrder:
    kind = draw(st.sampled_from(ORDER_TYPES))
    by_cost = kind == "MARKET" and draw(st.booleans())
    return NewOrder(
        "BTCUSDT",
        draw(st.sampled_from(SIDES)),
        kind,
        draw(st.sampled_from(["a", "b", "c", "d", "e", "f"])),
        draw(st.sampled_from(TIMES_IN_FORCE)) if kind == "LIMIT" else "GTC",
        None if kind == "MARKET" else draw(ticks),
        None if by_cost else draw(amounts),
        draw(amounts) * 100 if by_cost else None,
    )


trades = st.builds(PublicTrade, st.just("BTCUSDT"), ticks, amounts, st.booleans(), st.just(9))
steps = st.lists(st.one_of(st.tuples(orders(), books()), trades, st.integers(0, 9), amounts), max_size=40)


def bought_and_sold(ledger: Ledger) -> dict[str, Decimal]:
    """What the account must hold: the opening, plus what it received, minus what it paid and its fees."""
    held = dict(OPENING)
    for order, fill in ledger.fills("BTCUSDT"):
        sign = 1 if order.accepted.side == "BUY" else -1
        held["BTC"] += sign * fill.amount
        held["USDT"] -= sign * fill.amount * fill.price
        held[fill.fee_asset] -= fill.fee
    return held


def check(ledger: Ledger) -> None:
    held = bought_and_sold(ledger)
    for asset, amount in held.items():
        balance = ledger.balances[asset]
        assert ledger.total(asset) == amount
        assert balance.free >= 0
        assert balance.locked >= 0
    held_by_orders = {"BTC": D(0), "USDT": D(0)}
    for order in ledger.open_orders():
        a = order.accepted
        held_by_orders["USDT" if a.side == "BUY" else "BTC"] += order.remaining * (a.price if a.side == "BUY" else 1)
        assert a.type != "MARKET"
    assert {asset: ledger.balances[asset].locked for asset in held_by_orders} == held_by_orders
    assert all(0 <= order.filled <= order.accepted.amount for order in ledger.orders.values())
    assert sum(ledger.fees.values()) == sum(fill.fee for _, fill in ledger.fills("BTCUSDT"))


def follow(engine: Engine, ledger: Ledger, step: object) -> list[Event]:
    if isinstance(step, PublicTrade):
        events = engine.on_trade(step)
        assert sum(event.amount for event in events if isinstance(event, Filled)) <= step.amount
        return events
    if isinstance(step, tuple):
        return engine.place(step[0], step[1], 1)
    if isinstance(step, int):
        found = ledger.orders.get(step)
        return engine.cancel(found, "x", 2) if found else []
    shown = step
    assert isinstance(shown, Decimal)
    engine.on_book("BTCUSDT", lambda _side, _price: shown)
    return []


def keep_the_price(order: NewOrder, events: Sequence[Event]) -> None:
    for event in events:
        if isinstance(event, Filled) and order.price is not None:
            assert event.price <= order.price if order.side == "BUY" else event.price >= order.price


@given(steps)
@settings(max_examples=120, deadline=None)
def test_money_is_conserved_and_never_negative(todo: list[object]) -> None:
    ledger = Ledger([RULES], OPENING)
    engine = Engine(ledger)
    replayed = Ledger([RULES], OPENING)
    for step in todo:
        try:
            events = follow(engine, ledger, step)
        except Refusal:
            events = []
        for event in events:
            ledger.apply(event)
            replayed.apply(event)
        if isinstance(step, tuple):
            keep_the_price(step[0], events)
        engine.forget_closed()
        check(ledger)
    assert replayed.balances == ledger.balances
    assert replayed.orders == ledger.orders
