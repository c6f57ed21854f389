"""Account: who I am here, what proves it, where I am logged in, and my keys."""

from __future__ import annotations

import asyncio

import segno
from markupsafe import Markup
from nicegui import ui

from api.console.act import Action, button
from api.console.area import Area, rows_with
from api.console.folk import SESSIONS, scope_words, session_row
from api.console.keys import Keys
from api.console.live import Panels, section
from api.console.tables import facts
from api.console.view import ROOT, View
from ares.control.access import Session
from ares.errors import AccessDenied, UsageError
from ares.security.access.door import Caller
from ares.security.access.users import By

_ASKS = "outlined dense maxlength=200"
_CODE = "outlined dense maxlength=6 inputmode=numeric autocomplete=one-time-code"


async def build(view: View) -> None:
    """One's own page; everybody has it."""
    panels = Panels(view)
    panels.add("Who you are", lambda: _oneself(view), every_s=30, size="full")
    factor = SecondFactor(view)
    with section("Password"), ui.element("div").classes("filled acts"):
        Password(view)
    sessions = Sessions(view)
    keys = Keys(view, view.known.user, None)
    await asyncio.gather(factor.area.write(), sessions.area.write(), keys.write())
    await panels.settle()


async def _oneself(view: View) -> Markup:
    caller = await view.caller()
    user = await asyncio.to_thread(view.house.parts.door.users.get, caller.user)
    may = Markup("").join(Markup("<li><code>{}</code></li>").format(each) for each in sorted(caller.permissions))
    shown = facts(
        [
            ("User", caller.user),
            ("Role", caller.role.value),
            ("Confined to", scope_words(caller.scope) or "nothing: everything is open to you"),
            ("Second factor", "yes" if user.second_factor else "none"),
        ]
    )
    return Markup('{}<h3>You may</h3><ul class="words">{}</ul>').format(shown, may)


class SecondFactor:
    """None, one, or one that is being set up: it holds once its code was shown."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._uri = ""
        self.area = Area("Second factor", self._load, self._draw)

    async def _load(self) -> bool:
        caller = await self._view.caller()
        return (await asyncio.to_thread(self._view.house.parts.door.users.get, caller.user)).second_factor

    def _draw(self, has_one: bool) -> None:
        if self._uri:
            self._setting_up()
            return
        ui.label(
            "Dangerous things ask for a code of your authenticator."
            if has_one
            else "You have none. Dangerous things, as resuming trade or setting limits, ask for one."
        )
        action = Action("Replace it" if has_one else "Set one up", None, self._begin, fresh=has_one)
        button(self._view, action, done=self.area.again)

    def _setting_up(self) -> None:
        ui.label("1. Let your authenticator read this, or type its address.")
        ui.html(qr(self._uri), sanitize=False).classes("qr")
        ui.html(Markup('<pre tabindex="0" aria-label="Address">{}</pre>').format(self._uri), sanitize=False)
        ui.label("2. Show a code of it, and your password.")
        with ui.element("div").classes("row-of"):
            code = ui.input("Code").props(_CODE)
            password = ui.input("Password", password=True).props(f"{_ASKS} autocomplete=current-password")

            async def keep(caller: Caller, _: str) -> str:
                return await self._confirm(caller, str(code.value or "").strip(), str(password.value or ""))

            button(self._view, Action("Keep it", None, keep), done=self.area.again)
            ui.button("Cancel", on_click=self._away).props("no-caps flat").classes("quiet")

    async def _begin(self, caller: Caller, _: str) -> str:
        self._uri = self._view.house.parts.door.begin_second_factor(caller.user)
        return "It holds once you have shown a code of it."

    async def _confirm(self, caller: Caller, code: str, password: str) -> str:
        door = self._view.house.parts.door
        user = await asyncio.to_thread(door.users.get, caller.user)
        if user.second_factor and not door.is_fresh(caller):
            raise AccessDenied("second_factor_old")
        await asyncio.to_thread(door.prove, caller.user, password, self._view.origin)
        await asyncio.to_thread(door.confirm_second_factor, caller.user, self._uri, code, By(caller.user))
        self._uri = ""
        return "The second factor holds from now on."

    def _away(self) -> None:
        self._uri = ""
        self.area.again()


class Password:
    """Another password. All sessions end with it, this one too."""

    def __init__(self, view: View) -> None:
        self._view = view
        ui.label("With another password all your sessions end, this one too.")
        with ui.element("div").classes("row-of"):
            self._now = _secret("Password of now", "current-password")
            self._new = _secret("New password", "new-password")
            self._again = _secret("New password, again", "new-password")
            button(view, Action("Change password", None, self._change), done=self._out)

    async def _change(self, caller: Caller, _: str) -> str:
        if self._new.value != self._again.value:
            raise UsageError("new password: not the same twice. Type it again")
        door = self._view.house.parts.door
        await asyncio.to_thread(door.prove, caller.user, str(self._now.value or ""), self._view.origin)
        await asyncio.to_thread(door.users.set_password, caller.user, str(self._new.value or ""), By(caller.user))
        return "The password is changed."

    def _out(self) -> None:
        ui.navigate.to(f"{ROOT}/login?why=password_changed")


class Sessions:
    """Where one is logged in."""

    def __init__(self, view: View) -> None:
        self._view = view
        self.area = Area("Open sessions", self._load, self._draw, "full")

    async def _load(self) -> list[Session]:
        caller = await self._view.caller()
        return await asyncio.to_thread(self._view.house.parts.door.sessions, caller.user)

    def _draw(self, sessions: list[Session]) -> None:
        mine = self._view.known.session
        rows = [
            (session_row(each, mine), None if each.id == mine else self._ending(each)) for each in reversed(sessions)
        ]
        rows_with(self._view, "Open sessions", SESSIONS, rows, done=self.area.again, empty="None is open.")

    def _ending(self, session: Session) -> Action:
        async def end(caller: Caller, _: str) -> str:
            door = self._view.house.parts.door
            if session.id not in {each.id for each in await asyncio.to_thread(door.sessions, caller.user)}:
                raise UsageError("session: none of yours that is open")
            await asyncio.to_thread(door.logout, session.id, f"ended by {caller.user}")
            return "The session has ended."

        return Action("End", None, end)


def qr(uri: str) -> Markup:
    """A picture that an authenticator reads: dark on light, whatever the theme is."""
    drawn = segno.make(uri, error="m", micro=False).svg_inline(scale=4, light="#fff", dark="#000", title="QR code")
    return Markup(drawn)  # noqa: S704 - drawn by us, and it holds no text of anybody


def _secret(label: str, autocomplete: str) -> ui.input:
    field = ui.input(label, password=True).props(_ASKS)
    field.props["autocomplete"] = autocomplete
    return field
