"""A kind of thing that can be read: its statement, its columns, what filters it, and who may see which of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from api.cells import Column
from ares.security.access.door import Caller
from ares.security.access.roles import EVERYTHING, Permission, Scope


@dataclass(frozen=True, slots=True)
class Resource:
    """One collection.

    `path`: under the version's root. `table`: whose words its columns have. `statements`: the statement, or one for
    each value of the parameter `choice`. `filters`: parameters that a column must equal. `timed`: rows have a moment
    and come newest first; others are what is there now. `days`: how far back a timed one looks if nobody says; 0: all.
    `common`: what is of no account, or of no strategy, is for everybody whose scope covers the rest.
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
    common: bool = False

    def confinement(self, scope: Scope, askers: frozenset[str] | None = None) -> dict[str, str]:
        """What a statement confines rows to, as patterns; empty: not confined."""
        return {_PARAMETERS[column]: pattern(names) for column, names in self._bounds(scope, askers).items()}

    def sight(self, caller: Caller) -> Callable[[Mapping[str, object]], bool]:
        """What tells of each row whether it is within what its reader is confined to, as the statement would say."""
        bounds = self._bounds(caller.scope, askers_of(caller))
        confined = [(column, names) for column, names in bounds.items() if names is not None]

        def shows(row: Mapping[str, object]) -> bool:
            return all(row[column] in names or (self.common and not row[column]) for column, names in confined)

        return shows if confined else _everything

    def _bounds(self, scope: Scope, askers: frozenset[str] | None) -> Mapping[str, frozenset[str] | None]:
        """What rows are of (who asked: others see theirs alone, but for who reads what everybody did), and whose are
        shown; None: all.
        """
        known = {"asked_by": askers, "account": scope.accounts, "strategy": scope.strategies}
        return {column.name: known[column.name] for column in self.columns if column.name in known}


def _everything(_: Mapping[str, object]) -> bool:
    return True


_PARAMETERS = {"asked_by": "askers", "account": "accounts", "strategy": "strategies"}


def within(scope: Scope) -> dict[str, str]:
    """What a statement about accounts and strategies confines rows to, as patterns."""
    return {"accounts": pattern(scope.accounts), "strategies": pattern(scope.strategies)}


def askers_of(caller: Caller) -> frozenset[str] | None:
    """Of whose errands somebody may know: their own, or, with the right to read what everybody did, all (None).

    With a key that is confined nobody's: what its user asked for may be beyond it. It asks for its own one by one.
    """
    if caller.key and caller.scope != EVERYTHING:
        return frozenset()
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
