"""Reads what outcomes are made of: bars as they are frozen, and what a signal wanted of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analytics.facts import BarKey, BarValues, Value
from analytics.models.outcomes import Asked
from ares.store import Database, Param, Record, load_queries
from ares.store.pool import as_float, as_int, as_str

QUERIES = load_queries("analytics", "queries/models.sql")


def bars_of(rows: Sequence[Record]) -> dict[BarKey, BarValues]:
    """Bars as labels take them."""
    return {bar_of(row): BarValues(*(row[name] for name in BarValues._fields)) for row in rows}  # type: ignore[arg-type] # columns by name; NamedTuple's types are not theirs


async def sides(database: Database, asked: Asked, scope: Mapping[str, Param]) -> dict[BarKey, Value]:
    """The targets of the signal that is asked about, by bar; none where none is. `scope`: `venue`, and bars `from`.

    Raises `StoreUnavailable`, `StoreRejected`.
    """
    if not asked.side:
        return {}
    name, _, number = asked.side.rpartition("_v")
    rows = await database.fetch(QUERIES["sides"], {**scope, "strategy": name, "version": int(number)})
    return {bar_of(row): None if row["target"] is None else as_float(row["target"]) for row in rows}


def bar_of(row: Record) -> BarKey:
    """Which bar a row is about."""
    return BarKey(as_str(row["symbol"]), as_int(row["ts_ns"]))
