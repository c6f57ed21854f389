"""Goal: who proves who they are comes in, nobody else does, and whoever may not any more is out at once."""

from __future__ import annotations

import asyncio
import random
import string
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pyotp
import pytest
from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST

from ares.clock import NANOS_PER_SECOND
from ares.config.access import AccessConfig
from ares.control import ControlStore
from ares.control.access import AccessStore
from ares.control.types import StoredEvent
from ares.errors import AccessDenied, ConfigError, UnknownName, UsageError
from ares.security.access import passwords, tokens
from ares.security.access.door import Door, Origin, Tokens
from ares.security.access.keyring import Keyring, rotate
from ares.security.access.roles import DANGEROUS, KEYLESS, UNBOUNDED, Permission, Role, Scope, permissions_of
from ares.security.access.users import By, KeyWish
from ares.testing.clock import SteppedClock

ADMIN, PASSWORD, OTHER = By("admin"), "correct horse battery", "staple under the bridge"
HOME, THERE = Origin("10.0.0.1", "browser"), Origin("10.0.0.2", "curl")
NOW_NS = 1_796_000_000 * NANOS_PER_SECOND
FORGERIES = 2_500


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(NOW_NS)


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlStore]:
    store = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
    yield store
    store.close()


@pytest.fixture
def quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """To try one takes long on purpose, and here hundreds are tried."""
    hasher = PasswordHasher.from_parameters(CHEAPEST)
    monkeypatch.setattr(passwords, "_HASHER", hasher)
    monkeypatch.setattr(passwords, "_NOBODY", hasher.hash("a password of nobody"))


@pytest.fixture
def door(quick_passwords: None, control: ControlStore, clock: SteppedClock, tmp_path: Path) -> Door:
    door = Door(control, Keyring.open(tmp_path / "access.key", "access.key_file"), clock, AccessConfig)
    door.users.add("maria", Role.TRADER, Scope(frozenset({"spot-1"})), PASSWORD, ADMIN)
    return door


def later(clock: SteppedClock, seconds: float) -> None:
    asyncio.run(clock.advance(seconds))


def denied(door: Door, shown: str) -> str:
    with pytest.raises(AccessDenied) as caught:
        door.caller(shown)
    return caught.value.reason


def refused_login(
    door: Door, password: str = PASSWORD, code: str = "", origin: Origin = HOME, name: str = "maria"
) -> str:
    with pytest.raises(AccessDenied) as caught:
        door.login(name, password, code, origin)
    return caught.value.reason


def log_in(door: Door) -> Tokens:
    return door.login("maria", PASSWORD, "", HOME)


def test_who_logs_in_is_who_they_are_with_their_role_and_scope(door: Door) -> None:
    caller = door.caller(log_in(door).access)
    assert (caller.user, caller.role, caller.key) == ("maria", Role.TRADER, "")
    caller.require(Permission.TRADE, account="spot-1")
    for permission, account in ((Permission.TRADE, "spot-2"), (Permission.MANAGE_USERS, None)):
        with pytest.raises(AccessDenied, match="does not allow"):
            caller.require(permission, account=account)


def test_a_wrong_password_and_an_unknown_name_are_told_apart_by_nobody(door: Door) -> None:
    assert refused_login(door, "wrong" * 3) == refused_login(door, name="nobody") == "credentials_wrong"


def test_last_login_is_the_last_that_went_well_and_an_unlocking_is_none(
    control: ControlStore, clock: SteppedClock, door: Door
) -> None:
    access = AccessStore(control)
    assert access.last_logins() == {}
    log_in(door)
    later(clock, 60)
    refused_login(door, "wrong" * 3)
    door.unlock("maria")
    assert access.last_logins() == {"maria": NOW_NS}


def test_nobody_forges_or_alters_an_access_token(door: Door) -> None:
    """Every one of thousands is refused: other keys, no signature, other algorithms, any character changed."""
    genuine = log_in(door).access
    claims = jwt.decode(genuine, options={"verify_signature": False})
    name = jwt.get_unverified_header(genuine)["kid"]
    chance = random.Random(7)
    forged = [
        jwt.encode({**claims, **change}, key, algorithm=algorithm, headers={"kid": kid})
        for change in ({}, {"sub": "admin"}, {"exp": claims["exp"] + 10**6}, {"otp": claims["iat"]}, {"typ": "refresh"})
        for key, algorithm in (("k" * 32, "HS256"), ("", "none"), ("k" * 64, "HS512"))
        for kid in (name, "other", "../../dev/null")
    ]
    while len(forged) < FORGERIES:
        at = chance.randrange(len(genuine))
        other = chance.choice([each for each in string.ascii_letters + string.digits + "-_.=" if each != genuine[at]])
        forged.append(genuine[:at] + other + genuine[at + 1 :])
    forged += [genuine[:-1], genuine + "A", genuine + "=", "", "..", "a.b.c", genuine * 9, f" {genuine}", "ares_ak_"]
    assert {denied(door, each) for each in forged} == {"token_invalid"}
    assert door.caller(genuine).user == "maria"


@pytest.mark.parametrize(
    "change",
    [{"iss": "other"}, {"aud": "other"}, {"aud": ["ares-api"]}, {"typ": "refresh"}, {"sub": "admin"}, {"sub": 7},
     {"exp": "1"}, {"exp": True}, {"otp": None}, {"sid": None}, {"jti": None}],
)  # fmt: skip
def test_a_token_signed_by_our_key_that_says_something_else_is_none_of_ours(
    door: Door, tmp_path: Path, change: dict[str, object]
) -> None:
    ring = Keyring.open(tmp_path / "access.key", "access.key_file")
    claims = {**jwt.decode(log_in(door).access, options={"verify_signature": False}), **change}
    claims = {key: value for key, value in claims.items() if value is not None}
    shown = jwt.encode(claims, ring.signing[ring.newest], algorithm="HS256", headers={"kid": ring.newest})
    assert denied(door, shown) == "token_invalid"


def test_an_access_token_expires_and_a_refresh_token_makes_the_next(door: Door, clock: SteppedClock) -> None:
    first = log_in(door)
    later(clock, first.expires_in_s)
    assert denied(door, first.access) == "token_expired"
    second = door.refresh(first.refresh, HOME)
    assert door.caller(second.access).user == "maria"
    assert door.refresh(second.refresh, HOME).session == first.session


def test_a_browsers_token_is_good_while_it_is_used_and_only_in_a_browser(door: Door, clock: SteppedClock) -> None:
    given = log_in(door)
    token = door.browser_token(door.caller(given.access))
    assert denied(door, token) == "token_invalid"
    for shown in (given.access, given.refresh, ""):
        with pytest.raises(AccessDenied, match="none of ours"):
            door.browser(shown)
    for _ in range(3):
        later(clock, AccessConfig().idle_s_max - 1)
        token = door.browser_token(door.browser(token))
    later(clock, AccessConfig().idle_s_max)
    with pytest.raises(AccessDenied, match="expired"):
        door.browser(token)


def test_a_browsers_token_outlives_neither_its_session_nor_its_user(door: Door, clock: SteppedClock) -> None:
    caller = door.caller(log_in(door).access)
    token = door.browser_token(caller)
    door.logout(caller.session, "logged out")
    with pytest.raises(AccessDenied, match="ended"):
        door.browser(token)
    caller = door.caller(log_in(door).access)
    later(clock, AccessConfig().session_s_max - 60)
    token = door.browser_token(caller)
    later(clock, 60)
    with pytest.raises(AccessDenied, match="expired"):
        door.browser(token)


def test_a_refresh_token_that_is_shown_twice_ends_its_session_and_is_told(door: Door, control: ControlStore) -> None:
    first = log_in(door)
    second = door.refresh(first.refresh, HOME)
    with pytest.raises(AccessDenied, match="has ended"):
        door.refresh(first.refresh, THERE)
    assert denied(door, second.access) == "session_ended"
    with pytest.raises(AccessDenied, match="has ended"):
        door.refresh(second.refresh, HOME)
    assert said(control)[-1].type == "token_reused"
    assert said(control)[-1].payload["address"] == THERE.address


def test_who_knows_a_sessions_id_but_none_of_its_tokens_cannot_end_it(door: Door) -> None:
    tokens_ = log_in(door)
    door_tokens = door.refresh(tokens_.refresh, HOME)
    for number in (0, 1, 2, 3):
        with pytest.raises(AccessDenied, match="none of ours"):
            door.refresh(tokens.Opaque.new(tokens_.session.id, number).text(tokens.REFRESH_PREFIX), THERE)
    assert door.caller(door_tokens.access).user == "maria"


@pytest.mark.parametrize("how", ["logout", "all", "disable", "password", "time", "idle"])
def test_a_session_that_ended_lets_nobody_in_from_then_on(door: Door, clock: SteppedClock, how: str) -> None:
    there = log_in(door)
    later(clock, 1)
    match how:
        case "logout":
            door.logout(there.session.id, "asked for")
        case "all":
            door.users.end_sessions("maria", ADMIN)
        case "disable":
            door.users.switch("maria", ADMIN, enabled=False)
        case "password":
            door.users.set_password("maria", OTHER, ADMIN)
        case "time":
            later(clock, AccessConfig().session_s_max)
        case _:
            later(clock, AccessConfig().idle_s_max)
    if how not in {"time", "idle"}:
        assert denied(door, there.access) == "session_ended"
    with pytest.raises(AccessDenied, match="has ended"):
        door.refresh(there.refresh, HOME)


def test_a_role_that_was_taken_away_is_gone_with_the_next_request(door: Door) -> None:
    shown = log_in(door).access
    door.users.allow("maria", Role.VIEWER, Scope(), ADMIN)
    assert Permission.TRADE not in door.caller(shown).permissions


def test_too_many_failures_lock_a_user_ever_longer_and_are_told_once(
    door: Door, control: ControlStore, clock: SteppedClock
) -> None:
    for _ in range(5):
        assert refused_login(door, OTHER) == "credentials_wrong"
    assert refused_login(door) == "locked"
    assert [each.type for each in said(control)].count("locked") == 1
    later(clock, 30)
    assert refused_login(door, OTHER) == "credentials_wrong"
    later(clock, 30)
    assert refused_login(door) == "locked"
    later(clock, 30)
    assert log_in(door).session.user == "maria"


def test_to_try_a_password_takes_what_rfc_9106_recommends_whether_or_not_there_is_one() -> None:
    for kept in (passwords.hashed(PASSWORD), passwords._NOBODY):
        assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert passwords.fits(passwords.hashed(PASSWORD), PASSWORD)
    assert not passwords.fits("", "a password of nobody")


def test_an_admin_unlocks_and_an_address_that_tries_many_names_is_locked_too(door: Door) -> None:
    for _ in range(5):
        refused_login(door, OTHER)
    door.unlock("maria")
    assert log_in(door).session.user == "maria"
    for number in range(45):
        assert refused_login(door, name=f"guess{number}") == "credentials_wrong"
    assert refused_login(door) == "locked"
    assert door.login("maria", PASSWORD, "", THERE).session.address == THERE.address


def test_who_is_known_shows_who_they_are_though_others_tried_from_their_address(
    door: Door, clock: SteppedClock
) -> None:
    factor = second_factor(door, clock)
    caller = door.caller(door.login("maria", PASSWORD, factor.at(clock.now_ns() // NANOS_PER_SECOND), HOME).access)
    for number in range(AccessConfig().failed_from_address_max):
        refused_login(door, name=f"guess{number}")
    assert refused_login(door) == "locked"
    later(clock, 60)
    shown = door.step_up(caller, factor.at(clock.now_ns() // NANOS_PER_SECOND), HOME)
    door.require_fresh(door.caller(shown), Permission.SET_LIMITS)
    door.prove("maria", PASSWORD, HOME)


def test_who_is_known_and_guesses_is_locked_as_a_stranger_is(door: Door, clock: SteppedClock) -> None:
    caller = door.caller(log_in(door).access)
    second_factor(door, clock)
    for _ in range(AccessConfig().failed_logins_max):
        with pytest.raises(AccessDenied, match="wrong"):
            door.prove("maria", OTHER, HOME)
    with pytest.raises(AccessDenied, match="too many attempts failed"):
        door.prove("maria", PASSWORD, THERE)
    with pytest.raises(AccessDenied, match="too many attempts failed"):
        door.step_up(caller, "000000", THERE)


def test_a_code_is_good_once_and_lets_dangerous_things_be_done_for_a_while(door: Door, clock: SteppedClock) -> None:
    factor = second_factor(door, clock)
    assert refused_login(door) == "second_factor_needed"
    assert refused_login(door, code="000000") == "second_factor_wrong"
    code = factor.at(clock.now_ns() // NANOS_PER_SECOND)
    caller = door.caller(door.login("maria", PASSWORD, code, HOME).access)
    assert refused_login(door, code=code) == "second_factor_wrong"
    door.require_fresh(caller, Permission.SET_LIMITS)
    later(clock, 301)
    door.require_fresh(caller, Permission.HALT)
    with pytest.raises(AccessDenied, match="shown just now"):
        door.require_fresh(caller, Permission.SET_LIMITS)
    code = factor.at(clock.now_ns() // NANOS_PER_SECOND)
    door.require_fresh(door.caller(door.step_up(caller, code, HOME)), Permission.SET_LIMITS)


def test_a_second_factor_holds_only_once_its_code_was_shown(door: Door) -> None:
    with pytest.raises(AccessDenied, match="code is wrong"):
        door.confirm_second_factor("maria", door.begin_second_factor("maria"), "000000", ADMIN)
    hotp, nonsense = "otpauth://hotp/Ares:maria?secret=JBSWY3DPEHPK3PXP", "otpauth://totp/x?secret="
    for uri in (hotp, "http://example.com", "otpauth://totp/x", f"{nonsense}1", f"{nonsense}é"):
        with pytest.raises(UsageError, match="uri"):
            door.confirm_second_factor("maria", uri, "000000", ADMIN)
    assert log_in(door).session.user == "maria"


def test_a_key_opens_what_it_was_given_and_nothing_once_it_is_revoked(door: Door, clock: SteppedClock) -> None:
    wish = KeyWish("notebook", frozenset({Permission.READ_MARKET}), Scope(frozenset({"spot-1", "spot-2"})))
    shown = door.users.make_key("maria", wish, ADMIN)
    caller = door.caller(shown)
    assert caller.permissions == {Permission.READ_MARKET}
    assert caller.scope.accounts == {"spot-1"}
    assert denied(door, shown[:-1]) == denied(door, shown + "A") == "token_invalid"
    door.users.allow("maria", Role.VIEWER, Scope(frozenset()), ADMIN)
    assert door.caller(shown).scope.accounts == frozenset()
    door.users.revoke_key("maria", caller.key, ADMIN)
    assert denied(door, shown) == "token_invalid"
    until = door.users.make_key("maria", KeyWish("a day", wish.permissions, Scope(), clock.now_ns() + 10**9), ADMIN)
    later(clock, 1)
    assert denied(door, until) == "token_invalid"


@pytest.mark.parametrize("permission", sorted(KEYLESS))
def test_no_key_does_what_is_dangerous(door: Door, permission: Permission) -> None:
    door.users.add("root", Role.ADMIN, Scope(), PASSWORD, ADMIN)
    with pytest.raises(UsageError, match="not of a key"):
        door.users.make_key("root", KeyWish("bot", frozenset({permission})), ADMIN)


def test_stopping_is_never_dangerous() -> None:
    assert Permission.HALT not in DANGEROUS


def test_the_only_admin_stays(door: Door) -> None:
    door.users.add("root", Role.ADMIN, Scope(), PASSWORD, ADMIN)
    with pytest.raises(UsageError, match="only admin"):
        door.users.switch("root", ADMIN, enabled=False)
    with pytest.raises(UsageError, match="only admin"):
        door.users.allow("root", Role.VIEWER, Scope(), ADMIN)
    confined = Scope(frozenset({"spot-1"}))
    with pytest.raises(UsageError, match="only admin"):
        door.users.allow("root", Role.ADMIN, confined, ADMIN)
    door.users.add("second", Role.ADMIN, confined, PASSWORD, ADMIN)
    with pytest.raises(UsageError, match="only admin"):
        door.users.switch("root", ADMIN, enabled=False)
    door.users.allow("second", Role.ADMIN, Scope(), ADMIN)
    assert not door.users.switch("root", ADMIN, enabled=False).enabled


def test_who_is_confined_has_nothing_that_knows_no_bounds(door: Door) -> None:
    for role in Role:
        door.users.add(role.value, role, Scope(strategies=frozenset({"trend"})), PASSWORD, ADMIN)
        caller = door.caller(door.login(role.value, PASSWORD, "", HOME).access)
        assert caller.permissions == permissions_of(role) - UNBOUNDED
        for permission in UNBOUNDED:
            with pytest.raises(AccessDenied, match="knows no bounds"):
                caller.require(permission)
    door.users.add("joe", Role.TRADER, Scope(), PASSWORD, ADMIN)
    may = frozenset({Permission.READ_MARKET, Permission.ASK_SQL})
    narrowed = KeyWish("bot", may, Scope(frozenset({"spot-1"})))
    with pytest.raises(UsageError, match="sql:ask"):
        door.users.make_key("joe", narrowed, ADMIN)
    key = door.users.make_key("joe", KeyWish("bot", may), ADMIN)
    assert door.caller(key).permissions == may
    door.users.allow("joe", Role.TRADER, Scope(frozenset({"spot-1"})), ADMIN)
    assert door.caller(key).permissions == may - UNBOUNDED


@pytest.mark.parametrize(
    ("name", "password", "problem"),
    [("Maria", PASSWORD, "name"), ("x", PASSWORD, "name"), ("maria", PASSWORD, "there is one"),
     ("joe", "short", "12 to"), ("joe", "joe is the best of all", "contains the name"),
     ("joe", "aaaaaaaaaaaabbbb", "different characters")],
)  # fmt: skip
def test_bad_names_and_poor_passwords_are_refused(door: Door, name: str, password: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        door.users.add(name, Role.VIEWER, Scope(), password, ADMIN)
    with pytest.raises(UnknownName):
        door.users.get("joe")


def test_nothing_secret_is_in_events_rows_or_the_audit_chain(
    door: Door, control: ControlStore, clock: SteppedClock
) -> None:
    factor = second_factor(door, clock)
    key = door.users.make_key("maria", KeyWish("bot", frozenset({Permission.READ_MARKET})), ADMIN)
    kept = str(said(control)) + str(control.outbox(0, 1_000)) + str([link.text for link in control.audit_links()])
    for secret in (PASSWORD, factor.secret, key, key.rpartition(".")[2], "argon2"):
        assert secret not in kept
    whole = (Path(str(control._engine.url.database))).read_bytes()
    for secret in (PASSWORD, factor.secret, key.rpartition(".")[2]):
        assert secret.encode() not in whole


def test_keys_are_rotated_without_logging_anybody_out(
    control: ControlStore, clock: SteppedClock, tmp_path: Path, door: Door
) -> None:
    factor = second_factor(door, clock)
    later(clock, 60)
    code = factor.at(clock.now_ns() // NANOS_PER_SECOND)
    shown = door.login("maria", PASSWORD, code, HOME).access
    rotate(tmp_path / "access.key")
    after = Door(control, Keyring.open(tmp_path / "access.key", "access.key_file"), clock, AccessConfig)
    assert after.caller(shown).user == "maria"
    later(clock, 60)
    code = factor.at(clock.now_ns() // NANOS_PER_SECOND)
    newer = after.login("maria", PASSWORD, code, HOME).access
    assert denied(door, newer) == "token_invalid"


@pytest.mark.parametrize(("text", "problem"), [("", "no key"), ("c2hvcnQ=", "5 bytes"), ("§", "base64")])
def test_a_key_that_is_none_is_an_error_that_does_not_show_it(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        Keyring.of(text, "access.key")
    assert not text or text not in str(caught.value)


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "access.key"
    Keyring.open(path, "access.key_file")
    path.chmod(0o644)
    with pytest.raises(ConfigError, match="others can read it"):
        Keyring.open(path, "access.key_file")


def second_factor(door: Door, clock: SteppedClock) -> pyotp.TOTP:
    """Maria's, set up an hour ago."""
    uri = door.begin_second_factor("maria")
    factor = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
    door.confirm_second_factor("maria", uri, factor.at(clock.now_ns() // NANOS_PER_SECOND), ADMIN)
    later(clock, 60)
    return factor


def said(control: ControlStore) -> list[StoredEvent]:
    return [each for each in control.log(0, 1_000) if each.category == "user"]
