"""Finding trades by id at a venue that pages by time: an interpolation search between trades that are known. Pure."""

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
