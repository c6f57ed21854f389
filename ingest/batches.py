"""What a batch on its way into the store is made of, and in which order its parts must become durable. Pure."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from operator import attrgetter

from ares.clock import MINUTE_NS
from ares.model.market import Entry, Trade, TradeRun, size
from ares.model.row import Storable, UtcNs
from ingest.feed import clean

BEFORE_MARKET, MARKET, AFTER_MARKET, PUBLICATION = range(4)
STAGES = {"gaps": AFTER_MARKET, "ingest_watermarks": PUBLICATION}
"""Which part of a batch must be durable before which; a gap that opens comes before everything."""


def staged(batch: Sequence[Entry]) -> list[Sequence[Entry]]:
    """The batch in the order in which its parts must become durable, each part by table and time."""
    by_stage: dict[int, list[Entry]] = {}
    for entry in batch:
        stage = MARKET if isinstance(entry, TradeRun) else stage_of(entry)
        by_stage.setdefault(stage, []).append(entry)
    return [sorted(entries, key=attrgetter("table", "ts_ns")) for _, entries in sorted(by_stage.items())]


def stage_of(row: Storable) -> int:
    """Which part of a batch a row belongs to."""
    stage = STAGES.get(row.table, MARKET)
    return BEFORE_MARKET if stage == AFTER_MARKET and row.symbols["status"] == "open" else stage


def rows_by_table(batch: Sequence[Entry]) -> Mapping[str, int]:
    """How many rows of each table."""
    counts: Counter[str] = Counter()
    for entry in batch:
        counts[entry.table] += size(entry)
    return counts


def trades_by_minute(batch: Sequence[Entry]) -> Mapping[tuple[str, int], int]:
    """How many trades of each symbol and minute; minutes counted since 1970."""
    counts = Counter([(entry.symbol, entry.ts_ns // MINUTE_NS) for entry in batch if isinstance(entry, Trade)])
    for entry in batch:
        if isinstance(entry, TradeRun):
            counts.update(
                {(entry.symbol, minute): count for minute, count in moments_by_minute(entry.times_ns).items()}
            )
    return counts


def moments_by_minute(times_ns: Sequence[int]) -> Mapping[int, int]:
    """How many moments lie in each minute. They come nearly in order, so that sorting them is quicker than counting."""
    ordered = sorted(times_ns)
    counts: dict[int, int] = {}
    position = 0
    while position < len(ordered):
        minute = ordered[position] // MINUTE_NS
        following = bisect_left(ordered, (minute + 1) * MINUTE_NS, position)
        counts[minute] = following - position
        position = following
    return counts


def oldest_streamed_ns(batch: Sequence[Entry]) -> int | None:
    """Event time of the first trade that came by the stream, None if there is none."""
    streamed = [entry for entry in batch if isinstance(entry, Trade | TradeRun) and entry.source == "stream"]
    return min([entry.ts_ns for entry in streamed], default=None)


def receipt_of(row: Storable, now_ns: int) -> int:
    """When a row came to us, `now_ns` if it does not say: so the same row is refused at the same time each time."""
    received_at = row.columns.get("received_at")
    return int(received_at) if isinstance(received_at, UtcNs) else now_ns


def row_text(row: Storable) -> str:
    """A row as text, for its quarantine."""
    shape = {"table": row.table, "ts_ns": row.ts_ns, "symbols": dict(row.symbols), "columns": dict(row.columns)}
    return clean(json.dumps(shape, default=repr))
