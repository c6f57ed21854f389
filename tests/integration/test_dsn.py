"""Goal: what `ares db dsn` prints works as it stands, reads only, ends in time, and hides the password unless asked."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shlex
import stat
import subprocess
import typing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.commands.db import app
from ares.config.settings import DatabaseConfig
from tests.helpers import settings_file

PASSWORD = "quest"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv(
        "ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, "[analysts]\nstatement_s_max = 1.0\n"))
    )
    monkeypatch.delenv("PGPASSWORD", raising=False)
    return CliRunner()


def printed(cli: CliRunner, *arguments: str) -> dict[str, str]:
    result = cli.invoke(app, ["dsn", *arguments, "--json"], catch_exceptions=False)
    (row,) = json.loads(result.stdout)
    return {str(name): str(value) for name, value in row.items()}


@pytest.mark.parametrize("line", ["psycopg", "sqlalchemy", "pandas"])
def test_every_line_of_python_reads_as_it_stands(cli: CliRunner, line: str, tmp_path: Path) -> None:
    for name in ("sqlalchemy", line):
        pytest.importorskip(name, reason=f"{name} is the notebook's")
    code = printed(cli, "--passfile", str(tmp_path / "pgpass"))[line]
    known: dict[str, typing.Any] = {}
    exec(code, known)
    assert len(known["rows"]) <= 5
    known["connection"].close()
    if "engine" in known:
        known["engine"].dispose()


def test_psql_reads_by_the_line_and_the_password_of_the_environment(cli: CliRunner, psql: str) -> None:
    words = shlex.split(printed(cli)["psql"])
    environment = {**os.environ, "PGPASSWORD": PASSWORD}
    done = subprocess.run([psql, *words[1:]], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused = subprocess.run(
        [psql, *words[1:-1], "CREATE TABLE by_an_analyst (a INT)"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "permission denied" in refused.stderr


def test_a_statement_by_the_dsn_is_ended_by_the_server_itself(cli: CliRunner) -> None:
    psycopg = importlib.import_module("psycopg")
    connection = psycopg.connect(printed(cli, "--show-password")["dsn"], autocommit=True)
    endless = "SELECT count() FROM long_sequence(1000000) a CROSS JOIN long_sequence(1000000) b WHERE a.x * b.x % 7 = 9"
    with pytest.raises(psycopg.Error, match="timeout, query aborted"):
        connection.execute(endless)
    connection.close()


def test_the_password_is_shown_only_when_it_is_asked_for(cli: CliRunner, tmp_path: Path) -> None:
    def with_password(*arguments: str) -> bool:
        shown = cli.invoke(app, ["dsn", *arguments], catch_exceptions=False).stdout
        return f":{PASSWORD}@" in shown

    assert not with_password()
    assert "PGPASSWORD" in printed(cli)["password"]
    assert with_password("--show-password")
    file = tmp_path / "pgpass"
    assert not with_password("--passfile", str(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().strip().endswith(f":qdb:user:{PASSWORD}")


async def test_a_passfile_that_cannot_be_written_is_named(cli: CliRunner, tmp_path: Path) -> None:
    result = await asyncio.to_thread(cli.invoke, app, ["dsn", "--passfile", str(tmp_path / "no" / "pgpass")])
    assert "passfile = " in str(result.exception)
    both = await asyncio.to_thread(cli.invoke, app, ["dsn", "--show-password", "--passfile", str(tmp_path / "pgpass")])
    assert "Choose either" in str(both.exception)
