"""Audit: who changed what and why, entry by entry, and every event of one piece of work."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from api.console.changes import breaks, changes, written
from api.console.filters import Filter, form, older
from api.console.formats import moment
from api.console.live import LOADING, Panels, section
from api.console.tables import Col, Form, badge, nothing, table
from api.console.view import ROOT, View
from api.formats import Page
from ares.store import Record

FILTERS = (Filter("who", "Who"), Filter("what", "What"))
OF_EVENTS = (Filter("correlation_id", "Correlation id"), Filter("category", "Category"), Filter("type", "Type"))
EVENTS = (
    Col("ts", "Time", Form.TIME),
    Col("category", "Category"),
    Col("type", "Type", Form.WORD),
    Col("stream", "Stream"),
    Col("seq", "Place", Form.WHOLE),
    Col("correlation_id", "Correlation", Form.CODE, "audit?correlation_id={correlation_id}#events"),
    Col("payload", "Says", Form.CODE),
)
ENTRIES = 50


async def build(view: View) -> None:
    """Entries, then events. With a correlation id: every event of that piece of work."""
    asked = {each.name: view.query.get(each.name, "") for each in (*FILTERS, *OF_EVENTS)}
    panels = Panels(view)
    with section("Entries", "full"):
        ui.html(form("audit", FILTERS, asked), sanitize=False)
        entries = ui.element("div").classes("filled")
    panels.join(entries, lambda: _entries(view, asked), (), 15.0).html.set_content(LOADING)
    with section("Events", "full").props("id=events"):
        ui.html(form("audit", OF_EVENTS, asked), sanitize=False)
        events = ui.element("div").classes("filled")
    panels.join(events, lambda: _events(view, asked), ("events",), 15.0).html.set_content(LOADING)
    await panels.settle()


async def _entries(view: View, asked: dict[str, str]) -> Markup:
    of = {each.name: asked[each.name] for each in FILTERS}
    found = await view.page("audit", ENTRIES, cursor=view.query.get("cursor", ""), **of)
    return shown(found, of, view)


def shown(found: Page, of: dict[str, str], view: View) -> Markup:
    """A page of entries, and whether they follow from one another."""
    if not found.rows:
        return nothing("No entries" if any(of.values()) else "No entries in the last thirty days.")
    listed = Markup("").join(_entry(row, view) for row in found.rows)
    return Markup('{}<ol class="entries">{}</ol>{}').format(
        whole(breaks(found.rows)), listed, older("audit", of, found.following)
    )


def whole(broken: Sequence[tuple[str, int]]) -> Markup:
    """What the hashes of the entries that are shown say of them."""
    if broken:
        places = ", ".join(f"{writer} {seq}" for writer, seq in broken)
        return Markup('<p class="failed" role="alert">{} do not follow from the entry before: {}.</p>').format(
            len(broken), places
        )
    return Markup(
        "<p>{} The entries below follow from one another. All of them, and their signed heads: "
        "<code>ares audit verify</code>.</p>"
    ).format(badge("ok"))


def _entry(row: Record, view: View) -> Markup:
    reader = view.reader
    chain = Markup('<span class="hint">{} {}</span>').format(row["writer"], row["seq"])
    why = Markup('<span class="why">{}</span>').format(row["why"]) if row["why"] else Markup("")
    work = str(row["correlation_id"] or "")
    traced = (
        Markup('<a href="{}/audit?correlation_id={}#events">Its events</a>').format(ROOT, quote(work, safe=""))
        if work
        else Markup("")
    )
    when = Markup('<time class="moment">{}</time>').format(moment(row["ts"], reader.zone, now_ns=reader.now_ns))
    return Markup('<li>{} <strong>{}</strong> <span class="what">{}</span> {} {} {}{}</li>').format(
        when,
        row["who"],
        str(row["what"]).replace("_", " "),
        why,
        traced,
        chain,
        written(changes(row["before"], row["after"])),
    )


async def _events(view: View, asked: dict[str, str]) -> Markup:
    of = {each.name: asked[each.name] for each in OF_EVENTS}
    since = "1970-01-01T00:00:00Z" if of["correlation_id"] else None
    rows = await view.rows("events", 200 if of["correlation_id"] else 30, since=since, **of)
    return table("Events", EVENTS, rows, view.reader, empty="No events in the last day." if since is None else "None.")
