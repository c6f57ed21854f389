"""API keys of a user: which there are, a new one, one that shall open nothing any more."""

from __future__ import annotations

import asyncio

from markupsafe import Markup
from nicegui import ui

from api.console.act import Action, button
from api.console.area import Area, rows_with
from api.console.folk import KEYS, key_row, names_in
from api.console.view import View
from ares.clock import DAY_NS
from ares.errors import UsageError
from ares.security.access.door import Caller
from ares.security.access.roles import ALLOWED, KEYLESS, Permission, Scope
from ares.security.access.state import ApiKey, User
from ares.security.access.users import By, KeyWish

DAYS = "90"
DAYS_MAX = 3_650


class Keys:
    """The part of a page for them. Whoever manages users makes and revokes keys, their own as well."""

    def __init__(self, view: View, name: str, sees: Permission | None) -> None:
        self._view = view
        self._name = name
        self._sees = sees
        self._area = Area("API keys", self._load, self._draw, "full")

    async def write(self) -> None:
        """Show them."""
        await self._area.write()

    async def _load(self) -> User:
        await self._view.caller(self._sees)
        return await asyncio.to_thread(self._view.house.parts.door.users.get, self._name)

    def _draw(self, user: User) -> None:
        now_ns = self._view.house.parts.clock.now_ns()
        rows = [(key_row(key, now_ns), self._revoking(key)) for key in user.keys.values()]
        rows_with(self._view, "API keys", KEYS, rows, done=self._area.again, empty="No keys. They are for programs.")
        if self._view.may(Permission.MANAGE_USERS):
            _Wish(self._view, user, self._area)

    def _revoking(self, key: ApiKey) -> Action | None:
        if key.revoked:
            return None

        async def revoke(caller: Caller, reason: str) -> str:
            users = self._view.house.parts.door.users
            await asyncio.to_thread(users.revoke_key, self._name, key.id, By(caller.user, reason))
            return f"{key.label} opens nothing any more."

        return Action("Revoke", Permission.MANAGE_USERS, revoke, f"Revoke the key {key.label}?", grave=True)


class _Wish:
    """A key that is thought of. Once made its text is shown instead of the form: nobody can be told it again."""

    def __init__(self, view: View, user: User, area: Area[User]) -> None:
        self._view = view
        self._name = user.name
        may = sorted(each.value for each in ALLOWED[user.role] - KEYLESS)
        with ui.element("div").classes("row-of form") as self._form:
            self._label = ui.input("What it is for").props("outlined dense maxlength=100")
            self._may = ui.select(may, multiple=True, label="May").props("outlined dense options-dense use-chips")
            self._may.classes("instrument")
            self._accounts = ui.input("Accounts (empty: all)").props("outlined dense maxlength=1000")
            self._strategies = ui.input("Strategies (empty: all)").props("outlined dense maxlength=1000")
            self._days = ui.input("Days (empty: for ever)", value=DAYS).props("outlined dense inputmode=numeric")
            make = Action("Make key", Permission.MANAGE_USERS, self._make)
            button(view, make)
        self._made = ui.element("div").props('role="status"')
        self._area = area

    async def _make(self, caller: Caller, _: str) -> str:
        clock, days = self._view.house.parts.clock, days_in(str(self._days.value or ""))
        wish = KeyWish(
            label=str(self._label.value or "").strip(),
            permissions=frozenset(Permission(each) for each in self._may.value or ()),
            scope=Scope(names_in(str(self._accounts.value or "")), names_in(str(self._strategies.value or ""))),
            expires_at_ns=None if days is None else clock.now_ns() + days * DAY_NS,
        )
        users = self._view.house.parts.door.users
        text = await asyncio.to_thread(users.make_key, self._name, wish, By(caller.user))
        self._form.set_visibility(False)
        with self._made:
            ui.html(
                Markup(
                    '<p class="said">The key, shown this once. Put it where its program reads it:</p><pre>{}</pre>'
                ).format(text),
                sanitize=False,
            )
            ui.button("I have it", on_click=self._area.again).props("no-caps outline").classes("quiet")
        return "The key is made."


def days_in(text: str) -> int | None:
    """For how many days; None: for ever. Raises `UsageError`.

    >>> days_in(" 90 "), days_in("")
    (90, None)
    """
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= DAYS_MAX):
        raise UsageError(f"days = {text[:40]!r}: a whole number of 1 to {DAYS_MAX}, or nothing. Example: {DAYS}")
    return int(text)
