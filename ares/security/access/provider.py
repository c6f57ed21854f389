"""The identity provider, asked over HTTP: where it is, which keys it signs with, whose code it gave out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import cast
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import jwt
import orjson

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.access import OidcConfig
from ares.config.hosts import is_here
from ares.control import Json
from ares.errors import ConfigError, UsageError, VenueRejected, VenueUnavailable
from ares.resilience import Guard, GuardPolicy
from ares.security.access.identity import Asking, Expected, Identity, NotBelieved, identity_of, key_id, key_of

KNOWN_S_MAX = 3_600.0
"""Addresses and keys are asked for again after so long,"""
KEYS_S_MIN = 60.0
"""and keys no more often than this, whoever shows names of keys that nobody knows."""
ANSWER_BYTES_MAX = 262_144
_ADDRESSES = ("authorization_endpoint", "token_endpoint", "jwks_uri")
Said = Mapping[str, Json]


class Provider:
    """One issuer. What is public of it is kept for an hour; every call is bounded in time, and guarded."""

    def __init__(self, config: OidcConfig, redirect: str, clock: Clock, *, here: bool) -> None:
        self._config = config
        self._redirect = redirect
        self._clock = clock
        self._here = here
        self._guard = Guard("oidc", clock, GuardPolicy(deadline_s=config.timeout_s, attempts_max=2))
        self._addresses: tuple[float, Said] | None = None
        self._keys: tuple[float, list[jwt.PyJWK]] | None = None

    async def address(self, asking: Asking) -> str:
        """Where a browser goes to log in. Raises `VenueUnavailable`, `VenueRejected`."""
        query = {
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": self._redirect,
            "scope": "openid",
            "state": asking.state,
            "nonce": asking.nonce,
            "code_challenge": asking.challenge,
            "code_challenge_method": "S256",
        }
        base = str((await self._known())["authorization_endpoint"])
        return f"{base}{'&' if urlsplit(base).query else '?'}{urlencode(query)}"

    async def identity(self, code: str, asking: Asking) -> Identity:
        """Whom a code stands for. Raises `NotBelieved`, `VenueUnavailable`, `VenueRejected`."""
        token = await self._token(code, asking)
        name = key_id(token)
        key = key_of(await self._signing(KNOWN_S_MAX), name) or key_of(await self._signing(KEYS_S_MIN), name)
        if key is None:
            raise NotBelieved("key_unknown")
        now_s = self._clock.now_ns() // NANOS_PER_SECOND
        return identity_of(token, key, Expected(self._config.issuer, self._config.client_id, asking.nonce, now_s))

    async def _token(self, code: str, asking: Asking) -> str:
        given = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": self._config.client_id,
            "code_verifier": asking.verifier,
        }
        url = str((await self._known())["token_endpoint"])
        try:
            said = await self._guard.call("token", partial(_said, "POST", url, given, self._proof()), idempotent=False)
        except VenueRejected:
            raise NotBelieved("code_refused") from None
        token = said.get("id_token")
        if not isinstance(token, str):
            raise NotBelieved("token_missing")
        return token

    def _proof(self) -> dict[str, str]:
        """That it is us who asks (RFC 6749, 2.3.1)."""
        secret = self._config.client_secret
        if secret is None:
            return {}
        name, word = (quote(each, safe="") for each in (self._config.client_id, secret.get_secret_value()))
        return {"Authorization": aiohttp.encode_basic_auth(name, word)}

    async def _known(self) -> Said:
        """The provider's addresses (OpenID Connect Discovery)."""
        now_s = self._clock.monotonic_s()
        if self._addresses is None or now_s - self._addresses[0] > KNOWN_S_MAX:
            url = f"{self._config.issuer.rstrip('/')}/.well-known/openid-configuration"
            said = await self._guard.call("discover", partial(_said, "GET", url), idempotent=True)
            if said.get("issuer") != self._config.issuer:
                raise VenueRejected("issuer", f"oidc: {url} speaks for another issuer than access.oidc.issuer")
            for name in _ADDRESSES:
                if not is_safe(str(said.get(name, "")), here=self._here):
                    raise VenueRejected("address", f"oidc: {name} of {url} is no https address")
            self._addresses = (now_s, said)
        return self._addresses[1]

    async def _signing(self, age_s_max: float) -> list[jwt.PyJWK]:
        """Its public keys, no older than this."""
        now_s = self._clock.monotonic_s()
        if self._keys is None or now_s - self._keys[0] > age_s_max:
            url = str((await self._known())["jwks_uri"])
            said = await self._guard.call("keys", partial(_said, "GET", url), idempotent=True)
            try:
                found = jwt.PyJWKSet.from_dict(dict(said)).keys
            except jwt.PyJWTError:
                raise VenueRejected("keys", f"oidc: {url} has no keys that can be read") from None
            self._keys = (now_s, [key for key in found if key.public_key_use in (None, "sig")])
        return self._keys[1]


def is_safe(url: str, *, here: bool) -> bool:
    """Whether nobody on the way can read or change what goes there; `here`: plain http to this machine will do.

    >>> is_safe("https://login.example.com", here=False), is_safe("http://127.0.0.1:9000", here=True)
    (True, True)
    >>> is_safe("http://login.example.com", here=True), is_safe("http://127.0.0.1:9000", here=False)
    (False, False)
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    return bool(host) and (parts.scheme == "https" or (here and parts.scheme == "http" and is_here(host)))


def provider_of(config: OidcConfig, public_url: str, callback: str, clock: Clock, *, dev: bool) -> Provider | None:
    """The provider of the settings, if they name one. Raises `ConfigError` for one that cannot be trusted."""
    if not config.issuer:
        return None
    way_out = "Use https; plain http is for a provider on this machine, in the profile dev"
    for field, url in (("access.oidc.issuer", config.issuer), ("api.public_url", public_url)):
        if not is_safe(url, here=dev):
            raise ConfigError(field, url, "is no https address", way_out)
    return Provider(config, f"{public_url.rstrip('/')}{callback}", clock, here=dev)


def vouched(config: OidcConfig, subject: str) -> Identity:
    """A subject of the provider of the settings. Raises `UsageError` without one."""
    if not config.issuer:
        raise UsageError("access.oidc.issuer = '': no identity provider is set. Set it first")
    return Identity(config.issuer, subject)


async def _said(
    method: str, url: str, data: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> Said:
    """A JSON object. Raises `VenueUnavailable`, or `VenueRejected` for what will be the same next time."""
    host, body = urlsplit(url).netloc, b""
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.request(method, url, data=data, headers=headers, allow_redirects=False) as answer,
        ):
            async for chunk in answer.content.iter_any():
                body += chunk
                if len(body) > ANSWER_BYTES_MAX:
                    raise VenueRejected("answer", f"oidc: {host} answers with more than {ANSWER_BYTES_MAX} bytes")
            status = answer.status
    except aiohttp.ClientError as error:
        raise VenueUnavailable(f"oidc: {host} does not answer ({type(error).__name__})") from None
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise VenueUnavailable(f"oidc: {host} answers {status}")
    if status != HTTPStatus.OK:
        raise VenueRejected("status", f"oidc: {host} answers {status}")
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise VenueRejected("answer", f"oidc: {host} does not answer in JSON") from None
    if not isinstance(said, dict):
        raise VenueRejected("answer", f"oidc: {host} does not answer with an object")
    return cast("Said", said)
