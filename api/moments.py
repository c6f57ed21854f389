"""Moments as callers write them: ISO 8601 with an offset, up to nanoseconds. Pure."""

from __future__ import annotations

import re
from datetime import datetime

from ares.clock import to_ns
from ares.errors import UsageError

EXAMPLE = "2026-11-23T20:05:03.828Z"
_MOMENT = re.compile(
    r"(?P<second>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(?P<fraction>\d{1,9})\d*)?(?P<offset>[Zz]|[+-]\d\d:\d\d)"
)
_FIRST_YEAR, _LAST_YEAR = 1970, 2261
LAST_NS = 9_182_332_800_000_000_000
"""The end of 2260: QuestDB's nanoseconds reach little farther."""


def moment_ns(name: str, text: str) -> int:
    """UTC ns; what lies before 1970 or after 2260 is the end of what there is. Raises `UsageError` for no moment."""
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        offset = found["offset"].upper().replace("Z", "+00:00")
        second = datetime.fromisoformat(f"{found['second'].upper()}{offset}")
    except ValueError:
        raise UsageError(f"{name} = {text[:80]!r}: a moment is expected. Example: {EXAMPLE}") from None
    if not _FIRST_YEAR < second.year < _LAST_YEAR:
        return 0 if second.year <= _FIRST_YEAR else LAST_NS
    return to_ns(second) + int((found["fraction"] or "").ljust(9, "0"))
