"""What was made from what: edges that jobs record, and the graph that they are together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal, NamedTuple, get_args

from ares.model.row import Row

Kind = Literal[
    "venue", "table", "view", "feature", "dataset", "model", "prediction", "signal", "decision", "order", "fill"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Direction = Literal["UP", "DOWN"]

DEFINING = "migrate"
"""The job whose newest word on a view replaces what it said before: a view is what its text is now."""


class Node(NamedTuple):
    """A thing that is made or made from. Names carry their version: rsi_14_v1, direction@3."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Made:
    """One thing, what it was made from, and what is worth knowing about that in a few words.

    `columns`, name and type, are told to others; our own readers find them in the thing itself.
    """

    to: Node
    sources: tuple[Node, ...]
    detail: str = ""
    columns: tuple[tuple[str, str], ...] = ()


class Edge(NamedTuple):
    """That `to` was made from `source`, by which job, and when that was recorded last (UTC ns)."""

    source: Node
    to: Node
    job: str = ""
    detail: str = ""
    ts_ns: int = 0


def run_of(job: str, made: Iterable[Made]) -> str:
    """The name of a run that has no id of its own: the same things made in the same way have the same name."""
    text = "\n".join(sorted(f"{source}|{each.to}|{each.detail}" for each in made for source in each.sources))
    return f"{job}-{blake2b(text.encode(), digest_size=8).hexdigest()}"


def rows_of(job: str, run_id: str, ts_ns: int, made: Iterable[Made]) -> list[Row]:
    """Rows of `lineage`; the same ones again for the same run at the same moment."""
    return [
        Row(
            "lineage",
            ts_ns,
            {"job": job, "from_kind": source.kind, "to_kind": each.to.kind},
            {"from_name": source.name, "to_name": each.to.name, "run_id": run_id, "detail": each.detail},
        )
        for each in made
        for source in dict.fromkeys(each.sources)
    ]


def current(edges: Iterable[Edge]) -> list[Edge]:
    """The edges that hold: of what `DEFINING` said about a thing only its newest word, of all others each."""
    listed = list(edges)
    newest: dict[Node, int] = {}
    for edge in listed:
        if edge.job == DEFINING:
            newest[edge.to] = max(edge.ts_ns, newest.get(edge.to, edge.ts_ns))
    return [edge for edge in listed if edge.job != DEFINING or edge.ts_ns == newest[edge.to]]


@dataclass(frozen=True, slots=True)
class Branch:
    """A node as it stands in a tree. `again`: it stands further up with what is below it, which is not repeated."""

    node: Node
    detail: str = ""
    below: tuple[Branch, ...] = ()
    again: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything that was recorded. Circles are allowed: what is walked is walked once."""

    edges: tuple[Edge, ...]
    _up: Mapping[Node, Mapping[Node, Edge]] = field(init=False, repr=False)
    _down: Mapping[Node, Mapping[Node, Edge]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        up: dict[Node, dict[Node, Edge]] = {}
        down: dict[Node, dict[Node, Edge]] = {}
        for edge in sorted(self.edges, key=lambda e: (KINDS.index(e.source.kind), e.source.name, e.to, e.ts_ns)):
            up.setdefault(edge.to, {})[edge.source] = edge
            down.setdefault(edge.source, {})[edge.to] = edge
        object.__setattr__(self, "_up", up)
        object.__setattr__(self, "_down", down)

    @property
    def nodes(self) -> set[Node]:
        """Everything that is known."""
        return {*self._up, *self._down}

    def named(self, name: str) -> list[Node]:
        """The nodes of a name, or of "kind/name"; what is nearer to the market first."""
        found = [node for node in self.nodes if name in {node.name, f"{node.kind}/{node.name}"}]
        return sorted(found, key=lambda node: KINDS.index(node.kind))

    def next_to(self, node: Node, direction: Direction) -> Mapping[Node, Edge]:
        """What it was made from (UP), or what was made from it (DOWN)."""
        return (self._up if direction == "UP" else self._down).get(node, {})

    def reached(self, roots: Iterable[Node], direction: Direction) -> list[Node]:
        """Everything that can be reached, the nearest first, without the roots unless a circle leads back to them."""
        seen: dict[Node, None] = {}
        front = list(dict.fromkeys(roots))
        while front:
            further = [n for node in front for n in self.next_to(node, direction) if n not in seen]
            front = list(dict.fromkeys(further))
            seen.update(dict.fromkeys(front))
        return list(seen)

    def part(self, roots: Sequence[Node], direction: Direction) -> list[Edge]:
        """The edges between the roots and everything that is reached from them."""
        inside = {*roots, *self.reached(roots, direction)}
        return [edge for node in sorted(inside) for edge in self.next_to(node, direction).values()]

    def tree(self, root: Node, direction: Direction) -> Branch:
        """What is reached, as a tree; a node is unfolded where it is met first."""
        return self._branch(root, "", direction, set())

    def _branch(self, node: Node, detail: str, direction: Direction, seen: set[Node]) -> Branch:
        following = self.next_to(node, direction)
        if node in seen:
            return Branch(node, detail, again=bool(following))
        seen.add(node)
        below = tuple(self._branch(each, edge.detail, direction, seen) for each, edge in following.items())
        return Branch(node, detail, below)
