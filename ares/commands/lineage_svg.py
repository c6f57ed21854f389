"""A drawing of lineage: columns of boxes by how far things are from what was asked, lines between them.

For eyes and for screen readers alike: the drawing has a title, and a description that tells every line in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from ares.model.lineage import Edge, Node

BOX_WIDTH, BOX_HEIGHT = 230, 38
GAP_X, GAP_Y = 70, 14
MARGIN = 20
LETTERS_MAX = 30
STYLE = (
    "text{font:12px sans-serif;fill:#1a1a1a}.kind{font-size:10px;fill:#555}rect{fill:#f6f8fa;stroke:#57606a}"
    ".root rect{fill:#ddf4ff;stroke:#0969da}path{fill:none;stroke:#57606a}"
)


def svg_of(roots: Sequence[Node], edges: Sequence[Edge], title: str) -> str:
    """The drawing of these edges; what something is made from stands left of it."""
    places = _places(columns(roots, edges))
    height = MARGIN + max((y + BOX_HEIGHT for _, y in places.values()), default=0)
    width = MARGIN + max((x + BOX_WIDTH for x, _ in places.values()), default=0)
    told = "; ".join(f"{edge.to} is made from {edge.source}" for edge in edges) or "Nothing is known of it."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
        'role="img" aria-labelledby="title told">',
        f'<title id="title">{escape(title)}</title><desc id="told">{escape(told)}</desc><style>{STYLE}</style>',
        *(_line(places[edge.source], places[edge.to]) for edge in edges),
        *(_box(node, place, root=node in roots) for node, place in places.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def columns(roots: Sequence[Node], edges: Sequence[Edge]) -> list[list[Node]]:
    """The nodes from left to right: each stands right of all that it is made from, as far as there are no circles."""
    nodes = dict.fromkeys([*roots, *(node for edge in edges for node in (edge.source, edge.to))])
    column = dict.fromkeys(nodes, 0)
    for _ in range(len(nodes)):
        moved = False
        for edge in edges:
            wanted = column[edge.source] + 1
            if edge.source != edge.to and column[edge.to] < wanted < len(nodes):
                column[edge.to], moved = wanted, True
        if not moved:
            break
    numbers = sorted(set(column.values()))
    return [[node for node in nodes if column[node] == number] for number in numbers]


def _places(listed: Iterable[Sequence[Node]]) -> dict[Node, tuple[int, int]]:
    return {
        node: (MARGIN + x * (BOX_WIDTH + GAP_X), MARGIN + y * (BOX_HEIGHT + GAP_Y))
        for x, nodes in enumerate(listed)
        for y, node in enumerate(nodes)
    }


def _line(source: tuple[int, int], to: tuple[int, int]) -> str:
    x, y = source[0] + BOX_WIDTH, source[1] + BOX_HEIGHT // 2
    end_x, end_y = to[0], to[1] + BOX_HEIGHT // 2
    middle = (x + end_x) // 2
    return f'<path d="M{x} {y} C{middle} {y} {middle} {end_y} {end_x} {end_y}"/>'


def _box(node: Node, place: tuple[int, int], *, root: bool) -> str:
    x, y = place
    name = node.name if len(node.name) <= LETTERS_MAX else f"{node.name[: LETTERS_MAX - 1]}…"
    look = ' class="root"' if root else ""
    return (
        f"<g{look}><title>{escape(str(node))}</title>"
        f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>'
        f'<text class="kind" x="{x + 8}" y="{y + 14}">{node.kind}</text>'
        f'<text x="{x + 8}" y="{y + 30}">{escape(name)}</text></g>'
    )
