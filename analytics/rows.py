"""Bars out of rows as QuestDB gives them."""

from __future__ import annotations

from collections.abc import Iterable

from analytics.facts import BarKey, BarValues
from ares.store import Record
from ares.store.pool import as_int, as_str


def bars_of(rows: Iterable[Record]) -> dict[BarKey, BarValues]:
    """Bars by symbol and start."""
    return {bar_key(row): bar_of(row) for row in rows}


def bar_of(row: Record) -> BarValues:
    """A bar from its row."""
    trades = row["trades"]
    return BarValues(
        status=as_str(row["status"]),
        origin=as_str(row["origin"]),
        open=number_of(row["open"]),
        high=number_of(row["high"]),
        low=number_of(row["low"]),
        close=number_of(row["close"]),
        volume=number_of(row["volume"]),
        cost=number_of(row["cost"]),
        trades=None if trades is None else as_int(trades),
        buy_volume=number_of(row["buy_volume"]),
    )


def bar_key(row: Record) -> BarKey:
    return BarKey(as_str(row["symbol"]), as_int(row["ts_ns"]))


def number_of(cell: object) -> float | None:
    return float(cell) if isinstance(cell, int | float) else None
