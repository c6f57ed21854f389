"""Two lists of decisions, signal by signal, and the cause of each difference. Pure.

What is compared is the first decision of each signal that is no skip, or the first if all are: a live cycle comes round
every few seconds and says `hold` again and again, a replay decides where something can change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from ares.clock import NANOS_PER_SECOND

Cause = Literal[
    "late_data", "restart", "risk_state", "manual", "limits_changed", "not_played", "venue_refusal", "carried",
    "latency", "unknown",
]  # fmt: skip
"""In the order in which they are looked for. README: `docs/guides/analyst/parity.md`."""

LATE_S = 1.0
"""A live decision that came later after its signal than the replay's by more is late."""


class Key(NamedTuple):
    """Which signal: of which symbol, and the start of its bar, UTC ns."""

    symbol: str
    signal_ts_ns: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, live or replayed. Quantities in base, the mark in quote."""

    ts_ns: int
    key: Key
    known_at_ns: int
    action: str
    reason: str
    state: str
    rule: str = ""
    target: float | None = None
    mark: Decimal | None = None
    order_quantity: Decimal | None = None

    @property
    def delay_s(self) -> float:
        """How long after its signal was known it was taken."""
        return (self.ts_ns - self.known_at_ns) / NANOS_PER_SECOND

    @property
    def trades(self) -> bool:
        """Whether it changes what is held."""
        return self.action in ("buy", "sell")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What happened around the decisions of a day, as moments (UTC ns) or signals."""

    simulated: frozenset[Key] = frozenset()
    """Signals that were made up from history later: nobody could see them live."""
    away: Sequence[tuple[int, int]] = ()
    """When no trader was at work: from, to."""
    by_hand: Sequence[int] = ()
    """When somebody ordered, cancelled, paused, flattened."""
    limits: Sequence[int] = ()
    """When a limit or a setting changed, up to now: the replay works by those of now."""
    refusals: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """When the venue refused an order, by symbol."""
    not_played: frozenset[str] = frozenset()
    """Rules that a replay leaves out."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One signal's decisions side by side; `cause` None: they are equal."""

    key: Key
    live: Decided | None
    replayed: Decided | None
    cause: Cause | None

    @property
    def equal(self) -> bool:
        """Whether the replay came to the same."""
        return self.cause is None


def compare(
    live: Iterable[Decided], replayed: Iterable[Decided], evidence: Evidence, quantity_share_max: float
) -> list[Compared]:
    """Every signal that either decided on, in order of time."""
    ours, theirs = decisive(live), decisive(replayed)
    found: list[Compared] = []
    carried: set[str] = set()
    for key in sorted({*ours, *theirs}, key=lambda each: (each.signal_ts_ns, each.symbol)):
        one, other = ours.get(key), theirs.get(key)
        cause = None if same(one, other, quantity_share_max) else cause_of(one, other, evidence, carried)
        found.append(Compared(key, one, other, cause))
        if cause is not None and any(each is not None and each.trades for each in (one, other)):
            carried.add(key.symbol)
    return found


def decisive(decisions: Iterable[Decided]) -> dict[Key, Decided]:
    """The decision of each signal: the first that is no skip, else the first."""
    found: dict[Key, Decided] = {}
    for each in sorted(decisions, key=lambda decided: decided.ts_ns):
        before = found.get(each.key)
        if before is None or (before.action == "skip" and each.action != "skip"):
            found[each.key] = each
    return found


def same(one: Decided | None, other: Decided | None, quantity_share_max: float) -> bool:
    """Whether both want the same: by action, rule, target and, as far as it matters, quantity."""
    if one is None or other is None:
        return False
    if (one.action, one.rule, one.target) != (other.action, other.rule, other.target):
        return False
    mine, theirs = abs(one.order_quantity or Decimal(0)), abs(other.order_quantity or Decimal(0))
    return abs(mine - theirs) <= Decimal(str(quantity_share_max)) * max(mine, theirs)


def cause_of(one: Decided | None, other: Decided | None, evidence: Evidence, carried: Iterable[str]) -> Cause:
    """Why a live decision (`one`) and its replay differ: the first cause, in their order, that has evidence."""
    known = one or other
    assert known is not None, "a signal that neither decided on is not compared"
    key, at_ns = known.key, known.ts_ns
    differ = one is not None and other is not None
    candidates: list[tuple[Cause, bool]] = [
        ("late_data", key in evidence.simulated or (differ and _targets_differ(one, other))),
        ("restart", any(begin <= at_ns <= end for begin, end in evidence.away)),
        ("risk_state", one is not None and other is not None and one.state != other.state),
        ("manual", any(moment <= at_ns for moment in evidence.by_hand)),
        ("limits_changed", bool(evidence.limits)),
        ("not_played", one is not None and one.rule in evidence.not_played),
        ("venue_refusal", any(moment < at_ns for moment in evidence.refusals.get(key.symbol, ()))),
        ("carried", key.symbol in set(carried)),
        ("latency", one is not None and other is not None and _late(one, other)),
    ]
    return next((cause for cause, holds in candidates if holds), "unknown")


def _targets_differ(one: Decided | None, other: Decided | None) -> bool:
    return one is not None and other is not None and one.target != other.target


def _late(one: Decided, other: Decided) -> bool:
    """Live came later than the replay supposes, or did the same at another price."""
    moved = one.action == other.action and one.mark != other.mark
    return one.delay_s - other.delay_s > LATE_S or moved
