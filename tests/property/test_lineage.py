"""Goal: no edge of what was made from what is lost on any walk, up and down say the same, circles end."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from ares.commands.lineage_svg import columns, svg_of
from ares.model.lineage import DEFINING, KINDS, Branch, Edge, Graph, Made, Node, current, rows_of, run_of

nodes = st.builds(Node, st.sampled_from(KINDS), st.sampled_from("abcdef<&"))
edges = st.builds(Edge, nodes, nodes, st.sampled_from([DEFINING, "train", "ingest"]), st.just(""), st.integers(0, 3))
graphs = st.lists(edges, max_size=30).map(lambda each: Graph(tuple(each)))


def flat(branch: Branch) -> list[Node]:
    return [branch.node, *(node for below in branch.below for node in flat(below))]


@given(graphs, nodes, nodes)
def test_what_is_reached_downwards_reaches_back_upwards(graph: Graph, one: Node, other: Node) -> None:
    assert (other in graph.reached([one], "DOWN")) == (one in graph.reached([other], "UP"))


@given(graphs, nodes)
def test_part_holds_every_edge_between_what_is_reached_and_no_other(graph: Graph, root: Node) -> None:
    inside = {root, *graph.reached([root], "DOWN")}
    pairs = {(edge.source, edge.to) for edge in graph.part([root], "DOWN")}
    assert pairs == {(edge.source, edge.to) for edge in graph.edges if edge.source in inside}


@given(graphs, nodes)
def test_tree_ends_in_circles_and_shows_every_node_that_is_reached(graph: Graph, root: Node) -> None:
    shown = flat(graph.tree(root, "UP"))
    assert set(shown) == {root, *graph.reached([root], "UP")}
    assert len(shown) <= 1 + len({(edge.source, edge.to) for edge in graph.edges})


@given(graphs, nodes)
def test_drawing_shows_every_thing_and_tells_every_line_in_words(graph: Graph, root: Node) -> None:
    part = graph.part([root], "DOWN")
    drawing = svg_of([root], part, "Lineage of <it>")
    tree = ET.fromstring(drawing)
    space = "{http://www.w3.org/2000/svg}"
    boxes = {(each.findtext(f"{space}title")) for each in tree.iter(f"{space}g")}
    assert boxes == {str(node) for node in {root, *graph.reached([root], "DOWN")}}
    told = tree.findtext(f"{space}desc") or ""
    assert all(f"{edge.to} is made from {edge.source}" in told for edge in part)
    assert tree.get("role") == "img"
    assert re.fullmatch(r"title told", tree.get("aria-labelledby") or "")


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda e: e[0] < e[1]), min_size=1, max_size=20))
def test_without_circles_everything_stands_right_of_what_it_is_made_from(pairs: list[tuple[int, int]]) -> None:
    part = [Edge(Node("view", str(source)), Node("view", str(to))) for source, to in pairs]
    column = {node: x for x, each in enumerate(columns([], part)) for node in each}
    assert all(column[edge.source] < column[edge.to] for edge in part)


@given(st.lists(edges, max_size=30))
def test_only_the_newest_word_on_a_view_holds_and_all_words_of_other_jobs(said: list[Edge]) -> None:
    kept = current(said)
    for edge in said:
        newest = max((each.ts_ns for each in said if each.job == DEFINING and each.to == edge.to), default=edge.ts_ns)
        assert (edge in kept) == (edge.job != DEFINING or edge.ts_ns == newest)


@given(st.lists(st.builds(Made, nodes, st.lists(nodes, max_size=4).map(tuple)), max_size=6))
def test_run_without_an_id_is_named_by_what_it_made(made: list[Made]) -> None:
    assert run_of("job", made) == run_of("job", list(reversed(made)))
    rows = rows_of("job", "run", 7, made)
    assert rows == rows_of("job", "run", 7, made)
    assert {(row.columns["from_name"], row.columns["to_name"]) for row in rows} == {
        (source.name, each.to.name) for each in made for source in each.sources
    }
