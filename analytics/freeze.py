"""Freezes bars, features and signals: what a decision saw stays as it was; a correction is a new revision."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from analytics.catalog import Catalog, Definition, definitions
from analytics.facts import (
    BarKey,
    BarValues,
    Fingerprints,
    Recent,
    SignalValues,
    Span,
    Stamp,
    ValueKey,
    by_bar,
    hash_of,
    revised,
)
from analytics.scoring import Scorer
from analytics.serving import NOTHING_SCORED, Scored
from analytics.truth import NOTHING_FROZEN, FrozenFacts, Truth, TruthReader
from ares.clock import DAY_NS, MINUTE_NS, NANOS_PER_SECOND, Clock
from ares.errors import StoreUnavailable
from ares.model.row import Row
from ares.store import RowWriter
from ares.telemetry import get_logger, metrics, observability, trace_id_of

log = get_logger(__name__)

FROZEN_TABLES = ("bar_facts", "feature_values", "signal_values", "predictions")
WRITE_ROWS_MAX = 20_000
RECENT_MINUTES = (2, 4)
"""How far back the statements of the last minutes reach: few texts, and no more rows than are wanted."""
RECENT_SLACK_S = 30.0
"""So long after the choice of one it is still to find the bar."""
WARM_UP_BARS_MAX = max(d.warm_up_bars for d in definitions("feature"))

Spans = Mapping[str, Span]


@dataclass(slots=True)
class Freezer:
    """Freezes one venue. Raises `StoreUnavailable` and `StoreRejected`; what failed can be done again whole.

    A pass writes features and predictions first, then signals, and bars last in one batch: a frozen bar says that all
    that belongs to it is there.
    """

    reader: TruthReader
    writer: RowWriter
    scorer: Scorer
    clock: Clock
    lateness_ns: int
    held: dict[BarKey, BarValues] = field(default_factory=dict)

    async def freeze_new(self, spans: Spans, watermarks: Mapping[str, int]) -> int:
        """Freeze bars that nobody has frozen; returns how many there were. The quick way."""
        whole = covering(spans)
        await self.reader.settle(whole.end_ns + MINUTE_NS, first_bars=False)
        span = self._recent(whole)
        catalog = self.reader.catalog
        truth = await self.reader.truth(span, _early(catalog))
        if span is not whole and not (truth.bars and complete(truth, spans) and self._has_values(truth, spans)):
            log.info("read_as_views", bars=len(truth.bars), values=len(truth.features))
            span, catalog = whole, self.reader.catalog
            truth = await self.reader.truth(span, _early(catalog))
        if not complete(truth, spans):
            raise StoreUnavailable("a bar that the watermark covers cannot be read yet")
        return await self._append(_Pass(spans, watermarks, whole, span, truth, NOTHING_FROZEN, NOTHING_SCORED, catalog))

    async def freeze_again(self, spans: Spans, watermarks: Mapping[str, int]) -> int:
        """Freeze what is missing of these bars and correct what reads differently now; returns how many bars.

        Two at a time over the same bars would give one revision twice: the caller sees to it that there is one.
        """
        whole = covering(spans)
        await self.reader.settle(whole.end_ns + MINUTE_NS)
        await self.reader.database.wait_applied(FROZEN_TABLES)
        catalog = self.reader.catalog
        truth = await self.reader.truth(whole, _early(catalog))
        frozen = await self.reader.frozen(whole)
        truth = await self.reader.remembered(truth, frozen, whole)
        already = await self.scorer.scored(whole)
        return await self._append(_Pass(spans, watermarks, whole, whole, truth, frozen, already, catalog))

    def _has_values(self, truth: Truth, spans: Spans) -> bool:
        """Whether each of our features has a row of every wanted bar: minutes pass between a choice and an answer."""
        ours = sum(not each.own for each in self.reader.catalog.features)
        bars = sum(BarKey(symbol, ts_ns) in truth.bars for symbol, span in spans.items() for ts_ns in span.bars())
        return sum(wanted_of(spans, key.symbol, key.ts_ns) for key in truth.features) >= bars * ours

    def _recent(self, whole: Span) -> Span | Recent:
        """The fewest last minutes, by our clock, that hold the span; itself if it began too long ago."""
        age_ns = self.clock.now_ns() - whole.start_ns + RECENT_SLACK_S * NANOS_PER_SECOND
        return next((Recent(minutes) for minutes in RECENT_MINUTES if age_ns < minutes * MINUTE_NS), whole)

    async def _append(self, work: _Pass) -> int:
        stamp = Stamp(self.reader.venue, self.clock.now_ns(), self.lateness_ns)
        predictions = self.scorer.predict(by_bar(work.truth_in_spans()), work.already, stamp)
        wishes, _ = await asyncio.gather(self._wishes(predictions, work), self._write_features(work, stamp))
        late, bars = await asyncio.to_thread(work.signals_and_bars, wishes, replace(stamp, now_ns=self.clock.now_ns()))
        await self._write(late)
        await self._write_whole(bars)
        self._remember(work)
        self._trace(bars, stamp.now_ns)
        return len(bars)

    async def _write_features(self, work: _Pass, stamp: Stamp) -> None:
        await self._write(await asyncio.to_thread(work.features, stamp))

    async def _wishes(self, predictions: Sequence[Row], work: _Pass) -> Mapping[ValueKey, SignalValues]:
        """What strategies want, once those of models can read these predictions."""
        if predictions:
            await self._write(predictions)
            await self.reader.database.wait_applied(["predictions"])
            metrics.PREDICTIONS.labels(self.scorer.name).inc(len(predictions))
        late = [each for each in work.catalog.signals if each.waits_for_predictions]
        return {**work.truth.wishes, **await self.reader.signals(work.span, late)}

    def _trace(self, bars: Sequence[Row], began_ns: int) -> None:
        """A span for each bar that was frozen in time; what is caught up with is nobody's latency."""
        now_ns = self.clock.now_ns()
        for bar in bars:
            if bar.symbols["known_at_kind"] == "live":
                symbol = bar.symbols["symbol"]
                trace_id = trace_id_of(self.reader.venue, symbol, bar.ts_ns // MINUTE_NS)
                observability.record("bar.freeze", trace_id, began_ns, now_ns, venue=self.reader.venue, symbol=symbol)

    async def _write(self, rows: Sequence[Row]) -> None:
        for first in range(0, len(rows), WRITE_ROWS_MAX):
            await self._write_whole(rows[first : first + WRITE_ROWS_MAX])

    async def _write_whole(self, rows: Sequence[Row]) -> None:
        await self.writer.write(rows)
        for row in rows:
            if "revision" in row.columns:
                metrics.FROZEN_ROWS.labels(row.table, row.symbols["known_at_kind"]).inc()
                if row.columns["revision"] != 0:
                    metrics.CORRECTIONS.labels(row.table).inc()

    def _remember(self, work: _Pass) -> None:
        """Hold the bars of the last day as they were frozen, to compare with what they say later."""
        oldest_ns = self.clock.now_ns() - DAY_NS
        for key, bar in work.truth.bars.items():
            if key.ts_ns >= oldest_ns and work.wanted(key.symbol, key.ts_ns):
                self.held[key] = bar
        for key in [key for key in self.held if key.ts_ns < oldest_ns]:
            del self.held[key]


@dataclass(frozen=True)
class _Pass:
    """One freezing: which bars, what they say, what of them is frozen. `span` is what is asked for."""

    spans: Spans
    watermarks: Mapping[str, int]
    whole: Span
    span: Span | Recent
    truth: Truth
    frozen: FrozenFacts
    already: Scored
    catalog: Catalog

    @cached_property
    def prints(self) -> Fingerprints:
        return Fingerprints(self.truth.bars)

    def wanted(self, symbol: str, ts_ns: int) -> bool:
        return wanted_of(self.spans, symbol, ts_ns)

    def truth_in_spans(self) -> dict[ValueKey, float | int | str | None]:
        return {key: value for key, value in self.truth.features.items() if self.wanted(key.symbol, key.ts_ns)}

    def features(self, stamp: Stamp) -> list[Row]:
        """Rows of `feature_values`. A value of more than its own bars is not told by their hash: it is hashed too."""
        sources = {(d.name, d.version): (d.warm_up_bars, d.reads_beyond_its_bars) for d in self.catalog.features}
        truth = self.truth_in_spans()
        rows: list[Row] = []
        for key, revision in revised({k: (v,) for k, v in truth.items()}, self.frozen.features).items():
            warm_up_bars, beyond_bars = sources[key.name, key.version]
            input_hash = self.prints.window(key.symbol, key.ts_ns, warm_up_bars)
            if beyond_bars:
                input_hash = hash_of([input_hash, truth[key]])
            rows.append(stamp.feature(key, revision, truth[key], input_hash))
        return rows

    def signals_and_bars(self, wishes: Mapping[ValueKey, SignalValues], stamp: Stamp) -> tuple[list[Row], list[Row]]:
        """Rows of `signal_values` and of `bar_facts`."""
        mine = {key: wish for key, wish in wishes.items() if self.wanted(key.symbol, key.ts_ns)}
        signals = [
            stamp.signal(
                key,
                revision,
                mine[key],
                hash_of([self.prints.window(key.symbol, key.ts_ns, WARM_UP_BARS_MAX), mine[key].model_version]),
                self.watermarks[key.symbol],
            )
            for key, revision in revised(mine, self.frozen.signals).items()
        ]
        bars = {key: bar for key, bar in self.truth.bars.items() if self.wanted(key.symbol, key.ts_ns)}
        facts = [
            stamp.bar(key, revision, bars[key], hash_of(bars[key]))
            for key, revision in revised(bars, self.frozen.bars).items()
        ]
        return signals, facts


def _early(catalog: Catalog) -> list[Definition]:
    """Strategies whose wishes are read while features are."""
    return [each for each in catalog.signals if not each.waits_for_predictions]


def covering(spans: Spans) -> Span:
    """The one span that holds all of them."""
    assert spans, "nothing to freeze"
    return Span(min(s.start_ns for s in spans.values()), max(s.end_ns for s in spans.values()))


def wanted_of(spans: Spans, symbol: str, ts_ns: int) -> bool:
    """Whether a bar is one that is to be frozen."""
    span = spans.get(symbol)
    return span is not None and span.holds(ts_ns)


def complete(truth: Truth, spans: Spans) -> bool:
    """Whether every wanted bar was read, from the first that a symbol has."""
    first: dict[str, int] = {}
    for key in truth.bars:
        first[key.symbol] = min(key.ts_ns, first.get(key.symbol, key.ts_ns))
    return all(
        BarKey(symbol, ts_ns) in truth.bars
        for symbol, span in spans.items()
        for ts_ns in span.bars()
        if symbol in first and ts_ns >= first[symbol]
    )
