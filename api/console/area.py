"""Parts of a page that people act in: built anew once something was done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from markupsafe import Markup, escape
from nicegui import background_tasks, ui

from api.console.act import Action, button, refused
from api.console.live import section, sentence
from api.console.tables import Col, cell, heads, is_figure, nothing
from api.console.view import View
from ares.errors import AccessDenied, AresError
from ares.store import Record

Found = TypeVar("Found")


class Area(Generic[Found]):
    """A part under a heading: what `load` finds, `draw` shows."""

    def __init__(
        self, title: str, load: Callable[[], Awaitable[Found]], draw: Callable[[Found], None], size: str = "half"
    ) -> None:
        self._load = load
        self._draw = draw
        with section(title, size):
            self._box = ui.element("div").classes("filled acts")

    async def write(self) -> None:
        """Show what is there now; what keeps it from that is said in its place."""
        try:
            found = await self._load()
        except AccessDenied as error:
            with self._box:
                refused(error)
        except AresError as error:
            self._box.clear()
            with self._box:
                ui.html(Markup('<p class="failed" role="status">{}</p>').format(sentence(error)), sanitize=False)
        else:
            self._box.clear()
            with self._box:
                self._draw(found)

    def again(self) -> None:
        """Show it anew, soon."""
        background_tasks.create(self.write(), name="area")


def rows_with(
    view: View,
    caption: str,
    columns: Sequence[Col],
    rows: Sequence[tuple[Record, Action | None]],
    *,
    done: Callable[[], None],
    empty: str,
) -> None:
    """A table in which each row has something that can be done with it."""
    if not rows:
        ui.html(nothing(empty), sanitize=False)
        return
    acts = any(action is not None and view.may(action.permission) for _, action in rows)
    last = Markup('<th scope="col"><span class="unseen">Do</span></th>') if acts else Markup("")
    scrolls = ui.element("div").classes("scrolls").props("tabindex=0 role=region")
    scrolls.props["aria-label"] = caption
    with scrolls, ui.element("table"):
        ui.html(escape(caption), sanitize=False, tag="caption").classes("unseen")
        with ui.element("thead"):
            ui.html(Markup("{}{}").format(heads(columns), last), sanitize=False, tag="tr")
        with ui.element("tbody"):
            for row, action in rows:
                _row(view, columns, row, action, done=done, acts=acts)


def _row(
    view: View, columns: Sequence[Col], row: Record, action: Action | None, *, done: Callable[[], None], acts: bool
) -> None:
    with ui.element("tr"):
        for column in columns:
            shown = ui.html(cell(column, row, view.reader), sanitize=False, tag="td")
            shown.classes("right" if is_figure(column) else "")
        if acts:
            with ui.element("td").classes("right"):
                if action is not None:
                    button(view, action, done=done).props("dense")
