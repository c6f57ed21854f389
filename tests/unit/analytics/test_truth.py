"""Many views are asked in one statement, whose declarations stand once, over bars that were worked out once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from analytics.catalog import Catalog, Definition, catalog_of
from analytics.recent import WARM_UP_BARS
from analytics.shared import sources_of
from analytics.truth import over_all


def test_statement_over_one_view_becomes_one_over_all_of_them() -> None:
    sql = "-- what for\nDECLARE @from := now()\nSELECT ts, 'this_view' AS view FROM this_source WHERE ts > @from"
    assert over_all(sql, {"a_v1": "a_v1", "b_v2": "(SELECT 1)"}) == (
        "-- what for\nDECLARE @from := now()\n"
        "SELECT ts, 'a_v1' AS view FROM a_v1 WHERE ts > @from"
        " UNION ALL "
        "SELECT ts, 'b_v2' AS view FROM (SELECT 1) WHERE ts > @from"
    )


@pytest.mark.parametrize("definition", [*catalog_of().features, *catalog_of().signals], ids=lambda d: d.view)
def test_every_view_of_ours_is_read_over_shared_bars_and_says_nothing_else(definition: Definition) -> None:
    source = sources_of(catalog_of())[definition.view]
    assert source.startswith("(SELECT ")
    assert "bars_1m_checked" not in source
    assert "@warm_up" not in source
    assert ("bars_1m_recent" in source) == (definition.name != "signal_direction")


@pytest.mark.parametrize("signal", catalog_of().signals, ids=lambda d: d.view)
def test_only_strategies_of_models_wait_for_predictions(signal: Definition) -> None:
    assert signal.waits_for_predictions == ("predictions" in sources_of(catalog_of())[signal.view])
    assert replace(signal, own=True).waits_for_predictions


def test_what_is_not_ours_or_reaches_back_too_far_is_read_as_it_is() -> None:
    sql = (
        "CREATE OR REPLACE VIEW deep_v1 AS (\n"
        "  DECLARE OVERRIDABLE @from := now(), OVERRIDABLE @to := now(), @warm_up := 7\n"
        "  SELECT ts, venue, symbol, close AS value FROM bars_1m_checked -- why\n"
        "  WHERE symbol LIKE 'A%' AND ts > @from\n)"
    )
    ours = Definition("feature", "deep", 1, "", sql, 7)
    theirs = Definition("feature", "deep", 1, "", sql, 7, own=True)
    deep = Definition("feature", "deep", 1, "", sql, WARM_UP_BARS + 1)
    reader = Definition("signal", "reader", 1, "", sql.replace("bars_1m_checked", "deep_v1 d"), 0)
    assert sources_of(Catalog((theirs,), ())) == {"deep_v1": "deep_v1"}
    assert sources_of(Catalog((deep,), ())) == {"deep_v1": "deep_v1"}
    sources = sources_of(Catalog((ours,), (reader,)))
    assert "FROM bars_1m_recent WHERE ts >= dateadd('m', -7, @from) AND ts <= @to)" in sources["deep_v1"]
    assert f"FROM {sources['deep_v1']} d \n  WHERE symbol LIKE 'A%%'" in sources["reader_v1"]
