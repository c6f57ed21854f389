"""Who may come in: the users of an installation, each a stream of events, each change an entry of the audit chain."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ares.clock import Clock
from ares.control import AuditEntry, ControlStore, Json, NewEvent, until_it_fits
from ares.control.access import AccessStore
from ares.errors import UnknownName, UsageError
from ares.security.access.events import (
    ALLOWED,
    CREDENTIAL,
    ENDED,
    KEY_MADE,
    KEY_REVOKED,
    LINKED,
    REGISTRY,
    SWITCHED,
    CredentialSet,
    IdentityLinked,
    KeyMade,
    KeyRevoked,
    SessionsEnded,
    UserAllowed,
    UserSwitched,
)
from ares.security.access.identity import Identity
from ares.security.access.passwords import hashed, require_good
from ares.security.access.roles import KEYLESS, Permission, Role, Scope, permissions_of
from ares.security.access.rows import user_row
from ares.security.access.state import User, after, listed
from ares.security.access.tokens import KEY_PREFIX, Opaque, new_id

WRITER = "access"
STREAMS = "user/"
ITSELF = "ares"
PASSWORD, SECOND_FACTOR, KEY = "password", "second_factor", "key"
LABEL_MAX = 100
SUBJECT_MAX = 255
"""OpenID Connect Core, 2: a subject is no longer."""
_SCOPED = re.compile(r"[A-Za-z0-9_.:/@-]{1,100}")
_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")


@dataclass(frozen=True, slots=True)
class By:
    """Who changes something, and why."""

    who: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class KeyWish:
    """A key that is asked for: what it may do and where; the moment it ends in UTC ns, None: when it is revoked."""

    label: str
    permissions: frozenset[Permission]
    scope: Scope = field(default_factory=Scope)
    expires_at_ns: int | None = None


class Users:
    """All methods block for a transaction or two, and raise `ControlUnavailable`; changes raise `UsageError`."""

    def __init__(self, control: ControlStore, clock: Clock) -> None:
        self._control = control
        self._store = AccessStore(control)
        self._clock = clock
        self._known: dict[str, User] = {}

    def names(self) -> list[str]:
        """All that were ever added, in that order."""
        return [stream.removeprefix(STREAMS) for stream in self._control.streams(STREAMS)]

    def find(self, name: str) -> User:
        """A user as it is now; one of `seq` 0 where there is none."""
        user = self._known.get(name, User(name))
        for stored in self._control.stream(f"{STREAMS}{name}", user.seq):
            user = after(user, REGISTRY.read(stored))
        if user.seq:
            self._known[name] = user
        return user

    def get(self, name: str) -> User:
        """Raises `UnknownName`."""
        user = self.find(name)
        if not user.seq:
            raise UnknownName("user", name, self.names())
        return user

    def add(self, name: str, role: Role, scope: Scope, password: str, by: By) -> User:
        """A new user. Raises `UsageError` for a name that is taken or none, or a poor password."""
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"name = {name!r}: 2 to 32 of a-z, 0-9, '.', '_' and '-', beginning with a letter. Example: maria"
            )
        require_good(password, name)
        require_scope(scope)
        kept = hashed(password)

        def said(user: User) -> list[NewEvent]:
            if user.seq:
                raise UsageError(f"name = {name!r}: there is one. `ares user role` changes what they may do")
            self._store.put_credential(name, PASSWORD, kept, self._clock.now_ns())
            return [
                ALLOWED.new(_allowed(role, scope, by), self._clock.now_ns()),
                CREDENTIAL.new(CredentialSet("password", there=True, who=by.who), self._clock.now_ns()),
            ]

        return self.say(name, "user_add", by, said)

    def allow(self, name: str, role: Role, scope: Scope, by: By) -> User:
        """Another role or scope, at once. Raises `UsageError` if nobody could manage users any more."""
        require_scope(scope)

        def said(user: User) -> list[NewEvent]:
            self._keep_an_admin(user, permissions_of(role, scope))
            return [ALLOWED.new(_allowed(role, scope, by), self._clock.now_ns())]

        return self.say(self.get(name).name, "user_role", by, said)

    def switch(self, name: str, by: By, *, enabled: bool) -> User:
        """Let somebody in again, or not any more, at once."""

        def said(user: User) -> list[NewEvent]:
            if not enabled:
                self._keep_an_admin(user, frozenset())
            return [SWITCHED.new(UserSwitched(enabled, by.who, by.why), self._clock.now_ns())]

        return self.say(self.get(name).name, "user_enable" if enabled else "user_disable", by, said)

    def set_password(self, name: str, password: str, by: By) -> User:
        """Another password; every session of the user ends."""
        require_good(password, self.get(name).name)
        self._store.put_credential(name, PASSWORD, hashed(password), self._clock.now_ns())
        return self.say(name, "user_password", by, lambda _: [self._credential("password", by, there=True)])

    def set_second_factor(self, name: str, sealed: str, by: By) -> User:
        """Another second factor, sealed; empty: none."""
        self._store.put_credential(self.get(name).name, SECOND_FACTOR, sealed, self._clock.now_ns())
        event = self._credential("second_factor", by, there=bool(sealed))
        return self.say(name, "user_second_factor", by, lambda _: [event])

    def of(self, identity: Identity) -> User | None:
        """Whom an identity is linked to; None if nobody, or, which no link lets happen, several."""
        found = [user for user in map(self.find, self.names()) if user.identity == identity]
        return found[0] if len(found) == 1 else None

    def link(self, name: str, identity: Identity | None, by: By) -> User:
        """Let an identity come in as this user and no other; None: nobody outside. Every session of the user ends.

        Raises `UsageError` for a subject that is none, or is somebody else's.
        """
        if identity is not None and not (0 < len(identity.subject) <= SUBJECT_MAX and identity.subject.isprintable()):
            raise UsageError(
                f"subject = {identity.subject[:80]!r}: 1 to {SUBJECT_MAX} characters, as the provider has it"
            )

        def said(_: User) -> list[NewEvent]:
            others = (self.find(each) for each in self.names() if each != name)
            taken = next((each.name for each in others if identity is not None and each.identity == identity), None)
            if taken is not None:
                raise UsageError(
                    f"subject: comes in as {taken} already. Take that away first: ares user unlink {taken}"
                )
            issuer, subject = identity or ("", "")
            return [LINKED.new(IdentityLinked(issuer, subject, by.who, by.why), self._clock.now_ns())]

        return self.say(self.get(name).name, "user_link", by, said)

    def refused(self, cause: str, address: str) -> None:
        """An entry of the audit chain: somebody came from the provider and was not let in."""

        def say() -> None:
            after: dict[str, Json] = {"cause": cause, "address": address}
            entry = AuditEntry(WRITER, ITSELF, "identity_refused", self._clock.now_ns(), after=after, why=cause)
            self._control.audit([entry])

        until_it_fits(f"audit/{WRITER}", say)

    def end_sessions(self, name: str, by: By) -> User:
        """Log somebody out everywhere, at once."""
        event = ENDED.new(SessionsEnded(by.who, by.why), self._clock.now_ns())
        return self.say(self.get(name).name, "user_logout", by, lambda _: [event])

    def make_key(self, name: str, wish: KeyWish, by: By) -> str:
        """A key's text, which nobody can be told a second time. Raises `UsageError` for what its user may not do."""
        key = Opaque.new(new_id())

        def said(user: User) -> list[NewEvent]:
            _require_within(user, wish)
            self._store.put_credential(key.id, KEY, f"{name} {key.hash}", self._clock.now_ns())
            body = KeyMade(
                key=key.id,
                label=wish.label,
                permissions=sorted(wish.permissions),
                accounts=listed(wish.scope.accounts),
                strategies=listed(wish.scope.strategies),
                expires_at_ns=wish.expires_at_ns,
                who=by.who,
            )
            return [KEY_MADE.new(body, self._clock.now_ns())]

        self.say(self.get(name).name, "key_make", by, said)
        return key.text(KEY_PREFIX)

    def revoke_key(self, name: str, key_id: str, by: By) -> User:
        """A key opens nothing any more, at once; a second time is harmless."""

        def said(user: User) -> list[NewEvent]:
            if key_id not in user.keys:
                raise UnknownName("key", key_id, list(user.keys))
            if user.keys[key_id].revoked:
                return []
            return [KEY_REVOKED.new(KeyRevoked(key_id, by.who, by.why), self._clock.now_ns())]

        return self.say(self.get(name).name, "key_revoke", by, said)

    def note(self, name: str, what: str, event: NewEvent, by: By) -> None:
        """Something that happened to a user; nothing of one who is not there."""
        if self.find(name).seq:
            self.say(name, what, by, lambda _: [event])

    def _credential(self, kind: str, by: By, *, there: bool) -> NewEvent:
        body = CredentialSet("password" if kind == "password" else "second_factor", there, by.who)
        return CREDENTIAL.new(body, self._clock.now_ns())

    def _keep_an_admin(self, user: User, left: frozenset[Permission]) -> None:
        """`left`: what the user may do afterwards."""
        if Permission.MANAGE_USERS not in user.permissions - left:
            return
        others = (self.find(name) for name in self.names() if name != user.name)
        if not any(each.enabled and Permission.MANAGE_USERS in each.permissions for each in others):
            raise UsageError(
                f"user = {user.name!r}: is the only admin who is not confined. Make somebody else one first"
            )

    def say(self, name: str, what: str, by: By, said: Callable[[User], list[NewEvent]]) -> User:
        """A user after the events that `said` makes of how they stand; with an audit entry, unless there are none."""

        def say() -> User:
            user = self.find(name)
            events = said(user)
            if not events:
                return user
            entry = AuditEntry(
                writer=WRITER,
                who=by.who,
                what=what,
                ts_ns=self._clock.now_ns(),
                before={"user": name, "role": user.role.value, "enabled": user.enabled},
                after={"user": name, **{key: value for each in events for key, value in each.payload.items()}},
                why=by.why,
            )
            rows = [user_row(name, seq, event) for seq, event in enumerate(events, start=user.seq + 1)]
            self._control.append(f"{STREAMS}{name}", events, expected_seq=user.seq, mirror=rows, audit=[entry])
            return self.find(name)

        return until_it_fits(f"{STREAMS}{name}", say)


def require_scope(scope: Scope) -> None:
    """Raises `UsageError` for an account or a strategy whose name is none."""
    for kind, names in (("account", scope.accounts), ("strategy", scope.strategies)):
        for name in sorted(names or ()):
            if not _SCOPED.fullmatch(name):
                raise UsageError(f"{kind} = {name!r}: 1 to 100 of letters, digits and _.:/@-. Example: spot-1")


def _allowed(role: Role, scope: Scope, by: By) -> UserAllowed:
    return UserAllowed(role.value, listed(scope.accounts), listed(scope.strategies), by.who, by.why)


def _require_within(user: User, wish: KeyWish) -> None:
    if not 0 < len(wish.label) <= LABEL_MAX:
        raise UsageError(f"label = {wish.label!r}: 1 to {LABEL_MAX} characters that say what the key is for")
    require_scope(wish.scope)
    if not wish.permissions:
        raise UsageError("permissions = []: a key that may do nothing. Name some")
    beyond = sorted(wish.permissions - (permissions_of(user.role, user.scope.narrowed(wish.scope)) - KEYLESS))
    if beyond:
        raise UsageError(
            f"permissions = {beyond}: not of a key, of the role {user.role}, or of who is confined. Leave them out"
        )
