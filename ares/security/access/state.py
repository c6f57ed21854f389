"""A user as the events of its stream leave it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypedDict

from ares.events.registry import Event
from ares.security.access.events import (
    CredentialSet,
    IdentityLinked,
    KeyMade,
    KeyRevoked,
    SessionsEnded,
    TargetRemoved,
    TargetSet,
    TargetSwitched,
    UserAllowed,
    UserSwitched,
)
from ares.security.access.identity import Identity
from ares.security.access.roles import Permission, Role, Scope, permissions_of
from ares.security.access.topics import TargetKind, Topic


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a key opens, until when (UTC ns; None: until it is revoked)."""

    id: str
    label: str
    permissions: frozenset[Permission]
    scope: Scope
    expires_at_ns: int | None
    made_at_ns: int
    revoked: bool = False

    def opens(self, now_ns: int) -> bool:
        """Whether it is good now."""
        return not self.revoked and (self.expires_at_ns is None or now_ns < self.expires_at_ns)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a user is told of what; the address is no part of it. `since_ns`: nothing older is told (UTC ns).

    `paused`: why nothing is told now; empty while it is. `paused_at_ns`: since when.
    """

    id: str
    kind: TargetKind
    label: str
    topics: frozenset[Topic]
    since_ns: int
    paused: str = ""
    paused_at_ns: int = 0


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may come in. `seq`: how many events made it so; 0: nobody of this name.

    Sessions that began before `sessions_since_ns` are over.
    """

    name: str
    role: Role = Role.VIEWER
    scope: Scope = field(default_factory=Scope)
    enabled: bool = False
    password: bool = False
    second_factor: bool = False
    sessions_since_ns: int = 0
    keys: Mapping[str, ApiKey] = field(default_factory=dict)
    identity: Identity | None = None
    targets: Mapping[str, Target] = field(default_factory=dict)
    added_at_ns: int = 0
    seq: int = 0

    @property
    def permissions(self) -> frozenset[Permission]:
        """What they may do, where they may do anything."""
        return permissions_of(self.role, self.scope)


class Changes(TypedDict, total=False):
    """Fields of a user that become others."""

    role: Role
    scope: Scope
    enabled: bool
    password: bool
    second_factor: bool
    sessions_since_ns: int
    keys: Mapping[str, ApiKey]
    identity: Identity | None
    targets: Mapping[str, Target]
    added_at_ns: int


def after(user: User, event: Event) -> User:
    """The user after one more event."""
    return replace(user, **_changed(user, event.body, event.stored.ts_ns), seq=event.stored.seq)


def _changed(user: User, said: object, now_ns: int) -> Changes:
    changes: Changes = {}
    match said:
        case UserAllowed():
            scope = Scope(confined(said.accounts), confined(said.strategies))
            changes = {"role": Role(said.role), "scope": scope}
            if not user.added_at_ns:
                changes |= {"added_at_ns": now_ns, "enabled": True}
        case UserSwitched(enabled=True):
            anew = {target: replace(each, since_ns=now_ns) for target, each in user.targets.items()}
            changes = {"enabled": True, "targets": anew}
        case UserSwitched():
            changes = {"enabled": False, "sessions_since_ns": now_ns}
        case CredentialSet("password", there=there):
            changes = {"password": there, "sessions_since_ns": now_ns}
        case CredentialSet(there=there):
            changes = {"second_factor": there}
        case IdentityLinked():
            identity = Identity(said.issuer, said.subject) if said.subject else None
            changes = {"identity": identity, "sessions_since_ns": now_ns}
        case SessionsEnded():
            changes = {"sessions_since_ns": now_ns}
        case KeyMade():
            changes = {"keys": {**user.keys, said.key: _key(said, now_ns)}}
        case KeyRevoked():
            changes = {"keys": {**user.keys, said.key: replace(user.keys[said.key], revoked=True)}}
        case TargetSet() | TargetSwitched() | TargetRemoved():
            changes = {"targets": _targets(user.targets, said, now_ns)}
    return changes


def _targets(
    before: Mapping[str, Target], said: TargetSet | TargetSwitched | TargetRemoved, now_ns: int
) -> Mapping[str, Target]:
    if isinstance(said, TargetRemoved):
        return {target: each for target, each in before.items() if target != said.target}
    if isinstance(said, TargetSwitched):
        why, at_ns = (said.why, now_ns) if said.paused else ("", 0)
        return {**before, said.target: replace(before[said.target], paused=why, paused_at_ns=at_ns)}
    known = {each.value for each in Topic}
    topics = frozenset(Topic(name) for name in said.topics if name in known)
    there = before.get(said.target, Target(said.target, TargetKind(said.kind), said.label, topics, now_ns))
    return {**before, said.target: replace(there, label=said.label, topics=topics, since_ns=now_ns)}


def confined(names: list[str] | None) -> frozenset[str] | None:
    """A confinement as events have it."""
    return None if names is None else frozenset(names)


def listed(names: frozenset[str] | None) -> list[str] | None:
    """A confinement as events take it."""
    return None if names is None else sorted(names)


def _key(said: KeyMade, made_at_ns: int) -> ApiKey:
    known = {each.value for each in Permission}
    permissions = frozenset(Permission(name) for name in said.permissions if name in known)
    scope = Scope(confined(said.accounts), confined(said.strategies))
    return ApiKey(said.key, said.label, permissions, scope, said.expires_at_ns, made_at_ns)
