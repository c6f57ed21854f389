"""Goal: whoever asks the log gets what is in it, and whoever asks wrongly is told how to ask."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.commands.events import app
from ares.control import ControlStore, DeadLetter, NewEvent
from ares.events.types import Origin
from trader.events import CHANGED, INTENDED

OLD_FILL = json.loads((Path(__file__).parents[2] / "fixtures/events/fills.filled.v1.json").read_text(encoding="utf-8"))


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlStore]:
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path))
    control = ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")
    for number, symbol in enumerate(("BTC/USDT", "ETH/USDT")):
        event = INTENDED.new(INTENDED.example, number, Origin(f"c{number}", "", {"symbol": symbol}))
        control.append(f"order/paper/{number}", [event], expected_seq=0)
    control.append("fills/paper", [NewEvent("filled", 2, OLD_FILL["payload"])], expected_seq=0)
    control.append("trading_state/paper", [CHANGED.new(CHANGED.example, 3)], expected_seq=0)
    yield control
    control.close()


def lines(*arguments: str) -> list[dict[str, object]]:
    ran = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    return [json.loads(line) for line in ran.stdout.splitlines()]


def test_tail_shows_the_newest_oldest_first_and_filters(log: ControlStore) -> None:
    assert [line["position"] for line in lines("tail", "--rows", "2")] == [3, 4]
    assert [line["stream"] for line in lines("tail", "--category", "order")] == ["order/paper/0", "order/paper/1"]
    assert [line["position"] for line in lines("tail", "--attribute", "symbol=ETH/USDT")] == [2]
    assert [line["position"] for line in lines("tail", "--type", "fills.filled")] == [3]
    assert [line["position"] for line in lines("tail", "--stream", "order/paper/1")] == [2]
    shown = CliRunner().invoke(app, ["tail", "--rows", "1"]).stdout
    assert "trading_state.changed" in shown
    assert "trading_state/paper@1" in shown
    assert "(no events)" in CliRunner().invoke(app, ["tail", "--category", "day"]).stdout


def test_show_tells_an_old_event_also_as_it_is_read_today(log: ControlStore) -> None:
    ran = CliRunner().invoke(app, ["show", "fills/paper@1"])
    shown = json.loads(ran.stdout)
    assert (shown["version"], shown["read_as_version"]) == (1, 2)
    assert shown["body"]["fill"]["execution"]["fill_id"] == shown["payload"]["fill_id"]
    assert json.loads(CliRunner().invoke(app, ["show", "trading_state/paper"]).stdout)["payload"]["state"] == "HALTED"


def test_export_writes_what_is_stored(log: ControlStore, tmp_path: Path) -> None:
    out = tmp_path / "events.jsonl"
    assert "3 events" in CliRunner().invoke(app, ["export", str(out), "--after", "1"]).stdout
    assert [json.loads(line)["position"] for line in out.read_text(encoding="utf-8").splitlines()] == [2, 3, 4]


def test_verify_is_content_with_a_whole_log_and_names_what_is_wrong_with_another(
    log: ControlStore, tmp_path: Path
) -> None:
    log.bury(DeadLetter("test", 1, 5, "no change", "{}"))
    whole = CliRunner().invoke(app, ["verify"])
    assert whole.exit_code == 0
    assert "whole: 4 events, 1 dead letters" in whole.stdout
    with sqlite3.connect(tmp_path / "control.db") as raw:
        raw.execute("UPDATE stream_events SET seq = 2 WHERE stream = 'fills/paper'")
        raw.execute("UPDATE stream_events SET payload = '{}' WHERE stream = 'trading_state/paper'")
    raw.close()
    broken = CliRunner().invoke(app, ["verify"])
    assert broken.exit_code == 1
    assert str(broken.exception).startswith("2 faults; the first: fills/paper: begins at 2")


def test_dead_letters_are_listed_with_their_reason(log: ControlStore) -> None:
    log.bury(DeadLetter("test", 1, 5, "no change", "{}"))
    (letter,) = json.loads(CliRunner().invoke(app, ["dead-letters", "--json"]).stdout)
    assert (letter["subscription"], letter["position"], letter["error"]) == ("test", 1, "no change")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["tail", "--type", "order.fild"], "no such event type"),
        (["tail", "--attribute", "symbol"], "not NAME=VALUE"),
        (["show", "order/paper/7"], "no such event. Known: "),
        (["show", "order/paper/0@x"], "Ids are STREAM@SEQ"),
        (["show", "order/paper/0@2"], "no such event"),
        (["export", "/nowhere/out.jsonl"], "Choose a file that can be written"),
        (["replay", "ordres"], "no such projection. Known: capital, config, datasets, events, limits"),
    ],
)
def test_wrong_question_is_answered_with_the_way_out(log: ControlStore, arguments: list[str], complaint: str) -> None:
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code != 0
    assert complaint in str(ran.exception)
