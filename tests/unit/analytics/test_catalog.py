"""Goal: a feature is one .sql file, found by its name, described by its own header."""

from __future__ import annotations

import re

import pytest

from analytics.catalog import Definition, definition, definition_of, definitions
from ares.errors import UnknownName
from ares.store.migrate import Statement


def test_there_are_at_least_twelve_features_and_the_two_strategies() -> None:
    assert len(definitions("feature")) >= 12
    assert {d.name for d in definitions("signal")} == {"signal_momentum", "signal_direction"}


@pytest.mark.parametrize("d", [*definitions("feature"), *definitions("signal")], ids=lambda d: d.view)
def test_header_says_what_grain_when_and_from_what(d: Definition) -> None:
    assert d.comment.startswith(f"{d.view}: ")
    for word in ("Grain:", "Known after:", "Inputs:"):
        assert word in d.comment
    if d.kind == "feature":
        assert re.search(r"Unit: \S", d.comment)
        assert "Warm-up:" in d.comment
        assert "NULL" in d.comment


def test_name_means_the_newest_version_and_versioned_name_itself() -> None:
    assert definition("feature", "rsi_14") is definition("feature", "rsi_14_v1")
    assert definition("feature", "rsi_14").warm_up_bars == 14
    assert definition("feature", "rsi_14").what.endswith("50 = balanced or still.")


def test_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownName, match=r"rsi_15.*rsi_14"):
        definition("feature", "rsi_15")


def test_alias_is_no_definition() -> None:
    assert definition_of("feature", Statement("rsi_14", "VIEW", "SELECT 1", "", "x.sql")) is None


def test_what_a_definition_reads_is_told_from_its_text_not_its_comments() -> None:
    statement = Statement("a_v1", "VIEW", "-- not quotes\nSELECT * FROM bars_1m_checked", "a_v1: what.", "x.sql")
    found = definition_of("feature", statement)
    assert found is not None
    assert found.reads("bars_1m_checked")
    assert not found.reads("quotes", "books")
    assert (found.warm_up_bars, found.what) == (0, "what.")
