"""The door: who logs in, who is still who they were, and whose key opens what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import pyotp

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.access import AccessConfig
from ares.control import ControlStore
from ares.control.access import AccessStore, Session
from ares.errors import AccessDenied, ConfigError, UsageError
from ares.security.access.events import LOCKED, REUSED, LoginLocked, TokenReused
from ares.security.access.identity import Asking, Identity, NotBelieved
from ares.security.access.keyring import Keyring
from ares.security.access.passwords import fits
from ares.security.access.roles import DANGEROUS, EVERYTHING, UNBOUNDED, Permission, Role, Scope, permissions_of
from ares.security.access.state import User
from ares.security.access.tokens import KEY_PREFIX, REFRESH_PREFIX, AccessToken, Kind, Opaque, new_id, read, sign
from ares.security.access.users import ITSELF, KEY, PASSWORD, SECOND_FACTOR, By, Users

ATTEMPTS_S = 3_600.0
CODE_STEP_S = 30
CODE_DRIFT_STEPS = 1
"""A code of the step before and of the one after is taken too: clocks differ (RFC 6238, 5.2)."""
USER_CHARACTERS_MAX = 100
AGENT_CHARACTERS_MAX = 300
STRANGERS = "@identity"
"""Whose attempts are counted that come from a provider and are nobody's: no user is called so."""


class Origin(NamedTuple):
    """Where a request comes from and by what."""

    address: str
    agent: str = ""


@dataclass(frozen=True, slots=True)
class Tokens:
    """What somebody who logged in is given; lifetimes in seconds."""

    access: str
    refresh: str
    expires_in_s: int
    session: Session


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: what they may do and where. `session` or `key`, whichever they came with; the other is empty.

    `second_factor_at_s`: when they last showed one (UTC seconds; 0: never).
    """

    user: str
    role: Role
    permissions: frozenset[Permission]
    scope: Scope
    session: str = ""
    key: str = ""
    second_factor_at_s: int = 0

    def require(self, permission: Permission, *, account: str | None = None, strategy: str | None = None) -> None:
        """Raises `AccessDenied` unless they may do this there."""
        if permission in UNBOUNDED and self.scope != EVERYTHING:
            raise AccessDenied("forbidden", f"{permission.value} knows no bounds, and you are confined")
        if permission not in self.permissions:
            raise AccessDenied("forbidden", f"{permission.value} is not of {self.role.value}")
        self.require_within(account=account, strategy=strategy)

    def require_within(self, *, account: str | None = None, strategy: str | None = None) -> None:
        """Raises `AccessDenied` for an object beyond what they are confined to."""
        if not self.scope.covers(account=account, strategy=strategy):
            raise AccessDenied("forbidden", "out of your scope")


class Door:
    """All methods block for a few transactions, `login` for a slow hash too; they raise `ControlUnavailable`."""

    def __init__(
        self, control: ControlStore, keyring: Keyring, clock: Clock, config: Callable[[], AccessConfig]
    ) -> None:
        self.users = Users(control, clock)
        self._store = AccessStore(control)
        self._keyring = keyring
        self.clock = clock
        self._config = config

    def login(self, name: str, password: str, code: str, origin: Origin) -> Tokens:
        """A session for who proves who they are. Raises `AccessDenied`, which does not tell which names exist."""
        name = name[:USER_CHARACTERS_MAX]
        self._require_unlocked(name)
        self._require_address(origin)
        user = self.users.find(name)
        kept = self._store.credential(name, PASSWORD) if user.seq else ""
        if not fits(kept, password) or not user.enabled:
            raise self._failed(user, origin, AccessDenied("credentials_wrong"))
        if user.second_factor and not code:
            raise AccessDenied("second_factor_needed")
        if user.second_factor and not self._shows(user, code):
            raise self._failed(user, origin, AccessDenied("second_factor_wrong"))
        return self._begun(user, origin, shown=user.second_factor)

    def begin_login(self) -> tuple[str, Asking]:
        """A login by the provider: a sealed text for the browser to keep, and what the provider is asked."""
        asking = Asking.new(self.clock.now_ns() // NANOS_PER_SECOND)
        return self._keyring.seal(asking.text()), asking

    def answered(self, sealed: str, state: str, origin: Origin) -> Asking:
        """The login that an answer of the provider is to, once. Raises `AccessDenied`."""
        self._require_address(origin)
        try:
            try:
                asking = Asking.read(self._keyring.unseal(sealed))
            except ConfigError:
                raise NotBelieved("cookie_unreadable") from None
            now_ns = self.clock.now_ns()
            asking.require_state(state, now_ns // NANOS_PER_SECOND, self._config().oidc.login_s_max)
            if self._store.claim_answer(STRANGERS, asking.state, "", now_ns) is not None:
                raise NotBelieved("state_used")
        except NotBelieved as error:
            raise self.not_believed(error.cause, origin) from None
        return asking

    def login_as(self, identity: Identity, origin: Origin) -> Tokens:
        """A session for whom the provider's word was believed; dangerous things still want our second factor.

        Raises `AccessDenied`, which does not tell who is known.
        """
        user = self.users.of(identity)
        if user is None or not user.enabled:
            raise self.not_believed("subject_unknown" if user is None else "user_disabled", origin)
        return self._begun(user, origin, shown=False)

    def not_believed(self, cause: str, origin: Origin) -> AccessDenied:
        """What somebody is told whom the provider does not let in; why, the audit chain is told."""
        self._store.note_login(STRANGERS, origin.address, self.clock.now_ns(), ok=False)
        self.users.refused(cause, origin.address)
        return AccessDenied("identity_refused")

    def _begun(self, user: User, origin: Origin, *, shown: bool) -> Tokens:
        """A new session; `shown`: with a second factor."""
        now_ns = self.clock.now_ns()
        self._store.note_login(user.name, origin.address, now_ns, ok=True)
        session = Session(
            id=new_id(),
            user=user.name,
            began_at_ns=now_ns,
            ends_at_ns=now_ns + _ns(self._config().session_s_max),
            address=origin.address,
            agent=origin.agent[:AGENT_CHARACTERS_MAX],
        )
        refresh = Opaque.new(session.id, 1)
        self._store.begin_session(session, refresh.hash)
        return self._tokens(session, refresh, now_ns if shown else 0)

    def refresh(self, text: str, origin: Origin) -> Tokens:
        """New tokens for a session. A refresh token is good once: shown again, somebody has a copy of it, and the
        session ends. Raises `AccessDenied`.
        """
        shown = Opaque.read(text, REFRESH_PREFIX)
        session, _ = self._session_of(shown.id)
        issued, now_ns = self._store.issued(session.id), self.clock.now_ns()
        newest = issued[max(issued)]
        if shown.number not in issued or not shown.fits(issued[shown.number].hash):
            raise AccessDenied("token_invalid")
        if now_ns >= newest.at_ns + _ns(self._config().idle_s_max):
            self.logout(session.id, "was idle")
            raise AccessDenied("session_ended")
        following = Opaque.new(session.id, newest.number + 1)
        used = shown.number < newest.number
        if used or not self._store.put_token(session.id, following.number, following.hash, now_ns):
            self._reused(session, origin)
            raise AccessDenied("session_ended")
        return self._tokens(session, following, 0)

    def step_up(self, caller: Caller, code: str, origin: Origin) -> str:
        """An access token that says that a second factor was shown just now. Raises `AccessDenied`."""
        user = self.users.get(caller.user)
        self._require_unlocked(user.name)
        if not user.second_factor:
            raise AccessDenied("second_factor_needed", "you have none: set one up first")
        if not self._shows(user, code):
            raise self._failed(user, origin, AccessDenied("second_factor_wrong"))
        session, _ = self._session_of(caller.session)
        return self._signed(session, self.clock.now_ns())

    def unlock(self, name: str) -> None:
        """Forget the failures of a user."""
        self._store.note_login(self.users.get(name).name, "", self.clock.now_ns(), ok=True)

    def logout(self, session_id: str, why: str) -> None:
        """End a session, at once."""
        self._store.end_session(session_id, self.clock.now_ns(), why)

    def sessions(self, name: str) -> list[Session]:
        """Those of a user that are open."""
        user = self.users.get(name)
        return [each for each in self._store.sessions(name) if self._open(each, user)]

    def caller(self, shown: str) -> Caller:
        """Whom an access token or an API key stands for, now. Raises `AccessDenied`."""
        return self._by_key(shown) if shown.startswith(KEY_PREFIX) else self._by_token(shown)

    def browser_token(self, caller: Caller) -> str:
        """What a browser keeps of a session: good until it was idle for too long. Raises `AccessDenied`."""
        session, _ = self._session_of(caller.session)
        now_s = self.clock.now_ns() // NANOS_PER_SECOND
        token = AccessToken(
            user=session.user,
            session=session.id,
            issued_at_s=now_s,
            expires_at_s=min(now_s + int(self._config().idle_s_max), session.ends_at_ns // NANOS_PER_SECOND),
            second_factor_at_s=caller.second_factor_at_s,
            kind=Kind.BROWSER,
        )
        return sign(token, self._keyring.signing, self._keyring.newest)

    def browser(self, shown: str) -> Caller:
        """Whom the token of a browser stands for, now. Raises `AccessDenied`."""
        return self._by_token(shown, Kind.BROWSER)

    def is_fresh(self, caller: Caller) -> bool:
        """Whether they showed a second factor just now."""
        now_s = self.clock.now_ns() // NANOS_PER_SECOND
        return now_s - caller.second_factor_at_s <= self._config().code_age_s_max

    def require_fresh(self, caller: Caller, permission: Permission) -> None:
        """Raises `AccessDenied` if this is dangerous and no second factor was shown just now."""
        if permission in DANGEROUS and not self.is_fresh(caller):
            raise AccessDenied("second_factor_old")

    def prove(self, name: str, password: str, origin: Origin) -> None:
        """Raises `AccessDenied` unless this is the user's password; failures count like those of logins."""
        self._require_unlocked(name)
        if not fits(self._store.credential(name, PASSWORD), password):
            raise self._failed(self.users.get(name), origin, AccessDenied("credentials_wrong"))

    def begin_second_factor(self, name: str) -> str:
        """The address of a new second factor, for an authenticator to keep (otpauth://); it holds once it is shown."""
        return pyotp.TOTP(pyotp.random_base32()).provisioning_uri(name=name, issuer_name="Ares")

    def confirm_second_factor(self, name: str, uri: str, code: str, by: By) -> None:
        """Keep a second factor whose code was shown. Raises `UsageError` or `AccessDenied`."""
        try:
            factor = pyotp.parse_uri(uri)
            if not isinstance(factor, pyotp.TOTP):
                raise UsageError("uri: not of a code by time. Take what was given out")
            shown = self._step(factor.secret, code)  # a secret is read only now
        except ValueError as error:
            raise UsageError(f"uri: {error}. Take what was given out") from None
        if shown is None:
            raise AccessDenied("second_factor_wrong")
        self.users.set_second_factor(name, self._keyring.seal(factor.secret), by)

    def _by_token(self, shown: str, kind: Kind = Kind.ACCESS) -> Caller:
        token = read(shown, self._keyring.signing, self.clock.now_ns(), kind)
        session, user = self._session_of(token.session)
        if session.user != token.user:
            raise AccessDenied("token_invalid")
        return Caller(
            user=user.name,
            role=user.role,
            permissions=user.permissions,
            scope=user.scope,
            session=session.id,
            second_factor_at_s=token.second_factor_at_s,
        )

    def _by_key(self, shown: str) -> Caller:
        key = Opaque.read(shown, KEY_PREFIX)
        name, _, kept = self._store.credential(key.id, KEY).partition(" ")
        if not name or not key.fits(kept):
            raise AccessDenied("token_invalid")
        user = self.users.find(name)
        known = user.keys.get(key.id)
        if known is None or not user.enabled or not known.opens(self.clock.now_ns()):
            raise AccessDenied("token_invalid")
        scope = user.scope.narrowed(known.scope)
        return Caller(
            user=name,
            role=user.role,
            permissions=permissions_of(user.role, scope, known.permissions),
            scope=scope,
            key=key.id,
        )

    def _session_of(self, session_id: str) -> tuple[Session, User]:
        """A session that is open, and whose it is: each is read once a request."""
        session = self._store.session(session_id)
        user = None if session is None else self.users.find(session.user)
        if session is None or user is None or not self._open(session, user):
            raise AccessDenied("session_ended")
        return session, user

    def _open(self, session: Session, user: User) -> bool:
        now_ns = self.clock.now_ns()
        return user.enabled and user.sessions_since_ns <= session.began_at_ns and now_ns < session.ends_at_ns

    def _tokens(self, session: Session, refresh: Opaque, second_factor_at_ns: int) -> Tokens:
        config = self._config()
        access = self._signed(session, second_factor_at_ns)
        return Tokens(access, refresh.text(REFRESH_PREFIX), int(config.token_s), session)

    def _signed(self, session: Session, second_factor_at_ns: int) -> str:
        now_s = self.clock.now_ns() // NANOS_PER_SECOND
        token = AccessToken(
            user=session.user,
            session=session.id,
            issued_at_s=now_s,
            expires_at_s=now_s + int(self._config().token_s),
            second_factor_at_s=second_factor_at_ns // NANOS_PER_SECOND,
        )
        return sign(token, self._keyring.signing, self._keyring.newest)

    def _shows(self, user: User, code: str) -> bool:
        """Whether this is a code of now that was not shown before."""
        secret = self._keyring.unseal(self._store.credential(user.name, SECOND_FACTOR))
        step = self._step(secret, code)
        return step is not None and self._store.use_code(user.name, step)

    def _step(self, secret: str, code: str) -> int | None:
        """The step of time whose code this is."""
        now_step = self.clock.now_ns() // NANOS_PER_SECOND // CODE_STEP_S
        factor = pyotp.TOTP(secret, interval=CODE_STEP_S)
        for step in range(now_step - CODE_DRIFT_STEPS, now_step + CODE_DRIFT_STEPS + 1):
            if factor.verify(code, for_time=step * CODE_STEP_S):
                return step
        return None

    def _require_unlocked(self, name: str) -> None:
        """Raises `AccessDenied` where too many attempts failed with this name."""
        now_ns, config = self.clock.now_ns(), self._config()
        since_ns = now_ns - _ns(ATTEMPTS_S)
        attempts = self._store.attempts_of(name, since_ns)
        wait_s = locked_s(attempts.failed, config)
        until_ns = attempts.last_ns + _ns(wait_s)
        if wait_s and now_ns < until_ns:
            raise AccessDenied("locked", retry_after_s=-(-(until_ns - now_ns) // NANOS_PER_SECOND))

    def _require_address(self, origin: Origin) -> None:
        """Raises `AccessDenied` where too many attempts came from. For strangers alone: who is known has a lock of
        their own, and what others try behind the same gateway must not keep them from resuming.
        """
        config, since_ns = self._config(), self.clock.now_ns() - _ns(ATTEMPTS_S)
        if self._store.attempts_from(origin.address, since_ns) >= config.failed_from_address_max:
            raise AccessDenied("locked", retry_after_s=int(config.locked_s_max))

    def _failed(self, user: User, origin: Origin, denied: AccessDenied) -> AccessDenied:
        now_ns = self.clock.now_ns()
        self._store.note_login(user.name, origin.address, now_ns, ok=False)
        failed = self._store.attempts_of(user.name, now_ns - _ns(ATTEMPTS_S)).failed
        if failed == self._config().failed_logins_max:
            said = LOCKED.new(LoginLocked(failed, origin.address), now_ns)
            self.users.note(user.name, "user_locked", said, By(ITSELF, f"{failed} attempts failed"))
        return denied

    def _reused(self, session: Session, origin: Origin) -> None:
        if self._store.end_session(session.id, self.clock.now_ns(), "its refresh token was shown twice"):
            said = REUSED.new(TokenReused(session.id, origin.address), self.clock.now_ns())
            self.users.note(session.user, "token_reused", said, By(ITSELF, "somebody has a copy"))


def locked_s(failed: int, config: AccessConfig) -> float:
    """For how long nobody may try again after so many failures: twice as long with each more.

    >>> [locked_s(failed, AccessConfig()) for failed in (4, 5, 6, 20)]
    [0.0, 30.0, 60.0, 3600.0]
    """
    beyond = failed - config.failed_logins_max
    return 0.0 if beyond < 0 else min(config.locked_s_min * 2.0 ** min(beyond, 30), config.locked_s_max)


def _ns(seconds: float) -> int:
    return round(seconds * NANOS_PER_SECOND)
