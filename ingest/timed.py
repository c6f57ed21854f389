"""Which trades of one symbol we have where ids do not tell what is missing: a hole is a span of time.

Pure. What came last before a break and first after it enclose the hole. The venue tells only its newest trades, a page
of them, and the page is whole: if it reaches back to what came last before the break, it holds all that was missed.
What it does not reach is lost. See docs/adr/0020-trades-whose-ids-have-holes.md.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ares.model.market import Trade, TradeRun
from ares.model.row import Row, Storable
from ingest.gaps import Cause, Gap, Healer, Where, refused_row
from ingest.intake import Accepted, Arrival, Resume

SEEN_TRADES_MAX = 8_192
"""Ids remembered of a symbol: eight times the largest page, so that all of a page is judged by ids that we know."""
STRANGERS_MIN = 3
"""So many trades that a page should list and does not: fewer may be the venue's oversight."""

Place = tuple[int, int]
"""Where a trade stands among those of its symbol: its time, and what orders those that share it."""


def place_of(trade: Trade) -> Place:
    """Where a trade stands among those of its symbol."""
    return trade.ts_ns, trade.seq


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a gap is filled: all up to `place` is there, and `trade_id`, if known, is the trade that stands there.

    `until_id`, if known, is the first trade after the hole.
    """

    place: Place
    trade_id: str = ""
    until_id: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What was known when the venue was asked for its newest trades: an answer says nothing of what broke since.

    `settled`: the stream had been back for so long that what REST did not list then, the stream brought.
    """

    gap_ids: frozenset[str]
    breaks: int
    settled: bool


class SeenTrades:
    """Ids of the newest trades, a bounded number; `floor_ns` is the newest time of those that were forgotten."""

    def __init__(self, trades_max: int) -> None:
        self._trades_max = trades_max
        self._times_ns: OrderedDict[str, int] = OrderedDict()
        self.floor_ns = 0

    def __contains__(self, trade_id: str) -> bool:
        return trade_id in self._times_ns

    def __len__(self) -> int:
        return len(self._times_ns)

    def add(self, trade_id: str, ts_ns: int) -> None:
        """Remember a trade, and forget the one that came first if there are too many."""
        self._times_ns[trade_id] = ts_ns
        if len(self._times_ns) > self._trades_max:
            _, forgotten_ns = self._times_ns.popitem(last=False)
            self.floor_ns = max(self.floor_ns, forgotten_ns)

    def between(self, after_ns: int, before_ns: int) -> list[str]:
        """The trades that are known of between two moments, both exclusive."""
        return [trade_id for trade_id, known_ns in self._times_ns.items() if after_ns < known_ns < before_ns]

    def before(self, ts_ns: int) -> int | None:
        """The newest time at or before this one that a trade is known of."""
        return max([known_ns for known_ns in self._times_ns.values() if known_ns <= ts_ns], default=None)


class TimedIntake:
    """The trades of one symbol from `first` to `last`, without what lies in `gaps` and `tail`."""

    def __init__(self, venue: str, symbol: str) -> None:
        self.where = Where(venue, symbol, "trades")
        self.first: int | None = None
        self.last: int | None = None
        self.first_ts_ns = 0
        self.last_ts_ns = 0
        self.gaps: list[Gap] = []
        self.tail: Gap | None = None
        self.seen = SeenTrades(SEEN_TRADES_MAX)
        self.streamed = 0
        self._last_id = ""
        self.breaks = 0
        self._reaches: dict[str, Reach] = {}
        self._filled: set[str] = set()

    @property
    def is_current(self) -> bool:
        """Whether there is a newest trade and nothing is missing after it, as far as we know."""
        return self.last is not None and self.tail is None

    def resume(self, known: Resume, now_ns: int) -> list[Row]:
        """Continue from what is stored: what was missing still is, and so is what came while we were away."""
        self.first, self.first_ts_ns = known.first_seq, known.first_ts_ns
        self.last, self.last_ts_ns = known.last_seq, known.last_ts_ns
        for each in known.recent:
            self.seen.add(each.trade_id, each.ts_ns)
            self._last_id = each.trade_id
        rows: list[Row] = []
        for stored in sorted(known.gaps, key=lambda g: g.started_at_ns):
            gap = stored
            if stored.ended_at_ns is None and stored.started_at_ns > self.last_ts_ns:  # what came before it was not
                gap = replace(stored, started_at_ns=self.last_ts_ns, revision=stored.revision + 1)
                rows.append(gap.to_row(now_ns))
            self._reaches[gap.gap_id] = Reach((gap.started_at_ns, 0))
            if gap.ended_at_ns is not None:
                self.gaps.append(gap)
            elif self.tail is None:
                self.tail = gap
            else:  # it lies inside the one that is open already
                rows.append(gap.closed("lost", "", gap.started_at_ns, None).to_row(now_ns))
        return [*rows, *self.interrupted("restart", now_ns)]

    def begin(self, newest: Trade, now_ns: int) -> list[Storable]:
        """Begin with the venue's newest trade in a market that is quiet: what follows it may be missed as yet."""
        if self.last is not None:
            return []
        self._take([newest])
        return [newest, self._open_tail("restart", now_ns).to_row(now_ns)]

    def interrupted(self, cause: Cause, now_ns: int) -> list[Row]:
        """The stream stopped: from here on trades may be missing, until we know better."""
        self.breaks += 1
        if self.last is None or self.tail is not None:
            return []
        return [self._open_tail(cause, now_ns).to_row(now_ns)]

    def _open_tail(self, cause: Cause, now_ns: int) -> Gap:
        assert self.last is not None
        self.tail = Gap.opened(self.where, cause, now_ns, self.last_ts_ns)
        self._reaches[self.tail.gap_id] = Reach((self.last_ts_ns, self.last), self._last_id)
        return self.tail

    def judge(self, trade: Trade) -> Arrival:
        """What the id and the time say, before anything changes. One too old to be remembered is written again."""
        if trade.trade_id in self.seen:
            return Arrival.DUPLICATE
        if self.last is None or place_of(trade) > (self.last_ts_ns, self.last):
            return Arrival.NEXT
        return Arrival.BEFORE_START if trade.ts_ns < self.first_ts_ns else Arrival.LATE

    def is_next_run(self, run: TradeRun) -> bool:
        """Whether these trades continue what we have: each would be `NEXT`, with no rows beside it."""
        if self.last is None or self.tail is not None:
            return False
        places = [(self.last_ts_ns, self.last), *zip(run.times_ns, run.seqs, strict=True)]
        grows = all(before < after for before, after in pairwise(places))
        return grows and not any(str(seq) in self.seen for seq in run.seqs)

    def accept_run(self, run: TradeRun) -> None:
        """Take in trades for which `is_next_run` holds."""
        for seq, ts_ns in zip(run.seqs, run.times_ns, strict=True):
            self.seen.add(str(seq), ts_ns)
        self.last, self.last_ts_ns, self._last_id = run.seqs[-1], run.times_ns[-1], str(run.seqs[-1])
        self.streamed += len(run)

    def accept(self, trade: Trade, now_ns: int) -> Accepted:
        """Take a trade of the stream in. The first after a break ends the hole, which is written before it."""
        arrival = self.judge(trade)
        if arrival in (Arrival.DUPLICATE, Arrival.BEFORE_START):
            return Accepted(arrival)
        rows: list[Row] = []
        if arrival is Arrival.NEXT and self.tail is not None:
            gap, self.tail = self.tail.until(trade.ts_ns), None
            self.gaps.append(gap)
            self._reaches[gap.gap_id] = replace(self._reaches[gap.gap_id], until_id=trade.trade_id)
            rows = [gap.to_row(now_ns)]
        self._take([trade])
        self.streamed += 1
        return Accepted(arrival, [*rows, trade])

    def _take(self, trades: Iterable[Trade]) -> None:
        for trade in trades:
            self.seen.add(trade.trade_id, trade.ts_ns)
            if self.first is None:
                self.first, self.first_ts_ns = trade.seq, trade.ts_ns
            if self.last is None or place_of(trade) > (self.last_ts_ns, self.last):
                self.last, self.last_ts_ns, self._last_id = trade.seq, trade.ts_ns, trade.trade_id

    def looking(self, *, settled: bool) -> Look:
        """What to remember of now while the venue is asked for its newest trades."""
        return Look(frozenset(gap.gap_id for gap in self._open_gaps()), self.breaks, settled)

    def _open_gaps(self) -> list[Gap]:
        return [*self.gaps, *([] if self.tail is None else [self.tail])]

    def fill(self, page: Sequence[Trade], look: Look, now_ns: int) -> list[Storable]:
        """What an answer is worth, its trades in their order: those that are missing, and what became of the gaps.

        The rows go the way of the stream's, together: then a gap is durable before what fills it, and closes after it.
        """
        rows: list[Storable] = []
        for gap in self._open_gaps():
            if page and gap.gap_id in look.gap_ids and place_of(page[-1]) >= self._reaches[gap.gap_id].place:
                rows += self._fill_gap(gap, page, look, now_ns)
        return rows

    def _fill_gap(self, gap: Gap, page: Sequence[Trade], look: Look, now_ns: int) -> list[Storable]:
        reach, oldest, newest = self._reaches[gap.gap_id], page[0], page[-1]
        ids = {trade.trade_id for trade in page}
        wanted = [trade for trade in page if self._is_missing(trade, gap, reach)]
        self._take(wanted)
        if wanted:
            self._filled.add(gap.gap_id)
        rows: list[Storable] = [*wanted]
        if not (oldest.ts_ns < reach.place[0] or reach.trade_id in ids):
            if gap.ended_at_ns is not None and oldest.ts_ns >= gap.ended_at_ns:
                lost = replace(gap, started_at_ns=reach.place[0])
                return [*rows, *self._closed(gap, lost.closed("lost", "", gap.ended_at_ns, None), now_ns)]
            rows += self._lost_part(gap, reach.place[0], oldest.ts_ns, now_ns)
            gap = self._replaced(gap, replace(gap, started_at_ns=oldest.ts_ns))
        self._reaches[gap.gap_id] = replace(reach, place=place_of(newest), trade_id=newest.trade_id)
        if not self._is_whole(gap, reach, page, look):
            return rows
        healer: Healer = "rest" if gap.gap_id in self._filled else "nothing_missed"
        ended_at_ns = newest.ts_ns if gap.ended_at_ns is None else gap.ended_at_ns
        return [*rows, *self._closed(gap, gap.closed("healed", healer, ended_at_ns, 0), now_ns)]

    def _is_missing(self, trade: Trade, gap: Gap, reach: Reach) -> bool:
        inside = reach.place[0] <= trade.ts_ns and (gap.ended_at_ns is None or trade.ts_ns <= gap.ended_at_ns)
        return inside and trade.trade_id not in self.seen

    def _is_whole(self, gap: Gap, reach: Reach, page: Sequence[Trade], look: Look) -> bool:
        """Whether a page that reaches back to a gap's beginning also reaches its end."""
        if gap.ended_at_ns is None:
            return look.settled and look.breaks == self.breaks
        if page[-1].ts_ns > gap.ended_at_ns or any(trade.trade_id == reach.until_id for trade in page):
            return True
        return not reach.until_id and page[-1].ts_ns >= gap.ended_at_ns

    def _lost_part(self, gap: Gap, started_at_ns: int, ended_at_ns: int, now_ns: int) -> list[Row]:
        """What no page will ever reach, as a gap of its own: the rest may still be filled.

        It is opened as well: a gap that opens is durable before the trades after which the rest begins.
        """
        part = replace(gap, gap_id=f"{gap.gap_id}:{started_at_ns}", started_at_ns=started_at_ns, ended_at_ns=None)
        opened = part.until(ended_at_ns)
        return [opened.to_row(now_ns), opened.closed("lost", "", ended_at_ns, None).to_row(now_ns)]

    def _replaced(self, gap: Gap, by: Gap) -> Gap:
        if self.tail is gap:
            self.tail = by
        else:
            self.gaps[self.gaps.index(gap)] = by
        return by

    def _closed(self, gap: Gap, end: Gap, now_ns: int) -> list[Row]:
        if self.tail is gap:
            self.tail = None
        else:
            self.gaps.remove(gap)
        del self._reaches[gap.gap_id]
        self._filled.discard(gap.gap_id)
        return [end.to_row(now_ns)]

    def suspect(self, page: Sequence[Trade], now_ns: int) -> list[Row]:
        """Open a gap around trades that the venue lists, and that its stream left out before others that it brought."""
        if self.last is None or self._open_gaps():
            return []
        newest = (self.last_ts_ns, self.last)
        left_out = [at for at, trade in enumerate(page) if self._is_left_out(trade, newest)]
        if not left_out:
            return []
        oldest, after = page[left_out[0]], page[min(left_out[-1] + 1, len(page) - 1)]
        if left_out[0] == 0:
            known_ns = self.seen.before(oldest.ts_ns)
            reach = Reach((self.first_ts_ns if known_ns is None else known_ns, 0), "", after.trade_id)
        else:
            before = page[left_out[0] - 1]
            reach = Reach(place_of(before), before.trade_id, after.trade_id)
        return [self._bounded("id_jump", reach, after.ts_ns, now_ns).to_row(now_ns)]

    def _is_left_out(self, trade: Trade, newest: Place) -> bool:
        known = trade.trade_id in self.seen or trade.ts_ns <= max(self.seen.floor_ns, self.first_ts_ns)
        return not known and place_of(trade) < newest

    def is_of_others(self, page: Sequence[Trade]) -> bool:
        """Whether a page lists none of several trades that came between its ends: then it counts them by other ids.

        What it lists is stored already under the stream's ids, and would be there twice.
        """
        if not page:
            return False
        came = self.seen.between(page[0].ts_ns, page[-1].ts_ns)
        return len(came) >= STRANGERS_MIN and set(came).isdisjoint(trade.trade_id for trade in page)

    def reach_back(self, page: Sequence[Trade], horizon_ns: int, now_ns: int) -> list[Row] | None:
        """Begin earlier, with the oldest trade of a page since `horizon_ns`: a gap up to what we have, for `fill`.

        None if the page does not reach what we have.
        """
        known = next((at for at, trade in enumerate(page) if trade.trade_id in self.seen), None)
        if known is None:
            return None
        older = [trade for trade in page[:known] if trade.ts_ns >= horizon_ns]
        if not older or older[0].ts_ns > self.first_ts_ns:
            return []
        reach = Reach(place_of(older[0]), older[0].trade_id, page[known].trade_id)
        self.first, self.first_ts_ns = older[0].seq, older[0].ts_ns
        return [self._bounded("backfill", reach, page[known].ts_ns, now_ns).to_row(now_ns)]

    def _bounded(self, cause: Cause, reach: Reach, ended_at_ns: int, now_ns: int) -> Gap:
        gap = Gap.opened(self.where, cause, now_ns, reach.place[0]).until(ended_at_ns)
        self.gaps.append(gap)
        self._reaches[gap.gap_id] = reach
        return gap

    def lost_row(self, seq: int, ts_ns: int, now_ns: int) -> Row:
        """The store refused this trade for good: it is missing, and that is recorded."""
        return refused_row(self.where, seq, ts_ns, now_ns, dense_ids=False)
