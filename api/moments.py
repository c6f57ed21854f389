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


def moment_ns(name: str, text: str) -> int:
    """UTC ns. Raises `UsageError` naming the parameter."""
    found = _MOMENT.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        offset = found["offset"].upper().replace("Z", "+00:00")
        second = datetime.fromisoformat(f"{found['second'].upper()}{offset}")
        if not _FIRST_YEAR < second.year < _LAST_YEAR:
            raise ValueError(text)
    except ValueError:
        raise UsageError(f"{name} = {text[:80]!r}: a moment of 1971 to 2260 is expected. Example: {EXAMPLE}") from None
    return to_ns(second) + int((found["fraction"] or "").ljust(9, "0"))
