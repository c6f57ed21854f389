"""What rows weigh in each tier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from backup.tiers.model import ColdDay


def weights(table: str, days: Iterable[ColdDay]) -> dict[str, object]:
    """A table's days by state, and bytes a row as QuestDB has them natively, as Parquet, and in Delta Lake."""
    found = list(days)
    states = Counter(day.state for day in found)
    per_row = {
        "native": share([(day.native_bytes, day.rows) for day in found]),
        "parquet": share([(day.parquet_bytes, day.rows) for day in found]),
        "delta": share([(day.delta_bytes, day.rows) for day in found]),
    }
    native, delta = per_row["native"], per_row["delta"]
    return {
        "table": table,
        "copied": states["copied"],
        "proved": states["proved"],
        "dropped": states["dropped"],
        "rows": sum(day.rows for day in found),
        "delta_bytes": sum(day.delta_bytes for day in found),
        **{f"{tier}_bytes_per_row": weight for tier, weight in per_row.items()},
        "native_to_delta": round(native / delta, 2) if native and delta else None,
    }


def share(sizes: Iterable[tuple[int | None, int]]) -> float | None:
    """Bytes a row over those whose size is known."""
    known = [(size, rows) for size, rows in sizes if size and rows]
    rows = sum(row_count for _, row_count in known)
    return round(sum(size for size, _ in known) / rows, 2) if rows else None
