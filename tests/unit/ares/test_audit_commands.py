"""Goal: `ares audit` says what can be proved and what cannot, to people and to programs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.clock import SystemClock
from ares.commands.audit import app
from ares.config import load_config
from ares.control import AuditEntry, ControlStore
from ares.errors import AuditBroken
from ares.service import ServiceContext
from ares.service.auditing import witness_of


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three audited changes, their head signed and copied elsewhere."""
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ARES_AUDIT__WITNESS_DIR", str(tmp_path / "elsewhere"))
    (tmp_path / "state").mkdir()
    context = ServiceContext(load_config(), SystemClock(), "test")
    control = ControlStore.open(context.control_url)
    for number in range(3):
        entry = AuditEntry("config", "anna", "limit", number, before={"limit": number}, after={"limit": number + 1})
        control.append(f"limits/{number}", [], expected_seq=0, audit=[entry])
    witness_of(context, control).look()
    control.close()
    return tmp_path


def tamper(installation: Path, statement: str) -> None:
    connection = sqlite3.connect(installation / "state" / "control.db")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_whole_chain_with_its_heads_elsewhere_is_told_without_a_warning(installation: Path) -> None:
    said = CliRunner().invoke(app, ["verify"])
    assert said.exit_code == 0
    assert "whole: 3 entries of 1 writers, 1 signed heads" in said.stdout
    assert "beside the chain" not in said.stdout
    assert "No signed heads" not in said.stdout


def test_a_program_gets_an_empty_list_and_nothing_else(installation: Path) -> None:
    said = CliRunner().invoke(app, ["verify", "--json", "--witness", str(installation / "elsewhere")])
    assert (said.exit_code, json.loads(said.stdout)) == (0, [])


def test_entry_that_is_no_json_any_more_is_a_fault_and_exported_as_it_is(installation: Path) -> None:
    tamper(installation, "UPDATE audit_entries SET entry = 'erased' WHERE seq = 2")
    said = CliRunner().invoke(app, ["verify", "--json"])
    assert isinstance(said.exception, AuditBroken)
    assert {fault["seq"] for fault in json.loads(said.stdout)} == {2}
    out = installation / "audit.jsonl"
    assert CliRunner().invoke(app, ["export", str(out)]).exit_code == 0
    assert [json.loads(line)["entry"] == "erased" for line in out.read_text().splitlines()] == [False, True, False]


def test_kept_head_that_is_none_is_a_fault(installation: Path) -> None:
    tamper(installation, "UPDATE audit_heads SET head = 'erased'")
    said = CliRunner().invoke(app, ["verify", "--json"])
    assert isinstance(said.exception, AuditBroken)
    (fault,) = json.loads(said.stdout)
    assert "not a head" in fault["detail"]
