"""Goal: whoever helps from afar gets what there is, whatever is broken, and never a secret."""

from __future__ import annotations

import json
import stat
import tarfile
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ares.commands.support import app
from ares.config.settings import DatabaseConfig
from ares.control import AuditEntry, ControlStore, NewEvent

CANARY = "canary-0123456789abcdef"


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ports: list[int]) -> Path:
    """An installation that ran once and is down; its database is nowhere."""
    folder = tmp_path / "var"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "trader.log").write_text(f"first\nlogin with {CANARY} failed\nlast\n", encoding="utf-8")
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(folder))
    monkeypatch.setenv("ARES_VENUES__SIM__API_SECRET", CANARY)
    for name, port in zip(("http_port", "pg_port", "health_port"), ports, strict=True):
        monkeypatch.setenv(f"ARES_DATABASE__{name.upper()}", str(port))
    monkeypatch.setenv("ARES_DATABASE__CONNECT_S_MAX", "0.5")
    control = ControlStore.open(f"sqlite:///{folder / 'control.db'}")
    entry = AuditEntry("trader/paper", "operator", "trading_state", 1)
    control.append("fills/paper", [NewEvent("filled", 1, {"price": "62598.2"})], expected_seq=0, audit=[entry])
    control.close()
    return folder


def bundle(path: Path) -> tuple[dict[str, str], Result]:
    ran = CliRunner().invoke(app, ["--out", str(path)], catch_exceptions=False)
    with tarfile.open(path) as archive:
        texts = {
            member.name.removeprefix("ares-support/"): file.read().decode()
            for member in archive.getmembers()
            if (file := archive.extractfile(member)) is not None
        }
    return texts, ran


def test_bundle_of_an_installation_that_is_down_holds_what_there_is(state_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "bundle.tar.gz"
    texts, ran = bundle(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    manifest = json.loads(texts["MANIFEST.json"])
    assert set(manifest["missing"]) == {"storage.json"}
    assert "cannot be reached" in manifest["missing"]["storage.json"]
    assert "without storage.json" in ran.stdout
    assert texts["logs/trader.log"] == "first\nlogin with (hidden) failed\nlast\n"
    assert json.loads(texts["control.json"])["events"] == {"fills.filled": 1}
    assert json.loads(texts["audit.json"])["entries"] == 1
    assert json.loads(texts["config.json"])["venues"]["sim"]["api_secret"] == "(hidden)"
    assert any(finding["check"] == "control store" for finding in json.loads(texts["doctor.json"]))
    whole = "".join(texts.values())
    assert CANARY not in whole + ran.stdout
    assert "62598.2" not in whole


def test_bundle_with_a_database_says_how_the_storage_is(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig
) -> None:
    for name in ("http_port", "pg_port", "health_port"):
        monkeypatch.setenv(f"ARES_DATABASE__{name.upper()}", str(getattr(questdb_config, name)))
    texts, _ = bundle(tmp_path / "bundle.tar.gz")
    assert {"name": "trades", "kind": "table"}.items() <= next(
        row.items() for row in json.loads(texts["storage.json"]) if row["name"] == "trades"
    )
    assert json.loads(texts["MANIFEST.json"])["missing"] == {}


def test_settings_that_cannot_be_read_are_named_and_the_machine_is_described(
    state_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARES_TRADING__CYCLE_S", "-1")
    texts, ran = bundle(tmp_path / "bundle.tar.gz")
    assert set(texts) == {"machine.json", "MANIFEST.json"}
    assert "trading.cycle_s" in json.loads(texts["MANIFEST.json"])["missing"]["settings"]
    assert ran.exit_code == 0
    assert "questdb" in json.loads(texts["machine.json"])["packages"]


def test_place_that_cannot_be_written_is_an_error(state_dir: Path) -> None:
    ran = CliRunner().invoke(app, ["--out", "/nowhere/bundle.tar.gz"])
    assert "Choose a file that can be written" in str(ran.exception)
