"""Goal: whatever a dead trader left half done, reconciling finishes it, and reconciling again changes nothing."""

from __future__ import annotations

import asyncio
import os
import random
from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.matching.queue import PublicTrade
from simulator.params import Params
from tests.simulation.loop import MachineClock, run
from tests.simulation.machine import ACCOUNT, VENUE, Place, build, config_of
from tests.simulation.proof import findings
from tests.simulation.schedule import OPENING
from tests.simulation.store import FlakyStore
from tests.simulation.venue import MARKETS, STEP, TICK, Exchange, Weather
from trader.execution.ids import DecisionName, client_order_id
from trader.portfolio.orders import Intent, OrderState, Step
from trader.runtime import Trader

EXAMPLES = int(os.environ.get("ARES_TEST_RECONCILE", "60"))
BTC = "BTC/USDT"
QUANTITY = STEP * 1_000


@dataclass(frozen=True, slots=True)
class Left:
    """An order as its trader's death left it. `known`: how far the journal knew; `parts`: what was executed, in steps;
    `booked`: how many of those executions the book has; `ended`: cancelled at the venue.
    """

    known: str
    arrived: bool
    parts: tuple[int, ...]
    booked: int
    ended: bool


LEFT = st.builds(
    Left,
    known=st.sampled_from(("intended", "submitted", "doubted", "accepted", "part filled")),
    arrived=st.booleans(),
    parts=st.lists(st.integers(1, 400), max_size=3).map(tuple),
    booked=st.integers(0, 3),
    ended=st.booleans(),
)


@settings(max_examples=EXAMPLES)
@given(st.lists(LEFT, max_size=4), st.integers(0, 2**32))
def test_reconciling_again_changes_nothing_and_the_book_is_the_venues(left: list[Left], seed: int) -> None:
    store = FlakyStore.begin()
    try:
        run(play(left, random.Random(seed), store), random.Random(seed))
    finally:
        store.close()


async def play(left: list[Left], rng: random.Random, store: FlakyStore) -> None:
    clock = MachineClock(asyncio.get_running_loop())
    weather = Weather(rng, repeats=True)
    place = Place(rng, Exchange(rng, clock, OPENING), weather, store, config_of())
    first = build(place, clock, "first")
    await lead(first)
    for number, each in enumerate(left):
        await leave(place, first, each, number)
    await first.leadership.release()
    second = build(place, clock, "second")
    await lead(second)
    once = store.hash()
    await second.reconciler.run(None, doubt_s_max=1.0, poll_s=0.1)
    assert store.hash() == once, "reconciled twice by one trader"
    await second.leadership.release()
    third = build(place, clock, "third")
    await lead(third)
    assert store.hash() == once, "reconciled again by one that has just started"
    await third.desk.cancel_open()
    await third.desk.follow()
    assert findings(place.exchange, store, adopted=False) == []


async def lead(trader: Trader) -> None:
    await trader.leadership.wait()
    await trader.begin()


async def leave(place: Place, trader: Trader, left: Left, number: int) -> None:
    """Bring an order to where it was left, at the venue, in the journal and in the book."""
    intent = resting(place, number)
    assert await trader.desk.intend(intent)
    tracked = trader.desk._tracked[intent.order_id]
    journal, now_ns = trader.account.parts.journal, intent.decided_at_ns
    venue_id: str | None = None
    if left.arrived:
        venue_id = execute(place.exchange, intent, left)
    steps = [Step("submitted", OrderState.SUBMITTED, now_ns)]
    if left.known == "doubted":
        steps.append(Step("order_outcome_unknown", OrderState.UNKNOWN, now_ns, reason="no answer"))
    if left.known in ("accepted", "part filled") and venue_id is not None:
        steps.append(Step("accepted", OrderState.ACCEPTED, now_ns, venue_id, Decimal(0), Decimal(0)))
    if left.known != "intended":
        tracked.order = await journal.record(tracked.order, steps)
    if venue_id is not None:
        executions = await trader.account.parts.gateway.executions_of(BTC, venue_id)
        told = {execution.fill_id: execution for execution in executions}
        await trader.desk.booking.book(tracked.order, list(told.values())[: left.booked])
        if left.known == "part filled" and left.parts:
            part, cost = STEP * left.parts[0], STEP * left.parts[0] * intent.price
            step = Step("partially_filled", OrderState.PARTIALLY_FILLED, now_ns, venue_id, part, cost)
            tracked.order = await journal.record(tracked.order, [step])


def execute(exchange: Exchange, intent: Intent, left: Left) -> str:
    """Take the order, trade against it as far as `left` says, end it; returns the venue's id."""
    words = {"symbol": MARKETS[BTC], "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    words |= {"quantity": f"{intent.quantity:f}", "price": f"{intent.price:f}", "newClientOrderId": intent.order_id}
    exchange.api.place(Params(words))
    order = exchange.ledger.find(MARKETS[BTC], None, intent.order_id)
    assert order is not None
    for part in left.parts:
        trade = PublicTrade(MARKETS[BTC], order.accepted.price - TICK, STEP * part, True, exchange.now_ms())
        others = {other.order_id for other in exchange.ledger.open_orders()} - {order.order_id}
        exchange._apply([event for event in exchange.engine.on_trade(trade) if event.order_id not in others])
    if left.ended and order.open:
        exchange.cancel(order, "by-hand")
    return str(order.order_id)


def resting(place: Place, number: int) -> Intent:
    now_ns = place.exchange.now_ms() * 1_000_000
    middle = place.exchange.middles[MARKETS[BTC]]
    strategy = f"strategy-{number}"
    return Intent(
        order_id=client_order_id(DecisionName(ACCOUNT, strategy, 1, BTC, now_ns)),
        account=ACCOUNT,
        venue=VENUE,
        symbol=BTC,
        strategy=strategy,
        version=1,
        side="buy",
        type="limit",
        time_in_force="GTC",
        quantity=QUANTITY,
        price=middle - TICK * (9_000 - number),
        mark=middle,
        source="signal",
        cycle_id="cycle",
        correlation_id=f"cycle-{number}",
        decided_at_ns=now_ns,
    )
