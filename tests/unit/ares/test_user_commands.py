"""Goal: an operator adds, confines and locks out users from a shell, and nothing secret is shown twice."""

from __future__ import annotations

import json
from pathlib import Path

import pyotp
import pytest
from typer.testing import CliRunner

from ares.commands.user import app
from ares.errors import UnknownName, UsageError

PASSWORD = "correct horse battery\n"


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path / "new"))
    assert run("add", "root", "--role", "admin", typed=PASSWORD) == "root may come in as admin"
    return tmp_path


def run(*arguments: str, typed: str = "") -> str:
    said = CliRunner().invoke(app, [*arguments], input=typed)
    assert said.exit_code == 0, said.exception
    return said.stdout.strip()


def users() -> dict[str, dict[str, object]]:
    return {row["user"]: row for row in json.loads(run("list", "--json"))}


def test_a_user_is_added_confined_locked_out_and_let_in_again() -> None:
    run("add", "maria", "--role", "trader", "--account", "spot-1", "--why", "joins the desk", typed=PASSWORD)
    assert users()["maria"] == {
        "user": "maria", "role": "trader", "accounts": ["spot-1"], "strategies": None, "enabled": True,
        "second_factor": False, "identity": "", "sessions": 0, "keys": 0,
    }  # fmt: skip
    run("role", "maria", "viewer", "--strategy", "signal_momentum")
    assert (users()["maria"]["accounts"], users()["maria"]["strategies"]) == (None, ["signal_momentum"])
    run("disable", "maria", "--why", "has left")
    assert not users()["maria"]["enabled"]
    run("enable", "maria")
    run("logout", "maria")
    run("unlock", "maria")
    assert users()["maria"]["enabled"]


def test_a_key_is_shown_once_and_listed_without_its_secret() -> None:
    text = run("key-add", "root", "notebook", "--may", "market:read", "--days", "90")
    assert text.startswith("ares_ak_")
    listed = run("keys", "root", "--json")
    assert text.rpartition(".")[2] not in listed
    (key,) = json.loads(listed)
    assert (key["label"], key["may"], key["revoked"]) == ("notebook", ["market:read"], False)
    run("key-revoke", "root", key["key"])
    assert json.loads(run("keys", "root", "--json"))[0]["revoked"]


def test_a_second_factor_is_set_up_and_a_lost_one_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    secret = pyotp.random_base32()
    monkeypatch.setattr(pyotp, "random_base32", lambda: secret)
    run("second-factor", "root", typed=f"{pyotp.TOTP(secret).now()}\n")
    assert users()["root"]["second_factor"]
    run("second-factor", "root", "--off", "--why", "phone was lost")
    assert not users()["root"]["second_factor"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["disable", "nobody"], UnknownName),
        (["disable", "root"], UsageError),
        (["add", "maria"], UsageError),
        (["key-add", "root", "bot", "--may", "users:write"], UsageError),
    ],
)
def test_what_cannot_be_done_is_one_error(arguments: list[str], error: type[Exception]) -> None:
    said = CliRunner().invoke(app, arguments, input="short\n")
    assert isinstance(said.exception, error)
