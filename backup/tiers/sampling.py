"""The first and last rows of a day by QuestDB's other protocol, for its export is not taken at its word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ares.clock import DAY_NS, to_datetime
from ares.store import Database, Param, Record
from ares.store.pool import as_str
from backup.columns import as_answered
from backup.tiers.facts import QUERIES
from backup.tiers.model import DayKey

SAMPLE_ROWS = 100
"""From each end of a day."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Rows as a query answers them; times are nanoseconds."""

    first: Sequence[Record]
    last: Sequence[Record]


async def sample(database: Database, table: str, day: DayKey) -> Sample:
    """Ask for both ends of a day. Raises `StoreUnavailable`, `StoreRejected`."""
    columns = await database.fetch(QUERIES["columns"], {"table": table})
    cells = ", ".join(as_answered(as_str(column["name"]), as_str(column["kind"])) for column in columns)
    statement = QUERIES["sample"].replace("these_cells", cells).replace("this_table", table)
    scope: dict[str, Param] = {
        "from": to_datetime(day.day_ns),
        "to": to_datetime(day.day_ns + DAY_NS),
        "venue": day.venue,
        "symbol": day.symbol,
    }
    first = await database.fetch(statement, {**scope, "rows": SAMPLE_ROWS})
    return Sample(first, await database.fetch(statement, {**scope, "rows": -SAMPLE_ROWS}))
