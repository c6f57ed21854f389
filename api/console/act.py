"""What people do on pages: asked again where it matters, with a second factor where it is dangerous, and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from nicegui import ui

from api.console.view import ROOT, View
from ares.errors import AccessDenied, AresError
from ares.security.access.door import Caller
from ares.security.access.roles import DANGEROUS, Permission

Work = Callable[[Caller, str], Awaitable[str]]
"""Is given who asks and the reason they gave; returns what came of it, in a sentence. Raises `AresError`."""
_HELD_S = 12.0
_CODE = "outlined dense maxlength=6 inputmode=numeric autocomplete=one-time-code autofocus"


@dataclass(frozen=True, slots=True)
class Action:
    """`question`: asked before it is done; empty: it is done at once. `reason`: whether one is asked for.

    A question that is a function is written when the button is pressed: it says what was typed until then, and keeps
    that for `work`; it may raise `UsageError`. No permission: of oneself. `fresh`: it wants a second factor that was
    shown just now, as what is dangerous does.
    """

    label: str
    permission: Permission | None
    work: Work
    question: str | Callable[[], str] = ""
    reason: bool = True
    grave: bool = False
    fresh: bool = False


def button(view: View, action: Action, *, done: Callable[[], None] | None = None) -> ui.button:
    """A button that does it; nobody sees it who may not. `done` is called once it was.

    It cannot be pressed again before what it began has ended.
    """
    once = Once()

    async def press() -> None:
        made.disable()
        try:
            await once(lambda: perform(view, action, done))
        finally:
            made.enable()

    made = ui.button(action.label, on_click=press).props("no-caps unelevated").classes("action")
    if action.grave:
        made.classes("grave")
    made.set_visibility(view.may(action.permission))
    return made


class Once:
    """Lets nothing begin before what began has ended: a second press of the same is none."""

    def __init__(self) -> None:
        self._under_way = False

    async def __call__(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, unless something is under way."""
        if self._under_way:
            return
        self._under_way = True
        try:
            await work()
        finally:
            self._under_way = False


async def perform(view: View, action: Action, done: Callable[[], None] | None = None) -> None:
    """Ask what has to be asked, do it, and say what came of it."""
    reason = ""
    try:
        question = action.question if isinstance(action.question, str) else action.question()
        if question:
            asked = await _asked(action, question)
            if asked is None:
                return
            reason = asked
        caller = await view.caller(action.permission)
        if not await _fresh(view, caller, action):
            return
        said = await action.work(await view.caller(action.permission), reason)
    except AccessDenied as error:
        refused(error)
    except AresError as error:
        tell(str(error), good=False)
    else:
        tell(said)
        if done is not None:
            done()


def refused(error: AccessDenied) -> None:
    """Say why somebody may not; whose session ended is asked to log in."""
    if error.reason in {"session_ended", "token_expired", "token_invalid", "credentials_missing"}:
        ui.navigate.to(f"{ROOT}/login?why={error.reason}")
        return
    tell(str(error), good=False)


def tell(words: str, *, good: bool = True) -> None:
    """Say what came of something; what went wrong stays until it is put away."""
    ui.notify(
        words,
        position="bottom",
        classes="good" if good else "bad",
        timeout=_HELD_S * 1000 if good else 0,
        close_button="Close",
        multi_line=True,
    )


async def ask(
    title: str, question: str, fields: Callable[[], Sequence[ui.input]], *, go: str = "Go on", look: str = "action"
) -> list[str] | None:
    """What somebody answers in a dialog, field by field; None: they thought better of it."""
    with ui.dialog() as dialog, ui.card().classes("asks").props("role=document") as card:
        card.props["aria-label"] = title
        ui.label(question).classes("question")
        inputs = fields()
        with ui.row().classes("ends"):
            ui.button("Back", on_click=lambda: dialog.submit(None)).props("no-caps flat")
            sure = ui.button(go, on_click=lambda: dialog.submit([str(each.value or "").strip() for each in inputs]))
            sure.props("no-caps unelevated").classes(look)
    answer: object = await dialog
    dialog.delete()
    return [str(each) for each in answer] if isinstance(answer, list) else None


async def _asked(action: Action, question: str) -> str | None:
    """The reason; None: they thought better of it."""

    def reason() -> Sequence[ui.input]:
        field = ui.input("Reason").props("outlined dense maxlength=200 autofocus").classes("wide")
        field.set_visibility(action.reason)
        return [field]

    look = "action grave" if action.grave else "action"
    answer = await ask(action.label, question, reason, go=action.label, look=look)
    return None if answer is None else answer[0]


async def _fresh(view: View, caller: Caller, action: Action) -> bool:
    """Whether the second factor was shown just now, once it was asked for where it was not."""
    if not (action.fresh or action.permission in DANGEROUS) or view.house.parts.door.is_fresh(caller):
        return True

    def code() -> Sequence[ui.input]:
        return [ui.input("Code").props(_CODE)]

    answer = await ask("Second factor", "This needs a code of your second factor.", code)
    if answer is None:
        return False
    await asyncio.to_thread(view.step_up, answer[0])
    return True
