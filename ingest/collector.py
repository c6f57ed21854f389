"""The main loop of a channel: frames in, rows out, until cancelled; and the books it keeps about what it saw."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from ares.clock import NANOS_PER_SECOND, Clock
from ares.errors import MalformedFrame, VenueError, VenueRejected
from ares.model.market import Book, Quote, Trade
from ares.model.row import Row
from ares.resilience import Backoff
from ares.telemetry import get_logger, metrics
from ingest.feed import ChainBroken, Channel, Feed, Frame, MarketEvent, Rejected, Silence, raw_text
from ingest.gaps import Cause
from ingest.intake import Arrival, Resume, TradeIntake
from ingest.ledger import Ledger
from ingest.outages import Outages
from ingest.sink import Sink
from ingest.validation import Limits, Validator

log = get_logger(__name__)

RECENT_IDS = 256
"""How far back a repeated quote or book is recognised; they are stamped with our time, so the store cannot."""


@dataclass(slots=True)
class Desk:
    """All that is known of one venue's streams: one instance, shared by its collectors, on one event loop."""

    venue: str
    symbols: Sequence[str]
    limits: Limits
    clock: Clock
    intakes: Mapping[str, TradeIntake] = field(init=False)
    outages: Mapping[Channel, Outages] = field(init=False)
    ledger: Ledger = field(init=False)
    validator: Validator = field(init=False)
    recent: dict[tuple[Channel, str], deque[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.intakes = {symbol: TradeIntake(self.venue, symbol) for symbol in self.symbols}
        self.outages = {channel: Outages(self.venue, channel) for channel in ("quotes", "books")}
        self.ledger = Ledger(self.venue, self.symbols)
        self.validator = Validator(self.limits)

    def resume(self, symbol: str, known: Resume | None, watermark_ns: int) -> list[Row]:
        """Continue a symbol's trades from what is stored."""
        if known is None:
            return []
        self.ledger.resume(symbol, watermark_ns, known.last_seq)
        return self.intakes[symbol].resume(known, self.clock.now_ns())

    def refused(self, row: Row) -> Sequence[Row]:
        """The store will never take this row of the stream: if it is a trade, its id is recorded as lost."""
        self.ledger.refused(row)
        return self.refused_history(row)

    def refused_history(self, row: Row) -> Sequence[Row]:
        """The store will never take this row of the past: if it is a trade, its id is recorded as lost."""
        seq = row.columns.get("seq")
        if row.table != "trades" or not isinstance(seq, int):
            return []
        return [self.intakes[row.symbols["symbol"]].lost_row(seq, row.ts_ns, self.clock.now_ns())]

    def rows_of(self, feed: Feed, frame: Frame) -> list[Row]:
        """What a frame becomes: rows of what it says, or a `quarantine` row that keeps it."""
        try:
            event = feed.decode(frame)
        except MalformedFrame as error:
            return [self.reject(frame, error.field, str(error), "")]
        fault = self.validator.fault_of(event, self.clock.now_ns())
        if fault is not None:
            return [self.reject(frame, fault.field, fault.reason, event.symbol)]
        if isinstance(event, Trade):
            return self._rows_of_trade(event, frame)
        return self._rows_of_state(event, frame.channel)

    def _rows_of_trade(self, trade: Trade, frame: Frame) -> list[Row]:
        now_ns = self.clock.now_ns()
        accepted = self.intakes[trade.symbol].accept(trade, now_ns)
        if accepted.arrival is Arrival.IMPLAUSIBLE:
            return [self.reject(frame, "trade_id", "the ids of this symbol cannot have moved there", trade.symbol)]
        if not accepted.rows:
            metrics.INGEST_DUPLICATES.labels("trades", trade.symbol).inc()
            return []
        self._note(trade, "trades")
        self.ledger.put(trade.symbol, trade.received_at_ns)
        self.ledger.venue_time.observe(trade.ts_ns, trade.received_at_ns)
        if accepted.arrival is Arrival.JUMP:
            log.warning("trades_missing", symbol=trade.symbol, up_to_seq=trade.seq)
        return list(accepted.rows)

    def _rows_of_state(self, event: Quote | Book, channel: Channel) -> list[Row]:
        recent = self.recent.setdefault((channel, event.symbol), deque(maxlen=RECENT_IDS))
        if event.update_id in recent:
            metrics.INGEST_DUPLICATES.labels(channel, event.symbol).inc()
            return self.outages[channel].seen(event.symbol, event.ts_ns, self.clock.now_ns())
        recent.append(event.update_id)
        self._note(event, channel)
        if event.ts_source == "venue":
            self.ledger.venue_time.observe(event.ts_ns, event.received_at_ns)
        closing = self.outages[channel].seen(event.symbol, event.ts_ns, self.clock.now_ns())
        return [event.to_row(), *closing]

    def _note(self, event: MarketEvent, channel: Channel) -> None:
        metrics.INGEST_LAST_EVENT.labels(channel, event.symbol).set(event.ts_ns / NANOS_PER_SECOND)

    def reject(self, frame: Frame, field_name: str, reason: str, symbol: str) -> Row:
        """A row that keeps a refused frame."""
        metrics.INGEST_QUARANTINED.labels(frame.channel, field_name).inc()
        log.warning("frame_refused", channel=frame.channel, symbol=symbol, field=field_name, reason=reason)
        text = raw_text(frame.payload)
        return Rejected(frame.channel, field_name, reason, text, frame.received_at_ns, symbol).to_row(self.venue)

    def interrupted(self, channel: Channel, cause: Cause) -> list[Row]:
        """The channel is lost: a gap for each of its symbols."""
        now_ns = self.clock.now_ns()
        rows: list[Row] = []
        for symbol in self.symbols:
            if channel == "trades":
                rows += self.intakes[symbol].interrupted(cause, now_ns)
            else:
                rows += self.outages[channel].interrupted(symbol, cause, now_ns)
        return rows


async def collect(feed: Feed, channel: Channel, desk: Desk, sink: Sink, backoff: Backoff) -> None:
    """Stream one channel into the store until cancelled.

    Every frame received becomes rows: what it says, or a `quarantine` row that keeps it. Every outage becomes a
    `gaps` row per symbol, so a hole can be told from a quiet market. `sink.put` is bounded: it waits, never grows.
    """
    while True:
        try:
            async with aclosing(feed.frames(channel)) as batches:
                async for frames in batches:
                    rows: list[Row] = []
                    for frame in frames:
                        rows += desk.rows_of(feed, frame)
                    count_gaps(rows)
                    await sink.put(rows)
                    backoff.reset()
        except VenueError as error:
            cause = cause_of(error)
            opened = desk.interrupted(channel, cause)
            count_gaps(opened)
            await sink.put(opened)
            wait_s = backoff.next_wait_s()
            metrics.INGEST_CONNECTS.labels(channel, cause).inc()
            log.warning("feed_lost", venue=desk.venue, channel=channel, cause=cause, error=str(error), wait_s=wait_s)
            await desk.clock.sleep(wait_s)
        else:
            raise AssertionError("Feed.frames() returned; it must raise VenueError")


def cause_of(error: VenueError) -> Cause:
    """Why a stream was lost, as a word for rows and metrics."""
    if isinstance(error, Silence):
        return "silence"
    if isinstance(error, ChainBroken):
        return "id_jump"
    return "refused" if isinstance(error, VenueRejected) else "disconnect"


def count_gaps(rows: Sequence[Row]) -> None:
    """Metrics of the gap rows among these."""
    for row in rows:
        if row.table == "gaps":
            metrics.INGEST_GAPS.labels(row.symbols["channel"], row.symbols["status"], row.symbols["cause"]).inc()
