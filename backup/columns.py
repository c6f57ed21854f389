"""Columns in questions about any table: times as numbers in their own unit, for parameters and answers hold less."""

from __future__ import annotations

CASTS = {"TIMESTAMP": "timestamp", "TIMESTAMP_NS": "timestamp_ns"}
"""Kind of a column of time → its name in a cast."""


def as_answered(name: str, kind: str) -> str:
    """A column of a SELECT: a time is a number, all else as it is."""
    return f'"{name}"::long AS "{name}"' if kind in CASTS else f'"{name}"'
