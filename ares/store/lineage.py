"""The graph of what was made from what, read from the table `lineage`; what views are made of, read from their text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from ares.model.lineage import Edge, Graph, Kind, Made, Node, current
from ares.store.pool import Database, as_int, as_str
from ares.store.queries import load_queries

QUERIES = load_queries("ares.store", "lineage.sql")
RESTING: tuple[Kind, ...] = ("dataset", "model", "prediction", "signal", "decision")
"""What must be looked at before a view changes that it was made from: it learnt from, or acts on, the old meaning."""
READING: tuple[Kind, ...] = ("feature", "view")
"""What means something else at once when a view changes that it reads."""
KEPT: tuple[Kind, ...] = ("dataset", "model")
"""What stays as it was made: under a changed view its name would say something else than its bytes."""

_COMMENT = re.compile(r"--[^\n]*")
_READ = re.compile(r"\b(?:FROM|JOIN)\s+\(?\s*'?(\w+)", re.IGNORECASE)
_NAMED_HERE = re.compile(r"(?:\bWITH|,)\s*(\w+)\s+AS\s*\(", re.IGNORECASE)
_DEFINED = re.compile(r"\bVIEW (?:IF NOT EXISTS )?\S+ AS (?P<body>.*?);?$", re.IGNORECASE)
"""Of a statement on one line: the query that a view is; QuestDB shows it without the parentheses around it."""
_FOLDERS: Mapping[str, Kind] = {"features": "feature", "signals": "signal"}


async def read_graph(database: Database) -> Graph:
    """Everything that was recorded and still holds. Raises `StoreUnavailable`, `StoreRejected`."""
    rows = await database.fetch(QUERIES["edges"])
    edges = [
        Edge(
            Node(_kind(row["from_kind"]), as_str(row["from_name"])),
            Node(_kind(row["to_kind"]), as_str(row["to_name"])),
            as_str(row["job"]),
            str(row["detail"] or ""),
            as_int(row["ts_ns"]),
        )
        for row in rows
    ]
    return Graph(tuple(current(edges)))


def _kind(value: object) -> Kind:
    return cast("Kind", as_str(value))


def kind_of(statement_kind: str, folder: str) -> Kind:
    """What a statement of the schema creates, by what it says and the folder that it lies in."""
    return "table" if statement_kind == "TABLE" else _FOLDERS.get(folder, "view")


def reads_of(sql: str, names: Iterable[str]) -> set[str]:
    """Which of `names` a statement reads: they stand behind FROM or JOIN and are no names of its own."""
    text = _COMMENT.sub("", sql)
    return (set(_READ.findall(text)) - set(_NAMED_HERE.findall(text))) & set(names)


def views_made(views: Iterable[tuple[str, str]], kinds: Mapping[str, Kind]) -> list[Made]:
    """What views, given by name and text, are made from; `kinds` are those of all tables and views."""
    made = []
    for name, sql in views:
        sources = sorted(reads_of(sql, kinds) - {name})
        made.append(Made(Node(kinds[name], name), tuple(Node(kinds[each], each) for each in sources)))
    return made


def same_meaning(deployed: str, sql: str) -> bool:
    """Whether the text of a view says the same as what is deployed: other comments and line ends do not count."""
    defined = _DEFINED.search(_words(sql))
    return defined is not None and _words(deployed) in {defined["body"], defined["body"][1:-1].strip()}


def _words(sql: str) -> str:
    return " ".join(_COMMENT.sub("", sql).split())


async def touched_by(database: Database, graph: Graph, view: Node) -> list[Node]:
    """What reads or rests on a view and would be touched by a change; versions that were given up do not count."""
    rows = await database.fetch(QUERIES["retired"])
    retired = {Node("dataset", f"{as_str(row['name'])}@{as_int(row['number'])}") for row in rows}
    reached = graph.reached([view], "DOWN")
    return [node for node in reached if node.kind in {*RESTING, *READING} and node not in retired]


def told(nodes: Sequence[Node], names_max: int = 5) -> str:
    """Nodes as one piece of a sentence."""
    shown = ", ".join(str(node) for node in nodes[:names_max])
    return shown if len(nodes) <= names_max else f"{shown} and {len(nodes) - names_max} more"
