"""What is said of a user: stream `user/<name>`, without anything secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ares.events.registry import EventRegistry, KnownType
from ares.events.types import EventType


@dataclass(frozen=True, slots=True)
class UserAllowed:
    """A user was added, or has another role or scope from now on. None: not confined."""

    role: Literal["viewer", "trader", "operator", "admin"]
    accounts: list[str] | None
    strategies: list[str] | None
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class UserSwitched:
    """A user may come in, or may not any more. Whoever may not is logged out at once."""

    enabled: bool
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class CredentialSet:
    """A user has another password or second factor from now on, or (second factor alone) none."""

    kind: Literal["password", "second_factor"]
    there: bool
    who: str


@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """All sessions of a user that began before this are over."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class LoginLocked:
    """Too many attempts to log in as this user failed; `address`: where the last came from."""

    failed: int
    address: str


@dataclass(frozen=True, slots=True)
class TokenReused:
    """A refresh token was shown a second time: somebody else has it. Its session was ended."""

    session: str
    address: str


@dataclass(frozen=True, slots=True)
class IdentityLinked:
    """Whoever is this subject of this issuer is the user from now on; both empty: nobody outside is any more."""

    issuer: str
    subject: str
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class KeyMade:
    """An API key was made: what it may do of what its user may, and until when (UTC ns; None: until it is revoked)."""

    key: str
    label: str
    permissions: list[str]
    accounts: list[str] | None
    strategies: list[str] | None
    expires_at_ns: int | None
    who: str


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    """An API key opens nothing any more."""

    key: str
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class TargetSet:
    """A user is told of these topics from now on, by a target that is new or was there; where it is, is no event."""

    target: str
    kind: Literal["telegram", "slack", "webhook"]
    label: str
    topics: list[str]
    who: str


@dataclass(frozen=True, slots=True)
class TargetSwitched:
    """A target is told nothing until it can be reached again (`paused`), or is told again."""

    target: str
    paused: bool
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class TargetRemoved:
    """A target is gone."""

    target: str
    who: str
    why: str


ALLOWED = EventType("user", "allowed", UserAllowed("trader", ["spot-1"], None, "admin", "joins the desk"))
SWITCHED = EventType("user", "switched", UserSwitched(enabled=False, who="admin", why="has left"))
CREDENTIAL = EventType("user", "credential", CredentialSet("password", there=True, who="admin"))
ENDED = EventType("user", "sessions_ended", SessionsEnded("admin", "a laptop was lost"))
LOCKED = EventType("user", "locked", LoginLocked(5, "127.0.0.1"))
REUSED = EventType("user", "token_reused", TokenReused("4f1c0b2d9e8a7766554433aa", "127.0.0.1"))
LINKED = EventType(
    "user", "linked", IdentityLinked("https://login.example.com", "00u1a2b3c4", "admin", "joins the desk")
)
KEY_MADE = EventType(
    "user",
    "key_made",
    KeyMade("9a7b1c2d3e4f5061728394aa", "notebook", ["market:read"], None, None, 1_797_000_000_000_000_000, "admin"),
)
KEY_REVOKED = EventType("user", "key_revoked", KeyRevoked("9a7b1c2d3e4f5061728394aa", "admin", "was in a repository"))
TARGET_SET = EventType(
    "user", "target_set", TargetSet("5d1e2f3a4b5c6d7e8f9012aa", "telegram", "phone", ["alerts", "state"], "maria")
)
TARGET_SWITCHED = EventType(
    "user", "target_switched", TargetSwitched("5d1e2f3a4b5c6d7e8f9012aa", paused=True, who="ares", why="answered 404")
)
TARGET_REMOVED = EventType(
    "user", "target_removed", TargetRemoved("5d1e2f3a4b5c6d7e8f9012aa", "maria", "another phone")
)

TYPES: tuple[KnownType, ...] = (
    ALLOWED, SWITCHED, CREDENTIAL, ENDED, LOCKED, REUSED, LINKED, KEY_MADE, KEY_REVOKED, TARGET_SET, TARGET_SWITCHED,
    TARGET_REMOVED,
)  # fmt: skip
REGISTRY = EventRegistry(TYPES)
