"""Which pages there are, in the order of the navigation, and who may see each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from api.console.view import View
from ares.security.access.roles import Permission

Build = Callable[[View], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Page:
    """`path`: under /console, with {parts} that the view has in its `query`. `group`: where the navigation lists it;
    empty: only links lead there. No permission: anybody who is logged in.
    """

    path: str
    title: str
    build: Build
    permission: Permission | None = None
    group: str = ""
    icon: str = ""

    def shown_to(self, view: View) -> bool:
        """Whether who looks may come here."""
        return self.permission is None or view.may(self.permission)
