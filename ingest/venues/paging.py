"""Finding trades by id at a venue that pages by time, and by time at one that pages by id. Pure.

Both are interpolation searches between trades that are known, with a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ares.model.market import Trade


@dataclass(slots=True)
class Search:
    """Where the trade `wanted` lies in time: after `low`, at or before `high`, each (id, ns).

    Ids and times of trades grow together. `next_since_ns` guesses by the pace between the two, every third time it
    halves the time instead, for trades come in bursts (interpolation search with a bound, Perl & Reingold 1977).
    """

    wanted: int
    low: tuple[int, int]
    high: tuple[int, int]
    page_trades: int
    asked: int = 0

    def next_since_ns(self) -> int | None:
        """From which moment to ask next; None once nothing can lie between."""
        (low_id, low_ns), (high_id, high_ns) = self.low, self.high
        if self.wanted <= low_id or high_ns <= low_ns + 1 or high_id <= low_id:
            return None
        self.asked += 1
        if self.asked % 3 == 0:
            return low_ns + (high_ns - low_ns) // 2
        aim = max(low_id, self.wanted - self.page_trades // 2)
        guess_ns = low_ns + (high_ns - low_ns) * (aim - low_id) // (high_id - low_id)
        return min(max(guess_ns, low_ns), high_ns - 1)

    def saw(self, since_ns: int, page: Sequence[Trade]) -> bool:
        """Take in the answer to a question, sorted by id; True if the wanted trade lies in its range."""
        if not page:
            self.high = (self.high[0], since_ns)
            return False
        first, last = page[0], page[-1]
        if last.seq < self.wanted:
            self.low = max(self.low, (last.seq, last.ts_ns))
            return False
        if first.seq > self.wanted:
            self.high = (first.seq, since_ns)
            return False
        return True


@dataclass(slots=True)
class Moment:
    """Which trade is the first at or after `since_ns`, at a venue that pages by id; `high` is not before it.

    No id up to `low_id` is; `low_ns` is its time where that is known. A page of which the venue lists nothing is taken
    to lie before all that it lists: old trades may be gone, while no hole between others is as long as a page.
    """

    since_ns: int
    high: Trade
    page_trades: int
    low_id: int = 0
    low_ns: int | None = None
    asked: int = 0

    def next_ids(self) -> tuple[int, int] | None:
        """From which id on to ask next, and for how many; None once `high` is the trade."""
        between = self.high.seq - self.low_id - 1
        if between <= 0:
            return None
        self.asked += 1
        first = max(self.low_id + 1, min(self._guess() - self.page_trades // 2, self.high.seq - 1))
        return first, min(self.page_trades, self.high.seq - first)

    def saw(self, first: int, count: int, page: Sequence[Trade]) -> None:
        """Take in the answer to a question, sorted by id; ids that are not in it do not exist any more."""
        before = [trade for trade in page if trade.ts_ns < self.since_ns]
        after = [trade for trade in page if trade.ts_ns >= self.since_ns]
        if after:
            self.high = after[0]
        if before:
            self.low_id, self.low_ns = max((before[-1].seq, before[-1].ts_ns), (self.low_id, self.low_ns or 0))
        if after and (before or first == self.low_id + 1):
            self.low_id = self.high.seq - 1
        elif not after:
            self.low_id = max(self.low_id, first + count - 1)

    def _guess(self) -> int:
        between = self.high.seq - self.low_id
        if self.low_ns is None or self.asked % 2 == 0 or self.high.ts_ns <= self.low_ns:
            return self.low_id + between // 2
        return self.low_id + between * (self.since_ns - self.low_ns) // (self.high.ts_ns - self.low_ns)
