"""Goal: a feature is one .sql file, found by its name, described by its own header."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analytics.catalog import definition, definition_of, definitions
from analytics.recent import WARM_UP_BARS
from ares.config import load_config
from ares.errors import UnknownName
from ares.store.migrate import Statement

FREEZE_SQL = Path(__file__).resolve().parents[3] / "analytics" / "queries" / "freeze.sql"


def test_there_are_at_least_twelve_features_and_the_two_strategies_of_the_default_settings() -> None:
    assert len(definitions("feature")) >= 12
    assert {d.name for d in definitions("signal")} >= {"signal_momentum", "signal_direction"}


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


@pytest.mark.parametrize(
    ("name", "beyond"),
    [("rsi_14", False), ("spread", True), ("book_slope", True), ("funding_rate", True), ("beta_60", True)],
)
def test_what_its_own_bars_do_not_tell_is_known_of_a_feature(name: str, beyond: bool) -> None:
    assert definition("feature", name).reads_beyond_its_bars is beyond


def test_no_definition_reaches_back_further_than_bars_are_read_for_its_hash() -> None:
    reads = re.search(r"bars_range:.*?@warm_up := (\d+)", FREEZE_SQL.read_text(encoding="utf-8"), re.DOTALL)
    assert reads is not None
    assert int(reads[1]) == WARM_UP_BARS
    deepest = max(d.warm_up_bars for d in definitions("feature"))
    assert max(d.warm_up_bars for d in definitions("signal")) <= deepest <= WARM_UP_BARS


def test_only_the_strategies_that_the_settings_name_trade() -> None:
    traded = {strategy.name for strategy in load_config("dev", environ={}).trading.strategies}
    assert traded == {"signal_momentum", "signal_direction"}
    assert len(definitions("signal")) >= 10
