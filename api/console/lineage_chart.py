"""Lineage as a chart: what a thing is made from stands left of it, what is made from it right. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from api.console.charts import Ink, Options
from ares.commands.lineage_svg import columns
from ares.model.lineage import KINDS, Edge, Graph, Node

NODES_MAX: Final = 40
LETTERS_MAX: Final = 28
_ACROSS, _DOWN = 900, 300
"""The form of the panel, which a drawing keeps."""


def around(graph: Graph, root: Node) -> list[Edge]:
    """The edges of all that a thing was made from, and of all that was made from it."""
    return list(dict.fromkeys([*graph.part([root], "UP"), *graph.part([root], "DOWN")]))


def drawable(root: Node, edges: Sequence[Edge]) -> list[Edge]:
    """All edges, or, where these are too many to be read, those that touch the thing itself, as far as they go."""
    if len(_nodes(edges)) <= NODES_MAX:
        return list(edges)
    return [edge for edge in edges if root in (edge.source, edge.to)][:NODES_MAX]


def chart(root: Node, edges: Sequence[Edge], ink: Ink) -> Options:
    """The drawing."""
    listed = columns([root], edges)
    right, tallest = max(1, len(listed) - 1), max(len(nodes) for nodes in listed)
    places = {
        node: (x * _ACROSS // right, int((y - len(nodes) / 2) * _DOWN / tallest))
        for x, nodes in enumerate(listed)
        for y, node in enumerate(nodes)
    }
    kinds = [kind for kind in KINDS if any(node.kind == kind for node in places)]
    return {
        "animation": False,
        "textStyle": {"color": ink.text},
        "aria": {"enabled": True},
        "tooltip": {"confine": True},
        "legend": {"data": kinds, "textStyle": {"color": ink.text}, "top": 0, "type": "scroll"},
        "series": [
            {
                "type": "graph",
                "layout": "none",
                "roam": True,
                "left": 24,
                "right": 170,
                "top": 40,
                "bottom": 12,
                "edgeSymbol": ["none", "arrow"],
                "edgeSymbolSize": 7,
                "lineStyle": {"color": ink.line, "width": 1.5, "curveness": 0.05},
                "label": {"show": True, "position": "right", "color": ink.text, "fontSize": 11},
                "categories": [{"name": kind} for kind in kinds],
                "data": [
                    {
                        "id": str(node),
                        "name": _short(node.name),
                        "x": x,
                        "y": y,
                        "category": kinds.index(node.kind),
                        "symbolSize": 18 if node == root else 10,
                        "tooltip": {"formatter": str(node).replace("<", "‹")},
                    }
                    for node, (x, y) in places.items()
                ],
                "links": [{"source": str(edge.source), "target": str(edge.to)} for edge in edges],
            }
        ],
    }


def _nodes(edges: Iterable[Edge]) -> set[Node]:
    return {node for edge in edges for node in (edge.source, edge.to)}


def _short(name: str) -> str:
    return name if len(name) <= LETTERS_MAX else f"{name[: LETTERS_MAX - 1]}…"
