"""Goal: the command line as a user meets it: help with examples, one clear line for an error, the right exit code."""

from __future__ import annotations

import json
import socket
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.cli import app
from ares.config.settings import DatabaseConfig
from tests.helpers import ares, typed


def reaching(config: DatabaseConfig) -> dict[str, str]:
    return {
        "ARES_DATABASE__MODE": "remote",
        "ARES_DATABASE__HTTP_PORT": str(config.http_port),
        "ARES_DATABASE__PG_PORT": str(config.pg_port),
        "ARES_DATABASE__HEALTH_PORT": str(config.health_port),
    }


REAL = {"ARES_TRADING__VENUE": "binance", "ARES_VENUES__BINANCE__PROTOCOL": "binance"}
NO_DATABASE = {"ARES_DATABASE__PG_PORT": "9", "ARES_DATABASE__CONNECT_S_MAX": "0.5"}


def test_help_lists_the_commands_of_every_package() -> None:
    result = typed("--help")
    assert result.returncode == 0
    for command in ("config", "db", "demo", "features", "ingest", "job", "service", "simulate", "trader", "up"):
        assert command in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        *("config show", "config validate", "config schema", "db sql", "db migrate", "db start", "db stop"),
        *("db status", "db console", "service run", "service list", "job run", "job list"),
        *("up", "status", "demo", "version", "data quality"),
        *("trader status", "trader halt", "trader resume", "trader flatten", "trader pause", "trader cancel"),
        *("trader preview", "trader order", "trader alive", "trader why", "trader explain"),
    ],
)
def test_help_of_every_command_shows_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert f"Example: ares {command}" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "words"),
    [
        (["config", "validate"], {"ARES_DATABASE__HTTP_PORT": "abc"}, 2, ["database.http_port", "'abc'", "integer"]),
        (["config", "validate"], {"ARES_DATABASE__HTP_PORT": "1"}, 2, ["no such setting", "Did you mean http_port?"]),
        (["config", "validate", "--file", "/nope.toml"], {}, 2, ["/nope.toml", "no such file"]),
        (["config", "validate", "--profile", "prod"], {}, 2, ["database.password", "dev only"]),
        (["service", "run", "nope"], {}, 2, ["service = 'nope'", "Known:", "ingest"]),
        (["job", "run", "nope"], {}, 2, ["job = 'nope'", "train"]),
        (["demo", "--duration", "abc"], {}, 2, ["duration = 'abc'", "DURATION=90"]),
        (["demo", "--duration", "0"], {}, 2, ["duration = '0'", "not a number of seconds"]),
        (["demo", "--report", "/proc/nope/out.json"], {}, 2, ["report", "/proc/nope/out.json"]),
        (["db", "sql", "SELECT 1"], NO_DATABASE, 1, ["QuestDB", "127.0.0.1:9"]),
        (["db", "start"], {"ARES_DATABASE__MODE": "remote"}, 2, ["database.mode", "remote"]),
        (["service", "run", "trader"], REAL, 2, ["trading.venue", "real venue", "profile is dev"]),
        (["trader", "live", "request", "--reason", "x"], {}, 2, ["trading.venue", "moves no money"]),
        (["trader", "live", "approve", "--reason", "x"], REAL, 2, ["trading.venue", "real venue"]),
        (["data", "quality", "--hours", "0"], {}, 2, ["hours = 0.0", "not between"]),
        (["data", "quality"], NO_DATABASE, 1, ["QuestDB", "127.0.0.1:9"]),
        (["trader", "order", "BTC/USDT", "buy", "1"], {}, 2, ["Missing option", "--reason"]),
        (["trader", "cancel"], {}, 2, ["order_id = ''", "--all"]),
        (["trader", "pause", "x"], {"ARES_ENVIRONMENT__STATE_DIR": "/nope"}, 1, ["no trader runs here", "ares up"]),
        (["trader", "explain", "x"], NO_DATABASE, 1, ["QuestDB", "127.0.0.1:9"]),
        (["nonsense"], {}, 2, ["No such command", "nonsense"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_clear_line_with_its_exit_code(
    arguments: list[str], variables: dict[str, str], code: int, words: list[str]
) -> None:
    result = typed(*arguments, **variables)
    said = " ".join(result.stderr.replace("│", " ").split())
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    for word in words:
        assert word in said


def test_state_directory_that_cannot_be_written_stops_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = ares("demo", "--duration", "1", ARES_ENVIRONMENT__STATE_DIR=str(tmp_path / "file" / "var"))
    assert result.returncode == 1
    assert "ARES_ENVIRONMENT__STATE_DIR" in result.stderr
    assert "starting" not in result.stdout


def test_config_is_shown_without_its_secrets() -> None:
    shown = json.loads(ares("config", "show", ARES_VENUES__SIM__API_SECRET="hush").stdout)
    assert shown["database"]["http_port"] == 9000
    assert "hush" not in json.dumps(shown)


def test_schema_describes_every_section() -> None:
    schema = json.loads(typed("config", "schema").stdout)
    assert {"database", "trading", "ingest"} <= set(schema["properties"])


def test_query_prints_a_table_or_json(questdb_config: DatabaseConfig) -> None:
    table = typed("db", "sql", "SELECT 1 AS one, NULL AS nothing", **reaching(questdb_config))
    assert "one" in table.stdout, table.stderr
    rows = typed("db", "sql", "SELECT 1 AS one", "--json", **reaching(questdb_config))
    assert json.loads(rows.stdout) == [{"one": 1}]
    nothing = typed("db", "sql", "SELECT * FROM fills WHERE account = 'nobody'", **reaching(questdb_config))
    assert "(no rows)" in nothing.stdout


def test_query_that_is_wrong_says_where(questdb_config: DatabaseConfig) -> None:
    result = typed("db", "sql", "SELECT * FROM nowhere", **reaching(questdb_config))
    assert result.returncode == 1
    assert "table does not exist" in result.stderr


def test_migrating_and_asking_for_the_state_of_a_remote_database(questdb_config: DatabaseConfig) -> None:
    migrated = ares("db", "migrate", **reaching(questdb_config))
    assert "tables in place" in migrated.stdout, migrated.stderr
    states = json.loads(typed("db", "status", "--json", **reaching(questdb_config)).stdout)
    assert "trades" in {row["name"] for row in states}
    assert "migration" not in {row["kind"] for row in states}
    planned = typed("db", "migrate", "--plan", "--json", **reaching(questdb_config))
    assert json.loads(planned.stdout) == [], planned.stderr


def test_console_address_and_psql_line_are_printed() -> None:
    result = typed("db", "console")
    assert "http://127.0.0.1:9000" in result.stdout
    assert "psql -h 127.0.0.1 -p 8812 -U user qdb" in result.stdout


def test_nothing_runs_in_an_empty_state_directory(tmp_path: Path) -> None:
    result = typed("status", ARES_ENVIRONMENT__STATE_DIR=str(tmp_path))
    assert "(no rows)" in result.stdout


def test_settings_are_changed_taken_back_and_rolled_back_with_a_history(tmp_path: Path) -> None:
    here = {"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)}
    changed = typed("config", "set", "trading.risk.price_collar", "0.02", "--why", "thin market", **here)
    assert (changed.returncode, "at once" in changed.stdout) == (0, True)
    assert (
        typed("config", "set", "trading.account", "other", "--why", "move", **here).stdout.count("after a restart") == 1
    )
    refused = typed("config", "set", "trading.risk.price_collar", "7", "--why", "typo", **here)
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "trading.risk.price_collar = 7" in refused.stderr
    history = json.loads(ares("config", "history", "--json", **here).stdout)
    assert [(row["cause"], row["why"]) for row in history] == [("found", ""), ("set", "thin market"), ("set", "move")]
    assert typed("config", "rollback", "2", "--why", "wrong account", **here).returncode == 0
    assert json.loads(ares("config", "show", "--overrides", **here).stdout) == {
        "trading": {"risk": {"price_collar": "0.02"}}
    }
    assert typed("config", "unset", "trading.risk.price_collar", "--why", "calm again", **here).returncode == 0
    assert json.loads(typed("config", "show", "--overrides", **here).stdout) == {}
    assert typed("config", "drift", **here).returncode == 0
    assert "no service runs here" in typed("config", "reload", **here).stdout


def test_database_that_is_down_is_one_line(port: int) -> None:
    result = ares("db", "sql", "SELECT 1", **NO_DATABASE | {"ARES_DATABASE__PG_PORT": str(port)})
    assert (result.returncode, result.stderr.count("\n")) == (1, 1)
    assert f"127.0.0.1:{port}" in result.stderr


def test_doctor_names_what_fails_with_the_way_out(tmp_path: Path, port: int) -> None:
    here = {"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path), "ARES_DATABASE__HEALTH_PORT": str(port)}
    here |= {"ARES_MONITORING__PORT_BASE": "0"}
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        result = typed("doctor", "--json", **here, ARES_TRADING__CONTROL_PORT=str(busy))
    findings = {row["check"]: row for row in json.loads(result.stdout)}
    assert result.returncode == 1
    assert "checks failed: ports" in result.stderr
    assert "trading.control_port" in findings["ports"]["observed"]


def test_audit_chain_is_verified_and_what_was_changed_is_named(tmp_path: Path) -> None:
    here = {"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)}
    for collar in ("0.02", "0.03"):
        assert typed("config", "set", "trading.risk.price_collar", collar, "--why", "test", **here).returncode == 0
    whole = ares("audit", "verify", **here)
    assert (whole.returncode, "whole: 3 entries of 1 writers" in whole.stdout) == (0, True)
    assert "No signed heads" in whole.stdout
    out = tmp_path / "audit.jsonl"
    assert typed("audit", "export", str(out), **here).returncode == 0
    exported = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(each["entry"]["what"], each["entry"]["why"]) for each in exported][1:] == [("config_changed", "test")] * 2
    with sqlite3.connect(tmp_path / "control.db") as control:
        control.execute("UPDATE audit_entries SET entry = replace(entry, '0.02', '0.01') WHERE seq = 2")
    control.close()
    broken = typed("audit", "verify", **here)
    assert (broken.returncode, "config 2 altered" in broken.stderr) == (1, True)
    assert typed("audit", "verify", "--witness", str(tmp_path / "nowhere"), **here).returncode == 2
    assert typed("audit", "export", str(tmp_path / "nowhere" / "audit.jsonl"), **here).stderr.count("\n") == 1


def test_profiles_are_compared_without_the_secrets_of_their_places() -> None:
    result = typed("config", "diff", "dev", "prod", "--json")
    rows = {row["setting"]: row for row in json.loads(result.stdout)}
    assert (rows["database.mode"]["dev"], rows["database.mode"]["prod"]) == ("embedded", "remote")
    assert "dev-secret" not in result.stdout
