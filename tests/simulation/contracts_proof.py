"""What must hold of an account of contracts once the venue is well and a trader has looked; else it is said."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from tests.simulation.contracts_venue import PERP, STEP, SYMBOL, WALLET, ContractsExchange
from tests.simulation.machine import ACCOUNT, STRATEGY
from tests.simulation.store import ROWS, FlakyStore
from trader.events import REGISTRY, FillBooked, OrderIntended, OrderSettled
from trader.execution.ids import is_ours
from trader.execution.journal import OrderJournal
from trader.execution.protection import policies
from trader.runtime import Trader

ROUNDED = Decimal("0.000001")
"""The venue rounds each amount of money to eight digits."""


def findings(exchange: ContractsExchange, store: FlakyStore, trader: Trader) -> list[str]:
    """All that is wrong; empty if nothing is."""
    bodies = [REGISTRY.read(e).body for e in store.log(0, ROWS) if e.category in ("order", "orders_settled", "fills")]
    intents = {body.intent.order_id for body in bodies if isinstance(body, OrderIntended)}
    settled = {body.order_id for body in bodies if isinstance(body, OrderSettled)}
    booked = Counter(
        (body.fill.execution.fill_id, body.fill.order_id, body.fill.strategy, body.fill.execution.quantity)
        for body in bodies
        if isinstance(body, FillBooked)
    )
    ledger = exchange.ledger
    filled = Counter(
        (str(done.fill.trade_id), order.accepted.client_id, STRATEGY, done.fill.amount)
        for order, done in ledger.executions(SYMBOL)
    )
    found = [f"{name} was sent {count} times" for name, count in exchange.desk.submissions.items() if count > 1]
    names = [o.accepted.client_id for o in ledger.orders.values()] + [
        a.awaited.client_id for a in ledger.algos.values()
    ]
    found += [
        f"{name} is at the venue and not in the journal" for name in names if is_ours(name) and name not in intents
    ]
    found += [f"{order.accepted.client_id} is open at the venue" for order in ledger.open_orders()]
    found += [f"{algo.awaited.client_id} waits at the venue" for algo in ledger.waiting(SYMBOL)]
    found += [f"{name} was never settled" for name in intents - settled]
    journal = OrderJournal(store, ACCOUNT)
    for name in sorted(intents):
        order = journal._find(name)
        assert order is not None, "its intent is there"
        if not order.state.final:
            found.append(f"{name} is {order.state} in the journal")
    found += [f"lost fill: {fill}" for fill in (filled - booked).elements()]
    found += [f"invented fill: {fill}" for fill in (booked - filled).elements()]
    book = trader.ledger.portfolio.quantity(PERP)
    if book != exchange.amount:
        found.append(f"{book} in the book, {exchange.amount} at the venue")
    made = sum((position.realised_quote for position in trader.ledger.portfolio.positions()), Decimal(0))
    if not exchange.amount and abs(ledger.wallet - WALLET - made) > ROUNDED:
        found.append(f"{made} made by the book, {ledger.wallet - WALLET} by the wallet")
    return found


def unprotected(exchange: ContractsExchange, trader: Trader) -> str | None:
    """Whether what waits at the venue would close exactly what is held, with every leg; None if so."""
    policy = policies(trader._config)[STRATEGY]
    held = trader.ledger.portfolio.position(PERP, STRATEGY).quantity
    waiting = [algo.awaited for algo in exchange.ledger.waiting(SYMBOL)]
    legs = bool(policy.take_profit) + bool(policy.stop_loss or policy.trailing_bips) if abs(held) >= STEP else 0
    if len(waiting) != legs:
        return f"{len(waiting)} of {legs} orders protect {held}"
    side = "BUY" if held < 0 else "SELL"
    unfit = [a for a in waiting if (a.side, a.amount, a.reduce_only) != (side, abs(held), True)]
    return f"{unfit} protect {held}" if unfit else None
