"""Goal: a setting changed on this machine is checked before it is kept, can be taken back, and never holds a secret."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config import ConfigSource, overrides
from ares.config.changes import differences
from ares.config.load import Tree
from ares.control import ControlStore
from ares.errors import ConfigError, StateDirUnusable, UnknownName
from ares.service.config_versions import ConfigVersions


@pytest.fixture
def source(tmp_path: Path) -> ConfigSource:
    return ConfigSource.of(environ={"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path), "ARES_TRADING__CYCLE_S": "4"})


def put(source: ConfigSource, field: str, value: str) -> Tree:
    config, tree = overrides.with_override(source, field, value)
    overrides.write(config, tree)
    return tree


def test_override_holds_until_it_is_taken_back(source: ConfigSource) -> None:
    put(source, "trading.risk.price_collar", "0.02")
    put(source, "environment.log_level", "debug")
    config = source.load()
    assert (config.trading.risk.price_collar, config.environment.log_level) == (Decimal("0.02"), "debug")
    config, tree = overrides.without_override(source, "trading.risk.price_collar")
    assert config.trading.risk.price_collar == Decimal("0.01")
    assert tree == {"environment": {"log_level": "debug"}}


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("trading.risk.price_collar", "2", r"price_collar = .*less than 1"),
        ("trading.risk.price_colar", "0.1", r"Did you mean price_collar"),
        ("trading.cycle_s", "3", r"set by the variable ARES_TRADING__CYCLE_S"),
        ("environment.state_dir", "/elsewhere", r"Set ARES_ENVIRONMENT\.STATE_DIR|Set ARES_ENVIRONMENT__STATE_DIR"),
        ("venues.sim.api_secret", "hush", r"secrets do not belong in a file"),
        ("control.url", "postgresql+psycopg://u:hush@h/db", r"secrets do not belong in a file"),
        ("environment.log_level.more", "x", r"environment\.log_level = .*Change it"),
        ("environment.restart_backoff_s_min", "90.0", r"least wait \(90\.0 s\) is longer than the longest"),
    ],
)
def test_impossible_override_is_refused_and_changes_nothing(
    source: ConfigSource, field: str, value: str, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        overrides.with_override(source, field, value)
    assert overrides.current(source) == {}


def test_path_through_a_setting_that_is_overridden_already_is_refused(source: ConfigSource) -> None:
    put(source, "environment.log_level", "debug")
    with pytest.raises(ConfigError, match=r"environment\.log_level\.more = 'x': no such setting"):
        overrides.with_override(source, "environment.log_level.more", "x")


@pytest.mark.parametrize("field", ["trading.risk.price_collar", "trading", "environment.log_level"])
def test_nothing_to_take_back_is_said(source: ConfigSource, field: str) -> None:
    with pytest.raises(ConfigError, match="nothing to take back"):
        overrides.without_override(source, f"{field}.x")


def test_rollback_restores_recorded_settings_and_needs_no_more_overrides_than_differ(
    source: ConfigSource, control: ControlStore
) -> None:
    versions = ConfigVersions(control, SystemClock(), "test")
    start = source.load()
    assert versions.changed(start, "start") == 1
    put(source, "trading.risk.price_collar", "0.02")
    assert versions.changed(source.load(), "set", "thin market") == 2
    put(source, "environment.log_level", "debug")
    assert versions.changed(source.load(), "set", "look closer") == 3
    config, tree = overrides.overrides_towards(source, versions.get(2).settings)
    assert tree == {"trading": {"risk": {"price_collar": "0.02"}}}
    overrides.write(config, tree)
    assert versions.changed(source.load(), "rollback to 2") == 4
    config, tree = overrides.overrides_towards(source, versions.get(1).settings)
    assert tree == {}
    assert differences(config, start) == []
    assert [each.changes for each in versions.history()][1:3] == [
        [{"field": "trading.risk.price_collar", "before": "0.01", "after": "0.02"}],
        [{"field": "environment.log_level", "before": "info", "after": "debug"}],
    ]


def test_rollback_that_a_file_cannot_express_is_refused(source: ConfigSource) -> None:
    settings = dict(overrides.shown_tree(source.load()))
    settings["training"] = {**overrides.shown_tree(source.load().training), "cron": None}
    with pytest.raises(ConfigError, match=r"training\.cron = None: was not set then"):
        overrides.overrides_towards(source, settings)


def test_rollback_to_a_version_that_never_was_names_those_that_were(control: ControlStore) -> None:
    with pytest.raises(UnknownName, match="Known: none"):
        ConfigVersions(control, SystemClock(), "test").get(7)


def test_overrides_that_cannot_be_written_are_an_error_that_names_the_directory(
    source: ConfigSource, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("in the way", encoding="utf-8")
    with pytest.raises(StateDirUnusable, match=r"environment\.state_dir"):
        overrides.write(source.load({}), {})


def test_the_same_settings_and_the_same_refusal_are_recorded_once(source: ConfigSource, control: ControlStore) -> None:
    one, other = (ConfigVersions(control, SystemClock(), name) for name in ("one", "other"))
    assert (one.changed(source.load(), "file"), other.changed(source.load(), "file")) == (1, None)
    assert (one.refused("a = 1: wrong", "file"), other.refused("a = 1: wrong", "file")) == (2, None)
    assert other.refused("b = 2: wrong", "file") == 3
    rows = [entry.row for entry in control.outbox(0, 10) if entry.row.table == "config_versions"]
    assert [(row.table, row.symbols["status"], row.columns["version"]) for row in rows] == [
        ("config_versions", "changed", 1),
        ("config_versions", "refused", 2),
        ("config_versions", "refused", 3),
    ]
