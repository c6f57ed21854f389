"""Panels: parts of a page that load by themselves, follow what happens, and say what keeps them from it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from markupsafe import Markup
from nicegui import background_tasks, ui
from nicegui.client import Client

from api.console.tables import nothing
from api.console.view import ROOT, View
from api.stream.channels import BY_NAME
from api.stream.pending import Item
from ares.errors import AccessDenied, AresError
from ares.telemetry import get_logger

log = get_logger(__name__)

Load = Callable[[], Awaitable[Markup]]
Take = Callable[[Sequence[Item]], None]
AGAIN_S_MIN = 0.5
"""A panel is not written more often: people do not read faster."""
FIRST_S_MAX = 1.2
"""A page waits so long for its panels, then it goes out and they come when they come."""
SESSION_S = 2.0
LOADING = Markup('<p class="empty">Loading …</p>')


class Panels:
    """The panels of a page."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._client: Client = ui.context.client
        self._panels: list[Panel] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._client.on_delete(self._end)

    def add(
        self, title: str, load: Load, *, follows: Sequence[str] = (), every_s: float = 15.0, size: str = "half"
    ) -> Panel:
        """A panel, loaded with the page, again when a channel brings something, and every so often.

        `size`: full, half, third: how much of a wide page it takes.
        """
        with section(title, size) as box:
            pass
        panel = self.join(box, load, follows, every_s)
        panel.html.classes("filled")
        panel.html.set_content(LOADING)
        return panel

    def join(self, box: ui.element, load: Load, follows: Sequence[str], every_s: float) -> Panel:
        """The same within something that is there already: an empty answer is nothing to see."""
        with box:
            panel = Panel(ui.html("", sanitize=False), load, follows, every_s)
        self._panels.append(panel)
        return panel

    def follow(self, channel: str, take: Take) -> None:
        """Give what is new in a channel, within what who looks may see, to a function that does not wait."""
        self._start(self._follow(channel, take), f"follow {channel}")

    async def settle(self) -> None:
        """Load all panels, as far as they come in time, then keep them as they are in the database."""
        loading = [asyncio.create_task(panel.write()) for panel in self._panels]
        if loading:
            await asyncio.wait(loading, timeout=FIRST_S_MAX)
        for panel, first in zip(self._panels, loading, strict=True):
            self._start(self._keep(panel, first), f"panel {panel.html.id}")
        self._start(self._watch(), "session")

    def _start(self, work: Awaitable[None], name: str) -> None:
        async def guarded() -> None:
            try:
                await work
            except AccessDenied as error:
                self._leave(error)

        self._tasks.append(background_tasks.create(guarded(), name=name))

    def _end(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _leave(self, error: AccessDenied) -> None:
        """Whose session ended is asked to log in again."""
        if error.reason != "forbidden":
            with self._client:
                ui.navigate.to(f"{ROOT}/login?why={error.reason}")

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SESSION_S)
            try:
                await self._view.caller()
            except AccessDenied:
                raise
            except AresError as error:
                log.warning("console_session_not_checked", cause=error.code)

    async def _keep(self, panel: Panel, first: asyncio.Task[None]) -> None:
        await first
        async with AsyncExitStack() as reading:
            for name in panel.follows:
                channel = BY_NAME[name]
                if self._view.may(channel.resource.permission):
                    await reading.enter_async_context(
                        self._view.house.feed.reading(channel, lambda _: panel.wanted.set())
                    )
            while True:
                try:
                    async with asyncio.timeout(panel.every_s):
                        await panel.wanted.wait()
                except TimeoutError:
                    panel.wanted.set()
                panel.wanted.clear()
                await panel.write()
                await asyncio.sleep(AGAIN_S_MIN)

    async def _follow(self, name: str, take: Take) -> None:
        channel = BY_NAME[name]

        def reader(items: Sequence[Item]) -> None:
            shows = channel.resource.sight(self._view.known)
            mine = [item for item in items if shows(item.row)]
            if mine:
                take(mine)

        async with self._view.house.feed.reading(channel, reader):
            await asyncio.Event().wait()


class Panel:
    """Something that a function writes."""

    def __init__(self, html: ui.html, load: Load, follows: Sequence[str], every_s: float) -> None:
        self.html = html
        self.follows = follows
        self.every_s = every_s
        self.wanted = asyncio.Event()
        self._load = load

    async def write(self) -> None:
        """Load once. What keeps it from that is said in its place. Raises `AccessDenied` for a session that ended."""
        try:
            content = await self._load()
        except AccessDenied as error:
            if error.reason != "forbidden":
                raise
            content = nothing("Your role or scope does not let you see this.")
        except AresError as error:
            content = Markup('<p class="failed" role="status">{} It is tried again.</p>').format(sentence(error))
        if content != self.html.content:
            self.html.set_content(content)


def section(title: str, size: str = "half") -> ui.element:
    """A part of a page under a heading."""
    part = ui.element("section").classes(f"panel {size}")
    with part:
        ui.html(Markup("<h2>{}</h2>").format(title), sanitize=False)
    return part


def sentence(error: AresError) -> str:
    """What an error says, with its full stop."""
    text = str(error)
    return text if text.endswith(".") else f"{text}."
