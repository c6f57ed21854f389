"""ccxt's exceptions → ours: the one door."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import ccxt

from ares.errors import AresError, VenueRejected, VenueUnavailable
from ingest.feed import ChainBroken

RETRY_AFTER_S_MAX = 3_600.0


def translated(error: Exception, headers: Mapping[str, str] | None = None) -> AresError:
    """Our error for one of ccxt's: `VenueUnavailable` for what may pass, `VenueRejected` for a considered no.

    What ccxt lets slip through unwrapped (a KeyError in one of its parsers, say) is the venue's doing or its own, and
    the way out is the same as for a lost connection: start over.
    """
    if isinstance(error, AresError):
        return error
    text = " ".join(str(error).split())[:300]
    message = f"{type(error).__name__}: {text}"
    if isinstance(error, ccxt.ChecksumError):
        return ChainBroken(message)
    if isinstance(error, ccxt.ExchangeError) and not isinstance(error, ccxt.OperationFailed):
        return VenueRejected(type(error).__name__, message)
    return VenueUnavailable(message, retry_after_s(headers or {}))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The venue's wish in its answer's headers, bounded; None where it has none."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return min(RETRY_AFTER_S_MAX, max(0.0, float(value)))
            except ValueError:
                return None
    return None


FOREIGN = (
    ccxt.BaseError,
    asyncio.TimeoutError,
    OSError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)
"""What may come out of a call of ccxt."""
