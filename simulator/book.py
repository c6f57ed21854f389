"""The replayed market of one symbol at a moment: what was published so far, event by event, and the book it makes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulator.matching.queue import PublicTrade
from simulator.matching.types import DisplayedBook, Side
from simulator.recording import AGG, DEPTH, GONE, QUOTE, TRADE, BookSide, apply_levels, to_text
from simulator.series import Segment, Series

Levels = tuple[tuple[int, str], ...]

MATCHED_LEVELS_MAX = 1_000
"""A taker order walks at most this many levels; what is left of it expires or rests."""


@dataclass(frozen=True, slots=True)
class TradeEvent:
    """A public trade; prices in ticks of the market, as in all events here."""

    segment: Segment
    index: int
    sent_ms: int

    @property
    def key(self) -> int:
        """A number no other event of this stream has."""
        return self.segment.start_ms + self.index


@dataclass(frozen=True, slots=True)
class AggEvent:
    """An aggregate trade, published with the last of its trades."""

    segment: Segment
    index: int
    sent_ms: int

    @property
    def key(self) -> int:
        """A number no other event of this stream has."""
        return self.segment.start_ms + self.index


@dataclass(frozen=True, slots=True)
class DepthEvent:
    """A depth update; ids run on over segments, one update leads from a segment's last book to the next one's first."""

    sent_ms: int
    first_id: int
    last_id: int
    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class QuoteEvent:
    """A change of best bid and ask."""

    sent_ms: int
    update_id: int
    bid: int
    bid_amount: str
    ask: int
    ask_amount: str


Event = TradeEvent | AggEvent | DepthEvent | QuoteEvent


class Replay:
    """Walks a series forward. `seek` first; then `advance` yields each event once, in order of its publication."""

    def __init__(self, series: Series) -> None:
        self.series = series
        self.update_id = 0
        self.bids: BookSide = {}
        self.asks: BookSide = {}
        self._segment = series.segment(0)
        self._next = 0
        self._top: QuoteEvent | None = None

    def seek(self, ms: int) -> None:
        """Be where everything up to and including `ms` is published. A moment before the epoch is the epoch."""
        segment = self.series.segment(max(0, self.series.segment_index(ms)))
        self._enter(segment)
        recording, base = self.series.recording, self.update_id
        self._next = bisect_right(recording.timeline, ms - segment.start_ms, key=lambda event: event[0])
        passed = recording.timeline[: self._next]
        recorded_bids, recorded_asks = dict(recording.start_bids), dict(recording.start_asks)
        for _, kind, index in passed:
            if kind == DEPTH:
                change = recording.depth[index]
                apply_levels(recorded_bids, change.bids)
                apply_levels(recorded_asks, change.asks)
                self.update_id = base + change.last_id
        self._show(recorded_bids, recorded_asks)
        for offset_ms, kind, index in reversed(passed):
            if kind == QUOTE:
                self._quote(index, segment.start_ms + offset_ms)
                break

    def next_ms(self) -> int:
        """When the next event is due."""
        timeline = self.series.recording.timeline
        if self._next < len(timeline):
            return self._segment.start_ms + timeline[self._next][0]
        return self._segment.start_ms + self.series.recording.length_ms

    def advance(self, ms: int) -> Iterator[Event]:
        """Everything due up to and including `ms`; the book has moved on when an event is yielded."""
        timeline = self.series.recording.timeline
        while self.next_ms() <= ms:
            if self._next == len(timeline):
                yield from self._turn()
                continue
            offset_ms, kind, index = timeline[self._next]
            self._next += 1
            yield self._event(kind, index, self._segment.start_ms + offset_ms)

    def displayed(self) -> DisplayedBook:
        """The book as an order meets it: the depth updates' levels, brought up to the latest best bid and ask."""
        decimals = self.series.recording.price_decimals
        bids, asks = dict(self.bids), dict(self.asks)
        top = self._top
        if top is not None:
            bids = {p: a for p, a in bids.items() if p < top.bid} | {top.bid: top.bid_amount}
            asks = {p: a for p, a in asks.items() if p > top.ask} | {top.ask: top.ask_amount}
        return DisplayedBook(
            bids=_decimal_levels(sorted(bids.items(), reverse=True), decimals),
            asks=_decimal_levels(sorted(asks.items()), decimals),
        )

    def displayed_amount(self, side: Side, price: Decimal) -> Decimal:
        """What is displayed at one price by the depth updates; zero when nothing is."""
        ticks = int(price.scaleb(self.series.recording.price_decimals))
        return Decimal((self.bids if side == "BUY" else self.asks).get(ticks, "0"))

    def public_trade(self, event: TradeEvent) -> PublicTrade:
        """A trade of the tape in the matching's words."""
        tape, i = self.series.recording.trades, event.index
        price = to_text(event.segment.price(int(tape.price[i])), self.series.recording.price_decimals)
        maker = bool(tape.buyer_is_maker[i]) != event.segment.mirrored
        return PublicTrade(self.series.symbol, Decimal(price), Decimal(tape.amount_text[i]), maker, event.sent_ms)

    @property
    def top(self) -> QuoteEvent:
        """Best bid and ask as last published."""
        return self._top or self._top_of_book(self._segment.start_ms)

    def _event(self, kind: int, index: int, sent_ms: int) -> Event:
        if kind == TRADE:
            return TradeEvent(self._segment, index, sent_ms)
        if kind == AGG:
            return AggEvent(self._segment, index, sent_ms)
        if kind == DEPTH:
            return self._depth(index, sent_ms)
        assert kind == QUOTE, kind
        return self._quote(index, sent_ms)

    def _depth(self, index: int, sent_ms: int) -> DepthEvent:
        change = self.series.recording.depth[index]
        bids, asks = self._turned(change.bids, change.asks)
        base = self.series.start_update_id(self._segment.index)
        apply_levels(self.bids, bids)
        apply_levels(self.asks, asks)
        self.update_id = base + change.last_id
        return DepthEvent(sent_ms, base + change.first_id, self.update_id, bids, asks)

    def _quote(self, index: int, sent_ms: int) -> QuoteEvent:
        q = self.series.recording.quotes[index]
        update_id = self.series.start_update_id(self._segment.index) + q.update_id
        price = self._segment.price
        if self._segment.mirrored:
            self._top = QuoteEvent(sent_ms, update_id, price(q.ask), q.ask_amount, price(q.bid), q.bid_amount)
        else:
            self._top = QuoteEvent(sent_ms, update_id, price(q.bid), q.bid_amount, price(q.ask), q.ask_amount)
        return self._top

    def _turned(self, bids: Levels, asks: Levels) -> tuple[Levels, Levels]:
        price = self._segment.price
        if self._segment.mirrored:
            bids, asks = asks, bids
        return tuple((price(p), a) for p, a in bids), tuple((price(p), a) for p, a in asks)

    def _enter(self, segment: Segment) -> None:
        recording = self.series.recording
        self._segment = segment
        self._next = 0
        self._top = None
        self._show(recording.start_bids, recording.start_asks)
        self.update_id = self.series.start_update_id(segment.index)

    def _show(self, recorded_bids: Mapping[int, str], recorded_asks: Mapping[int, str]) -> None:
        bids, asks = self._turned(tuple(recorded_bids.items()), tuple(recorded_asks.items()))
        self.bids, self.asks = dict(bids), dict(asks)

    def _turn(self) -> Iterator[Event]:
        """Into the next segment: one update takes the last book to the first one, and says the best of it."""
        old_bids, old_asks = self.bids, self.asks
        self._enter(self.series.segment(self._segment.index + 1))
        sent_ms = self._segment.start_ms
        bids, asks = _difference(old_bids, self.bids), _difference(old_asks, self.asks)
        yield DepthEvent(sent_ms, self.update_id, self.update_id, bids, asks)
        self._top = self._top_of_book(sent_ms)
        yield self._top

    def _top_of_book(self, sent_ms: int) -> QuoteEvent:
        bid, ask = max(self.bids), min(self.asks)
        return QuoteEvent(sent_ms, self.update_id, bid, self.bids[bid], ask, self.asks[ask])


def _difference(old: BookSide, new: BookSide) -> Levels:
    gone = tuple((price, GONE) for price in old if price not in new)
    return gone + tuple((price, amount) for price, amount in new.items() if old.get(price) != amount)


def _decimal_levels(levels: list[tuple[int, str]], decimals: int) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(to_text(p, decimals)), Decimal(a)) for p, a in levels[:MATCHED_LEVELS_MAX])
