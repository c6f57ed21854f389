"""Goal: what takes long is asked for over HTTP, carried out once, followed, cancelled, and never repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from ares.clock import MINUTE_NS, isoformat
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore, Json
from ares.control.errands import TABLE
from ares.security.access.door import Origin
from ares.security.access.roles import Role, Scope
from ares.security.access.users import By
from ares.store import Database, RowWriter
from tests.api import PASSWORD, OpenDoor, config_of, open_door, with_second_factor
from tests.backtests import START_NS, STRATEGY
from tests.errands import asked, carrying_out, endless, runner_process, until
from tests.helpers import eventually
from tests.integration.test_backtest import bar, instrument, signal, written

MINUTES = 20


@pytest.fixture
async def door(
    questdb_config: DatabaseConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[OpenDoor]:
    own = tmp_path / "own.toml"
    ports = f"http_port = {questdb_config.http_port}\npg_port = {questdb_config.pg_port}\n"
    own.write_text(f"[database]\n{ports}", encoding="utf-8")
    monkeypatch.setenv("ARES_CONFIG", str(own))
    config = config_of(questdb_config, tmp_path / "state")
    errands = config.errands.model_copy(update={"stop_s_max": 1.0})
    async with open_door(config.model_copy(update={"errands": errands})) as there:
        yield there


@pytest.fixture
async def control(door: OpenDoor) -> AsyncIterator[ControlStore]:
    store = ControlStore.open(door.context.control_url)
    yield store
    store.close()


def steps(control: ControlStore, errand: Json) -> list[tuple[str, object, object]]:
    """State, progress and share of each step, as they go to QuestDB."""
    rows = [entry.row for entry in control.outbox(0, 10_000) if entry.row.table == TABLE]
    mine = [row for row in rows if row.columns["errand_id"] == errand]
    assert [row.columns["seq"] for row in mine] == list(range(1, len(mine) + 1))
    return [(row.symbols["state"], row.columns["progress"], row.columns["share"]) for row in mine]


async def child_of(runner: psutil.Process) -> psutil.Process:
    """The process that carries an endless errand out."""

    def found() -> list[psutil.Process]:
        return [each for each in runner.children() if each.cmdline()[-2:] == ["run", "mirror"]]

    await eventually(found, 60)
    (child,) = found()
    return child


async def test_a_job_is_run_once_in_the_name_of_who_asks_and_only_they_and_operators_see_it(
    door: OpenDoor, control: ControlStore, database: Database, writer: RowWriter
) -> None:
    once = {"Idempotency-Key": "run-1"}
    errand = await asked(door, "/jobs/leaks/runs", "operator", {}, **once)
    assert (errand["state"], errand["asked_by"]) == ("asked", "operator")
    async with carrying_out(door.context, control):
        ended = await until(door, errand["id"], "operator", "done", "failed")
    assert (ended["state"], ended["error"]) == ("done", ""), ended
    assert isinstance(ended["outcome"], dict)
    assert [state for state, _, _ in steps(control, errand["id"])] == ["asked", "running", "running", "done"]
    again = await door.ask("/jobs/leaks/runs", "operator", method="POST", body={}, headers=once)
    assert (again.status, again.json["id"], again.headers["Idempotency-Replayed"]) == (202, errand["id"], "true")
    assert again.headers["Location"].endswith(str(errand["id"]))
    assert (await door.ask(f"/errands/{errand['id']}", "trader")).status == 404
    assert (await door.ask(f"/errands/{errand['id']}/cancel", "trader", method="POST")).status == 404
    await writer.write([entry.row for entry in control.outbox(0, 10_000) if entry.row.table == TABLE])
    await database.wait_applied([TABLE])
    for user, seen in (("operator", True), ("admin", True), ("trader", False)):
        page = (await door.ask("/errands", user)).json["data"]
        assert isinstance(page, list)
        ids = [row["errand_id"] for row in page if isinstance(row, dict)]
        assert (errand["id"] in ids, len(ids) == len(set(ids))) == (seen, True)


async def test_a_backtest_is_followed_to_its_report_by_who_may_see_its_strategy(
    door: OpenDoor, control: ControlStore, database: Database, writer: RowWriter, venue: str
) -> None:
    for user, strategy in (("maria", STRATEGY), ("other", "signal_other")):
        door.door.users.add(user, Role.TRADER, Scope(strategies=frozenset({strategy})), PASSWORD, By("test"))
        door.tokens[user] = door.door.login(user, PASSWORD, "", Origin("127.0.0.1")).access
    times = [START_NS + minute * MINUTE_NS for minute in range(MINUTES)]
    bars = [bar(venue, ts, (100.0 + n, 101.0 + n, 99.0 + n, 100.5 + n)) for n, ts in enumerate(times)]
    signals = [signal(venue, ts, float(n % 7 < 3)) for n, ts in enumerate(times)]
    await written(database, writer, [instrument(venue), *bars, *signals])
    body = {
        "strategy": STRATEGY, "from": isoformat(START_NS)[:19], "to": isoformat(times[-1])[:19], "venue": venue,
        "position": "4000",
    }  # fmt: skip
    assert (await door.ask("/backtests", "other", method="POST", body=body)).json["code"] == "forbidden"
    nowhere = await door.ask("/backtests", "maria", method="POST", body=body | {"from": "2024-02-30"})
    assert (nowhere.status, "'2024-02-30': is no day" in nowhere.body.decode()) == (422, True)
    errand = await asked(door, "/backtests", "maria", body)
    async with carrying_out(door.context, control):
        ended = await until(door, errand["id"], "maria", "done", "failed")
    assert ended["state"] == "done", ended
    assert (ended["progress"], ended["share"]) == ("playing", 1.0)
    outcome = ended["outcome"]
    assert isinstance(outcome, dict)
    assert outcome["status"] == "ok"
    report = f"/backtests/{outcome['run_id']}/report"
    page = await door.ask(report, "maria")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    said = [name.lower() for name, _ in page.headers.items()]
    assert len(said) == len(set(said)), said
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'unsafe-inline'")
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert page.body.startswith(b"<!doctype html>")
    assert b"<svg" in page.body
    assert (await door.ask(report, "other")).status == 403
    assert (await door.ask("/backtests/nothing/report", "maria")).status == 404
    next(door.context.state_dir.glob("reports/*.html")).unlink()
    assert (await door.ask(report, "maria")).status == 404


async def test_cancelling_ends_the_process_that_carries_it_out(door: OpenDoor, control: ControlStore) -> None:
    errand = await asked(door, "/jobs/leaks/runs", "operator", {})
    waiting = await asked(door, "/jobs/leaks/runs", "operator", {})
    cancelled = await door.ask(f"/errands/{waiting['id']}/cancel", "operator", method="POST")
    assert cancelled.json["state"] == "cancelled"
    async with carrying_out(door.context, control, endless):
        await until(door, errand["id"], "operator", "running")
        child = await child_of(psutil.Process())
        assert (await door.ask(f"/errands/{errand['id']}/cancel", "admin", method="POST")).json["state"] == "cancelling"
        ended = await until(door, errand["id"], "operator", "cancelled")
        assert ended["error"] == "cancelled by admin"
        assert not child.is_running()
    again = await door.ask(f"/errands/{errand['id']}/cancel", "operator", method="POST")
    assert (again.status, again.json["state"]) == (200, "cancelled")
    assert [state for state, _, _ in steps(control, waiting["id"])] == ["asked", "cancelled"]


async def test_an_errand_whose_runner_is_killed_is_lost_and_not_begun_again(
    door: OpenDoor, control: ControlStore
) -> None:
    errand = await asked(door, "/jobs/leaks/runs", "operator", {})
    with runner_process(door.context.config) as process:
        await until(door, errand["id"], "operator", "running")
        child = await child_of(psutil.Process(process.pid))
        process.kill()
        async with carrying_out(door.context, control, endless):
            lost = await until(door, errand["id"], "operator", "lost")
            assert "fell silent" in str(lost["error"])
            await eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 30)
            await asyncio.sleep(1)
    assert [state for state, _, _ in steps(control, errand["id"])] == ["asked", "running", "lost"]


async def test_a_setting_is_changed_in_the_name_of_who_asks_and_never_a_secret(
    door: OpenDoor, control: ControlStore
) -> None:
    with_second_factor(door, "admin")
    for field, value in (
        ("database.password", "hunter22"),
        ("venues.sim", '{api_secret = "x"}'),
        ("nothing.here", "1"),
    ):
        wish = {"field": field, "value": value, "reason": "a test"}
        refused = await door.ask("/config/changes", "admin", method="POST", body=wish)
        assert (refused.status, refused.json["code"]) == (422, "invalid")
        assert value not in refused.body.decode() or value == "1"
    unknown = await door.ask("/models/nobody/rollbacks", "admin", method="POST", body={"reason": "a test"})
    assert (unknown.status, unknown.json["code"]) == (404, "unknown_name")
    change = {"field": "api.requests_per_minute", "value": "601", "reason": "more readers"}
    errand = await asked(door, "/config/changes", "admin", change)
    gone = await asked(door, "/jobs/leaks/runs", "operator", {})
    door.door.users.switch("operator", By("test"), enabled=False)
    async with carrying_out(door.context, control):
        ended = await until(door, errand["id"], "admin", "done", "failed")
        refused_later = await until(door, gone["id"], "admin", "done", "failed")
    assert ended["state"] == "done", ended
    assert "601" in (door.context.state_dir / "config" / "overrides.toml").read_text(encoding="utf-8")
    assert any('"who":"api/admin"' in link.text for link in control.audit_links() if link.writer == "config")
    assert (refused_later["state"], "not have this done any more" in str(refused_later["error"])) == ("failed", True)
