"""What is known of one venue's streams, and what must be written because of the frames that just came.

A batch of frames in which everything is ordinary, and nearly all are, goes in at once; any other is looked at frame by
frame. Both ways end in the same rows and the same knowledge, which a property test holds them to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import lt, sub

from ares.clock import NANOS_PER_SECOND, Clock
from ares.errors import MalformedFrame
from ares.model.market import Book, Entry, Quote, Trade, TradeRun
from ares.model.row import Row, Storable
from ares.telemetry import get_logger, metrics
from ingest.books import BookRoom, BookUpdate
from ingest.feed import WITHOUT_IDS, Channel, Frame, Reading, Rejected, raw_text
from ingest.freshness import Top
from ingest.funding import FundingRoom, FundingUpdate
from ingest.gaps import Cause
from ingest.intake import Arrival, Resume, TradeIntake
from ingest.intakes import Intake, intake_of
from ingest.ledger import Ledger
from ingest.outages import Outages
from ingest.timed import TimedIntake
from ingest.validation import Limits, Validator

log = get_logger(__name__)

EVER_NS = 2**63 - 1
"""Later than any moment."""
RECENT_IDS = 256
"""How far back a repeated quote or book is recognised; they are stamped with our time, so the store cannot."""


@dataclass(slots=True)
class Desk:
    """All that is known of one venue's streams: one instance, shared by its collectors, on one event loop."""

    venue: str
    symbols: Sequence[str]
    limits: Limits
    clock: Clock
    room: BookRoom | None = None
    behind_quotes: BookRoom | None = field(init=False)
    """The books behind best bids and asks, where the venue has no stream that tells each change of these."""
    funding: FundingRoom = field(default_factory=FundingRoom)
    dense_ids: bool = True
    """Whether ids tell what is missing of trades: see `ingest.intakes`."""
    intakes: Mapping[str, Intake] = field(init=False)
    outages: Mapping[Channel, Outages] = field(init=False)
    ledger: Ledger = field(init=False)
    validator: Validator = field(init=False)
    recent: dict[tuple[Channel, str], deque[int]] = field(default_factory=dict)
    newest: dict[tuple[Channel, str], Quote | Book] = field(default_factory=dict)
    shed: frozenset[Channel] = frozenset()
    """Channels whose events are dropped now; that is an outage of theirs."""

    def __post_init__(self) -> None:
        self.intakes = {each: intake_of(self.venue, each, dense_ids=self.dense_ids) for each in self.symbols}
        self.outages = {channel: Outages(self.venue, channel) for channel in WITHOUT_IDS}
        self.ledger = Ledger(self.venue, self.symbols)
        self.validator = Validator(self.limits)
        room = self.room
        self.behind_quotes = None if room is None else BookRoom(room.follows, 1, 0, room.checksum)

    def dense(self, symbol: str) -> TradeIntake:
        """The account by ids, of a venue whose ids allow it."""
        intake = self.intakes[symbol]
        assert isinstance(intake, TradeIntake)
        return intake

    def timed(self, symbol: str) -> TimedIntake:
        """The account by time, of any other venue."""
        intake = self.intakes[symbol]
        assert isinstance(intake, TimedIntake)
        return intake

    def resume(self, symbol: str, known: Resume | None, watermark_ns: int) -> list[Row]:
        """Continue a symbol's trades from what is stored."""
        if known is None:
            return []
        self.ledger.resume(symbol, watermark_ns, known.last_seq)
        return self.intakes[symbol].resume(known, self.clock.now_ns())

    def refused(self, row: Storable) -> Sequence[Row]:
        """The store will never take this row of the stream: if it is a trade, its id is recorded as lost."""
        self.ledger.refused(row)
        return self.refused_history(row)

    def refused_history(self, row: Storable) -> Sequence[Row]:
        """The store will never take this row of the past: if it is a trade, its id is recorded as lost."""
        if not isinstance(row, Trade):
            return []
        return [self.intakes[row.symbol].lost_row(row.seq, row.ts_ns, self.clock.now_ns())]

    def is_current(self, channel: Channel, symbol: str) -> bool:
        """Whether something of the channel came, and it is not known to be interrupted since."""
        if channel == "trades":
            return self.intakes[symbol].is_current
        return not self.outages[channel].is_open(symbol)

    def position(self, channel: Channel, symbol: str) -> int | None:
        """The newest id of a channel; a book's moves with every change, written or not."""
        if channel == "trades":
            return self.intakes[symbol].last
        book = self.room.books.get(symbol) if self.room is not None and channel == "books" else None
        if book is not None and book.newest is not None:
            return book.newest.last_id
        newest = self.newest.get((channel, symbol))
        return None if newest is None else newest.update_id

    def top(self, channel: Channel, symbol: str) -> Top | None:
        """Best bid and ask as a channel has them; only a book says which change they are of."""
        book = self.room.books.get(symbol) if self.room is not None and channel == "books" else None
        best = None if book is None else book.best()
        if best is not None:
            return Top(*best, self.position("books", symbol))
        newest = self.newest.get((channel, symbol))
        if isinstance(newest, Book):
            return Top(newest.bids[0][0], newest.asks[0][0], newest.update_id)
        return None if newest is None else Top(newest.bid, newest.ask)

    def rows_of(self, feed: Reading, frames: Sequence[Frame]) -> Sequence[Entry]:
        """What frames become: rows of what they say, or a `quarantine` row for each that is refused."""
        rows = self._rows_at_once(feed, frames)
        if rows is None:
            rows = [row for frame in frames for row in self._rows_of_frame(feed, frame)]
        if frames and frames[0].channel == "books":
            rows = [*rows, *self.books_due(frames[-1].received_at_ns)]
        return rows

    def books_due(self, now_ns: int) -> Sequence[Storable]:
        """Books that changed and were not written since; all that arrived up to `now_ns` must have been seen."""
        if self.room is None or not self.room.changed:
            return ()
        return [row for book in self.room.due(now_ns) for row in self._rows_of_top(book)]

    def _rows_at_once(self, feed: Reading, frames: Sequence[Frame]) -> Sequence[Entry] | None:
        """Rows of a batch in which everything is ordinary; None, and nothing changed, if anything is not."""
        if not frames:
            return ()
        if frames[0].channel == "trades":
            return self._trades_at_once(feed.runs(frames))
        if frames[0].channel == "quotes" and "quotes" not in self.shed:
            books = self.behind_quotes
            return self._quotes_at_once(feed, frames) if books is None or not books.books else None
        return None

    def _trades_at_once(self, runs: Sequence[TradeRun] | None) -> Sequence[Entry] | None:
        now_ns = self.clock.now_ns()
        if runs is None:
            return None
        for run in runs:
            if not (self.intakes[run.symbol].is_next_run(run) and self.validator.passes_run(run, now_ns)):
                return None
        for run in runs:
            self.intakes[run.symbol].accept_run(run)
            self.validator.last_prices[run.symbol] = run.prices[-1]
            self.ledger.put(run.symbol, run.receipts_ns[-1], run.seqs[-1], min(run.times_ns))
            self.ledger.venue_time.hear(run.receipts_ns[-1])
            self._observe(run.times_ns, run.receipts_ns)
            self._note("trades", run.symbol, run.times_ns[-1])
        return runs

    def _quotes_at_once(self, feed: Reading, frames: Sequence[Frame]) -> Sequence[Entry] | None:
        now_ns = self.clock.now_ns()
        runs: dict[str, list[Quote]] = {}
        try:
            for frame in frames:
                for event in feed.decode(frame):
                    if not isinstance(event, Quote):
                        return None
                    runs.setdefault(event.symbol, []).append(event)
        except MalformedFrame:
            return None
        for symbol, run in runs.items():
            ids = [quote.update_id for quote in run]
            known = max(self.recent.get(("quotes", symbol), ()), default=0)
            if not (known < ids[0] and all(map(lt, ids, ids[1:])) and self.validator.passes_quotes(run, now_ns)):
                return None
        rows: list[Entry] = []
        for symbol, run in runs.items():
            recent = self.recent.setdefault(("quotes", symbol), deque(maxlen=RECENT_IDS))
            recent.extend([quote.update_id for quote in run])
            self.ledger.venue_time.hear(run[-1].received_at_ns)
            timed = [quote for quote in run if quote.ts_source == "venue"]
            self._observe([quote.ts_ns for quote in timed], [quote.received_at_ns for quote in timed])
            self._note("quotes", symbol, run[-1].ts_ns)
            self.newest["quotes", symbol] = run[-1]
            closing = self.outages["quotes"].seen(symbol, run[0].ts_ns, now_ns)
            self.outages["quotes"].seen(symbol, max([quote.ts_ns for quote in run]), now_ns)
            rows += [*run, *closing]
        return rows

    def _observe(self, times_ns: Sequence[int], receipts_ns: Sequence[int]) -> None:
        """Tell the ledger of the event that took the shortest way to us: only that says something of a clock."""
        if not times_ns:
            return
        if receipts_ns[0] == receipts_ns[-1]:  # of one read, hence all of them
            self.ledger.venue_time.observe(max(times_ns), receipts_ns[0])
            return
        delays = list(map(sub, receipts_ns, times_ns))
        quickest = delays.index(min(delays))
        self.ledger.venue_time.observe(times_ns[quickest], receipts_ns[quickest])

    def _rows_of_frame(self, feed: Reading, frame: Frame) -> list[Storable]:
        """What one frame becomes."""
        try:
            events = feed.decode(frame)
        except MalformedFrame as error:
            return [self.reject(frame, error.field, str(error), "")]
        rows: list[Storable] = []
        for event in events:
            if isinstance(event, BookUpdate):
                rows += self._rows_of_update(feed, event, frame)
                continue
            if isinstance(event, FundingUpdate):
                rows += self._rows_of_funding(feed, event, frame)
                continue
            fault = self.validator.fault_of(event, self.clock.now_ns())
            if fault is not None:
                rows.append(self.reject(frame, fault.field, fault.reason, event.symbol))
            elif isinstance(event, Trade):
                rows += self._rows_of_trade(event, frame)
            else:
                rows += self._rows_of_state(event, frame.channel)
        return rows

    def _rows_of_trade(self, trade: Trade, frame: Frame) -> list[Storable]:
        now_ns = self.clock.now_ns()
        accepted = self.intakes[trade.symbol].accept(trade, now_ns)
        if accepted.arrival is Arrival.IMPLAUSIBLE:
            return [self.reject(frame, "trade_id", "the ids of this symbol cannot have moved there", trade.symbol)]
        if not accepted.rows:
            metrics.INGEST_DUPLICATES.labels("trades", trade.symbol).inc()
            return []
        self._note("trades", trade.symbol, trade.ts_ns)
        self.ledger.put(trade.symbol, trade.received_at_ns, trade.seq, trade.ts_ns)
        self.ledger.venue_time.observe(trade.ts_ns, trade.received_at_ns)
        if accepted.arrival is Arrival.JUMP:
            log.warning("trades_missing", symbol=trade.symbol, up_to_seq=trade.seq)
        return list(accepted.rows)

    def _rows_of_state(self, event: Quote | Book, channel: Channel) -> list[Storable]:
        if channel in self.shed:
            return self._shed_row(event, channel)
        recent = self.recent.setdefault((channel, event.symbol), deque(maxlen=RECENT_IDS))
        if event.update_id in recent:
            metrics.INGEST_DUPLICATES.labels(channel, event.symbol).inc()
            return list(self.outages[channel].seen(event.symbol, event.ts_ns, self.clock.now_ns()))
        recent.append(event.update_id)
        return self._rows_of_new_state(event, channel)

    def _shed_row(self, event: Quote | Book, channel: Channel) -> list[Storable]:
        metrics.INGEST_SHED.labels(channel).inc()
        return list(self.outages[channel].interrupted(event.symbol, "shed", self.clock.now_ns()))

    def _rows_of_new_state(self, event: Quote | Book, channel: Channel) -> list[Storable]:
        self._note(channel, event.symbol, event.ts_ns)
        self.newest[channel, event.symbol] = event
        if event.ts_source == "venue":
            self.ledger.venue_time.observe(event.ts_ns, event.received_at_ns)
        else:
            self.ledger.venue_time.hear(event.received_at_ns)
        closing = self.outages[channel].seen(event.symbol, event.ts_ns, self.clock.now_ns())
        return [event, *closing]

    def _rows_of_update(self, feed: Reading, update: BookUpdate, frame: Frame) -> list[Storable]:
        """What a change of a book writes: a quote, on their channel; an outage, if the book is no longer believed."""
        channel = frame.channel
        room = self.behind_quotes if channel == "quotes" else self.room
        assert room is not None, "a feed that sends changes of books needs a room for them"
        rows = self.books_due(update.received_at_ns) if channel == "books" else ()
        trouble = room.take(update)
        if trouble is None:
            return self._rows_of_best(room, update, frame) if channel == "quotes" else list(rows)
        feed.resync(update.symbol, channel)
        log.warning("book_resynced", channel=channel, symbol=update.symbol, cause=trouble, update_id=update.last_id)
        return [*rows, *self.outages[channel].interrupted(update.symbol, trouble, self.clock.now_ns())]

    def _rows_of_best(self, room: BookRoom, update: BookUpdate, frame: Frame) -> list[Storable]:
        """The best bid and ask after a change, if it changed these. Nothing repeats them, so there is no id to know."""
        quote = room.new_quote(update.symbol, update.received_at_ns)
        if quote is None:
            return []
        fault = self.validator.fault_of(quote, self.clock.now_ns())
        if fault is not None:
            return [self.reject(frame, fault.field, fault.reason, quote.symbol)]
        if "quotes" in self.shed:
            room.quoted.pop(quote.symbol)
            return self._shed_row(quote, "quotes")
        return self._rows_of_new_state(quote, "quotes")

    def _rows_of_top(self, book: Book) -> list[Storable]:
        fault = self.validator.fault_of(book, self.clock.now_ns())
        if fault is not None:
            frame = Frame("books", book, book.received_at_ns)
            return [self.reject(frame, fault.field, fault.reason, book.symbol)]
        return self._rows_of_state(book, "books")

    def _rows_of_funding(self, feed: Reading, update: FundingUpdate, frame: Frame) -> list[Storable]:
        """A row where the rate changed or was not told for a while; a rate that nothing confirms is an outage."""
        now_ns = self.clock.now_ns()
        if self.funding.take(update) == "silence":
            feed.renew("funding")
            return list(self.outages["funding"].interrupted(update.symbol, "silence", now_ns))
        funding = self.funding.whole(update.symbol)
        if funding is None:
            return []
        fault = self.validator.fault_of(funding, now_ns)
        if fault is not None:
            return [self.reject(frame, fault.field, fault.reason, funding.symbol)]
        self._note("funding", funding.symbol, funding.ts_ns)
        written: list[Storable] = [funding] if self.funding.is_due(funding) else []
        return [*written, *self.outages["funding"].seen(funding.symbol, funding.ts_ns, now_ns)]

    def _note(self, channel: Channel, symbol: str, ts_ns: int) -> None:
        metrics.INGEST_LAST_EVENT.labels(channel, symbol).set(ts_ns / NANOS_PER_SECOND)

    def reject(self, frame: Frame, field_name: str, reason: str, symbol: str) -> Row:
        """A row that keeps a refused frame."""
        metrics.INGEST_QUARANTINED.labels(frame.channel, field_name).inc()
        log.warning("frame_refused", channel=frame.channel, symbol=symbol, field=field_name, reason=reason)
        text = raw_text(frame.payload)
        return Rejected(frame.channel, field_name, reason, text, frame.received_at_ns, symbol).to_row(self.venue)

    def interrupted(self, channel: Channel, cause: Cause) -> list[Row]:
        """The channel is lost: a gap for each of its symbols."""
        now_ns = self.clock.now_ns()
        room = {"books": self.room, "quotes": self.behind_quotes}.get(channel)
        if room is not None:
            room.reset()
        if channel == "funding":
            self.funding.reset()
        rows: list[Row] = []
        for symbol in self.symbols:
            if channel == "trades":
                rows += self.intakes[symbol].interrupted(cause, now_ns)
            else:
                rows += self.outages[channel].interrupted(symbol, cause, now_ns)
        return rows
