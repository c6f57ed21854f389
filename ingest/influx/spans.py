"""Which spans of a table are sent together. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ares.clock import floor_ns
from ares.model.row import Row, UtcNs


@dataclass(frozen=True, slots=True)
class Span:
    """Rows of a table from `start_ns` up to `end_ns` (UTC ns, exclusive), as they were when they were counted."""

    start_ns: int
    end_ns: int
    row_count: int
    delay_ms: int

    def to_row(self, target: str, table: str, refused: int, now_ns: int) -> Row:
        """That the target has it."""
        columns = {"row_count": self.row_count, "delay_ms": self.delay_ms, "refused": refused, "sent_at": UtcNs(now_ns)}
        return Row("copies", self.start_ns, {"target": target, "table_name": table}, columns)


@dataclass(frozen=True, slots=True)
class Partition:
    """A partition of a table: how many rows it has, and the times of the first and the last."""

    name: str
    row_count: int
    first_ns: int
    last_ns: int


def stretches(spans: Sequence[Span], rows_max: int) -> list[list[Span]]:
    """Spans that touch, together as long as they are not more than `rows_max` rows; a larger one stands alone.

    >>> [len(each) for each in stretches([Span(0, 10, 3, 0), Span(10, 20, 4, 0), Span(30, 40, 1, 0)], 100)]
    [2, 1]
    """
    found: list[list[Span]] = []
    rows = 0
    for span in spans:
        if found and found[-1][-1].end_ns == span.start_ns and rows + span.row_count <= rows_max:
            found[-1].append(span)
            rows += span.row_count
        else:
            found.append([span])
            rows = span.row_count
    return found


def whole_times(rows: Sequence[Mapping[str, object]], rows_max: int) -> Sequence[Mapping[str, object]]:
    """The rows of a page without those of its last time, of which the next page may have more.

    Of a page that is not full: all. Empty: the page holds one time only, and must be read again with more room.
    """
    if len(rows) < rows_max:
        return rows
    last = rows[-1]["ts_ns"]
    end = next(place for place in range(len(rows), 0, -1) if place == 1 or rows[place - 2]["ts_ns"] != last) - 1
    return rows[:end]


def due_ns(now_ns: int, settle_ns: int, span_ns: int) -> int:
    """Spans that end up to here (UTC ns) are old enough to be sent."""
    return floor_ns(now_ns - settle_ns, span_ns)
