"""`ares data lineage`, `ares data impact`: what was made from what, and what a change would touch."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ares.commands.lineage_rows import order_edges
from ares.commands.lineage_svg import svg_of
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.control import Json as JsonValue
from ares.errors import OperatingError, UnknownName
from ares.files import write_whole
from ares.model.lineage import Branch, Direction, Edge, Graph, Node
from ares.store import Database
from ares.store.lineage import KEPT, READING, RESTING, read_graph, touched_by

NAMES_SHOWN = 12

lineage_app = typer.Typer(add_completion=False)
impact_app = typer.Typer(add_completion=False)


class Way(StrEnum):
    """Which way to look from something."""

    UP = "UP"
    DOWN = "DOWN"


@lineage_app.command("lineage")
def lineage(
    way: Annotated[Way, typer.Argument(help="UP: what it was made from. DOWN: what was made from it.")],
    name: Annotated[
        str,
        typer.Argument(
            help="A table, view, feature, dataset (name@version), model (name@version), strategy, order id."
        ),
    ],
    svg: Annotated[Path | None, typer.Option(help="Write a drawing to this file as well.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The edges as JSON instead of a tree.")] = False,
) -> None:
    """What something was made from, or what was made from it. Example: ares data lineage UP signal_direction_v1"""
    direction: Direction = "UP" if way is Way.UP else "DOWN"
    graph, root = asyncio.run(found(load_config(), name))
    edges = graph.part([root], direction)
    if svg is not None:
        drawn(svg, svg_of([root], edges, f"Lineage {direction} of {name}"))
    if json:
        print_rows([row_of(edge) for edge in edges], json=True)
        return
    for line in lines_of(graph.tree(root, direction)):
        console.print(line, markup=False, soft_wrap=True)


@impact_app.command("impact")
def impact(
    view: Annotated[str, typer.Argument(help="A view, or feature or signal by its view's name.")],
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """What a change of a view would touch: datasets, models, strategies, views. Example: ares data impact rsi_14_v1"""
    rows = asyncio.run(touched(load_config(), view))
    print_rows(rows, json=json, title=None if json else f"rests on {view}")


async def found(config: AresConfig, name: str) -> tuple[Graph, Node]:
    """The graph and what a name means in it: the thing nearest to the market, else an order. Raises `UnknownName`."""
    async with await Database.connect(config.database, readonly=True) as database:
        graph = await read_graph(database)
        named = graph.named(name)
        if named:
            return graph, named[0]
        own = await order_edges(database, name)
    if not own:
        raise UnknownName("name", name, shown_names(graph))
    return Graph((*graph.edges, *own)), Node("order", name)


async def touched(config: AresConfig, view: str) -> list[dict[str, JsonValue]]:
    """What rests on a view, what stays as it was made first. Raises `UnknownName`."""
    async with await Database.connect(config.database, readonly=True) as database:
        graph = await read_graph(database)
        views = [node for node in graph.named(view) if node.kind in {"table", "view", "feature", "signal"}]
        if not views:
            raise UnknownName("view", view, shown_names(graph))
        nodes = await touched_by(database, graph, views[0])
    kinds = (*RESTING, *READING)
    ordered = sorted(nodes, key=lambda node: (kinds.index(node.kind), node.name))
    return [{"kind": n.kind, "name": n.name, "keeps_the_old_meaning": n.kind in KEPT} for n in ordered]


def shown_names(graph: Graph) -> list[str]:
    """Some names, for somebody who asked for one that is not there."""
    return sorted({node.name for node in graph.nodes})[:NAMES_SHOWN]


def row_of(edge: Edge) -> dict[str, JsonValue]:
    """An edge for programs."""
    return {
        "from_kind": edge.source.kind,
        "from": edge.source.name,
        "to_kind": edge.to.kind,
        "to": edge.to.name,
        "job": edge.job,
        "detail": edge.detail,
    }


def lines_of(branch: Branch) -> Iterator[str]:
    """A tree for people, a node a line. "…" stands where something is unfolded further up."""
    detail = f" ({branch.detail})" if branch.detail else ""
    yield f"{branch.node}{detail}{' …' if branch.again else ''}"
    for number, below in enumerate(branch.below, start=1):
        last = number == len(branch.below)
        first, *others = lines_of(below)
        yield f"{'└── ' if last else '├── '}{first}"
        yield from (f"{'    ' if last else '│   '}{line}" for line in others)


def drawn(path: Path, text: str) -> None:
    """Write a drawing, whole or not at all. Raises `OperatingError`."""
    try:
        write_whole(path, text.encode(), 0o644)
    except OSError as error:
        raise OperatingError(f"{path}: {error.strerror or error}") from None
