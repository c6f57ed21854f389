"""Users, sessions and keys as rows of tables, and what people type of scopes. Pure."""

from __future__ import annotations

from api.console.tables import Col, Form
from ares.control.access import Session
from ares.security.access.roles import EVERYTHING, Scope
from ares.security.access.state import ApiKey, User
from ares.store import Record

AGENT_MAX = 60
NOBODYS = "(none)"
"""Stands for no name at all, which is less than no confinement. No account and no strategy is called so."""
USERS = (
    Col("user", "User", link="users/{user}"),
    Col("role", "Role"),
    Col("state", "State", Form.STATE),
    Col("second_factor", "Second factor", Form.FLAG),
    Col("scope", "Confined to"),
    Col("last_login", "Last login", Form.TIME),
    Col("added", "Added", Form.TIME),
)
SESSIONS = (
    Col("began_at", "Began", Form.TIME),
    Col("ends_at", "Ends", Form.TIME),
    Col("address", "From"),
    Col("which", "Which"),
    Col("agent", "With"),
)
KEYS = (
    Col("label", "Key"),
    Col("state", "State", Form.STATE),
    Col("made_at", "Made", Form.TIME),
    Col("expires_at", "Expires", Form.TIME),
    Col("scope", "Confined to"),
    Col("permissions", "May"),
)
HISTORY = (
    Col("ts", "Time", Form.TIME),
    Col("user", "User", link="users/{user}"),
    Col("what", "What", Form.WORD),
    Col("who", "By"),
    Col("detail", "Detail", Form.CODE),
)


def user_row(user: User, last_login_ns: int | None) -> Record:
    """A user in the list."""
    return {
        "user": user.name,
        "role": user.role.value,
        "state": "active" if user.enabled else "disabled",
        "second_factor": user.second_factor,
        "scope": scope_words(user.scope),
        "last_login": last_login_ns,
        "added": user.added_at_ns,
    }


def session_row(session: Session, mine: str) -> Record:
    """An open session; `mine`: the id of the one that looks."""
    return {
        "began_at": session.began_at_ns,
        "ends_at": session.ends_at_ns,
        "address": session.address,
        "which": "this one" if session.id == mine else "",
        "agent": session.agent if len(session.agent) <= AGENT_MAX else f"{session.agent[:AGENT_MAX]} …",
    }


def key_row(key: ApiKey, now_ns: int) -> Record:
    """A key, without its secret."""
    expired = key.expires_at_ns is not None and key.expires_at_ns <= now_ns
    return {
        "label": key.label,
        "state": "revoked" if key.revoked else "expired" if expired else "active",
        "made_at": key.made_at_ns,
        "expires_at": key.expires_at_ns,
        "scope": scope_words(key.scope),
        "permissions": ", ".join(sorted(each.value for each in key.permissions)),
    }


def scope_words(scope: Scope) -> str:
    """What somebody is confined to; empty: nothing.

    >>> scope_words(Scope(frozenset({"spot-1"}), frozenset())), scope_words(Scope())
    ('accounts spot-1; no strategies', '')
    """
    if scope == EVERYTHING:
        return ""
    kinds = (("accounts", scope.accounts), ("strategies", scope.strategies))
    said = [
        f"{kind} {', '.join(sorted(names))}" if names else f"no {kind}" for kind, names in kinds if names is not None
    ]
    return "; ".join(said)


def names_in(text: str) -> frozenset[str] | None:
    """Names that somebody typed, with commas or spaces between; None where they typed none: not confined.

    >>> sorted(names_in("spot-1, spot-2 ,spot-1") or ()), names_in("  "), names_in("(none)")
    (['spot-1', 'spot-2'], None, frozenset())
    """
    names = frozenset(text.replace(",", " ").split())
    return names - {NOBODYS} if names else None


def typed(scope: frozenset[str] | None) -> str:
    """Names as somebody would type them: `names_in` reads the same again."""
    return NOBODYS if scope == frozenset() else ", ".join(sorted(scope or ()))
