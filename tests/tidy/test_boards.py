"""Goal: no panel without a test, no query without a panel, and no board that is not what its code says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ares_boards.board import GRID_WIDTH, PANEL_WIDTH_MIN
from ares_boards.boards import BOARDS as BUILT
from tests.boards import BOARDS, SHAPES, VARIABLE, asked_of_panels, expressions, marks, panels, variables
from tests.helpers import ROOT

QUERIES = ROOT / "grafana" / "src" / "ares_boards" / "queries"
SOURCES = {"questdb": "postgres", "prometheus": "prometheus"}
"""uid and type of the data sources that panels may name."""


def statements() -> dict[str, str]:
    """All queries by the name of their file."""
    files = sorted(QUERIES.rglob("*.sql"))
    return {file.relative_to(QUERIES).as_posix(): file.read_text(encoding="utf-8").strip() for file in files}


def asked(board: Path) -> set[str]:
    return {each.sql for find in (asked_of_panels, marks, variables) for each in find(board)}


def test_boards_are_what_their_code_writes() -> None:
    assert {board.name for board in BOARDS} == {f"{board.uid}.json" for board in BUILT}
    for board in BUILT:
        there = (ROOT / "grafana" / "dashboards" / f"{board.uid}.json").read_text(encoding="utf-8")
        assert there == board.json(), f"{board.uid}: run make generate"


def test_every_query_is_on_a_board_and_every_board_asks_only_queries_from_files() -> None:
    known = statements()
    assert len(set(known.values())) == len(known), "two files ask the same"
    used = {sql for board in BOARDS for sql in asked(board)}
    assert sorted(name for name, sql in known.items() if sql not in used) == [], "no panel shows what they answer"
    assert used <= set(known.values()), "a statement that stands in no file"


@pytest.mark.parametrize("name", statements())
def test_query_says_what_it_answers_and_is_one_statement_that_only_asks(name: str) -> None:
    text = statements()[name]
    assert text.startswith("-- "), "a sentence first"
    body = re.sub(r"--[^\n]*", "", text).strip()
    assert ";" not in body
    assert re.match(r"(SELECT|WITH|DECLARE)\b", body)
    assert "SELECT *\n" not in body.split("FROM")[0], "columns that the panel shows are named"
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_board_can_be_read_by_a_person_on_a_phone_too(board: Path) -> None:
    read = json.loads(board.read_text(encoding="utf-8"))
    assert read["description"].endswith("?"), "the question that the board answers"
    assert read["links"][0]["tags"] == ["ares"], "the way to the other boards"
    found = panels(board)
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        place = panel["gridPos"]
        assert panel["title"]
        assert panel["description"].endswith("."), f"{panel['title']}: what it means, in a sentence"
        assert place["w"] >= PANEL_WIDTH_MIN
        assert place["x"] + place["w"] <= GRID_WIDTH


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_every_panel_is_of_a_kind_that_is_tested_and_asks_a_known_source(board: Path) -> None:
    for panel in panels(board):
        assert panel["type"] in SHAPES, f"{panel['title']}: tests/boards.py does not know what it needs"
        assert panel["targets"], f"{panel['title']} shows nothing"
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        assert SOURCES[panel["datasource"]["uid"]] == panel["datasource"]["type"]
    tested = sum(1 for find in (asked_of_panels, expressions) for _ in find(board))
    assert tested == sum(len(panel["targets"]) for panel in panels(board)), "a target that no test asks"


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_board_has_the_variables_that_its_statements_name(board: Path) -> None:
    given = {each["name"] for each in json.loads(board.read_text(encoding="utf-8"))["templating"].get("list", [])}
    assert {name for sql in asked(board) for name, _ in VARIABLE.findall(sql)} <= given


def test_provisioning_names_the_sources_of_the_boards_and_holds_no_password() -> None:
    text = (ROOT / "grafana" / "provisioning" / "datasources" / "ares.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"uid: (\w+)", text)) == {*SOURCES, "traces"}
    assert re.findall(r"(?:user|password): (.*)", text) == [
        "$__env{ARES_DATABASE__READONLY_USER}",
        "$__env{ARES_DATABASE__READONLY_PASSWORD}",
    ]
    assert all(host == "127.0.0.1" for host in re.findall(r"url: (?:http://)?([\w.]+):\d+", text))


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.stem)
def test_variables_have_ids_of_their_own(board: Path) -> None:
    listed = json.loads(board.read_text(encoding="utf-8"))["templating"].get("list", [])
    assert [each["id"] for each in listed] == [each["name"] for each in listed], "of one id Grafana keeps the last"
