"""Buttons within tables: HTML that says what to do to what, and one listener for all of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui
from nicegui.events import GenericEventArguments

from api.console.act import Once

Take = Callable[[str, str], Awaitable[None]]
"""Is given what shall be done, and to what. Both come from the browser: neither is to be believed."""
_TEXT_MAX = 200
_LISTEN = (
    "(event) => { const found = event.target.closest('[data-deed]');"
    " if (found) emit([found.dataset.deed, found.dataset.of]); }"
)


def deed(word: str, of: str, label: str, about: str) -> Markup:
    """A button that asks for `word` to be done to `of`; `about` tells it from the others for who cannot see the row."""
    return Markup(
        '<button type="button" class="plain small" data-deed="{}" data-of="{}">{}'
        '<span class="unseen"> {}</span></button>'
    ).format(word, of, label, about)


def listen(html: ui.html, take: Take) -> None:
    """Give what is pressed within to a function, unless it still has what was pressed before."""
    once = Once()

    async def pressed(event: GenericEventArguments) -> None:
        given: object = event.args
        if isinstance(given, list) and len(given) == 2 and all(isinstance(each, str) for each in given):
            word, of = (str(each)[:_TEXT_MAX] for each in given)
            await once(lambda: take(word, of))

    html.on("click", pressed, js_handler=_LISTEN)
