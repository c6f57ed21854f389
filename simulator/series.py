"""One continuous, deterministic market per symbol for all times: a function of (recording, seed, symbol, time).

Time is cut into segments as long as the recording. A segment plays it plain or mirrored (price → mirror − price,
buyers ↔ sellers, bids ↔ asks), shifted by whole ticks so that prices chain. Each block of segments holds as many
mirrored as plain ones in a seeded order, so every block ends at the price it began with: no drift over years, and
any moment is found in O(1). Ids are (segment × ids per segment + index), so they run on and need no history.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Literal

import numpy as np

from simulator.recording import Ints, Recording

EPOCH_MS = 1_577_836_800_000
"""2020-01-01 UTC: the market begins here, with id 1. Before it there is nothing."""
BLOCK_SEGMENTS_MAX = 256
EXCURSION_MAX = 0.4
"""Share of the first price that the chained moves of one block may reach; blocks are made shorter to keep it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One playing of the recording: when, which way round and at what distance in ticks."""

    index: int
    start_ms: int
    mirrored: bool
    shift: int
    mirror: int

    def price(self, ticks: int) -> int:
        """A recorded price as it is in this segment, in ticks."""
        return self.shift + (self.mirror - ticks if self.mirrored else ticks)

    def prices(self, ticks: Ints) -> Ints:
        """`price` of a whole column."""
        return self.shift + (self.mirror - ticks if self.mirrored else ticks)


@dataclass(frozen=True, slots=True)
class Piece:
    """Recorded events start..stop (exclusive) of one segment; the first has the id `first_id`."""

    segment: Segment
    start: int
    stop: int
    first_id: int


class Series:
    """The market of one symbol. Times are UTC milliseconds, ids count from 1 at `EPOCH_MS`."""

    def __init__(self, recording: Recording, seed: int, epoch_ms: int = EPOCH_MS) -> None:
        self.recording = recording
        self.epoch_ms = epoch_ms
        self._seed = f"{seed}:{recording.symbol}"
        self._block = _block_segments(recording)
        self._orientations = lru_cache(maxsize=4_096)(self._draw_block)

    @property
    def symbol(self) -> str:
        return self.recording.symbol

    @cached_property
    def trades_per_segment(self) -> int:
        return len(self.recording.trades)

    @cached_property
    def aggs_per_segment(self) -> int:
        return len(self.recording.aggs)

    def segment_index(self, ms: int) -> int:
        """Which segment plays at `ms`; negative before the epoch."""
        return (ms - self.epoch_ms) // self.recording.length_ms

    def segment(self, index: int) -> Segment:
        block, place = divmod(index, self._block)
        mirrored, shifts = self._orientations(block)
        start_ms = self.epoch_ms + index * self.recording.length_ms
        return Segment(index, start_ms, mirrored[place], shifts[place], self.recording.mirror)

    def start_update_id(self, index: int) -> int:
        """Update id of the book that segment `index` starts with."""
        return index * self.recording.update_ids + 1

    def trades_sent(self, ms: int) -> int:
        """How many trades were published up to and including `ms`; also the id of the latest."""
        return self._count(self.recording.trades.sent_ms, ms, "right")

    def aggs_sent(self, ms: int) -> int:
        """How many aggregate trades were published up to and including `ms`; also the id of the latest."""
        return self._count(self.recording.aggs.sent_ms, ms, "right")

    def first_trade_at(self, ms: int) -> int:
        """Id of the first trade that happened at or after `ms`."""
        return self._count(self.recording.trades.at_ms, ms, "left") + 1

    def first_agg_at(self, ms: int) -> int:
        """Id of the first aggregate trade that happened at or after `ms`."""
        return self._count(self.recording.aggs.at_ms, ms, "left") + 1

    def trade_pieces(self, first_id: int, last_id: int) -> Iterator[Piece]:
        """Trades first_id..last_id (inclusive), segment by segment."""
        return self._pieces(first_id, last_id, self.trades_per_segment)

    def agg_pieces(self, first_id: int, last_id: int) -> Iterator[Piece]:
        """Aggregate trades first_id..last_id (inclusive), segment by segment."""
        return self._pieces(first_id, last_id, self.aggs_per_segment)

    def _count(self, column: Ints, ms: int, side: Literal["left", "right"]) -> int:
        index = self.segment_index(ms)
        if index < 0:
            return 0
        offset_ms = ms - self.epoch_ms - index * self.recording.length_ms
        return index * len(column) + int(np.searchsorted(column, offset_ms, side))

    def _pieces(self, first_id: int, last_id: int, per_segment: int) -> Iterator[Piece]:
        next_id = max(1, first_id)
        while next_id <= last_id:
            index, start = divmod(next_id - 1, per_segment)
            stop = min(per_segment, start + last_id - next_id + 1)
            yield Piece(self.segment(index), start, stop, next_id)
            next_id += stop - start

    def _draw_block(self, block: int) -> tuple[tuple[bool, ...], tuple[int, ...]]:
        half = self._block // 2
        mirrored = [False] * half + [True] * half
        rng = random.Random(f"{self._seed}:{block}")  # noqa: S311 - a reproducible market, not a secret
        rng.shuffle(mirrored)
        moves = (-self.recording.move if m else self.recording.move for m in mirrored)
        return tuple(mirrored), tuple(accumulate(moves, initial=0))


def _block_segments(recording: Recording) -> int:
    block = BLOCK_SEGMENTS_MAX
    reach = EXCURSION_MAX * recording.mirror / 2
    while block > 2 and block // 2 * abs(recording.move) > reach:
        block //= 2
    return block
