"""Names that are pure functions of a decision: the same decision, repeated after a crash, bears the same name."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ares.clock import NANOS_PER_MILLI
from trader.portfolio.orders import Source

PREFIX = "ares"
DIGEST_BYTES = 16
"""`ares` and 32 hex digits are the 36 characters a venue takes."""
PROTECTION_CYCLE = "protection"
"""What stands for a cycle in the rows of orders that protect: no cycle decided on them."""


@dataclass(frozen=True, slots=True)
class DecisionName:
    """What tells one order of ours from every other: `leg` counts slices of one decision, `attempt` repetitions."""

    account: str
    strategy: str
    version: int
    symbol: str
    decided_at_ns: int
    source: Source = "signal"
    leg: int = 0
    attempt: int = 0


def client_order_id(name: DecisionName) -> str:
    """At most 36 characters of [a-z0-9]; 128 bits, so that two decisions never share it."""
    parts = (
        name.account,
        name.strategy,
        str(name.version),
        name.symbol,
        str(name.decided_at_ns),
        name.source,
        str(name.leg),
        str(name.attempt),
    )
    return PREFIX + _digest(parts)


def manual_order_id(account: str, key: str) -> str:
    """The id of an order by hand: what names it is its key alone, so that asking twice is one order."""
    return PREFIX + _digest((account, "manual", key))


def is_ours(order_id: str) -> bool:
    """Whether an id has our form; whether it is of this account's journal only the journal says."""
    return order_id.startswith(PREFIX) and len(order_id) == len(PREFIX) + 2 * DIGEST_BYTES


def cycle_id(account: str, slot_ns: int) -> str:
    """The name of a cycle: the account and its slot in ms."""
    return f"{account}-{slot_ns // NANOS_PER_MILLI}"


def correlation_id(cycle: str, strategy: str, symbol: str) -> str:
    """What a decision, its order, its fills and the positions after them have in common."""
    return _digest((cycle, strategy, symbol))


def _digest(parts: tuple[str, ...]) -> str:
    # A length before each part: ("a", "bc") and ("ab", "c") must not meet.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
