"""Charts on a page: drawn from options, again when something happened; words stand where there is nothing to draw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from markupsafe import Markup
from nicegui import ui

from api.console.entry import STATIC
from api.console.live import Panels, section
from api.console.tables import nothing

Draw = Callable[[], Awaitable[dict[str, object]]]


class Drawing(ui.echart, component=STATIC / "chart.js"):
    """NiceGUI's chart, whose library is loaded when the page is there; nobody here listens to what is clicked in it."""


class Chart:
    """A panel with a chart. No options: there is nothing to draw yet."""

    def __init__(self, title: str, draw: Draw, size: str, *, low: bool = True, empty: str = "") -> None:
        self._draw = draw
        self._empty = empty or "Nothing to draw yet."
        with section(title, size):
            self._chart = Drawing({"series": []})
            self._chart.classes("chart low" if low else "chart")
            self._chart.props.update({"role": "img", "aria-label": title})
            self._box = ui.element("div")

    def join(self, panels: Panels, *, follows: Sequence[str] = (), every_s: float = 30.0) -> None:
        """Draw it with the page, and again like a panel."""
        panels.join(self._box, self._write, follows, every_s)

    async def _write(self) -> Markup:
        drawn = await self._draw()
        options = {"backgroundColor": "transparent", **drawn}
        self._chart.set_visibility(bool(drawn))
        if drawn and options != self._chart.options:
            self._chart.options.clear()
            self._chart.options.update(options)
            self._chart.update()
        return Markup("") if drawn else nothing(self._empty)
