"""The root of the tree, and what was asked wrongly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from ares.redaction import redact

AccessReason = Literal[
    "credentials_missing",
    "credentials_wrong",
    "locked",
    "second_factor_needed",
    "second_factor_wrong",
    "second_factor_old",
    "token_invalid",
    "token_expired",
    "session_ended",
    "identity_refused",
    "forbidden",
    "too_many_requests",
]
_DENIED: Mapping[AccessReason, str] = {
    "credentials_missing": "no access token and no API key was shown. Log in first",
    "credentials_wrong": "name or password is wrong",
    "locked": "too many attempts failed. Wait, or let an admin unlock the user",
    "second_factor_needed": "a code of the second factor is needed. Send it as `code`",
    "second_factor_wrong": "the code is wrong, or was used. Wait for the next one",
    "second_factor_old": "this wants a second factor that was shown just now. Show a code and ask again",
    "token_invalid": "the token is none of ours. Log in again",
    "token_expired": "the token has expired. Refresh it",
    "session_ended": "the session has ended. Log in again",
    "identity_refused": "the identity provider's answer lets nobody in. Log in there again, or ask an admin",
    "forbidden": "your role or scope does not allow this",
    "too_many_requests": "that is more than you may ask. Wait",
}


class AresError(Exception):
    """Root of the tree. `code` is stable and goes into rows, logs and metrics; the message is for people."""

    code: ClassVar[str] = "ares_error"
    exit_code: ClassVar[int] = 1

    def __str__(self) -> str:
        """The message, without any secret that this process knows: it goes into rows, pages and metrics."""
        return redact(super().__str__())


class UsageError(AresError):
    """The request itself is wrong; the message names the field, the value and the way out."""

    code = "usage"
    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown, missing or of the wrong kind."""

    code = "config"

    def __init__(self, field: str, value: object, problem: str, way_out: str) -> None:
        self.field = field
        self.value = value
        super().__init__(f"{field} = {value!r}: {problem}. {way_out}")


class SecretUnavailable(ConfigError):
    """A secret store does not answer now; the reference itself may be right."""

    code = "secret_unavailable"


class UnknownSymbol(UsageError):
    """The venue does not list this symbol."""

    code = "unknown_symbol"

    def __init__(self, venue: str, symbol: str, near: list[str]) -> None:
        hint = f"It lists, for example, {', '.join(near)}" if near else "It lists no symbols at all"
        super().__init__(f"symbol = {symbol!r}: {venue} does not list it. {hint}; change ingest.symbols")


class UnknownName(UsageError):
    """No such service, job, view or migration."""

    code = "unknown_name"

    def __init__(self, kind: str, name: str, known: list[str]) -> None:
        super().__init__(f"{kind} = {name!r}: no such {kind}. Known: {', '.join(sorted(known)) or 'none'}")


class AccessDenied(UsageError):
    """Somebody may not come in, or not do this. `reason` is stable; it never says which names or keys exist."""

    code = "access_denied"

    def __init__(self, reason: AccessReason, detail: str = "", *, retry_after_s: int = 0) -> None:
        self.reason: AccessReason = reason
        self.retry_after_s = retry_after_s
        super().__init__(f"{_DENIED[reason]}{f' ({detail})' if detail else ''}")


class OperatingError(AresError):
    """The request was fine, the world refused."""

    code = "operating"
