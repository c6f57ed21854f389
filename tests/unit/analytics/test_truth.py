"""Many views are asked in one statement, whose declarations stand once."""

from __future__ import annotations

from analytics.truth import over_all


def test_statement_over_one_view_becomes_one_over_all_of_them() -> None:
    sql = "-- what for\nDECLARE @from := now()\nSELECT ts, 'this_view' AS view FROM this_view WHERE ts > @from"
    assert over_all(sql, ["a_v1", "b_v2"]) == (
        "-- what for\nDECLARE @from := now()\n"
        "SELECT ts, 'a_v1' AS view FROM a_v1 WHERE ts > @from"
        " UNION ALL "
        "SELECT ts, 'b_v2' AS view FROM b_v2 WHERE ts > @from"
    )
