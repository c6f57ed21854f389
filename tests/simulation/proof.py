"""What must hold once the venue is well and a trader has reconciled; what does not is said in a sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from simulator.matching import Order
from tests.simulation.machine import ACCOUNT, STRATEGY, VENUE
from tests.simulation.store import ROWS, FlakyStore
from tests.simulation.venue import MARKETS, STEP, Exchange
from trader.events import REGISTRY, FillBooked, OrderIntended, OrderSettled
from trader.execution.ids import is_ours
from trader.execution.journal import OrderJournal
from trader.execution.ledger import Ledger
from trader.execution.plan_orders import child_id
from trader.execution.protection import policies
from trader.plan_events import PlanEnded, PlanStarted
from trader.portfolio.plans import Plan
from trader.rows import Identity
from trader.runtime import Trader

ZERO = Decimal(0)
ORDERS_MAX = 100
"""Of one plan."""
DUST_QUOTE = Decimal(6)
"""Below this, the venue's least order with room for how far a stop lies, nothing can be protected."""
SYMBOLS = {venue: symbol for symbol, venue in MARKETS.items()}


def findings(exchange: Exchange, store: FlakyStore, *, adopted: bool) -> list[str]:
    """All that is wrong; empty if nothing is."""
    intents: set[str] = set()
    settled: set[str] = set()
    booked: list[FillBooked] = []
    for event in store.log(0, ROWS):
        if event.category not in ("order", "orders_settled", "fills"):
            continue
        body = REGISTRY.read(event).body
        if isinstance(body, OrderIntended):
            intents.add(body.intent.order_id)
        elif isinstance(body, OrderSettled):
            settled.add(body.order_id)
        elif isinstance(body, FillBooked):
            booked.append(body)
    return [
        *_sent_twice(exchange),
        *_orphans(exchange, intents),
        *_unfinished(exchange, store, intents, settled),
        *_fills(exchange, booked),
        *_book(exchange, store, adopted=adopted),
        *_plans(exchange, store, booked),
    ]


def _plans(exchange: Exchange, store: FlakyStore, booked: list[FillBooked]) -> list[str]:
    """Every plan ends once, none of two of a symbol and strategy at a time, and fills no more than was decided."""
    found: list[str] = []
    under_way: dict[tuple[str, str], Plan] = {}
    plans: dict[str, Plan] = {}
    ended: Counter[str] = Counter()
    for event in store.log(0, ROWS):
        if event.category != "plans":
            continue
        body = REGISTRY.read(event).body
        if isinstance(body, PlanStarted):
            plan = plans[body.plan.plan_id] = body.plan
            ended[plan.plan_id] -= 1
            if plan.key in under_way:
                found.append(f"plan {plan.plan_id} started while {under_way[plan.key].plan_id} was under way")
            under_way[plan.key] = plan
        elif isinstance(body, PlanEnded):
            ended[body.plan_id] += 1
            under_way.pop(plans[body.plan_id].key, None)
    found += [f"plan {name} started and ended unequally often: {ended[name]:+d}" for name in plans if ended[name]]
    filled: Counter[str] = Counter()
    for each in booked:
        filled[each.fill.correlation_id] += each.fill.execution.quantity
    for plan in plans.values():
        if filled[plan.correlation_id] > plan.quantity:
            found.append(f"plan {plan.plan_id} was filled by {filled[plan.correlation_id]} of {plan.quantity}")
    absent = {event.stream.rpartition("/")[2] for event in store.log(0, ROWS) if event.type == "absent"}
    return found + _side_by_side(exchange, plans.values(), absent)


def _side_by_side(exchange: Exchange, plans: Iterable[Plan], absent: set[str]) -> list[str]:
    """Two orders of one plan that stood at the venue at a time, but for what it showed too late to be waited for."""
    orders = {o.accepted.client_id: o for o in exchange.ledger.orders.values() if o.accepted.client_id not in absent}
    found: list[str] = []
    for plan in plans:
        before: Order | None = None
        for number in range(ORDERS_MAX):
            order = orders.get(child_id(plan, number))
            if order is None:
                continue
            if before is not None and before.updated_ms > order.accepted.ts_ms:
                found.append(f"{order.accepted.client_id} stood beside {before.accepted.client_id} of its plan")
            before = order
    return found


def _sent_twice(exchange: Exchange) -> list[str]:
    asked = [f"{name} was sent {count} times" for name, count in exchange.submissions.items() if count > 1]
    return asked + [f"{name} stands {count} times" for name, count in exchange.accepted.items() if count > 1]


def _orphans(exchange: Exchange, intents: set[str]) -> list[str]:
    names = [order.accepted.client_id for order in exchange.ledger.orders.values()]
    return [f"{name} is at the venue and not in the journal" for name in names if is_ours(name) and name not in intents]


def _unfinished(exchange: Exchange, store: FlakyStore, intents: set[str], settled: set[str]) -> list[str]:
    found = [f"{order.accepted.client_id} is open at the venue" for order in exchange.ledger.open_orders()]
    found += [f"{name} was never settled" for name in intents - settled]
    journal = OrderJournal(store, ACCOUNT)
    for name in sorted(intents):
        ours, theirs = journal._find(name), _of(exchange, name)
        assert ours is not None, "its intent is there"
        if not ours.state.final:
            found.append(f"{name} is {ours.state} in the journal")
        figures = (ours.filled_quantity, ours.filled_cost)
        if theirs is not None and ours.reason is None and figures != (theirs.filled, theirs.filled_cost):
            found.append(f"{name} has {figures} in the journal, {theirs.filled, theirs.filled_cost} at the venue")
    return found


def _of(exchange: Exchange, name: str) -> Order | None:
    return next((order for order in exchange.ledger.orders.values() if order.accepted.client_id == name), None)


def _fills(exchange: Exchange, booked: list[FillBooked]) -> list[str]:
    ours = Counter(
        (e.symbol, e.fill_id, body.fill.order_id, e.side, e.quantity, e.cost, e.fee, e.fee_currency)
        for body in booked
        for e in (body.fill.execution,)
    )
    theirs = Counter(
        (
            SYMBOLS[order.accepted.symbol],
            str(fill.trade_id),
            order.accepted.client_id,
            order.accepted.side.lower(),
            fill.amount,
            fill.amount * fill.price,
            fill.fee,
            fill.fee_asset,
        )
        for order in exchange.ledger.orders.values()
        for fill in order.fills
    )
    lost = [f"lost fill: {fill}" for fill in (theirs - ours).elements()]
    return lost + [f"invented fill: {fill}" for fill in (ours - theirs).elements()]


def _book(exchange: Exchange, store: FlakyStore, *, adopted: bool) -> list[str]:
    """Base: what the book holds is there. Quote: what left the account is what the book says it spent."""
    ledger = Ledger(store, Identity(ACCOUNT, VENUE))
    ledger._replay()
    found = [] if ledger.excess == ZERO else [f"sold {ledger.excess} beyond the book"]
    for symbol in MARKETS:
        base, held = symbol.partition("/")[0], ledger.portfolio.quantity(symbol)
        there = exchange.ledger.total(base) - (ZERO if adopted else exchange.opening.get(base, ZERO))
        if held != there:
            found.append(f"{base}: {held} in the book, {there} at the venue")
    spent = exchange.opening["USDT"] - exchange.ledger.total("USDT")
    booked = sum((p.cost_basis - p.realised_quote for p in ledger.portfolio.positions()), ZERO)
    if not adopted and spent != booked:
        found.append(f"USDT: {booked} spent by the book, {spent} at the venue")
    return found


def unprotected(exchange: Exchange, trader: Trader) -> str | None:
    """The first position that what stands at the venue would not sell exactly; None if there is none."""
    policy = policies(trader._config).get(STRATEGY)
    names = {
        order.intent.order_id: order.intent for order in trader.desk.orders() if order.intent.source == "protection"
    }
    for symbol, venue in MARKETS.items():
        held = trader.ledger.portfolio.position(symbol, STRATEGY).quantity
        wanted = held // STEP * STEP if policy is not None else ZERO
        standing = [o for o in exchange.ledger.open_orders(venue) if o.accepted.client_id in names]
        if any(order.remaining != wanted for order in standing):
            return f"{symbol}: {[order.remaining for order in standing]} protect {held}"
        legs = 0 if policy is None else bool(policy.take_profit) + bool(policy.stop_loss or policy.trailing_bips)
        if wanted * exchange.middles[venue] > DUST_QUOTE and len(standing) != legs:
            return f"{symbol}: {len(standing)} of {legs} orders protect {held}"
    return None
