"""What is frozen and when it counts as known. Pure: truth and frozen rows in, rows to append out."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Literal, NamedTuple, TypeVar

from ares.clock import MINUTE_NS, NANOS_PER_SECOND
from ares.model.row import Row, UtcNs
from ares.telemetry import trace_id_of

LIVE_S_MAX = 300.0
"""A bar frozen later than this after it was due was rebuilt from history: nobody could have traded on it in time."""
TOLERANCE = 1e-9
"""Relative. Sums over a moving window differ in their last digits with where the window was first read from."""
TINY = 1e-12
DIGESTS_MAX = 30_000
"""The warm-up of a hundred symbols, and more: some 10 MB."""

KnownAtKind = Literal["live", "simulated"]
Value = float | int | str | None
Values = tuple[Value, ...]

SIGNALS = "signal_"
"""How the names of all signals begin, and of no feature: such a column of a dataset is what the signal wanted."""
K = TypeVar("K")


class BarKey(NamedTuple):
    """Which bar."""

    symbol: str
    ts_ns: int


class ValueKey(NamedTuple):
    """Which value: of a feature, or of a strategy."""

    symbol: str
    ts_ns: int
    name: str
    version: int


class BarValues(NamedTuple):
    """What a bar says; all numbers None where status is gap."""

    status: str
    origin: str
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float | None
    cost: float | None
    trades: int | None
    buy_volume: float | None


class SignalValues(NamedTuple):
    """What a strategy wants."""

    target: float
    confidence: float
    model_version: str | None


class Frozen(NamedTuple):
    """The newest frozen revision of something."""

    revision: int
    values: Values


@dataclass(frozen=True, slots=True)
class Span:
    """Bars by their start, both ends included, UTC ns."""

    start_ns: int
    end_ns: int

    def holds(self, ts_ns: int) -> bool:
        return self.start_ns <= ts_ns <= self.end_ns

    def bars(self) -> list[int]:
        """The start of every bar in it."""
        return list(range(self.start_ns, self.end_ns + 1, MINUTE_NS))


@dataclass(frozen=True, slots=True)
class Recent:
    """Bars that started so many minutes ago at most, by the clock of the server."""

    minutes: int


@dataclass(frozen=True, slots=True)
class Knowledge:
    """When something counts as known, and whether it was so or is only assumed."""

    at_ns: int
    kind: KnownAtKind


def due_ns(ts_ns: int, lateness_ns: int) -> int:
    """When the bar that starts at `ts_ns` may be frozen: its close plus the allowed lateness."""
    return ts_ns + MINUTE_NS + lateness_ns


def newest_due(watermark_ns: int, lateness_ns: int) -> int:
    """The start of the newest bar that this watermark lets be frozen."""
    return (watermark_ns - lateness_ns) // MINUTE_NS * MINUTE_NS - MINUTE_NS


def knowledge(ts_ns: int, revision: int, now_ns: int, lateness_ns: int) -> Knowledge:
    """A correction is known when it is made; a first revision too, unless it is rebuilt long after it was due."""
    due = due_ns(ts_ns, lateness_ns)
    if revision == 0 and now_ns - due > LIVE_S_MAX * NANOS_PER_SECOND:
        return Knowledge(due, "simulated")
    return Knowledge(now_ns, "live")


def same(left: Values, right: Values) -> bool:
    """Whether two readings say the same, numbers within `TOLERANCE`."""
    return len(left) == len(right) and all(_equal(a, b) for a, b in zip(left, right, strict=True))


def _equal(left: Value, right: Value) -> bool:
    if isinstance(left, int | float) and isinstance(right, int | float):
        return math.isclose(left, right, rel_tol=TOLERANCE, abs_tol=TINY)
    return left == right


def revised(truth: Mapping[K, Values], frozen: Mapping[K, Frozen]) -> dict[K, int]:
    """What must be appended, with its revision: what is not frozen yet, and what now reads differently."""
    todo: dict[K, int] = {}
    for key, values in truth.items():
        known = frozen.get(key)
        if known is None:
            todo[key] = 0
        elif not same(values, known.values):
            todo[key] = known.revision + 1
    return todo


class Fingerprints:
    """Hashes of the bars that values rest on: of any window of a symbol's bars, cheaply."""

    def __init__(self, bars: Mapping[BarKey, Values]) -> None:
        self._starts: dict[str, list[int]] = {}
        self._digests: dict[str, bytes] = {}
        by_symbol: dict[str, list[tuple[int, bytes]]] = {}
        for key, values in bars.items():
            by_symbol.setdefault(key.symbol, []).append((key.ts_ns, _digest_kept(values)))
        for symbol, digests in by_symbol.items():
            digests.sort()
            self._starts[symbol] = [ts_ns for ts_ns, _ in digests]
            self._digests[symbol] = b"".join(digest for _, digest in digests)

    def window(self, symbol: str, ts_ns: int, bars_before: int) -> str:
        """The hash of a bar and of so many before it, as far as they are known."""
        starts = self._starts.get(symbol, [])
        first = bisect_left(starts, ts_ns - bars_before * MINUTE_NS)
        last = bisect_right(starts, ts_ns)
        digests = self._digests.get(symbol, b"")
        return blake2b(digests[first * 8 : last * 8], digest_size=8).hexdigest()


def digest_of(values: Iterable[Value]) -> bytes:
    """Eight bytes that stand for some values, numbers to twelve digits."""
    text = "|".join(f"{v:.12g}" if isinstance(v, float) else str(v) for v in values)
    return blake2b(text.encode(), digest_size=8).digest()


@lru_cache(DIGESTS_MAX)
def _digest_kept(values: Values) -> bytes:
    """The same, once for bars that are asked about minute by minute."""
    return digest_of(values)


def hash_of(values: Iterable[Value]) -> str:
    """`digest_of` as text, for a row."""
    return digest_of(values).hex()


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all rows of one freezing share."""

    venue: str
    now_ns: int
    lateness_ns: int

    def bar(self, key: BarKey, revision: int, bar: BarValues, input_hash: str) -> Row:
        """A row of `bar_facts`."""
        known = knowledge(key.ts_ns, revision, self.now_ns, self.lateness_ns)
        symbols = {
            "venue": self.venue,
            "symbol": key.symbol,
            "interval": "1m",
            "status": bar.status,
            "origin": bar.origin,
            "known_at_kind": known.kind,
        }
        numbers = {name: value for name, value in bar._asdict().items() if name not in symbols}
        columns = {"revision": revision, "known_at": UtcNs(known.at_ns), "input_hash": input_hash, **numbers}
        return Row("bar_facts", key.ts_ns, symbols, columns)

    def feature(self, key: ValueKey, revision: int, value: Value, input_hash: str) -> Row:
        """A row of `feature_values`."""
        known = knowledge(key.ts_ns, revision, self.now_ns, self.lateness_ns)
        return Row(
            "feature_values",
            key.ts_ns,
            {"venue": self.venue, "symbol": key.symbol, "name": key.name, "known_at_kind": known.kind},
            {
                "version": key.version,
                "revision": revision,
                "value": value,
                "known_at": UtcNs(known.at_ns),
                "input_hash": input_hash,
            },
        )

    def signal(self, key: ValueKey, revision: int, signal: SignalValues, input_hash: str, watermark_ns: int) -> Row:
        """A row of `signal_values`; `watermark_ns` is up to where the inputs were complete."""
        known = knowledge(key.ts_ns, revision, self.now_ns, self.lateness_ns)
        symbols = {"venue": self.venue, "symbol": key.symbol, "strategy": key.name, "known_at_kind": known.kind}
        if signal.model_version is not None:
            symbols["model_version"] = signal.model_version
        return Row(
            "signal_values",
            key.ts_ns,
            symbols,
            {
                "version": key.version,
                "revision": revision,
                "target": signal.target,
                "confidence": signal.confidence,
                "known_at": UtcNs(known.at_ns),
                "watermark": UtcNs(watermark_ns if known.kind == "live" else known.at_ns),
                "input_hash": input_hash,
                "trace_id": trace_id_of(self.venue, key.symbol, key.ts_ns // MINUTE_NS),
            },
        )


def spans_to_recheck(changed: Iterable[int], warm_up_bars: int) -> list[Span]:
    """The bars whose values a change of these bars may touch, as few spans as possible."""
    spans: list[Span] = []
    for ts_ns in sorted(set(changed)):
        end_ns = ts_ns + warm_up_bars * MINUTE_NS
        if spans and ts_ns <= spans[-1].end_ns + MINUTE_NS:
            spans[-1] = Span(spans[-1].start_ns, end_ns)
        else:
            spans.append(Span(ts_ns, end_ns))
    return spans


def chunks(span: Span, bars_max: int) -> list[Span]:
    """A span in pieces of at most so many bars, the newest first."""
    pieces: list[Span] = []
    end_ns = span.end_ns
    while end_ns >= span.start_ns:
        start_ns = max(span.start_ns, end_ns - (bars_max - 1) * MINUTE_NS)
        pieces.append(Span(start_ns, end_ns))
        end_ns = start_ns - MINUTE_NS
    return pieces


def by_bar(values: Mapping[ValueKey, Value]) -> dict[BarKey, dict[str, Value]]:
    """Values of many features as one mapping a bar, by versioned name."""
    found: dict[BarKey, dict[str, Value]] = {}
    for key, value in values.items():
        found.setdefault(BarKey(key.symbol, key.ts_ns), {})[f"{key.name}_v{key.version}"] = value
    return found


def as_matrix(features: Mapping[str, Value], names: Sequence[str]) -> list[float] | None:
    """The named features of one bar, in order; None if any of them is missing or is no finite number."""
    row = [features.get(name) for name in names]
    numbers = [float(value) for value in row if isinstance(value, int | float) and math.isfinite(value)]
    return numbers if len(numbers) == len(names) else None
