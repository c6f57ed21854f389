"""Users: who may come in, and one of them: what they may do, their sessions and keys, what was said of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from api.console.act import Action, button
from api.console.area import Area
from api.console.folk import HISTORY, NOBODYS, SESSIONS, USERS, names_in, scope_words, session_row, typed, user_row
from api.console.formats import moment
from api.console.keys import Keys
from api.console.live import Panels, section
from api.console.tables import badge, facts, table
from api.console.view import ROOT, View
from ares.clock import NANOS_PER_SECOND
from ares.security.access.door import ATTEMPTS_S, Caller
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.state import User
from ares.security.access.users import By

P = Permission
_NAMES = "outlined dense maxlength=1000"


async def build(view: View) -> None:
    """All users."""
    panels = Panels(view)
    panels.add("Users", lambda: _listed(view), every_s=15, size="full")
    if view.may(P.MANAGE_USERS):
        with section("Add a user", "full"), ui.element("div").classes("row-of"):
            NewUser(view)
    panels.add("History", lambda: _history(view), every_s=15, size="full")
    await panels.settle()


async def build_one(view: View) -> None:
    """One user."""
    name = view.query["user"]
    panels = Panels(view)
    panels.add(f"User {name}", lambda: _facts(view, name), every_s=10, size="full")
    may = Rights(view, name)
    keys = Keys(view, name, P.READ_USERS)
    panels.add("Open sessions", lambda: _sessions(view, name), every_s=10, size="full")
    panels.add("History", lambda: _history(view, user=name), every_s=15, size="full")
    await asyncio.gather(may.area.write(), keys.write())
    await panels.settle()


async def _listed(view: View) -> Markup:
    await view.caller(P.READ_USERS)
    parts = view.house.parts

    def read() -> list[tuple[User, int | None]]:
        users, last = parts.door.users, parts.access.last_logins()
        return [(users.get(name), last.get(name)) for name in users.names()]

    rows = [user_row(user, last_ns) for user, last_ns in await asyncio.to_thread(read)]
    return table("Users", USERS, rows, view.reader)


async def _history(view: View, **of: str) -> Markup:
    columns = [column for column in HISTORY if column.name not in of]
    return table("History", columns, await view.rows("users-history", 50, **of), view.reader, empty="Nothing yet.")


async def _facts(view: View, name: str) -> Markup:
    await view.caller(P.READ_USERS)
    parts = view.house.parts
    user = await asyncio.to_thread(parts.door.users.get, name)
    last = (await asyncio.to_thread(parts.access.last_logins)).get(name)
    since_ns = parts.clock.now_ns() - int(ATTEMPTS_S) * NANOS_PER_SECOND
    failed = (await asyncio.to_thread(parts.access.attempts_of, name, since_ns)).failed
    return facts(
        [
            ("State", badge("active" if user.enabled else "disabled")),
            ("Role", user.role.value),
            ("Confined to", scope_words(user.scope) or "nothing"),
            ("Second factor", "yes" if user.second_factor else "none"),
            ("Last login", moment(last, view.zone)),
            ("Failed logins, last hour", str(failed)),
        ]
    )


async def _sessions(view: View, name: str) -> Markup:
    caller = await view.caller(P.READ_USERS)
    found = await asyncio.to_thread(view.house.parts.door.sessions, name)
    rows = [session_row(each, caller.session) for each in reversed(found)]
    return table("Open sessions", SESSIONS, rows, view.reader, empty="None is open.")


class Scoped:
    """A role, and what it is confined to, as somebody chooses them."""

    def __init__(self, user: User) -> None:
        roles = [each.value for each in Role]
        self._role = ui.select(roles, value=user.role.value, label="Role").props("outlined dense options-dense")
        self._role.classes("interval")
        self._accounts = _names("Accounts", user.scope.accounts)
        self._strategies = _names("Strategies", user.scope.strategies)

    def chosen(self) -> tuple[Role, Scope]:
        """The role, and what was typed, as they are now."""
        scope = Scope(names_in(str(self._accounts.value or "")), names_in(str(self._strategies.value or "")))
        return Role(self._role.value), scope


def _names(what: str, names: frozenset[str] | None) -> ui.input:
    return ui.input(f"{what} (empty: all, {NOBODYS}: none)", value=typed(names)).props(_NAMES)


def _rights(name: str, role: Role, scope: Scope) -> str:
    return f"{name} as {role.value}, confined to {scope_words(scope) or 'nothing'}"


class NewUser:
    """Somebody who shall come in."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._name = ui.input("Name").props('outlined dense maxlength=32 autocomplete="off"')
        self._may = Scoped(User(""))
        self._password = ui.input("Password", password=True).props(
            "outlined dense maxlength=200 autocomplete=new-password"
        )
        self._wish = ("", Role.VIEWER, Scope(), "")
        button(view, Action("Add", P.MANAGE_USERS, self._add, self._question), done=self._show)

    def _question(self) -> str:
        name, password = str(self._name.value or "").strip(), str(self._password.value or "")
        self._wish = (name, *self._may.chosen(), password)
        return f"Add {_rights(*self._wish[:3])}?"

    async def _add(self, caller: Caller, reason: str) -> str:
        await asyncio.to_thread(self._view.house.parts.door.users.add, *self._wish, By(caller.user, reason))
        return f"{self._wish[0]} may come in."

    def _show(self) -> None:
        ui.navigate.to(f"{ROOT}/users/{self._wish[0]}")


class Rights:
    """What a user may do, and what is done to somebody who left, or lost something."""

    def __init__(self, view: View, name: str) -> None:
        self._view = view
        self._name = name
        self._wish = (Role.VIEWER, Scope())
        self.area = Area("What they may do", self._load, self._draw, "full")

    async def _load(self) -> User:
        await self._view.caller(P.READ_USERS)
        return await asyncio.to_thread(self._view.house.parts.door.users.get, self._name)

    def _draw(self, user: User) -> None:
        if not self._view.may(P.MANAGE_USERS):
            ui.label("Admins change it.")
            return
        with ui.element("div").classes("row-of"):
            scoped = Scoped(user)

            def question() -> str:
                self._wish = scoped.chosen()
                return f"Set {_rights(self._name, *self._wish)}?"

            async def allow(caller: Caller, reason: str) -> str:
                users = self._view.house.parts.door.users
                await asyncio.to_thread(users.allow, self._name, *self._wish, By(caller.user, reason))
                return f"{self._name} is {self._wish[0].value} from now on."

            self._button("Set", allow, question)
        with ui.element("div").classes("row-of"):
            if user.enabled:
                out = f"Let {self._name} in no more? Sessions and keys are void at once."
                self._button("Disable", self._switching(enabled=False), out, grave=True)
            else:
                self._button("Enable", self._switching(enabled=True), f"Let {self._name} in again?")
            self._button("End sessions", self._end, f"Log {self._name} out everywhere?", grave=True)
            if user.second_factor:
                drop = f"Take the second factor of {self._name} away?"
                self._button("Reset second factor", self._drop, drop, grave=True)
            self._button("Unlock", self._unlock, f"Forget that logins of {self._name} failed?", reason=False)

    def _button(
        self,
        label: str,
        work: Callable[[Caller, str], Awaitable[str]],
        question: str | Callable[[], str],
        *,
        grave: bool = False,
        reason: bool = True,
    ) -> None:
        action = Action(label, P.MANAGE_USERS, work, question, reason=reason, grave=grave)
        button(self._view, action, done=self.area.again)

    def _switching(self, *, enabled: bool) -> Callable[[Caller, str], Awaitable[str]]:
        async def switch(caller: Caller, reason: str) -> str:
            users, by = self._view.house.parts.door.users, By(caller.user, reason)
            await asyncio.to_thread(lambda: users.switch(self._name, by, enabled=enabled))
            return f"{self._name} may come in again." if enabled else f"{self._name} is out."

        return switch

    async def _end(self, caller: Caller, reason: str) -> str:
        users = self._view.house.parts.door.users
        await asyncio.to_thread(users.end_sessions, self._name, By(caller.user, reason))
        return f"{self._name} is logged out everywhere."

    async def _drop(self, caller: Caller, reason: str) -> str:
        users = self._view.house.parts.door.users
        await asyncio.to_thread(users.set_second_factor, self._name, "", By(caller.user, reason))
        return f"{self._name} has no second factor any more."

    async def _unlock(self, _: Caller, __: str) -> str:
        await asyncio.to_thread(self._view.house.parts.door.unlock, self._name)
        return f"{self._name} may try again."
