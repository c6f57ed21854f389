"""Moments as people write them on a command line."""

from __future__ import annotations

from datetime import datetime

from ares.clock import to_ns
from ares.errors import UsageError


def moment_of(option: str, text: str) -> int:
    """A date or a moment as UTC ns. Raises `UsageError`."""
    try:
        return to_ns(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} = {text!r}: no date or moment. Write it as 2024-08-08 or 2024-08-08T06:30"
        ) from None
