"""What stands around every page: who is here, and where one can go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby

from markupsafe import Markup
from nicegui import ui

from api.console.registry import Page
from api.console.tables import link
from api.console.view import ROOT, View
from ares import __version__

_HEAD = """
<link rel="stylesheet" href="{root}/static/console.css?v={version}">
<script src="{root}/static/console.js?v={version}" defer></script>
"""


@contextmanager
def frame(view: View, page: Page, pages: Sequence[Page]) -> Iterator[None]:
    """Build a page within."""
    ui.add_head_html(_HEAD.format(root=ROOT, version=__version__))
    ui.query("body").classes("console")
    with ui.header().classes("top"):
        ui.html(_top(view, page), sanitize=False).classes("bar")
        with ui.element("nav").classes("ways").props('id="ways" aria-label="Pages"'):
            ui.html(_ways(view, page, pages), sanitize=False)
    with ui.element("div").classes("content").props('id="content" tabindex="-1"'):
        ui.html(Markup("<h1>{}</h1>").format(page.title), sanitize=False).classes("title")
        with ui.element("div").classes("panels"):
            yield


def _top(view: View, page: Page) -> Markup:
    """Buttons are wired by console.js, so that they work before anything else does."""
    theme = "Light" if view.dark else "Dark"
    return Markup(
        '<a class="skip" href="#content">To the content</a>'
        '<button type="button" class="plain menu" data-ways aria-controls="ways" aria-expanded="false">Menu</button>'
        '<a class="brand" href="{root}/">Ares</a><span class="where">{title}</span><span class="space"></span>'
        '<button type="button" class="plain" data-theme="{next}">{theme}</button>'
        '<a class="who" href="{root}/account">{user}<span class="role"> · {role}</span></a>'
        '<form method="post" action="{root}/logout"><button type="submit" class="plain">Log out</button></form>'
    ).format(
        root=ROOT,
        title=page.title,
        next=theme.lower(),
        theme=theme,
        user=view.known.user,
        role=view.known.role.value,
    )


def _ways(view: View, here: Page, pages: Sequence[Page]) -> Markup:
    shown = [page for page in pages if page.group and page.shown_to(view)]
    parts = []
    for group, members in groupby(shown, key=lambda page: page.group):
        items = Markup("").join(Markup("<li>{}</li>").format(_way(page, here)) for page in members)
        parts.append(Markup("<h2>{}</h2><ul>{}</ul>").format(group, items))
    return Markup("").join(parts)


def _way(page: Page, here: Page) -> Markup:
    href = f"{ROOT}/{page.path}"
    if page is here:
        return Markup('<a href="{}" aria-current="page">{}</a>').format(href, page.title)
    return link(href, page.title)
