"""Where users are told of what: targets are events of their stream, and their addresses sealed credentials."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import orjson

from ares.clock import NANOS_PER_SECOND, Clock
from ares.control import ControlStore, NewEvent
from ares.control.access import AccessStore
from ares.errors import UnknownName, UsageError
from ares.redaction import redact
from ares.security.access.events import (
    TARGET_REMOVED,
    TARGET_SET,
    TARGET_SWITCHED,
    TargetRemoved,
    TargetSet,
    TargetSwitched,
)
from ares.security.access.keyring import Keyring, Use
from ares.security.access.state import Target, User
from ares.security.access.tokens import new_id
from ares.security.access.topics import TargetKind, Topic
from ares.security.access.users import LABEL_MAX, By, Users

ADDRESS, LINK = "notify_target", "notify_link"
TARGETS_MAX = 10
CODE_CHARACTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""None that is mistaken for another when it is typed from a screen."""
CODE_LENGTH = 12
SECRET_CHARACTERS_MIN = 16


@dataclass(frozen=True, slots=True)
class Address:
    """Where a target is. `place`: the URL, or the id of the chat; `key`: signs what a webhook is sent, else empty."""

    place: str
    key: str = ""

    def __repr__(self) -> str:
        return "Address((hidden))"


@dataclass(frozen=True, slots=True)
class Wish:
    """A target that is asked for."""

    kind: TargetKind
    label: str
    topics: frozenset[Topic]


@dataclass(frozen=True, slots=True)
class KnownTarget:
    """A target and whose it is, as they stand now."""

    user: User
    target: Target


class Targets:
    """All methods block for a transaction or two, and raise `ControlUnavailable`; changes raise `UsageError`."""

    def __init__(self, users: Users, control: ControlStore, keyring: Keyring, clock: Clock) -> None:
        self._users = users
        self._control = control
        self._store = AccessStore(control)
        self._keyring = keyring
        self._clock = clock
        self._opened: dict[str, Address] = {}

    def every(self) -> Iterator[KnownTarget]:
        """Those of all users who may come in."""
        for name in self._users.names():
            user = self._users.find(name)
            if user.enabled:
                yield from (KnownTarget(user, target) for target in user.targets.values())

    def of(self, name: str) -> list[KnownTarget]:
        """Those of a user. Raises `UnknownName`."""
        user = self._users.get(name)
        return [KnownTarget(user, target) for target in user.targets.values()]

    def get(self, name: str, target_id: str) -> KnownTarget:
        """A target of a user. Raises `UnknownName`."""
        user = self._users.get(name)
        return KnownTarget(user, _of(user, target_id))

    def address(self, target: Target) -> Address:
        """Where it is. Raises `ConfigError` if another key sealed it."""
        found = self._opened.get(target.id)
        if found is None:
            sealed = self._store.credential(target.id, ADDRESS)
            said = orjson.loads(self._keyring.unseal(sealed, Use.TARGET))
            found = self._opened[target.id] = Address(said["place"], said["key"])
            _hide(found)
        return found

    def add(self, name: str, wish: Wish, address: Address, by: By) -> Target:
        """A new target; it is told of what happens from now on."""
        target_id = new_id()
        sealed = self._keyring.seal(orjson.dumps({"place": address.place, "key": address.key}).decode(), Use.TARGET)

        def said(user: User) -> list[NewEvent]:
            if len(user.targets) >= TARGETS_MAX:
                raise UsageError(f"user = {name!r}: has {TARGETS_MAX} targets, which is the most. Remove one")
            self._store.put_credential(target_id, ADDRESS, sealed, self._clock.now_ns())
            return [self._set(target_id, wish, by)]

        user = self._users.say(self._users.get(name).name, "target_add", by, said)
        self._control.begin(cursor_of(target_id), at_end=True)
        return user.targets[target_id]

    def choose(self, name: str, target_id: str, topics: frozenset[Topic], by: By) -> Target:
        """Other topics from now on."""

        def said(user: User) -> list[NewEvent]:
            there = _of(user, target_id)
            return [self._set(target_id, Wish(there.kind, there.label, topics), by)]

        return self._users.say(self._users.get(name).name, "target_topics", by, said).targets[target_id]

    def switch(self, name: str, target_id: str, by: By, *, paused: bool) -> Target:
        """Tell it nothing, or again; a second time is harmless."""

        def said(user: User) -> list[NewEvent]:
            if bool(_of(user, target_id).paused) is paused:
                return []
            body = TargetSwitched(target_id, paused, by.who, by.why or "paused")
            return [TARGET_SWITCHED.new(body, self._clock.now_ns())]

        return self._users.say(self._users.get(name).name, "target_switch", by, said).targets[target_id]

    def remove(self, name: str, target_id: str, by: By) -> User:
        """Tell it nothing any more, and forget where it is."""

        def said(user: User) -> list[NewEvent]:
            _of(user, target_id)
            self._store.put_credential(target_id, ADDRESS, "", self._clock.now_ns())
            return [TARGET_REMOVED.new(TargetRemoved(target_id, by.who, by.why), self._clock.now_ns())]

        user = self._users.say(self._users.get(name).name, "target_remove", by, said)
        self._opened.pop(target_id, None)
        return user

    def new_code(self, name: str, wish: Wish, good_s: float) -> str:
        """A code that links a chat to a user, once; nobody can be told it a second time."""
        user = self._users.get(name)
        require_wish(wish)
        code = "".join(secrets.choice(CODE_CHARACTERS) for _ in range(CODE_LENGTH))
        ends_at_ns = self._clock.now_ns() + round(good_s * NANOS_PER_SECOND)
        kept = {"user": user.name, "ends_at_ns": ends_at_ns, "label": wish.label, "topics": sorted(wish.topics)}
        self._store.put_credential(_hashed(code), LINK, orjson.dumps(kept).decode(), self._clock.now_ns())
        return code

    def link(self, code: str, chat: str) -> KnownTarget | None:
        """The target that a code makes of a chat; None if it opens nothing, whatever the cause."""
        owner = _hashed(code.strip().upper())
        kept = self._store.credential(owner, LINK)
        if not kept:
            return None
        said, now_ns = orjson.loads(kept), self._clock.now_ns()
        if now_ns >= said["ends_at_ns"] or not self._users.find(said["user"]).enabled:
            return None
        if self._store.claim_answer(f"{LINK}/{said['user']}", owner, owner, now_ns) is not None:
            return None
        wish = Wish(TargetKind.TELEGRAM, said["label"], frozenset(Topic(each) for each in said["topics"]))
        target = self.add(said["user"], wish, Address(chat), By(said["user"], "by a code, from the chat"))
        return KnownTarget(self._users.get(said["user"]), target)

    def _set(self, target_id: str, wish: Wish, by: By) -> NewEvent:
        require_wish(wish)
        body = TargetSet(target_id, wish.kind.value, wish.label, sorted(wish.topics), by.who)
        return TARGET_SET.new(body, self._clock.now_ns())


def cursor_of(target_id: str) -> str:
    """Under which name it is kept how far a target was told."""
    return f"notify/{target_id}"


def topics_of(names: Iterable[str]) -> frozenset[Topic]:
    """Topics by their names. Raises `UnknownName`."""
    known = [each.value for each in Topic]
    for name in names:
        if name not in known:
            raise UnknownName("topic", name, known)
    return frozenset(Topic(name) for name in names)


def require_wish(wish: Wish) -> None:
    """Raises `UsageError` for a target without a name or of nothing."""
    if not 0 < len(wish.label) <= LABEL_MAX or not wish.label.isprintable():
        raise UsageError(f"label = {wish.label[:LABEL_MAX]!r}: 1 to {LABEL_MAX} characters that say which one it is")
    if not wish.topics:
        raise UsageError(f"topics = []: nothing would be told. Name some of: {', '.join(Topic)}")


def _hide(address: Address) -> None:
    """What is secret of it is in no error and no log line from now on; a short path is a word, and no secret."""
    for secret in (address.key, address.place.partition("://")[2].partition("/")[2]):
        if len(secret) >= SECRET_CHARACTERS_MIN:
            redact.learn(secret)


def _of(user: User, target_id: str) -> Target:
    if target_id not in user.targets:
        raise UnknownName("target", target_id, list(user.targets))
    return user.targets[target_id]


def _hashed(code: str) -> str:
    return hashlib.sha256(b"ares link " + code.encode()).hexdigest()
