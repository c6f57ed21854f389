"""Goal: SQL files are split, named and ordered as their authors mean it, and a slip is named."""

from __future__ import annotations

import pytest

from ares.errors import UsageError
from ares.store.migrate import Statement, digest, ordered
from ares.store.queries import split_queries, split_statements


def view(name: str, sql: str) -> Statement:
    return Statement(name, "VIEW", sql, "", f"{name}.sql")


def test_semicolons_in_comments_and_quotes_do_not_split() -> None:
    text = "-- one; two\nCREATE TABLE a (x INT);\nSELECT ';' -- three;\n, 'it''s; fine' - 1;\n-- only a comment;\n"
    assert split_statements(text) == [
        "-- one; two\nCREATE TABLE a (x INT)",
        "SELECT ';' -- three;\n, 'it''s; fine' - 1",
    ]


def test_queries_are_found_by_name_without_their_semicolon() -> None:
    queries = split_queries("-- first: what it answers.\nSELECT 1;\n\n-- second: more.\n-- a note\nSELECT 2\n")
    assert queries == {"first": "SELECT 1", "second": "-- a note\nSELECT 2"}


@pytest.mark.parametrize(
    ("text", "complaint"), [("SELECT 1", "no '-- name"), ("-- a: x.\nSELECT 1\n-- a: y.\nSELECT 2", "two blocks")]
)
def test_query_file_with_a_slip_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        split_queries(text)


def test_views_come_after_what_they_read() -> None:
    views = [view("c", "SELECT * FROM b JOIN a"), view("b", "SELECT * FROM a -- c"), view("a", "SELECT * FROM t")]
    assert [v.name for v in ordered(views)] == ["a", "b", "c"]


def test_views_that_read_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="read each other"):
        ordered([view("a", "SELECT * FROM b"), view("b", "SELECT * FROM a")])


def test_two_views_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="defined in"):
        ordered([view("a", "SELECT 1"), view("a", "SELECT 2")])


def test_fingerprint_follows_the_text() -> None:
    assert digest("a") == digest("a") != digest("b")
