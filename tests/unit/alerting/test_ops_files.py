"""Goal: what the watching programs read is laid whole, for the addresses that are set, and no secret is readable."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from alerting.grafana import grafana, password_file
from alerting.ops import lay_files, ops_dir, programs
from ares.config.settings import AresConfig
from ares.errors import UsageError


def config(state_dir: Path, database: Mapping[str, object] | None = None, **alerting: object) -> AresConfig:
    return AresConfig.model_validate(
        {"environment": {"state_dir": state_dir}, "alerting": alerting, "database": database or {}}
    )


def unpacked(folder: Path, program: str = "grafana-server") -> Path:
    """A folder as Grafana's archive has it."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / program).touch(0o755)
    return folder


def test_addresses_are_those_of_the_settings(tmp_path: Path) -> None:
    folder = lay_files(config(tmp_path, {"pg_port": 7001}, port=7002, prometheus_port=7003, alertmanager_port=7004))
    sources = (folder / "grafana" / "provisioning" / "datasources" / "ares.yml").read_text()
    assert "127.0.0.1:7001" in sources
    assert "127.0.0.1:7003" in sources
    assert "127.0.0.1:7004" in (folder / "prometheus" / "prometheus.yml").read_text()
    assert "127.0.0.1:7002" in (folder / "alertmanager" / "alertmanager.yml").read_text()
    assert len(list((folder / "grafana" / "dashboards").glob("ares-*.json"))) == 9


@pytest.mark.parametrize("who", ["ops", "grafana"])
def test_sql_alerts_are_grafanas_only_where_it_asks_them(tmp_path: Path, who: str) -> None:
    lay_files(config(tmp_path, sql_asked_by="grafana"))
    folder = lay_files(config(tmp_path, sql_asked_by=who, alertmanager_port=7004))
    alerting = folder / "grafana" / "provisioning" / "alerting"
    assert alerting.is_dir() == (who == "grafana")
    if who == "grafana":
        assert "127.0.0.1:7004" in (alerting / "routes.yml").read_text()
        assert (alerting / "rules.yml").is_file()


def test_a_database_over_tls_is_asked_over_tls(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    database = {"mode": "remote", "tls": "verified", "tls_ca_file": authority}
    folder = lay_files(config(tmp_path, database))
    sources = (folder / "grafana" / "provisioning" / "datasources" / "ares.yml").read_text()
    assert "sslmode: verify-full\n" in sources
    assert f"sslRootCertFile: {authority}" in sources
    assert "sslmode: disable" not in sources


def test_the_password_of_grafana_is_made_once_and_nobody_else_reads_it(tmp_path: Path) -> None:
    lay_files(config(tmp_path))
    password = password_file(ops_dir(tmp_path))
    first = password.read_text()
    assert len(first) >= 24
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    lay_files(config(tmp_path))
    assert password.read_text() == first


@pytest.mark.parametrize(("program", "words"), [("grafana-server", []), ("grafana", ["server"])])
def test_grafana_of_either_kind_runs_on_loopback_without_secrets_on_its_command_line(
    tmp_path: Path, program: str, words: list[str]
) -> None:
    home = unpacked(tmp_path / "grafana", program)
    set_up = config(tmp_path, {"readonly_password": "known to few"}, grafana_home=home, grafana_port=7005)
    run = grafana(set_up, home, ops_dir(tmp_path))
    assert list(run.command) == [str(home / "bin" / program), *words, "--homepath", str(home)]
    assert run.environment["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert run.environment["GF_SERVER_HTTP_PORT"] == "7005"
    assert run.environment["ARES_DATABASE__READONLY_PASSWORD"] == "known to few"
    assert "known to few" not in json.dumps(run.command)
    assert len(programs(set_up)) == 3
    assert len(programs(config(tmp_path))) == 2


def test_a_folder_without_a_grafana_is_refused_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"alerting\.grafana_home = .*Name the folder that Grafana 9.3 or newer"):
        programs(config(tmp_path, grafana_home=tmp_path / "empty"))
