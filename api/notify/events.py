"""Rows of the database that people are to be told of, as an event: stream `notice/<table>/<day>`.

So all news stand in one order, the log's, and how far a target was told is one position in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from ares.events.registry import EventRegistry, KnownType
from ares.events.types import EventType


@dataclass(frozen=True, slots=True)
class RowSeen:
    """A row in one sentence. `key` tells it from all others of its table; `subject` is what newer rows may be about
    again; account and strategy are empty where it is of none.
    """

    key: str
    ts_ns: int
    account: str
    strategy: str
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class RowsSeen:
    """Rows that were seen in a table, and that nobody was told of before."""

    table: str
    rows: tuple[RowSeen, ...]


_GAP = RowSeen(
    "g1@0", 1_795_464_293_163_246_859, "", "", "trades of BTC/USDT at sim", "gap in trades of BTC/USDT at sim: open"
)

ROWS_SEEN = EventType("notice", "rows_seen", RowsSeen("gaps", (_GAP,)))
TYPES: tuple[KnownType, ...] = (ROWS_SEEN,)
REGISTRY = EventRegistry(TYPES)
