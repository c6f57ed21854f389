"""Who an identity provider says somebody is (OpenID Connect): what is asked, and whether an answer is believed. Pure.

Nothing of an answer is believed but issuer and subject: names and addresses may be given to others, roles are ours.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

import jwt
import orjson

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Signatures that the provider alone can make; never `none`, and none by a secret that both know."""
LEEWAY_S = 60
"""Clocks differ by so much."""
_CLAIMS = ("iss", "sub", "aud", "exp", "iat", "nonce")


class Identity(NamedTuple):
    """Somebody, for ever: no other subject of this issuer is ever the same."""

    issuer: str
    subject: str


class NotBelieved(Exception):
    """An answer is not believed; `cause` is our word for why, for the audit chain and not for who asks."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__(cause)


@dataclass(frozen=True, slots=True)
class Asking:
    """A login that was sent to the provider: what its answer must come with. Secret but for `state` and `nonce`."""

    state: str
    nonce: str
    verifier: str
    began_at_s: int

    @classmethod
    def new(cls, now_s: int) -> Self:
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), now_s)

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises `NotBelieved` for what `text` never wrote."""
        try:
            return cls(**orjson.loads(text))
        except (ValueError, TypeError):
            raise NotBelieved("cookie_unreadable") from None

    def text(self) -> str:
        """For a sealed cookie."""
        return orjson.dumps(asdict(self)).decode()

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (RFC 7636, S256)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()

    def require_state(self, state: str, now_s: int, login_s_max: float) -> None:
        """Raises `NotBelieved` unless an answer is to this login, and in time."""
        if not hmac.compare_digest(self.state.encode(), state.encode()):
            raise NotBelieved("state_wrong")
        if not 0 <= now_s - self.began_at_s <= login_s_max:
            raise NotBelieved("login_too_old")


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token has to be for. `now_s`: UTC seconds."""

    issuer: str
    client_id: str
    nonce: str
    now_s: int


def key_id(token: str) -> str | None:
    """Which of the provider's keys signed; None: it does not say. Raises `NotBelieved` for what is no signed token."""
    try:
        header = jwt.get_unverified_header(token)
    except jwt.InvalidTokenError:
        raise NotBelieved("token_unreadable") from None
    if header.get("alg") not in ALGORITHMS:
        raise NotBelieved("algorithm_not_taken")
    name = header.get("kid")
    return name if isinstance(name, str) else None


def key_of(keys: Sequence[jwt.PyJWK], name: str | None) -> jwt.PyJWK | None:
    """The key of that name; without a name the only one."""
    if name is None:
        return keys[0] if len(keys) == 1 else None
    return next((key for key in keys if key.key_id == name), None)


def identity_of(token: str, key: jwt.PyJWK, expected: Expected) -> Identity:
    """Who an ID token names (OpenID Connect Core, 3.1.3.7). Raises `NotBelieved`."""
    if key.algorithm_name not in ALGORITHMS:
        raise NotBelieved("algorithm_not_taken")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[key.algorithm_name],
            audience=expected.client_id,
            issuer=expected.issuer,
            options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
    except jwt.InvalidAudienceError:
        raise NotBelieved("audience_wrong") from None
    except jwt.InvalidIssuerError:
        raise NotBelieved("issuer_wrong") from None
    except jwt.InvalidTokenError:
        raise NotBelieved("token_invalid") from None
    _require_meant(claims, expected)
    return Identity(expected.issuer, str(claims["sub"]))


def _require_meant(claims: Mapping[str, object], expected: Expected) -> None:
    """That it is for us alone, of now, and for this very login."""
    audience, party, subject = claims["aud"], claims.get("azp"), claims["sub"]
    if party not in (None, expected.client_id) or (isinstance(audience, list) and len(audience) > 1 and not party):
        raise NotBelieved("audience_wrong")
    if not isinstance(subject, str) or not subject:
        raise NotBelieved("token_invalid")
    times = [claims["iat"], claims["exp"], claims.get("nbf", 0)]
    if not all(isinstance(each, int | float) and not isinstance(each, bool) for each in times):
        raise NotBelieved("token_invalid")
    issued_at_s, expires_at_s, not_before_s = (float(str(each)) for each in times)
    if expected.now_s >= expires_at_s + LEEWAY_S:
        raise NotBelieved("token_expired")
    if max(issued_at_s, not_before_s) > expected.now_s + LEEWAY_S:
        raise NotBelieved("token_of_the_future")
    if not hmac.compare_digest(str(claims["nonce"]).encode(), expected.nonce.encode()):
        raise NotBelieved("nonce_wrong")
