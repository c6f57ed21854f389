"""What goes wrong at a venue, on purpose: by a seeded rate, or so many times on request.

Whether an event is hit by a rate is a function of (seed, kind, event), so the same market time misbehaves the same
way in every run, however many clients listen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeGuard

from ares.errors import ConfigError

FrameKind = Literal["disconnect", "duplicate", "reorder", "gap", "delay"]
RequestKind = Literal["429", "418", "5xx", "maintenance", "key_may_withdraw"]
OrderKind = Literal["accept_timeout", "ack_late", "late_fill", "report_twice", "report_swapped"]
Kind = FrameKind | RequestKind | OrderKind
FRAME_KINDS: tuple[Kind, ...] = ("disconnect", "gap", "duplicate", "reorder", "delay")
REQUEST_KINDS: tuple[Kind, ...] = ("429", "418", "5xx", "maintenance", "key_may_withdraw")
ORDER_KINDS: tuple[Kind, ...] = ("accept_timeout", "ack_late", "late_fill", "report_twice", "report_swapped")
KINDS: tuple[Kind, ...] = (*FRAME_KINDS, *REQUEST_KINDS, *ORDER_KINDS)


def is_kind(text: str) -> TypeGuard[Kind]:
    return text in KINDS


@dataclass(slots=True)
class Armed:
    """A fault that waits: the next `count` events about `symbol` (any if empty) whose name holds `on` are hit.

    With `until_ms` only those before that moment, by the clock of `Misbehaviour`: a storm.
    """

    kind: Kind
    count: int
    symbol: str = ""
    on: str = ""
    wait_ms: int = 1_000
    """How long a delay lasts, and what Retry-After asks for (whole seconds, at least one)."""
    abrupt: bool = False
    """Disconnect without a closing handshake."""
    until_ms: int | None = None

    def meets(self, kind: Kind, symbol: str, name: str) -> bool:
        same = not self.symbol or self.symbol == symbol
        return self.kind == kind and self.count > 0 and same and self.on in name


@dataclass(slots=True)
class Misbehaviour:
    """`rates` are shares of events hit, per kind; `armed` faults go first. `done` counts what was inflicted."""

    seed: int
    rates: dict[Kind, float] = field(default_factory=dict)
    armed: list[Armed] = field(default_factory=list)
    done: dict[Kind, int] = field(default_factory=dict)
    now_ms: Callable[[], int] = field(default=lambda: 0)

    def hit(self, kind: Kind, symbol: str, name: str, key: int) -> Armed | None:
        """The fault for this event, if any. `name` is a stream or a path, `key` tells its events apart."""
        self._end_storms()
        fault = next((a for a in self.armed if a.meets(kind, symbol, name)), None)
        if fault is not None:
            fault.count -= 1
            self.armed = [a for a in self.armed if a.count > 0]
        elif self._by_rate(kind, symbol, name, key):
            fault = Armed(kind, 1, symbol, name)
        if fault is not None:
            self.done[kind] = self.done.get(kind, 0) + 1
        return fault

    @property
    def quiet(self) -> bool:
        """Nothing can go wrong now; spares the questions."""
        return not self.armed and not self.rates

    def _end_storms(self) -> None:
        if any(armed.until_ms is not None for armed in self.armed):
            now_ms = self.now_ms()
            self.armed = [a for a in self.armed if a.until_ms is None or now_ms < a.until_ms]

    def _by_rate(self, kind: Kind, symbol: str, name: str, key: int) -> bool:
        rate = self.rates.get(kind, 0.0)
        draw = random.Random(f"{self.seed}:{kind}:{symbol}:{name}:{key}")  # noqa: S311 - reproducible, not secret
        return rate > 0 and draw.random() < rate


def parse_rates(texts: Mapping[str, float]) -> dict[Kind, float]:
    """Shares per kind, checked. Raises `ConfigError`."""
    rates: dict[Kind, float] = {}
    for name, rate in texts.items():
        if not is_kind(name):
            raise ConfigError("misbehave", name, "no such kind", f"Known: {', '.join(KINDS)}")
        if not 0 <= rate <= 1:
            raise ConfigError(f"misbehave {name}", rate, "not a share", "Give a number from 0 to 1")
        rates[name] = rate
    return rates
