"""Lineage: what something was made from and what was made from it, drawn and as a table."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from markupsafe import Markup
from nicegui import ui

from api.console.charts import Ink
from api.console.drawn import Chart
from api.console.lineage_chart import around, chart, drawable
from api.console.live import Panels, section
from api.console.research import named
from api.console.tables import Col, Form, nothing, table
from api.console.view import ROOT, View
from ares.clock import NANOS_PER_SECOND
from ares.commands.lineage_rows import order_edges
from ares.model.lineage import KINDS, Edge, Graph, Node
from ares.security.access.roles import Permission
from ares.store import Record
from ares.store.lineage import read_graph

NAMES_MAX: Final = 3_000
EDGES_MAX: Final = 200
FRESH_S: Final = 30
EVER: Final = "1970-01-01T00:00:00Z"
EDGES: Final = (
    Col("from_kind", "Kind"),
    Col("from_name", "Made from", link="data/lineage?name={from_node}"),
    Col("to_kind", "Kind"),
    Col("to_name", "Thing", link="data/lineage?name={to_node}"),
    Col("job", "By"),
    Col("detail", "Says"),
    Col("ts", "Recorded", Form.TIME),
)
THINGS: Final = (
    Col("kind", "Kind"),
    Col("name", "Thing", link="data/lineage?name={node}"),
    Col("sources", "Made from", Form.WHOLE),
    Col("made", "Made of it", Form.WHOLE),
)


async def build(view: View) -> None:
    """The thing that the query names, or all there are."""
    name = view.query.get("name", "")
    panels = Panels(view)
    known = Known(view)
    with section("Choose", "full"):
        _choice(known, panels, name)
    if not name:
        panels.add("Everything that is known", lambda: _everything(view, known), every_s=60, size="full")
    else:
        shown = Chart(
            f"Around {name}", lambda: _chart(view, known, name), "full", low=False, empty=f"Nothing of {name}."
        )
        shown.join(panels, every_s=120)
        panels.add(f"What {name} was made from", lambda: _edges(view, known, name, up=True), every_s=120, size="full")
        panels.add(f"What was made from {name}", lambda: _edges(view, known, name, up=False), every_s=120, size="full")
    await panels.settle()


def _choice(known: Known, panels: Panels, name: str) -> None:
    """Names come with the database's answer: the page does not wait for it."""
    choice = ui.select(
        [name] if name else [],
        value=name or None,
        label="Thing",
        with_input=True,
        on_change=lambda event: ui.navigate.to(f"{ROOT}/data/lineage?name={quote(str(event.value), safe='')}"),
    )
    choice.props("outlined dense options-dense").classes("instrument")

    async def fill() -> Markup:
        names = [f"{node.kind}/{node.name}" for node in ordered(await known.graph())][:NAMES_MAX]
        choice.options = names if not name or name in names else [name, *names]
        choice.update()
        return Markup("")

    panels.join(ui.element("div"), fill, (), 600)


class Known:
    """All that is recorded, for a page: its parts share what was read a moment ago."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._reading = asyncio.Lock()
        self._graph = Graph(())
        self._read_ns = 0

    async def graph(self) -> Graph:
        """For who may see it. Raises `AccessDenied`, `StoreError`."""
        await self._view.caller(Permission.READ_RESEARCH)
        parts = self._view.house.parts
        async with self._reading:
            if parts.clock.now_ns() - self._read_ns > FRESH_S * NANOS_PER_SECOND:
                self._graph = await read_graph(parts.database)
                self._read_ns = parts.clock.now_ns()
        return self._graph


async def _found(view: View, known: Known, name: str) -> tuple[Graph, Node] | None:
    """What a name means: something that is recorded, else an order of those that who looks may see."""
    graph = await known.graph()
    there = graph.named(name)
    if there:
        return graph, there[0]
    order = named(name.removeprefix("order/"))
    if not order or not view.may(Permission.READ_TRADING):
        return None
    if not await view.rows("orders", 1, order_id=order, since=EVER):
        return None
    own = await order_edges(view.house.parts.database, order)
    return (Graph((*graph.edges, *own)), Node("order", order)) if own else None


async def _chart(view: View, known: Known, name: str) -> dict[str, object]:
    found = await _found(view, known, name)
    if found is None:
        return {}
    graph, root = found
    return chart(root, drawable(root, around(graph, root)), Ink.of(dark=view.dark))


async def _edges(view: View, known: Known, name: str, *, up: bool) -> Markup:
    found = await _found(view, known, name)
    if found is None:
        return nothing(f"Nothing of the name {name} is recorded.")
    graph, root = found
    edges = graph.part([root], "UP" if up else "DOWN")
    empty = "Nothing that is recorded: it comes from outside." if up else "Nothing that is recorded."
    told = table("Edges", EDGES, rows_of(edges[:EDGES_MAX]), view.reader, empty=empty)
    if len(edges) <= EDGES_MAX:
        return told
    return Markup("<p>The first {} of {} are shown.</p>{}").format(EDGES_MAX, len(edges), told)


def rows_of(edges: Sequence[Edge]) -> list[Record]:
    """Edges as a table has them."""
    return [
        {
            "from_kind": edge.source.kind,
            "from_name": edge.source.name,
            "from_node": f"{edge.source.kind}/{edge.source.name}",
            "to_kind": edge.to.kind,
            "to_name": edge.to.name,
            "to_node": f"{edge.to.kind}/{edge.to.name}",
            "job": edge.job,
            "detail": edge.detail,
            "ts": edge.ts_ns or None,
        }
        for edge in edges
    ]


def ordered(graph: Graph) -> list[Node]:
    """All things, what is nearer to the market first."""
    return sorted(graph.nodes, key=lambda node: (KINDS.index(node.kind), node.name))


async def _everything(view: View, known: Known) -> Markup:
    graph = await known.graph()
    rows: list[Record] = [
        {
            "kind": node.kind,
            "name": node.name,
            "node": f"{node.kind}/{node.name}",
            "sources": len(graph.next_to(node, "UP")),
            "made": len(graph.next_to(node, "DOWN")),
        }
        for node in ordered(graph)[:EDGES_MAX]
    ]
    return table("Things", THINGS, rows, view.reader, empty="Nothing was recorded yet.")
