"""A kind of thing that can be read: its statement, its columns, what filters it, and who may see which of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from api.cells import Column
from ares.security.access.door import Caller
from ares.security.access.roles import Permission, Scope


@dataclass(frozen=True, slots=True)
class Resource:
    """One collection.

    `path`: under the version's root. `table`: whose words its columns have. `statements`: the statement, or one for
    each value of the parameter `choice`. `filters`: parameters that a column must equal. `timed`: rows have a moment
    and come newest first; others are what is there now. `days`: how far back a timed one looks if nobody says; 0: all.
    `days_max`: how many days a choice is read at once, where even minutes without anything have to be made.
    """

    path: str
    title: str
    purpose: str
    table: str
    permission: Permission
    columns: tuple[Column, ...]
    statements: Mapping[str, str]
    filters: tuple[str, ...] = ()
    choice: str = ""
    timed: bool = True
    days: int = 0
    days_max: Mapping[str, int] = field(default_factory=dict)

    @property
    def by_account(self) -> bool:
        """Whether rows are of accounts."""
        return any(column.name == "account" for column in self.columns)

    @property
    def by_strategy(self) -> bool:
        """Whether rows are of strategies."""
        return any(column.name == "strategy" for column in self.columns)

    @property
    def by_asker(self) -> bool:
        """Whether rows are of who asked for them: others see theirs alone, but for who reads what everybody did."""
        return any(column.name == "asked_by" for column in self.columns)

    def confinement(self, scope: Scope, askers: frozenset[str] | None = None) -> dict[str, str]:
        """What a statement confines rows to, as patterns; empty: not confined."""
        found = {}
        if self.by_asker:
            found["askers"] = pattern(askers)
        if self.by_account:
            found["accounts"] = pattern(scope.accounts)
        if self.by_strategy:
            found["strategies"] = pattern(scope.strategies)
        return found


def within(scope: Scope) -> dict[str, str]:
    """What a statement about accounts and strategies confines rows to, as patterns."""
    return {"accounts": pattern(scope.accounts), "strategies": pattern(scope.strategies)}


def askers_of(caller: Caller) -> frozenset[str] | None:
    """Of whose errands somebody may know: their own, or, with the right to read what everybody did, all (None)."""
    return None if Permission.READ_AUDIT in caller.permissions else frozenset({caller.user})


def pattern(names: frozenset[str] | None) -> str:
    """What matches these names and no others; nothing at all where there are none. Without a backslash, which QuestDB
    reads otherwise than PostgreSQL. What a name may hold, `ares.security.access.users` sees to.

    >>> pattern(frozenset({"spot-1", "a.b"})), pattern(None), pattern(frozenset())
    ('^(a[.]b|spot-1)$', '', '^$')
    """
    if names is None:
        return ""
    return f"^({'|'.join(name.replace('.', '[.]') for name in sorted(names))})$" if names else "^$"
