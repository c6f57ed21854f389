"""Accounts and matching, pure: no clock, no socket, no file. Orders in, events out; events make the state."""

from simulator.matching.engine import Engine
from simulator.matching.ledger import Ledger
from simulator.matching.prices import NewPair
from simulator.matching.types import DisplayedBook, Event, NewOrder, Order, OrderList, Refusal, Rules

__all__ = [
    "DisplayedBook",
    "Engine",
    "Event",
    "Ledger",
    "NewOrder",
    "NewPair",
    "Order",
    "OrderList",
    "Refusal",
    "Rules",
]
