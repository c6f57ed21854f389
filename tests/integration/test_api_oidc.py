"""Goal: who an identity provider vouches for comes in as the user an admin linked; all other answers let nobody in."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

import aiohttp
import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from oidc_provider_mock import run_server_in_thread

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.access import OidcConfig
from ares.config.settings import AresConfig, DatabaseConfig
from ares.control import ControlStore
from ares.errors import ConfigError, UsageError
from ares.security.access.identity import Identity
from ares.security.access.provider import provider_of
from ares.security.access.roles import Role, Scope
from ares.security.access.users import By
from tests.api import PASSWORD, Asked, OpenDoor, config_of, open_door, with_second_factor
from tests.conftest import free_port

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""The provider calls what its own library will drop one day."""
CLIENT, SUBJECT = "ares", "00u1a2b3c4"
KEY, OTHER = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))


class Going(NamedTuple):
    """A browser that was sent to the provider."""

    url: str
    cookie: str


@contextmanager
def provider(token_age: timedelta = timedelta(hours=1)) -> Iterator[str]:
    """A real one, by its issuer; it lets in whoever says a name."""
    with run_server_in_thread(require_nonce=True, access_token_max_age=token_age) as server:
        yield f"http://localhost:{server.server_port}"


@asynccontextmanager
async def opened(
    database: DatabaseConfig, folder: Path, issuer: str, *, linked: str = "maria"
) -> AsyncIterator[OpenDoor]:
    async with open_door(with_oidc(config_of(database, folder), issuer)) as door:
        door.door.users.add(linked, Role.TRADER, Scope(), PASSWORD, By("test"))
        door.door.users.link(linked, Identity(issuer, SUBJECT), By("test"))
        yield door


def with_oidc(config: AresConfig, issuer: str) -> AresConfig:
    oidc = OidcConfig.model_validate(
        {"issuer": issuer, "client_id": CLIENT, "client_secret": "not a secret", "timeout_s": 20}
    )
    return config.model_copy(update={"access": config.access.model_copy(update={"oidc": oidc})})


async def leave(door: OpenDoor) -> Going:
    said = await door.ask("/auth/oidc/login")
    assert (said.status, said.headers["Cache-Control"]) == (302, "no-store"), said.json
    cookie = SimpleCookie(said.headers["Set-Cookie"])["ares_oidc"]
    assert (cookie["httponly"], cookie["samesite"].lower()) == (True, "lax")
    return Going(said.headers["Location"], f"ares_oidc={cookie.value}")


async def log_in_there(url: str, subject: str = SUBJECT) -> dict[str, str]:
    """What the browser is to bring back."""
    async with (
        aiohttp.ClientSession() as http,
        http.post(url, data={"sub": subject}, allow_redirects=False) as answer,
    ):
        return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


async def come_back(door: OpenDoor, cookie: str, said: Mapping[str, str]) -> Asked:
    return await door.ask("/auth/oidc/callback", headers={"Cookie": cookie}, **said)


def told(door: OpenDoor) -> list[str]:
    """Why the audit chain says that people were not let in."""
    control = ControlStore.open(door.context.control_url)
    try:
        entries = [json.loads(link.text) for link in control.audit_links()]
    finally:
        control.close()
    return [str(each["after"]["cause"]) for each in entries if each["what"] == "identity_refused"]


async def test_who_the_provider_vouches_for_comes_in_as_the_linked_user_with_our_roles_and_our_second_factor(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    with provider() as issuer:
        async with opened(questdb_config, tmp_path, issuer) as door:
            going = await leave(door)
            asked = parse_qs(urlsplit(going.url).query)
            assert (asked["response_type"], asked["code_challenge_method"]) == (["code"], ["S256"])
            assert asked["redirect_uri"] == ["http://127.0.0.1:8840/api/v1/auth/oidc/callback"]
            said = await log_in_there(going.url)
            tokens = await come_back(door, going.cookie, said)
            assert (tokens.status, tokens.headers["Cache-Control"]) == (200, "no-store"), tokens.json
            door.tokens["by-provider"] = str(tokens.json["access_token"])
            me = (await door.ask("/auth/me", "by-provider")).json
            assert (me["user"], me["role"]) == ("maria", "trader")
            resumed = await door.ask("/trading/resume", "by-provider", method="POST", body={})
            assert resumed.json["code"] == "second_factor_old"

            again = await come_back(door, going.cookie, said)
            assert (again.status, again.json["code"]) == (401, "identity_refused")
            fresh = await leave(door)
            state = parse_qs(urlsplit(fresh.url).query)["state"][0]
            replayed = await come_back(door, fresh.cookie, {"code": said["code"], "state": state})
            assert replayed.json["code"] == "identity_refused"
            assert told(door) == ["state_used", "code_refused"]

            door.door.users.link("maria", None, By("test"))
            assert (await door.ask("/auth/me", "by-provider")).json["code"] == "session_ended"


async def test_an_admin_with_a_second_factor_links_and_unlinks_over_http(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    with provider() as issuer:
        async with opened(questdb_config, tmp_path, issuer) as door:
            with_second_factor(door, "admin")
            body = {"subject": SUBJECT, "why": "a new account"}
            taken = await door.ask("/users/admin/identity", "admin", method="PUT", body=body)
            assert (taken.status, "comes in as maria already" in str(taken.json["detail"])) == (400, True)
            assert (await door.ask("/users/maria/identity", "admin", method="DELETE")).status == 204
            assert door.door.users.get("maria").identity is None
            assert (await door.ask("/users/maria/identity", "admin", method="PUT", body=body)).status == 204
            assert door.door.users.get("maria").identity == Identity(issuer, SUBJECT)
            assert (await door.ask("/auth/me", "admin")).status == 200


async def test_other_browsers_unknown_subjects_and_disabled_users_are_refused_and_told(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    with provider() as issuer:
        async with opened(questdb_config, tmp_path, issuer) as door:
            first, second = await leave(door), await leave(door)
            said = await log_in_there(first.url)
            denied = {"state": said["state"], "error": "access_denied"}
            unknown = await leave(door)
            nonce = parse_qs(urlsplit(second.url).query)["nonce"][0]
            crossed = await leave(door)
            query = {name: values[0] for name, values in parse_qs(urlsplit(crossed.url).query).items()}
            tampered = f"{crossed.url.partition('?')[0]}?{urlencode({**query, 'nonce': nonce})}"
            answers = [
                await come_back(door, second.cookie, said),
                await come_back(door, "other=1", said),
                await come_back(door, "ares_oidc=forged", said),
                await come_back(door, first.cookie, denied),
                await come_back(door, unknown.cookie, await log_in_there(unknown.url, "somebody-else")),
                await come_back(door, crossed.cookie, await log_in_there(tampered)),
            ]
            door.door.users.switch("maria", By("test"), enabled=False)
            off = await leave(door)
            answers.append(await come_back(door, off.cookie, await log_in_there(off.url)))
            assert {(each.status, each.json["code"], each.json["detail"]) for each in answers} == {
                (401, "identity_refused", answers[0].json["detail"])
            }
            assert told(door) == [
                *("state_wrong", "cookie_unreadable", "cookie_unreadable", "provider_refused", "subject_unknown"),
                *("nonce_wrong", "user_disabled"),
            ]


async def test_a_token_that_expired_is_refused(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    with provider(timedelta(hours=-1)) as issuer:
        async with opened(questdb_config, tmp_path, issuer) as door:
            going = await leave(door)
            said = await come_back(door, going.cookie, await log_in_there(going.url))
            assert said.json["code"] == "identity_refused"
            assert told(door) == ["token_expired"]


class Hostile:
    """A provider that answers with whatever token it was told to, and names one key as its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.token = ""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        key = {**json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())), "kid": "one", "use": "sig"}
        app = web.Application()
        addresses = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
        }
        app.router.add_get("/.well-known/openid-configuration", _json(lambda: addresses))
        app.router.add_get("/keys", _json(lambda: {"keys": [key]}))
        app.router.add_post("/token", _json(lambda: {"id_token": self.token, "token_type": "Bearer"}))
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.port).start()
        try:
            yield
        finally:
            await runner.cleanup()


def _json(said: Callable[[], object]) -> Callable[[web.Request], object]:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response(said())

    return answer


async def test_forged_and_foreign_tokens_are_refused_each_for_its_own_reason(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    there = Hostile()
    now_s = SystemClock().now_ns() // NANOS_PER_SECOND
    good = {"iss": there.issuer, "sub": SUBJECT, "aud": CLIENT, "iat": now_s, "exp": now_s + 600}

    def signed(**changes: object) -> Callable[[str], str]:
        return lambda nonce: jwt.encode({**good, "nonce": nonce, **changes}, KEY, "RS256", {"kid": "one"})

    def by(key: object, algorithm: str, kid: str = "one") -> Callable[[str], str]:
        return lambda nonce: jwt.encode({**good, "nonce": nonce}, key, algorithm, {"kid": kid})  # type: ignore[arg-type]  # whatever it is

    forged: list[tuple[Callable[[str], str], str]] = [
        (signed(aud="another-client"), "audience_wrong"),
        (signed(aud=[CLIENT, "another-client"]), "audience_wrong"),
        (signed(azp="another-client"), "audience_wrong"),
        (signed(iss="https://login.example.com"), "issuer_wrong"),
        (signed(exp=now_s - 120), "token_expired"),
        (signed(iat=now_s + 3_600), "token_of_the_future"),
        (signed(exp="never"), "token_invalid"),
        (signed(sub=""), "token_invalid"),
        (signed(nonce="another"), "nonce_wrong"),
        (by(None, "none"), "algorithm_not_taken"),
        (by("a secret that both sides would know", "HS256"), "algorithm_not_taken"),
        (by(OTHER, "RS256"), "token_invalid"),
        (by(OTHER, "RS256", "two"), "key_unknown"),
        (lambda _: "no.token", "token_unreadable"),
    ]
    async with there.serving(), opened(questdb_config, tmp_path, there.issuer) as door:

        async def came_with(token: Callable[[str], str]) -> Asked:
            going = await leave(door)
            query = parse_qs(urlsplit(going.url).query)
            there.token = token(query["nonce"][0])
            return await come_back(door, going.cookie, {"code": "c", "state": query["state"][0]})

        for token, _ in forged:
            assert (await came_with(token)).json["code"] == "identity_refused"
        assert told(door) == [cause for _, cause in forged]
        believed = await came_with(signed())
        assert believed.status == 200, believed.json


async def test_an_address_that_tries_too_often_is_locked_and_a_provider_that_is_away_is_said_to_be(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    config = config_of(questdb_config, tmp_path)
    config = config.model_copy(update={"access": config.access.model_copy(update={"failed_from_address_max": 2})})
    async with open_door(with_oidc(config, f"http://127.0.0.1:{free_port()}")) as door:
        away = await door.ask("/auth/oidc/login")
        assert (away.status, away.json["code"]) == (503, "venue_unavailable")
        said = [await come_back(door, "ares_oidc=forged", {"code": "c", "state": "s"}) for _ in range(3)]
        assert [each.json["code"] for each in said] == ["identity_refused", "identity_refused", "locked"]
        assert len(told(door)) == 2


async def test_without_a_provider_there_is_none_to_log_in_by(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    async with open_door(config_of(questdb_config, tmp_path)) as door:
        said = await door.ask("/auth/oidc/login")
        assert (said.status, "no identity provider is set" in str(said.json["detail"])) == (400, True)
        with_second_factor(door, "admin")
        said = await door.ask("/users/admin/identity", "admin", method="PUT", body={"subject": SUBJECT})
        assert (said.status, "no identity provider is set" in str(said.json["detail"])) == (400, True)
        door.add("viewer")
        door.door.users.add("maria", Role.TRADER, Scope(), PASSWORD, By("test"))
        identity = Identity("https://login.example.com", SUBJECT)
        door.door.users.link("maria", identity, By("test"))
        with pytest.raises(UsageError, match="comes in as maria already"):
            door.door.users.link("viewer", identity, By("test"))


@pytest.mark.parametrize(
    ("issuer", "public_url", "dev", "field"),
    [
        ("http://login.example.com", "https://ares.example.com", True, "access.oidc.issuer"),
        ("http://127.0.0.1:9000", "https://ares.example.com", False, "access.oidc.issuer"),
        ("https://login.example.com", "http://ares.example.com", True, "api.public_url"),
        ("login.example.com", "https://ares.example.com", True, "access.oidc.issuer"),
    ],
)
def test_a_provider_that_others_could_pretend_to_be_is_refused_at_the_start(
    issuer: str, public_url: str, field: str, *, dev: bool
) -> None:
    config = OidcConfig(issuer=issuer, client_id=CLIENT)
    with pytest.raises(ConfigError) as refused:
        provider_of(config, public_url, "/callback", SystemClock(), dev=dev)
    assert refused.value.field == field
