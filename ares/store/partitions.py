"""Partitions as QuestDB names them."""

from __future__ import annotations

_NAME_LENGTH = {"HOUR": 13, "DAY": 10, "MONTH": 7, "YEAR": 4}


def whole_name(part: str, unit: str) -> str:
    """The name of a partition, also of a part of it: where rows come late QuestDB splits it for a while."""
    return part[: _NAME_LENGTH.get(unit)]
