"""Goal: what services say and which alarms go off can be read and followed by who operates, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest
import structlog
from prometheus_client import REGISTRY

from alerting.receiver.events import ActionOutcome, AlertActed
from alerting.receiver.journal import AlertJournal
from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig
from ares.control import ControlStore, Json
from ares.events.mirror import event_row
from ares.model.alerts import AlertTold
from ares.redaction import redact
from ares.service import ServiceContext
from ares.service.logrows import LogRows, logged_as_rows
from ares.store import Database, RowWriter
from ares.telemetry import configure_logging, correlation, get_logger
from tests.api import OpenDoor, config_of, open_door
from tests.conftest import free_port
from tests.integration.test_api import rows
from tests.integration.test_api_stream import reading

CLOCK = SystemClock()


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    async with open_door(config_of(questdb_config, tmp_path)) as there:
        yield there


@pytest.fixture
def speaking() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    root.handlers.clear()
    stream = io.StringIO()
    configure_logging("api", "info", json=True, stream=stream)
    yield stream
    root.handlers[:] = before
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def dropped() -> float:
    return REGISTRY.get_sample_value("ares_log_rows_total", {"outcome": "dropped"}) or 0.0


async def test_what_a_service_says_is_read_and_followed_without_secrets(
    door: OpenDoor, database: Database, questdb_config: DatabaseConfig, *, speaking: io.StringIO, venue: str
) -> None:
    config = AresConfig(database=questdb_config, environment=EnvironmentConfig(state_dir=door.context.state_dir))
    redact.learn("hunter2-hunter2")
    log = get_logger("here")
    async with reading(door, "operator") as reader:
        await reader.say(op="subscribe", id="l", channel="logs", filters={"service": venue, "level": "warning"})
        assert (await reader.next("snapshot", "error"))["rows"] == []
        with logged_as_rows(venue, ServiceContext(config, CLOCK, f"{venue}@test")):
            with correlation("c-1"):
                log.info("feed_opened", symbols=2)
                log.warning("feed_lost", cause="it said hunter2-hunter2", api_key="k-123")
            try:
                raise ValueError("odd")
            except ValueError:
                log.exception("work_failed")
            logging.getLogger("some.library").warning("a library's half \ud800 of a character")
        log.warning("afterwards")
        told = await reader.rows(2)
    await database.wait_applied(["logs"])
    assert [row["event"] for row in told] == ["feed_lost", "a library's half ? of a character"]
    assert [line["event"] for line in map(json.loads, speaking.getvalue().splitlines())][-1] == "afterwards"
    said = rows((await door.ask("/logs", "operator", service=venue)).json)
    assert [row["event"] for row in said[::-1]] == [
        *("feed_opened", "feed_lost", "work_failed", "a library's half ? of a character")
    ]
    (lost,) = rows((await door.ask("/logs", "operator", service=venue, event="feed_lost", level="warning")).json)
    assert (lost["correlation_id"], lost["module"], lost["seq"]) == ("c-1", "here", 1)
    assert json.loads(str(lost["fields"])) == {"api_key": "(hidden)", "cause": "it said (hidden)"}
    (failed,) = rows((await door.ask("/logs", "operator", service=venue, level="error")).json)
    assert "ValueError: odd" in json.loads(str(failed["fields"]))["exception"]
    assert (await door.ask("/logs", "viewer")).json["code"] == "forbidden"


async def test_lines_wait_while_questdb_is_away_and_what_finds_no_room_is_counted(
    database: Database, writer: RowWriter, questdb_config: DatabaseConfig, venue: str
) -> None:
    waiting, before = LogRows(venue, "one", CLOCK, 3), dropped()
    for number in range(5):
        waiting.take({"event": f"line_{number}", "level": "info"})
    assert dropped() - before == 2
    away = RowWriter(questdb_config.model_copy(update={"http_port": free_port()}))
    waiting.write(away)
    away.close_sync()
    waiting.write(writer)
    await database.wait_applied(["logs"])
    found = await database.fetch("SELECT event FROM logs WHERE service = %(who)s ORDER BY ts, seq", {"who": venue})
    assert [row["event"] for row in found] == ["line_0", "line_1", "line_2"]
    assert dropped() - before == 2


async def test_alarms_are_read_and_followed_with_what_was_done_about_them(
    door: OpenDoor, control: ControlStore, database: Database, writer: RowWriter, *, venue: str
) -> None:
    journal = AlertJournal(control, CLOCK)
    labels = {"alertname": venue, "severity": "page", "team": "trading"}
    begun = "2026-11-23T20:05:03.828Z"
    firing = AlertTold(True, labels, {"summary": "Account paper is 6 % below its best"}, venue, begun, "")
    async with reading(door, "operator") as reader:
        await reader.say(op="subscribe", id="a", channel="alerts", filters={"name": venue})
        assert (await reader.next("snapshot", "error"))["rows"] == []
        await journal.note(firing)
        await journal.acted(AlertActed(venue, begun, venue, "halt", ActionOutcome.DONE, "the trader is HALTED"))
        await journal.note(AlertTold(False, labels, {}, venue, begun, "2026-11-23T20:15:03.828Z"))
        await writer.write([event_row(event) for event in control.log(0, 100)])
        told = await reader.rows(3)
    assert sorted(str(row["step"]) for row in told) == ["acted", "ended", "fired"]
    await database.wait_applied(["events"])
    ended, acted, fired = rows((await door.ask("/alerts", "operator", name=venue)).json)
    assert (fired["step"], fired["severity"], fired["team"]) == ("fired", "page", "trading")
    assert (fired["summary"], fired["asked"]) == ("Account paper is 6 % below its best", None)
    assert cast("dict[str, Json]", json.loads(str(fired["labels"]))) == labels
    assert (acted["asked"], acted["summary"]) == ("halt", "the trader is HALTED")
    assert (ended["step"], ended["starts_at"], ended["ends_at"]) == ("ended", begun, "2026-11-23T20:15:03.828Z")
    assert rows((await door.ask("/alerts", "operator", name=venue, severity="page")).json) == [fired]
    assert (await door.ask("/alerts", "viewer")).status == 403
