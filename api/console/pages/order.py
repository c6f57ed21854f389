"""One order: why it was made, step by step, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from api.console.live import Panel, Panels, section
from api.console.standing import amend, cancel
from api.console.story import Story, figures, names, sentence, timeline
from api.console.tables import nothing
from api.console.view import View
from api.resource import within
from ares.clock import DAY_NS, MINUTE_NS, NANOS_PER_MICRO, isoformat, to_datetime
from ares.security.access.roles import Permission
from ares.store import Param, Record, load_queries
from ares.store.pool import as_int

QUERIES = load_queries("api", "queries/console_order.sql")
EVER = isoformat(0)
STEPS_MAX = 1_000


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
    """All that the database knows of an order. Raises `AccessDenied`, `StoreError`, `UsageError`."""
    steps = await _steps(view, order_id)
    if not steps:
        return None
    begun, ended = as_int(steps[0]["ts"]), as_int(steps[-1]["ts"])
    fills, commands, decision = await asyncio.gather(
        view.rows("fills", STEPS_MAX, order_id=order_id, since=isoformat(begun - MINUTE_NS)),
        _commands(view, order_id, begun, ended),
        _decision(view, order_id, steps[0]),
    )
    told = Story(steps, sorted(fills, key=lambda row: as_int(row["ts"])), decision, commands=commands)
    if decision is None or decision["signal_ts"] is None or not view.may(Permission.READ_RESEARCH):
        return told
    return await _researched(view, told, decision)


async def _steps(view: View, order_id: str) -> Sequence[Record]:
    """Oldest first. An id tells no time: what is young is looked through first."""
    for more in ({}, {"since": EVER}):
        rows = await view.rows("order-events", STEPS_MAX, order_id=order_id, **more)
        if rows:
            return sorted(rows, key=lambda row: as_int(row["seq"]))
    return ()


async def _decision(view: View, order_id: str, first: Record) -> Record | None:
    caller = await view.caller(Permission.READ_TRADING)
    at = as_int(first["ts"])
    asked: dict[str, Param] = {
        "order_id": order_id,
        "correlation_id": str(first["correlation_id"] or ""),
        "since": isoformat(at - DAY_NS),
        "until": isoformat(at + MINUTE_NS),
        **within(caller.scope),
    }
    found = await view.house.parts.database.fetch(QUERIES["decision"], asked)
    return found[0] if found else None


async def _commands(view: View, order_id: str, begun: int, ended: int) -> Sequence[Record]:
    """What people and programs ordered of it: of each command its newest row, oldest command first."""
    rows = await view.rows(
        "commands", STEPS_MAX, since=isoformat(begun - MINUTE_NS), until=isoformat(ended + MINUTE_NS)
    )
    mine = [row for row in rows if order_id in f"{row['arguments']}{row['outcome']}"]
    newest: dict[str, Record] = {}
    for row in mine:
        newest.setdefault(str(row["command_id"]), row)
    return sorted(newest.values(), key=lambda row: as_int(row["ts"]))


async def _researched(view: View, told: Story, decision: Record) -> Story:
    """With what the decision rests on, as it was known then."""
    database = view.house.parts.database
    ts_ns, first = as_int(decision["signal_ts"]), told.first
    scope: dict[str, Param] = {
        "venue": str(first["venue"]),
        "symbol": str(first["symbol"]),
        "strategy": str(first["strategy"]),
        "version": as_int(decision["version"]),
        "ts_ns": ts_ns,
        "lo": to_datetime(ts_ns),
        "hi": to_datetime(ts_ns + NANOS_PER_MICRO),
        "known_at_ns": as_int(decision["signal_known_at"]),
    }
    signal, features, inputs = await asyncio.gather(
        database.fetch(QUERIES["signal"], scope),
        database.fetch(QUERIES["features"], scope),
        database.fetch(QUERIES["inputs"], {"signal": f"{scope['strategy']}_v{scope['version']}"}),
    )
    model = signal[0]["model_version"] if signal else None
    asked = {**scope, "model_version": str(model)}
    scored = await database.fetch(QUERIES["prediction"], asked) if model else []
    return Story(
        steps=told.steps,
        fills=told.fills,
        decision=decision,
        signal=signal[0] if signal else None,
        prediction=scored[0] if scored else None,
        features=features,
        inputs=frozenset(str(row["from_name"]) for row in inputs),
        commands=told.commands,
    )
