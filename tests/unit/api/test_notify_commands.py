"""Goal: an operator sets up from a shell where users are told, and no address or key is shown twice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from api.notify.commands import app
from ares.commands import user
from ares.errors import UnknownName, UsageError

URL = "https://example.org/a-path-that-is-secret\n"


@pytest.fixture(autouse=True)
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path / "new"))
    monkeypatch.setenv("COLUMNS", "200")
    made = CliRunner().invoke(user.app, ["add", "maria", "--role", "trader"], input="correct horse battery\n")
    assert made.exit_code == 0, made.exception


def run(*arguments: str, typed: str = "") -> str:
    said = CliRunner().invoke(app, [*arguments], input=typed)
    assert said.exit_code == 0, said.exception
    return said.stdout.strip()


def refused(*arguments: str, typed: str = "") -> UsageError:
    said = CliRunner().invoke(app, [*arguments], input=typed)
    assert isinstance(said.exception, UsageError), said.exception
    return said.exception


def test_a_webhook_is_added_listed_changed_and_removed() -> None:
    made = run("add", "maria", "webhook", "desk", "--topic", "fills", "--topic", "state", typed=URL)
    key = made.rpartition(" ")[2]
    (listed,) = json.loads(run("list", "maria", "--json"))
    assert (listed["user"], listed["kind"], listed["topics"]) == ("maria", "webhook", "fills, state")
    assert key not in json.dumps(listed)
    assert "secret" not in json.dumps(listed)
    assert run("choose", "maria", listed["target"], "--topic", "alerts").endswith("is told of alerts")
    assert json.loads(run("list", "--json"))[0]["topics"] == "alerts"
    run("remove", "maria", listed["target"], "--why", "another desk")
    assert json.loads(run("list", "--json")) == []


def test_a_telegram_chat_wants_a_bot_and_then_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    wish = ("add", "maria", "telegram", "phone", "--topic", "state")
    assert "notifications.telegram_token" in str(refused(*wish))
    monkeypatch.setenv("ARES_NOTIFICATIONS__TELEGRAM_TOKEN", "110:a-token")
    said = run(*wish)
    assert said.startswith("Say to the bot, in a private chat, within 600 s: /link ")
    assert len(said.rpartition(" ")[2]) == 12


def test_what_cannot_be_is_said_with_its_way_out() -> None:
    assert "https is expected" in str(refused("add", "maria", "slack", "x", "--topic", "state", typed="http://a.b/c\n"))
    assert isinstance(refused("add", "maria", "slack", "x", "--topic", "news", typed=URL), UnknownName)
    assert isinstance(refused("add", "nobody", "slack", "x", "--topic", "state", typed=URL), UnknownName)
    assert isinstance(refused("test", "maria", "nothing"), UnknownName)
