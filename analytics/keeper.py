"""Keeps one venue frozen: the newest bars at once, history behind them, corrections when the truth changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from analytics.facts import Span, chunks, due_ns, newest_due, same, spans_to_recheck
from analytics.freeze import Freezer
from analytics.truth import QUERIES
from ares.clock import DAY_NS, MINUTE_NS, NANOS_PER_SECOND, floor_ns, to_datetime
from ares.store import Param, Record
from ares.store.pool import as_int, as_str
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)

EAGER = 40
"""While a bar is due the watermark is looked at so many times as often."""


class Mark(NamedTuple):
    """Up to where a symbol's trades are complete, and when ingest said so."""

    watermark_ns: int
    published_ns: int


@dataclass(frozen=True, slots=True)
class Pace:
    """How the keeper works: poll this often, freeze so many bars of history at a time, recheck so far back."""

    poll_s: float
    bars_max: int
    recheck_ns: int


@dataclass(slots=True)
class Keeper:
    """Owns what is frozen of one venue; one per venue. Raises `StoreUnavailable`, `StoreRejected`: call again."""

    freezer: Freezer
    pace: Pace
    marks: dict[str, Mark] = field(default_factory=dict)
    frozen_until: dict[str, int] = field(default_factory=dict)
    _unconfirmed: set[str] = field(default_factory=set)
    _history: list[tuple[str, Span]] = field(default_factory=list)
    _began: bool = False
    _behind: asyncio.Lock = field(default_factory=asyncio.Lock)
    _gaps_seen_ns: int = 0
    _uneven: set[int] = field(default_factory=set)

    @property
    def history_is_frozen(self) -> bool:
        """Whether some symbol is live and none has history left to freeze."""
        return self._began and not self._history

    def pause_s(self) -> float:
        """How long to wait before looking again."""
        now_ns = self.freezer.clock.now_ns()
        dues = [due_ns(ts_ns + MINUTE_NS, self.freezer.lateness_ns) for ts_ns in self.frozen_until.values()]
        wait_s = (min(dues) - now_ns) / NANOS_PER_SECOND if dues else self.pace.poll_s
        return min(self.pace.poll_s, wait_s) if wait_s > 0 else self.pace.poll_s / EAGER

    async def freeze_due(self) -> int:
        """Freeze every bar whose watermark has passed; returns how many."""
        await self._read_marks()
        spans = self._due_spans()
        if not spans:
            return 0
        watermarks = self._watermarks()
        unconfirmed = {symbol: span for symbol, span in spans.items() if symbol in self._unconfirmed}
        new = {symbol: span for symbol, span in spans.items() if symbol not in self._unconfirmed}
        frozen = 0
        if new:
            frozen += await self.freezer.freeze_new(new, watermarks)
        if unconfirmed:  # a process before us may have frozen these bars, or half of what belongs to them
            frozen += await self.freezer.freeze_again(unconfirmed, watermarks)
        self._note_uneven(spans)
        self._note(spans)
        self._unconfirmed -= set(unconfirmed)
        return frozen

    async def freeze_history(self) -> bool:
        """Freeze one more piece of what is behind the live bars; False if nothing is left."""
        if not self._history:
            return False
        piece = self._history[0][1]
        symbols = [symbol for symbol, other in self._history if other == piece]
        recent = piece.end_ns >= self.freezer.clock.now_ns() - self.pace.recheck_ns
        todo = {symbol: piece for symbol in symbols if recent or not await self._is_frozen(symbol, piece)}
        if todo:
            bars = await self._freeze_again(todo)
            log.info("history_frozen", symbols=sorted(todo), bars=bars, since=to_datetime(piece.start_ns).isoformat())
        done = {(symbol, piece) for symbol in symbols}  # meanwhile another symbol may have begun
        self._history = [work for work in self._history if work not in done]
        return True

    async def correct(self) -> int:
        """Look for frozen bars of the last day that read differently now, and for older gaps that changed."""
        await self.freezer.reader.settle(0)
        truth = await self.freezer.reader.bars_of_last_day()
        changed: dict[str, list[int]] = {}
        for key, bar in self.freezer.held.items():
            if key in truth and not same(truth[key], bar):
                changed.setdefault(key.symbol, []).append(key.ts_ns)
        oldest_ns = self.freezer.clock.now_ns() - DAY_NS
        for symbol, ts_ns in await self._older_gaps(oldest_ns):
            changed.setdefault(symbol, []).extend(ts_ns)
        uneven, self._uneven = self._uneven, set()
        alone = await self._recheck_spans(spans_to_recheck(uneven, 0))
        return alone + await self._recheck(changed)

    async def freeze_since(self, start_ns: int) -> int:
        """Freeze again all that is live from a moment on: a new model has something to say about it."""
        spans = {
            symbol: Span(floor_ns(start_ns, MINUTE_NS), until_ns)
            for symbol, until_ns in self.frozen_until.items()
            if symbol not in self._unconfirmed and until_ns >= floor_ns(start_ns, MINUTE_NS)
        }
        return await self._freeze_again(spans) if spans else 0

    async def _freeze_again(self, spans: Mapping[str, Span]) -> int:
        """One at a time: history, corrections and new models all go over bars that are behind the live ones."""
        async with self._behind:
            return await self.freezer.freeze_again(spans, self._watermarks())

    async def _recheck(self, changed: Mapping[str, list[int]]) -> int:
        every = [ts_ns for bars in changed.values() for ts_ns in bars]
        corrected = await self._recheck_spans(spans_to_recheck(every, self.freezer.reader.catalog.warm_up_bars_max))
        if corrected:
            log.info("bars_corrected", bars=corrected, symbols=sorted(changed))
        return corrected

    async def _recheck_spans(self, spans: Sequence[Span]) -> int:
        """Of all symbols, for a value may rest on another's bars; what is read is the same for one and for all."""
        corrected = 0
        for piece in (piece for span in spans for piece in chunks(span, self.pace.bars_max)):
            ends = {symbol: min(piece.end_ns, until_ns) for symbol, until_ns in self.frozen_until.items()}
            todo = {symbol: Span(piece.start_ns, end) for symbol, end in ends.items() if end >= piece.start_ns}
            corrected += await self._freeze_again(todo) if todo else 0
        return corrected

    def _note_uneven(self, spans: Mapping[str, Span]) -> None:
        """Remember the bars that others were frozen without: what rests on several symbols is looked at again."""
        for symbol, span in spans.items():
            others = [until_ns for other, until_ns in self.frozen_until.items() if other != symbol]
            self._uneven |= {ts_ns for ts_ns in span.bars() if any(until_ns >= ts_ns for until_ns in others)}

    async def _older_gaps(self, oldest_ns: int) -> list[tuple[str, list[int]]]:
        scope: dict[str, Param] = {"venue": self.freezer.reader.venue, "since": to_datetime(self._gaps_seen_ns)}
        rows = await self.freezer.reader.database.fetch(QUERIES["gaps_since"], scope)
        first_look = self._gaps_seen_ns == 0
        self._gaps_seen_ns = max([self._gaps_seen_ns, *(as_int(row["ts_ns"]) for row in rows)])
        if first_look:  # what happened before we ran is found by reading history again
            return []
        ranges = [(as_str(row["symbol"]), _minutes_of(row)) for row in rows]
        return [(symbol, [ts for ts in minutes if ts < oldest_ns]) for symbol, minutes in ranges]

    async def _read_marks(self) -> None:
        reader = self.freezer.reader
        rows = await reader.database.fetch(QUERIES["watermarks"], {"venue": reader.venue})
        ready = {as_str(row["symbol"]) for row in rows if row["channel"] == "backfill"}
        for row in rows:
            symbol = as_str(row["symbol"])
            if row["channel"] == "trades" and symbol in ready:
                self.marks[symbol] = Mark(as_int(row["watermark_ns"]), as_int(row["published_ns"]))
        begin = self.marks.keys() - self.frozen_until.keys()
        newest = {each: newest_due(self.marks[each].watermark_ns, self.freezer.lateness_ns) for each in begin}
        if newest:
            await reader.settle(max(newest.values()) + MINUTE_NS)
        for symbol, newest_ns in newest.items():
            await self._begin(symbol, newest_ns)

    async def _begin(self, symbol: str, newest_ns: int) -> None:
        """Start with the newest bar; all before it is history."""
        reader = self.freezer.reader
        scope: dict[str, Param] = {"venue": reader.venue, "symbol": symbol}
        first = await reader.database.fetch_one(QUERIES["first_bar"], scope)
        if first is not None and first["first_ns"] is not None:
            whole = Span(as_int(first["first_ns"]), newest_ns - MINUTE_NS)
            self._history += [(symbol, piece) for piece in chunks(whole, self.pace.bars_max)]
            self._history.sort(key=lambda piece: -piece[1].end_ns)
        self.frozen_until[symbol] = newest_ns - MINUTE_NS
        self._unconfirmed.add(symbol)
        self._began = True

    async def _is_frozen(self, symbol: str, piece: Span) -> bool:
        reader = self.freezer.reader
        scope: dict[str, Param] = {
            "venue": reader.venue,
            "symbol": symbol,
            "from": to_datetime(piece.start_ns),
            "to": to_datetime(piece.end_ns),
        }
        row = await reader.database.fetch_one(QUERIES["frozen_count"], scope)
        return row is not None and as_int(row["bars"]) >= len(piece.bars())

    def _due_spans(self) -> dict[str, Span]:
        spans: dict[str, Span] = {}
        for symbol, mark in self.marks.items():
            start_ns = self.frozen_until[symbol] + MINUTE_NS
            newest_ns = newest_due(mark.watermark_ns, self.freezer.lateness_ns)
            if newest_ns >= start_ns:
                spans[symbol] = Span(start_ns, min(newest_ns, start_ns + (self.pace.bars_max - 1) * MINUTE_NS))
        return spans

    def _watermarks(self) -> dict[str, int]:
        return {symbol: mark.watermark_ns for symbol, mark in self.marks.items()}

    def _note(self, spans: Mapping[str, Span]) -> None:
        now_ns = self.freezer.clock.now_ns()
        for symbol, span in spans.items():
            self.frozen_until[symbol] = span.end_ns
            metrics.FROZEN_UNTIL.labels(symbol).set(span.end_ns / NANOS_PER_SECOND)
            lag_s = (now_ns - due_ns(span.end_ns, self.freezer.lateness_ns)) / NANOS_PER_SECOND
            metrics.FREEZE_LAG_SECONDS.observe(max(0.0, lag_s))
            if symbol not in self._unconfirmed:
                published_s = (now_ns - self.marks[symbol].published_ns) / NANOS_PER_SECOND
                metrics.ROW_TO_SIGNAL_SECONDS.observe(max(0.0, published_s))
                log.info("bars_frozen", symbol=symbol, bars=len(span.bars()), lag_s=round(lag_s, 3))


def _minutes_of(row: Record) -> list[int]:
    """The minutes that a gap touches; one without an end is still growing, and its bars are not frozen yet."""
    started_ns, ended_ns = row["started_ns"], row["ended_ns"]
    if started_ns is None or ended_ns is None:
        return []
    return Span(floor_ns(as_int(started_ns), MINUTE_NS), as_int(ended_ns)).bars()
