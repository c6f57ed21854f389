"""Goal: whatever is ordered and traded, balances and fees add up, nothing is negative, nobody is over-filled.

And no stop acts before its price traded, and of a pair never both legs are executed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.matching import DisplayedBook, Engine, Event, Ledger, NewOrder, NewPair, Order, Refusal, Rules
from simulator.matching.queue import PublicTrade
from simulator.matching.stops import Stops
from simulator.matching.types import (
    AT_MARKET,
    BIPS,
    CONTINGENT,
    ORDER_TYPES,
    SIDES,
    TIMES_IN_FORCE,
    ZERO,
    Accepted,
    Filled,
    OrderType,
    Triggered,
)

D = Decimal
RULES = Rules("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D("0.002"))
OPENING = {"USDT": D(3_000), "BTC": D(30)}
IDS = [f"id-{number}" for number in range(40)]
TIMED = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")

ticks = st.integers(9_900, 10_100).map(lambda n: D(n) / 100)
amounts = st.integers(40, 4_000).map(lambda n: D(n) / 1_000)
deltas = st.sampled_from([0, 10, 25, 60])


@dataclass(frozen=True)
class Amend:
    """Make an order smaller."""

    order_id: int
    amount: Decimal


@st.composite
def books(draw: st.DrawFn) -> DisplayedBook:
    middle = draw(st.integers(9_920, 10_080))
    levels = draw(st.lists(amounts, min_size=0, max_size=6))
    bids = tuple((D(middle - i) / 100, amount) for i, amount in enumerate(levels))
    asks = tuple((D(middle + 1 + i) / 100, amount) for i, amount in enumerate(reversed(levels)))
    return DisplayedBook(bids, asks)


@st.composite
def orders(draw: st.DrawFn, kinds: tuple[OrderType, ...] = ORDER_TYPES) -> NewOrder:
    kind = draw(st.sampled_from(kinds))
    by_cost = kind == "MARKET" and draw(st.booleans())
    delta = draw(deltas) if kind in CONTINGENT else 0
    waits = kind in CONTINGENT and (delta == 0 or draw(st.booleans()))
    return NewOrder(
        "BTCUSDT",
        draw(st.sampled_from(SIDES)),
        kind,
        draw(st.sampled_from(IDS)),
        draw(st.sampled_from(TIMES_IN_FORCE)) if kind in TIMED else "GTC",
        None if kind in AT_MARKET else draw(ticks),
        None if by_cost else draw(amounts),
        draw(amounts) * 100 if by_cost else None,
        draw(ticks) if waits else None,
        delta,
    )


@st.composite
def pairs(draw: st.DrawFn) -> NewPair:
    """Pairs that the venue takes when the market is between their prices."""
    side, amount = draw(st.sampled_from(SIDES)), draw(amounts)
    profit_kind: OrderType = draw(st.sampled_from(["LIMIT_MAKER", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]))
    loss_kind: OrderType = draw(st.sampled_from(["STOP_LOSS", "STOP_LOSS_LIMIT"]))
    low = draw(st.integers(9_900, 9_990).map(lambda n: D(n) / 100))
    high = draw(st.integers(10_010, 10_100).map(lambda n: D(n) / 100))
    delta = draw(deltas)

    def leg(kind: OrderType, price: Decimal) -> NewOrder:
        limit = None if kind in AT_MARKET else price
        return NewOrder(
            "BTCUSDT", side, kind, draw(st.sampled_from(IDS)), "GTC", limit, amount, None,
            price if kind in CONTINGENT else None, delta if kind in CONTINGENT else 0,
        )  # fmt: skip

    selling = side == "SELL"
    above, below = (profit_kind, loss_kind) if selling else (loss_kind, profit_kind)
    return NewPair(draw(st.sampled_from(["p", "q"])), leg(above, high), leg(below, low))


trades = st.builds(PublicTrade, st.just("BTCUSDT"), ticks, amounts, st.booleans(), st.just(9))
steps = st.lists(
    st.one_of(
        st.tuples(st.one_of(orders(), pairs(), orders(CONTINGENT)), books()),
        trades,
        trades,
        st.integers(0, 20),
        amounts,
        st.builds(Amend, st.integers(1, 20), amounts),
    ),
    min_size=10,
    max_size=50,
)


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
    assert {asset: ledger.balances[asset].locked for asset in ("BTC", "USDT")} == held_by_orders(ledger)
    assert all(0 <= order.filled <= order.accepted.amount for order in ledger.orders.values())
    assert sum(ledger.fees.values()) == sum(fill.fee for _, fill in ledger.fills("BTCUSDT"))
    for its_list in ledger.lists.values():
        assert sum(1 for leg in its_list.legs if leg.filled) <= 1
        assert sum(1 for leg in its_list.legs if leg.open) != 1 or any(leg.working for leg in its_list.legs)
    waiting = [order for order in ledger.open_orders() if not order.working]
    assert len(ledger.stops["BTCUSDT"]) == len(waiting)


def held_by_orders(ledger: Ledger) -> dict[str, Decimal]:
    """Told apart from the ledger's own way: order by order, and of a pair the dearer leg."""
    held = {"BTC": ZERO, "USDT": ZERO}
    of_pairs: dict[int, Decimal] = {}
    for order in ledger.open_orders():
        a = order.accepted
        assert a.type != "MARKET"
        price = a.price or a.hold_price
        needs = order.remaining * (price if a.side == "BUY" else 1)
        before = of_pairs.get(a.list_id, ZERO) if a.list_id > 0 else ZERO
        of_pairs[a.list_id] = max(before, needs)
        held["USDT" if a.side == "BUY" else "BTC"] += max(before, needs) - before
    return held


class Played:
    """Steps carried out as the desk does it; notes which prices traded since each order came."""

    def __init__(self) -> None:
        self.ledger = Ledger([RULES], OPENING)
        self.engine = Engine(self.ledger)
        self.events: list[Event] = []
        self.last = D(100)
        self.seen: dict[int, list[Decimal]] = {}

    def step(self, todo: object) -> list[Event]:
        if isinstance(todo, PublicTrade):
            return self.trade(todo)
        try:
            events = self.decide(todo)
        except Refusal:
            return []
        self.apply(events)
        return events

    def decide(self, todo: object) -> list[Event]:
        if isinstance(todo, tuple):
            book = DisplayedBook(todo[1].bids, todo[1].asks, self.last)
            place = self.engine.place_pair if isinstance(todo[0], NewPair) else self.engine.place
            return place(todo[0], book, 1)
        if isinstance(todo, Amend):
            found = self.ledger.orders.get(todo.order_id)
            return self.engine.amend(found, todo.amount, found.accepted.client_id, 3) if found else []
        if isinstance(todo, int):
            found = self.ledger.orders.get(todo)
            return self.engine.cancel(found, "x", 2) if found else []
        shown = todo
        assert isinstance(shown, Decimal)
        self.engine.on_book("BTCUSDT", lambda _side, _price: shown)
        return []

    def trade(self, trade: PublicTrade) -> list[Event]:
        self.last = trade.price
        for prices in self.seen.values():
            prices.append(trade.price)
        happened = self.engine.on_trade(trade)
        assert sum(event.amount for event in happened if isinstance(event, Filled)) <= trade.amount
        self.apply(happened)
        book = DisplayedBook(((trade.price - D("0.01"), D(3)),), ((trade.price + D("0.01"), D(3)),), trade.price)
        while events := self.engine.on_price(trade, book):
            self.apply(events)
            happened = [*happened, *events]
        return happened

    def apply(self, events: Sequence[Event]) -> None:
        for event in events:
            order = self.ledger.apply(event)
            if isinstance(event, Accepted):
                self.seen[event.order_id] = [self.last]
            if isinstance(event, Triggered):
                assert condition_met(order, self.seen[order.order_id])
            if isinstance(event, Filled) and order.accepted.contingent:
                assert order.working
        self.events += events
        self.engine.forget_closed()


def condition_met(order: Order, prices: list[Decimal]) -> bool:
    """Whether the last price meets the order's condition, told from all prices since it came (the one before first)."""
    a, now = order.accepted, prices[-1]
    if not a.trailing_delta:
        return now >= a.stop_price if a.rising else now <= a.stop_price
    followed = prices
    if a.stop_price:
        met = [n for n, p in enumerate(prices[1:], 1) if (p >= a.stop_price if a.rising else p <= a.stop_price)]
        followed = prices[met[0] :] if met else []
    if not followed:
        return False
    share = a.trailing_delta / BIPS
    return now <= max(followed) * (1 - share) if a.side == "SELL" else now >= min(followed) * (1 + share)


def keep_the_price(order: NewOrder, events: Sequence[Event]) -> None:
    for event in events:
        if isinstance(event, Filled) and order.price is not None:
            assert event.price <= order.price if order.side == "BUY" else event.price >= order.price


@given(steps)
@settings(max_examples=120, deadline=None)
def test_money_is_conserved_and_never_negative(todo: list[object]) -> None:
    played = Played()
    for step in todo:
        events = played.step(step)
        if isinstance(step, tuple) and isinstance(step[0], NewOrder):
            keep_the_price(step[0], events)
        check(played.ledger)
    replayed = Ledger([RULES], OPENING)
    for event in played.events:
        replayed.apply(event)
    assert replayed.balances == played.ledger.balances
    assert replayed.orders == played.ledger.orders
    assert replayed.lists == played.ledger.lists


@given(
    st.lists(st.one_of(st.tuples(orders(CONTINGENT), st.just(DisplayedBook((), ()))), trades), min_size=10, max_size=40)
)
@settings(max_examples=120, deadline=None)
def test_every_stop_is_triggered_by_the_first_trade_that_meets_it_and_by_no_other(todo: list[object]) -> None:
    played = Played()
    for step in todo:
        played.step(step)
        for order in played.ledger.open_orders():
            assert order.working or not condition_met(order, played.seen[order.order_id])


@st.composite
def tracked(draw: st.DrawFn) -> Order:
    """A trailing stop that follows the market already."""
    number = draw(st.integers(1, 10**6))
    side = draw(st.sampled_from(SIDES))
    a = Accepted(
        number, 1, "BTCUSDT", side, "STOP_LOSS", str(number), "GTC", ZERO, D(1), ZERO,
        trailing_delta=draw(st.integers(10, 60)),
    )  # fmt: skip
    return Order(a, trailing_ms=1, trailing_from=draw(ticks))


@given(
    st.lists(tracked(), max_size=30, unique_by=lambda order: order.order_id),
    st.lists(st.one_of(ticks, st.integers(0, 29)), max_size=60),
)
def test_trailing_stops_in_groups_move_as_each_would_alone(together: list[Order], todo: list[Decimal | int]) -> None:
    stops = Stops()
    best: dict[int, Decimal] = {}
    for order in together:
        stops.add(order)
        best[order.order_id] = order.trailing_from
    alive = {order.order_id: order for order in together}
    for step in todo:
        if isinstance(step, int):
            if step < len(together) and together[step].order_id in alive:
                del alive[together[step].order_id]
                stops.remove(together[step])
            continue
        stops.move(step)
        due = set()
        while (found := stops.due(step)) is not None:
            stops.remove(alive[found])
            due.add(found)
        for order_id, order in alive.items():
            selling = order.accepted.side == "SELL"
            best[order_id] = max(best[order_id], step) if selling else min(best[order_id], step)
        assert due == {n for n, o in alive.items() if _alone_due(o, best[n], step)}
        alive = {n: o for n, o in alive.items() if n not in due}
    assert len(stops) == len(alive)


def _alone_due(order: Order, best: Decimal, price: Decimal) -> bool:
    share = order.accepted.trailing_delta / BIPS
    return price <= best * (1 - share) if order.accepted.side == "SELL" else price >= best * (1 + share)
