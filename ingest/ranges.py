"""A set of ids kept as inclusive ranges: small, however many ids a hole has."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

Span = tuple[int, int]


class IdRanges:
    """Sorted, disjoint, inclusive ranges of ids.

    >>> ids = IdRanges([(1, 10)]); ids.remove(4, 5); ids.spans()
    [(1, 3), (6, 10)]
    """

    def __init__(self, spans: Iterable[Span] = ()) -> None:
        self._spans: list[Span] = []
        for first, last in spans:
            self.add(first, last)

    def __contains__(self, seq: int) -> bool:
        position = bisect_right(self._spans, (seq, 2**63)) - 1
        return position >= 0 and self._spans[position][1] >= seq

    def __bool__(self) -> bool:
        return bool(self._spans)

    def spans(self) -> list[Span]:
        """The ranges, in order."""
        return list(self._spans)

    def count(self) -> int:
        """How many ids."""
        return sum(last - first + 1 for first, last in self._spans)

    def add(self, first: int, last: int) -> None:
        """Put first..last in; touching ranges become one."""
        if first > last:
            return
        start = bisect_left(self._spans, (first, 0))
        if start > 0 and self._spans[start - 1][1] >= first - 1:
            start -= 1
        end = start
        while end < len(self._spans) and self._spans[end][0] <= last + 1:
            first = min(first, self._spans[end][0])
            last = max(last, self._spans[end][1])
            end += 1
        self._spans[start:end] = [(first, last)]

    def remove(self, first: int, last: int) -> None:
        """Take first..last out, as far as they are in."""
        if first > last:
            return
        start = max(0, bisect_right(self._spans, (first, 2**63)) - 1)
        kept: list[Span] = []
        end = start
        while end < len(self._spans) and self._spans[end][0] <= last:
            low, high = self._spans[end]
            if low < first:
                kept.append((low, min(high, first - 1)))
            if high > last:
                kept.append((max(low, last + 1), high))
            end += 1
        self._spans[start:end] = kept

    def within(self, first: int, last: int) -> list[Span]:
        """The parts of the ranges that lie in first..last."""
        return [(max(a, first), min(b, last)) for a, b in self._spans if b >= first and a <= last]
