"""Which trades of one symbol we have, which are missing, and what must be written because of the one that just came.

Pure: trades and moments in, rows out. The order of the rows is the guarantee: the row that records a hole comes before
the first trade after it, so that no crash can leave a hole that nobody knows of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ares.model.market import Trade, TradeRun
from ares.model.row import Row, Storable
from ingest.gaps import Cause, Gap, Healer, Where, refused_row
from ingest.ranges import IdRanges, Span

JUMP_IDS_MAX = 50_000_000
"""An id that is further ahead is not a hole of days, it is nonsense."""


class Arrival(Enum):
    """What the id of a trade says about it."""

    NEXT = "next"
    JUMP = "jump"
    LATE = "late"
    DUPLICATE = "duplicate"
    BEFORE_START = "before_start"
    IMPLAUSIBLE = "implausible"


@dataclass(frozen=True, slots=True)
class Stored:
    """A trade that is stored, as far as it matters to what came after it."""

    trade_id: str
    ts_ns: int


@dataclass(frozen=True, slots=True)
class Resume:
    """What the store knows of a symbol at start; `recent`: its newest trades, where ids do not tell what is missing."""

    first_seq: int
    last_seq: int
    first_ts_ns: int
    last_ts_ns: int
    gaps: Sequence[Gap] = ()
    unrecorded: Sequence[Gap] = ()
    missing: Sequence[Span] = ()
    recent: Sequence[Stored] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The verdict on a trade and the rows that follow from it, in the order in which they must become durable."""

    arrival: Arrival
    rows: Sequence[Storable] = ()


class TradeIntake:
    """The ids of one symbol's trades: seen from `first` to `last`, without `missing`, which `gaps` account for."""

    def __init__(self, venue: str, symbol: str) -> None:
        self.where = Where(venue, symbol, "trades")
        self.first: int | None = None
        self.last: int | None = None
        self.first_ts_ns = 0
        self.last_ts_ns = 0
        self.missing = IdRanges()
        self.fetched = IdRanges()
        self.gaps: list[Gap] = []
        self.tail: Gap | None = None

    def resume(self, known: Resume, now_ns: int) -> list[Row]:
        """Continue from what is stored: what was missing still is, and so is what came while we were away."""
        self.first, self.last = known.first_seq, known.last_seq
        self.first_ts_ns, self.last_ts_ns = known.first_ts_ns, known.last_ts_ns
        for gap in (*known.gaps, *known.unrecorded):
            if gap.last_seq is None:
                self.tail = gap
                continue
            self.gaps.append(gap)
            if gap.last_seq > self.last:
                self.last, self.last_ts_ns = gap.last_seq, max(self.last_ts_ns, gap.ended_at_ns or 0)
        for first, last in known.missing:
            self.missing.add(first, last)
        return [gap.to_row(now_ns) for gap in known.unrecorded] + self.interrupted("restart", now_ns)

    @property
    def is_current(self) -> bool:
        """Whether there is a newest trade and nothing is missing after it, as far as we know."""
        return self.last is not None and self.tail is None

    def start_after(self, seq: int, ts_ns: int) -> None:
        """Begin with the trade after this one; what lies before is history's."""
        if self.last is None:
            self.first, self.last = seq + 1, seq
            self.first_ts_ns = self.last_ts_ns = ts_ns

    def interrupted(self, cause: Cause, now_ns: int) -> list[Row]:
        """The stream stopped: from here on trades may be missing, until we know better."""
        if self.last is None or self.tail is not None:
            return []
        self.tail = Gap.opened(self.where, cause, now_ns, self.last_ts_ns, self.last + 1)
        return [self.tail.to_row(now_ns)]

    def judge(self, trade: Trade) -> Arrival:
        """What the id says, before anything changes."""
        if self.first is None or self.last is None:
            return Arrival.NEXT
        if trade.seq > self.last:
            if trade.seq - self.last > JUMP_IDS_MAX:
                return Arrival.IMPLAUSIBLE
            return Arrival.NEXT if trade.seq == self.last + 1 else Arrival.JUMP
        if trade.seq in self.missing:
            return Arrival.LATE
        if trade.ts_ns > self.last_ts_ns:
            return Arrival.IMPLAUSIBLE
        return Arrival.DUPLICATE if trade.seq >= self.first else Arrival.BEFORE_START

    def is_next_run(self, run: TradeRun) -> bool:
        """Whether these trades continue without a hole what we have: each would be `NEXT`, with no rows beside it."""
        if self.last is None or self.tail is not None:
            return False
        return run.seqs == list(range(self.last + 1, self.last + 1 + len(run)))

    def accept_run(self, run: TradeRun) -> None:
        """Take in trades for which `is_next_run` holds."""
        self.last = run.seqs[-1]
        self.last_ts_ns = max(self.last_ts_ns, *run.times_ns)

    def accept(self, trade: Trade, now_ns: int) -> Accepted:
        """Take a trade of the stream in."""
        arrival = self.judge(trade)
        if arrival is Arrival.LATE:
            self.missing.remove(trade.seq, trade.seq)
            return Accepted(arrival, [trade, *self._settled("stream", now_ns)])
        if arrival not in (Arrival.NEXT, Arrival.JUMP):
            return Accepted(arrival)
        rows: list[Row] = []
        if self.last is None:
            self.start_after(trade.seq - 1, trade.ts_ns)
        elif self.tail is not None or arrival is Arrival.JUMP:
            rows = self._hole_before(trade.seq, trade.ts_ns, now_ns)
        self.last = trade.seq
        self.last_ts_ns = max(self.last_ts_ns, trade.ts_ns)
        return Accepted(arrival, [*rows, trade])

    def caught_up(self, latest: Trade | None, now_ns: int) -> list[Row]:
        """The stream is back and the venue told its latest trade: so much was missed, or nothing."""
        if self.tail is None or self.last is None:
            return []
        if latest is None or latest.seq <= self.last:
            return self._close_tail(self.last_ts_ns, now_ns)
        rows = self._hole_before(latest.seq + 1, latest.ts_ns, now_ns)
        self.last = latest.seq
        self.last_ts_ns = max(self.last_ts_ns, latest.ts_ns)
        return rows

    def _hole_before(self, seq: int, ts_ns: int, now_ns: int) -> list[Row]:
        """Record last+1 .. seq-1 as missing, in the gap that is open at the end or in a new one."""
        assert self.last is not None
        if seq == self.last + 1:
            return self._close_tail(ts_ns, now_ns)
        first = self.last + 1
        gap = self.tail or Gap.opened(self.where, "id_jump", now_ns, self.last_ts_ns, first)
        gap = gap.bounded(seq - 1, ts_ns)
        self.tail = None
        self.gaps.append(gap)
        self.missing.add(first, seq - 1)
        return [gap.to_row(now_ns)]

    def _close_tail(self, ended_at_ns: int, now_ns: int) -> list[Row]:
        assert self.tail is not None
        closed = self.tail.closed("healed", "nothing_missed", ended_at_ns, 0)
        self.tail = None
        return [closed.to_row(now_ns)]

    def take(self, trades: Sequence[Trade]) -> list[Trade]:
        """Of trades fetched from history, those that are still missing; they must now be written, then `settle`."""
        wanted = [trade for trade in trades if trade.seq in self.missing]
        for trade in wanted:
            self.missing.remove(trade.seq, trade.seq)
            self.fetched.add(trade.seq, trade.seq)
        return wanted

    def settle(self, now_ns: int) -> list[Row]:
        """Close the gaps that history has filled. Call it once all trades taken are acknowledged."""
        self.fetched = IdRanges()
        return self._settled("rest", now_ns)

    def _settled(self, healed_by: Healer, now_ns: int) -> list[Row]:
        rows: list[Row] = []
        still_open: list[Gap] = []
        for gap in self.gaps:
            if self.missing_of(gap) or self.fetched.within(*ids_of(gap)):
                still_open.append(gap)
            else:
                rows.append(gap.closed("healed", healed_by, gap.ended_at_ns or self.last_ts_ns, 0).to_row(now_ns))
        self.gaps = still_open
        return rows

    def missing_of(self, gap: Gap) -> list[Span]:
        """What of a bounded gap is still missing."""
        return self.missing.within(*ids_of(gap))

    def give_up(self, gap: Gap, now_ns: int) -> list[Row]:
        """The venue no longer has what is missing of `gap`: one lost gap for each range of ids."""
        rows: list[Row] = []
        ended_at_ns = gap.ended_at_ns or self.last_ts_ns
        for position, (first, last) in enumerate(self.missing_of(gap)):
            gap_id = gap.gap_id if position == 0 else f"{gap.gap_id}:{first}"
            part = replace(gap, gap_id=gap_id, first_seq=first, last_seq=last)
            rows.append(part.closed("lost", "", ended_at_ns, last - first + 1).to_row(now_ns))
            self.missing.remove(first, last)
        self.gaps = [other for other in self.gaps if other.gap_id != gap.gap_id]
        return rows

    def lost_row(self, seq: int, ts_ns: int, now_ns: int) -> Row:
        """The store refused this trade for good: its id is missing, and that is recorded."""
        return refused_row(self.where, seq, ts_ns, now_ns)

    def lost_rows(self, absent: Sequence[Span], ts_ns: int, now_ns: int) -> list[Row]:
        """History does not list these ids around `ts_ns`: they are recorded as lost."""
        rows: list[Row] = []
        for first, last in absent:
            gap = Gap.opened(self.where, "backfill", now_ns, ts_ns, first).bounded(last, ts_ns)
            rows.append(gap.closed("lost", "", ts_ns, last - first + 1).to_row(now_ns))
        return rows


def ids_of(gap: Gap) -> Span:
    """First and last id of a bounded gap."""
    assert gap.first_seq is not None
    assert gap.last_seq is not None
    return gap.first_seq, gap.last_seq
