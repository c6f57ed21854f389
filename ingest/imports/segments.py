"""Which ids are there without a hole, and what must be recorded of the holes between them. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from ares.model.market import TradeRun
from ares.model.row import Row
from ingest.gaps import Gap, Healer, Way, Where
from ingest.intake import ids_of
from ingest.ranges import IdRanges, Span

SEGMENTS_MAX = 1_000
"""With more pieces than this the ids of a file do not count its trades one by one: holes mean nothing."""
SEQ_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Segment:
    """Ids without a hole from `first` to `last`, and the event times of these two (UTC ns)."""

    first: int
    last: int
    first_ts_ns: int
    last_ts_ns: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Ids that are not stored, and the event times of the trades around them (UTC ns)."""

    first: int
    last: int
    started_ns: int
    ended_ns: int


@dataclass(frozen=True, slots=True)
class Truth:
    """In the ids that were `looked` at, `holes` is all that is not stored."""

    looked: Sequence[Span]
    holes: Sequence[Hole]


@dataclass(slots=True)
class Segments:
    """The ids of one symbol that an import found stored or wrote, in pieces without a hole, in order.

    >>> segments = Segments(); segments.add(Segment(1, 5, 10, 50)); segments.add(Segment(6, 9, 60, 90))
    >>> segments.pieces
    [Segment(first=1, last=9, first_ts_ns=10, last_ts_ns=90)]
    """

    pieces: list[Segment] = field(default_factory=list)
    scattered: bool = False

    def add_run(self, run: TradeRun) -> None:
        """Take in trades, which are in order of id."""
        if run.seqs and run.seqs[-1] - run.seqs[0] + 1 == len(run):
            self.add(Segment(run.seqs[0], run.seqs[-1], run.times_ns[0], run.times_ns[-1]))
            return
        start = 0
        for place in range(1, len(run) + 1):
            if place == len(run) or run.seqs[place] != run.seqs[place - 1] + 1:
                ids, times = run.seqs, run.times_ns
                self.add(Segment(ids[start], ids[place - 1], times[start], times[place - 1]))
                start = place
            if self.scattered:
                return

    def add(self, piece: Segment) -> None:
        """Take in ids; pieces that touch become one."""
        if self.scattered:
            return
        start = bisect_left(self.pieces, piece.first, key=attrgetter("first"))
        if start > 0 and self.pieces[start - 1].last >= piece.first - 1:
            start -= 1
        end = start
        while end < len(self.pieces) and self.pieces[end].first <= piece.last + 1:
            piece = _joined(piece, self.pieces[end])
            end += 1
        self.pieces[start:end] = [piece]
        if len(self.pieces) > SEGMENTS_MAX:
            self.scattered = True
            self.pieces = []


def _joined(one: Segment, other: Segment) -> Segment:
    first = min(one, other, key=attrgetter("first"))
    last = max(one, other, key=attrgetter("last"))
    return Segment(first.first, last.last, first.first_ts_ns, last.last_ts_ns)


@dataclass(frozen=True, slots=True)
class Words:
    """What rows say: why holes are there that nobody recorded, and what filled those that were."""

    cause: Way = "import"
    healed_by: Healer = "import"
    heal_open: bool = False


def corrected(where: Where, gaps: Sequence[Gap], truth: Truth, now_ns: int, words: Words) -> list[Row]:
    """Rows that make `gaps` agree with what is stored.

    `gaps` are those of the symbol's trades that are not healed. An open one is the running service's and stays; with
    `heal_open` it closes once all of it is stored. A lost one of which something is stored after all closes, and what
    is still missing of it opens anew, as lost; so does a hole that no gap records.
    """
    stored = IdRanges(truth.looked)
    for hole in truth.holes:
        stored.remove(hole.first, hole.last)
    rows: list[Row] = []
    recorded = IdRanges()
    todo = list(truth.holes)
    for gap in gaps:
        rest = IdRanges([_ids_or_open(gap)])
        whole = rest.count()
        for first, last in stored.spans():
            rest.remove(first, last)
        is_ours = gap.status == "lost" or (words.heal_open and gap.last_seq is not None and not rest)
        if not is_ours or rest.count() == whole:
            recorded.add(*_ids_or_open(gap))
            continue
        ended_at_ns = gap.ended_at_ns or gap.started_at_ns
        rows.append(gap.closed("healed", words.healed_by, ended_at_ns, 0).to_row(now_ns))
        todo += [Hole(first, last, gap.started_at_ns, ended_at_ns) for first, last in rest.spans()]
    for hole in todo:
        rows += _lost(where, hole, recorded, now_ns, words.cause)
        recorded.add(hole.first, hole.last)
    return rows


def _lost(where: Where, hole: Hole, recorded: IdRanges, now_ns: int, cause: Way) -> list[Row]:
    rest = IdRanges([(hole.first, hole.last)])
    for first, last in recorded.spans():
        rest.remove(first, last)
    rows: list[Row] = []
    for first, last in rest.spans():
        gap = Gap.opened(where, cause, now_ns, hole.started_ns, first).bounded(last, hole.ended_ns)
        rows.append(gap.closed("lost", "", hole.ended_ns, last - first + 1).to_row(now_ns))
    return rows


def _ids_or_open(gap: Gap) -> Span:
    return ids_of(gap) if gap.last_seq is not None else (gap.first_seq or 0, SEQ_MAX)
