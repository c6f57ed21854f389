"""Passwords: which are good enough, and how they are kept (argon2id, RFC 9106's second recommendation)."""

from __future__ import annotations

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.profiles import RFC_9106_LOW_MEMORY

from ares.errors import UsageError

LENGTH_MIN = 12
LENGTH_MAX = 200
DISTINCT_MIN = 6

_HASHER = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)


def require_good(password: str, user: str) -> None:
    """Raises `UsageError`. Length is what counts (NIST SP 800-63B): no rules about kinds of characters."""
    way_out = "Four words that belong to nobody's phrase will do"
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX:
        raise UsageError(f"password: {len(password)} characters, {LENGTH_MIN} to {LENGTH_MAX} are wanted. {way_out}")
    if user.lower() in password.lower():
        raise UsageError(f"password: contains the name {user!r}. {way_out}")
    if len(set(password.lower())) < DISTINCT_MIN:
        raise UsageError(f"password: of fewer than {DISTINCT_MIN} different characters. {way_out}")


def hashed(password: str) -> str:
    """As it is kept; takes some ten milliseconds and 64 MiB, on purpose."""
    return _HASHER.hash(password)


def fits(kept: str, password: str) -> bool:
    """Whether this is the password. Takes as long where nothing is kept: nobody learns which names exist."""
    try:
        _HASHER.verify(kept or _NOBODY, password)
    except (VerificationError, InvalidHashError):
        return False
    return bool(kept)


_NOBODY = _HASHER.hash("a password of nobody")
