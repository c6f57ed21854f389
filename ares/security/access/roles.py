"""Who may do what: roles, what each may do, and the accounts and strategies that somebody is confined to. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Role(StrEnum):
    """What somebody is here for. Each may be confined to accounts and strategies."""

    VIEWER = "viewer"
    TRADER = "trader"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """One kind of thing that can be done, or seen."""

    READ_MARKET = "market:read"
    READ_RESEARCH = "research:read"
    READ_TRADING = "trading:read"
    READ_OPERATIONS = "operations:read"
    READ_LOGS = "logs:read"
    READ_CONFIG = "config:read"
    READ_AUDIT = "audit:read"
    READ_USERS = "users:read"
    ASK_SQL = "sql:ask"
    TRADE = "orders:write"
    STEER_STRATEGIES = "strategies:write"
    HALT = "trading:halt"
    RESUME = "trading:resume"
    SET_LIMITS = "limits:write"
    AGREE_LIVE = "live:agree"
    PROMOTE_MODELS = "models:write"
    RUN_BACKTESTS = "backtests:write"
    RUN_JOBS = "jobs:write"
    CHANGE_CONFIG = "config:write"
    MANAGE_USERS = "users:write"


P = Permission
_SEES: Final = frozenset({P.READ_MARKET, P.READ_RESEARCH, P.READ_TRADING})
_TRADES: Final = frozenset(
    {P.ASK_SQL, P.TRADE, P.STEER_STRATEGIES, P.HALT, P.RESUME, P.SET_LIMITS, P.AGREE_LIVE, P.RUN_BACKTESTS}
)
_OPERATES: Final = frozenset(
    {
        P.READ_OPERATIONS,
        P.READ_LOGS,
        P.READ_CONFIG,
        P.READ_AUDIT,
        P.ASK_SQL,
        P.HALT,
        P.AGREE_LIVE,
        P.RUN_JOBS,
        P.CHANGE_CONFIG,
    }
)
ALLOWED: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _SEES,
    Role.TRADER: _SEES | _TRADES | {P.READ_OPERATIONS, P.READ_LOGS, P.PROMOTE_MODELS},
    Role.OPERATOR: _SEES | _OPERATES,
    Role.ADMIN: frozenset(Permission),
}
"""An operator may stop trading but never start it; who trades reads no audit and changes no settings."""

DANGEROUS: Final = frozenset({P.RESUME, P.SET_LIMITS, P.AGREE_LIVE, P.PROMOTE_MODELS, P.CHANGE_CONFIG, P.MANAGE_USERS})
"""What wants a second factor that was shown just now. Stopping is never among it."""

KEYLESS: Final = DANGEROUS | {P.READ_USERS}
"""What no API key can be given: a key shows no second factor."""

UNBOUNDED: Final = frozenset(
    {P.READ_LOGS, P.READ_AUDIT, P.READ_CONFIG, P.READ_USERS, P.ASK_SQL, P.CHANGE_CONFIG, P.MANAGE_USERS}
)
"""What knows no bounds of accounts and strategies: nobody who is confined has it, or they were not confined."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What somebody is confined to; None: nothing. An empty set lets nothing through."""

    accounts: frozenset[str] | None = None
    strategies: frozenset[str] | None = None

    def covers(self, *, account: str | None = None, strategy: str | None = None) -> bool:
        """Whether an object of an account or a strategy (None: it is of none) lies within."""
        return _within(account, self.accounts) and _within(strategy, self.strategies)

    def narrowed(self, other: Scope) -> Scope:
        """What lies within both."""
        return Scope(_both(self.accounts, other.accounts), _both(self.strategies, other.strategies))


EVERYTHING = Scope()


def permissions_of(
    role: Role, scope: Scope = EVERYTHING, granted: Iterable[Permission] | None = None
) -> frozenset[Permission]:
    """What somebody of a role may do within a scope; with a key, of that what the key was given, and nothing that keys
    cannot have.
    """
    every = ALLOWED[role] if scope == EVERYTHING else ALLOWED[role] - UNBOUNDED
    return every if granted is None else (every & frozenset(granted)) - KEYLESS


def _within(name: str | None, allowed: frozenset[str] | None) -> bool:
    return allowed is None or name is None or name in allowed


def _both(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    if one is None or other is None:
        return other if one is None else one
    return one & other
