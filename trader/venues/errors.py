"""ccxt's exceptions → ours: the one door of this package."""

from __future__ import annotations

from collections.abc import Mapping

import ccxt

from ares.errors import AresError, OrderOutcomeUnknown, VenueRejected, VenueUnavailable

FOREIGN = (ccxt.BaseError, OSError, TimeoutError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)
"""What may come out of a call of ccxt: its own errors, sockets, and what its parsers let slip through."""

CONSIDERED_NO = (
    ccxt.AuthenticationError,
    ccxt.ArgumentsRequired,
    ccxt.BadRequest,
    ccxt.InsufficientFunds,
    ccxt.InvalidOrder,
    ccxt.NotSupported,
    ccxt.OperationRejected,
)
"""Answers of a venue that understood the request and did not do it. A bare ExchangeError is not among them: it is
what ccxt makes of codes it does not know, and such an answer proves nothing about an order."""

SHUTTING_DOWN = '"code":-1016'
"""Binance's SERVICE_SHUTTING_DOWN. ccxt takes it for a bad request; it comes with a 503, which proves nothing."""

WRONG_KEY = ccxt.AuthenticationError.__name__
"""The reason of a refusal that is about the key or its signature."""

ALREADY_THERE = ("Duplicate order sent", "ClientOrderId is duplicated", "-4116", "client algo id is duplicated")
"""A venue's refusal of a client id that an order has already, spot's and futures': then our order does exist."""

RETRY_AFTER_S_MAX = 3_600.0
TOO_MUCH = (ccxt.DDoSProtection, ccxt.RateLimitExceeded)
"""429, 418, and the codes that say the same."""
HOLD_S = 10.0
"""How long we ask nothing where the venue does not say until when."""


def for_read(error: Exception, headers: Mapping[str, str] | None) -> AresError:
    """Our error for a failed look: it may pass, or it was refused for good."""
    if isinstance(error, AresError):
        return error
    if isinstance(error, CONSIDERED_NO) and not is_maintenance(error):
        return VenueRejected(type(error).__name__, describe(error))
    return VenueUnavailable(describe(error), retry_after_s(headers or {}))


def for_write(error: Exception) -> AresError:
    """Our error for a failed submit or cancel: refused, or of unknown outcome. Every doubt is unknown."""
    proves_nothing = any(words in str(error) for words in ALREADY_THERE) or is_maintenance(error)
    if isinstance(error, CONSIDERED_NO) and not proves_nothing:
        return VenueRejected(type(error).__name__, describe(error))
    return OrderOutcomeUnknown(describe(error))


def is_maintenance(error: Exception) -> bool:
    """Whether the venue says that it is being worked on."""
    return isinstance(error, ccxt.OnMaintenance) or SHUTTING_DOWN in str(error).replace(" ", "")


def hold_s(error: Exception, headers: Mapping[str, str] | None) -> float | None:
    """For how long the venue wants no more calls; None if this error says nothing of it."""
    if not isinstance(error, TOO_MUCH):
        return None
    return retry_after_s(headers or {}) or HOLD_S


def describe(error: Exception) -> str:
    """One bounded line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The venue's wish in its answer's headers, bounded; None where it has none."""
    for name, value in headers.items():
        if name.lower() == "retry-after":
            try:
                return min(RETRY_AFTER_S_MAX, max(0.0, float(value)))
            except ValueError:
                return None
    return None
