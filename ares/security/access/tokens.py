"""Access tokens (JWT, RFC 7519), refresh tokens and API keys: how they are made and read. Pure but for randomness."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import jwt

from ares.clock import NANOS_PER_SECOND
from ares.errors import AccessDenied

ALGORITHM = "HS256"
ISSUER, AUDIENCE = "ares", "ares-api"
REFRESH_PREFIX, KEY_PREFIX = "ares_rt_", "ares_ak_"
SECRET_BYTES = 32
TOKEN_CHARACTERS_MAX = 2_000
_CLAIMS = ("iss", "aud", "sub", "sid", "typ", "iat", "exp", "jti", "otp")


class Kind(StrEnum):
    """Where a token is good: none is taken for another."""

    ACCESS = "access"
    BROWSER = "browser"


@dataclass(frozen=True, slots=True)
class AccessToken:
    """Who shows it, of which session, until when, and when they last showed a second factor (UTC seconds; 0: never)."""

    user: str
    session: str
    issued_at_s: int
    expires_at_s: int
    second_factor_at_s: int
    kind: Kind = Kind.ACCESS


def sign(token: AccessToken, signing: Mapping[str, bytes], key_name: str) -> str:
    """The token as text."""
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "typ": token.kind.value,
        "sub": token.user,
        "sid": token.session,
        "iat": token.issued_at_s,
        "exp": token.expires_at_s,
        "otp": token.second_factor_at_s,
        "jti": secrets.token_urlsafe(9),
    }
    return jwt.encode(claims, signing[key_name], algorithm=ALGORITHM, headers={"kid": key_name})


def read(text: str, signing: Mapping[str, bytes], now_ns: int, kind: Kind = Kind.ACCESS) -> AccessToken:
    """The token that a text is. Raises `AccessDenied`; only `expired` says more than that it is none of ours."""
    if len(text) > TOKEN_CHARACTERS_MAX or not all(_canonical(part) for part in text.split(".")):
        raise AccessDenied("token_invalid")
    try:
        key = signing.get(str(jwt.get_unverified_header(text).get("kid")))
        if key is None:
            raise AccessDenied("token_invalid")
        claims = jwt.decode(
            text,
            key,
            algorithms=[ALGORITHM],
            audience=AUDIENCE,
            issuer=ISSUER,
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "strict_aud": True},
        )
    except jwt.InvalidTokenError:
        raise AccessDenied("token_invalid") from None
    user, session, times = claims["sub"], claims["sid"], [claims[name] for name in ("iat", "exp", "otp")]
    if claims["typ"] != kind.value or not (isinstance(user, str) and isinstance(session, str)):
        raise AccessDenied("token_invalid")
    if not all(isinstance(each, int) and not isinstance(each, bool) for each in times):
        raise AccessDenied("token_invalid")
    issued_at_s, expires_at_s, second_factor_at_s = times
    if now_ns >= expires_at_s * NANOS_PER_SECOND:
        raise AccessDenied("token_expired")
    return AccessToken(user, session, issued_at_s, expires_at_s, second_factor_at_s, kind)


def _canonical(part: str) -> bool:
    """Whether base64url is written as we write it: a last character has bits that decoders do not look at."""
    try:
        decoded = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except ValueError:
        return False
    return base64.urlsafe_b64encode(decoded).rstrip(b"=") == part.encode()


@dataclass(frozen=True, slots=True)
class Opaque:
    """A secret that we only know by its hash: a session's refresh token, or an API key. `number`: which one it is."""

    id: str
    number: int
    secret: str

    @classmethod
    def new(cls, id_: str, number: int = 0) -> Self:
        return cls(id_, number, secrets.token_urlsafe(SECRET_BYTES))

    def text(self, prefix: str) -> str:
        """As it is handed out. The prefix lets scanners of repositories know it."""
        return f"{prefix}{self.id}.{self.number}.{self.secret}"

    @classmethod
    def read(cls, text: str, prefix: str) -> Self:
        """Raises `AccessDenied` for what does not look like one."""
        parts = text.removeprefix(prefix).split(".") if text.startswith(prefix) else []
        if len(text) > TOKEN_CHARACTERS_MAX or len(parts) != 3 or not (parts[1].isascii() and parts[1].isdigit()):
            raise AccessDenied("token_invalid")
        return cls(parts[0], int(parts[1][:18]), parts[2])

    @property
    def hash(self) -> str:
        """SHA-256: a random secret of 256 bits needs no slow hash."""
        return hashlib.sha256(self.secret.encode()).hexdigest()

    def fits(self, kept: str) -> bool:
        """Whether this is what was handed out; in constant time."""
        return hmac.compare_digest(self.hash, kept)


def new_id() -> str:
    """For a session or a key: short, and nobody's guess."""
    return secrets.token_hex(12)
