"""One order: why it was made, step by step, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from api.console.live import Panel, Panels, section
from api.console.standing import amend, cancel
from api.console.story import Story, figures, names, sentence, timeline
from api.console.tables import nothing
from api.console.view import View
from api.way import Kind, way_of
from ares.security.access.roles import Permission
from ares.store import Record, load_queries
from ares.store.pool import as_int

QUERIES = load_queries("api", "queries/console_order.sql")


async def build(view: View) -> None:
    """The order that the path names."""
    order_id = view.query.get("order_id", "")
    panels = Panels(view)
    box = section("While it stands", "full")
    box.set_visibility(False)
    told = panels.add("What happened", lambda: _told(view, order_id, box), follows=("orders", "fills"), size="full")
    _changes(view, box, order_id, told)
    await panels.settle()


def _changes(view: View, box: ui.element, order_id: str, told: Panel) -> None:
    async def cancels() -> None:
        await cancel(view, order_id, told)

    async def amends() -> None:
        await amend(view, order_id, told)

    with box, ui.element("div").classes("row-of"):
        ui.button("Cancel order", on_click=cancels).props("no-caps unelevated").classes("action grave")
        ui.button("Amend …", on_click=amends).props("no-caps outline").classes("quiet")


async def _told(view: View, order_id: str, box: ui.element) -> Markup:
    story = await story_of(view, order_id)
    box.set_visibility(story is not None and story.stands and view.may(Permission.TRADE))
    if story is None:
        return nothing(f"No order {order_id} is known here, or it is not yours to see.")
    return Markup("{}{}<h3>How it came about</h3>{}<h3>Its names</h3>{}").format(
        sentence(story, view.reader), figures(story, view.reader), timeline(story, view.reader), names(story)
    )


async def story_of(view: View, order_id: str) -> Story | None:
    """All that the database knows of an order. Raises `AccessDenied`, `StoreError`."""
    caller = await view.caller(Permission.READ_TRADING)
    parts = view.house.parts
    way = await way_of(parts.database, caller, order_id, parts.clock.now_ns())
    if way is None:
        return None
    decision, signal, prediction = (
        next(iter(way.rows(kind)), None) for kind in (Kind.DECISION, Kind.SIGNAL, Kind.PREDICTION)
    )
    made_of: Sequence[Record] = ()
    if signal is not None:
        name = f"{signal['strategy']}_v{signal['version']}"
        made_of = await parts.database.fetch(QUERIES["inputs"], {"signal": name})
    return Story(
        steps=sorted(way.rows(Kind.ORDER), key=lambda row: as_int(row["seq"])),
        fills=way.rows(Kind.FILL),
        decision=decision,
        signal=signal,
        prediction=prediction,
        features=way.rows(Kind.FEATURE),
        inputs=frozenset(str(row["from_name"]) for row in made_of),
        commands=tuple({row["command_id"]: row for row in way.rows(Kind.COMMAND)}.values()),
    )
