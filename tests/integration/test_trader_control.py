"""Goal: the control port lets in who has the token and nobody else, and `ares trader …` is one clear line each."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from ares.clock import SystemClock
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import OperatingError, PortInUse, UsageError
from ares.service.trader_asked import ask_trader
from ares.service.trader_door import NoTrader, TraderPlace, address_path, token_path
from trader.commands import app
from trader.control_port import ControlPort
from trader.limits_configured import limits
from trader.parts import TraderParts
from trader.risk_commands import app as risk_app
from trader.runtime import Trader
from trader.testing import PaperVenue, StaticReader

BTC = "BTC/USDT"
CLOCK = SystemClock()
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def trader(control: ControlStore) -> Trader:
    return Trader(parts_on(control))


def parts_on(control: ControlStore, *, four_eyes: bool = False) -> TraderParts:
    config = TradingConfig(
        strategies=(StrategyConfig(name="signal_momentum", max_position_quote=Decimal(4_000)),),
        adopt_balances_to="signal_momentum",
    )
    venue = PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    return TraderParts(
        config=config,
        symbols=(BTC,),
        control=control,
        gateway=venue,
        reader=StaticReader(),
        clock=CLOCK,
        instance="one",
        request_s_max=1.0,
        four_eyes=four_eyes,
    )


@pytest.fixture
async def address(trader: Trader, tmp_path: Path) -> AsyncIterator[str]:
    """A running port of a trader that leads and has reconciled."""
    await trader.leadership.wait()
    await trader.begin()
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    port = await door.start()
    yield f"http://127.0.0.1:{port}"
    await door.stop()
    assert not token_path(tmp_path).exists()


def bearer(tmp_path: Path) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_path(tmp_path).read_text(encoding='utf-8')}"}


async def test_the_token_lies_in_a_file_that_only_its_owner_reads(address: str, tmp_path: Path) -> None:
    assert token_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert f"http://{address_path(tmp_path).read_text(encoding='utf-8')}" == address


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer ü"}])
async def test_nobody_comes_in_without_the_token(address: str, header: dict[str, str]) -> None:
    async with aiohttp.ClientSession(address) as http:
        for method, path in (("GET", "/status"), ("POST", "/halt"), ("POST", "/flatten"), ("GET", "/nothing")):
            async with http.request(method, path, headers=header) as answer:
                assert answer.status == 401


async def test_status_halt_resume_and_flatten_work_over_http(address: str, tmp_path: Path) -> None:
    async with aiohttp.ClientSession(address, headers=bearer(tmp_path)) as http:
        async with http.get("/status") as answer:
            assert (await answer.json())["state"] == "ACTIVE"
        async with http.post("/halt", json={"actor": "ada", "reason": "odd"}) as answer:
            assert (await answer.json())["state"] == "HALTED"
        async with http.post("/resume") as answer:
            assert (await answer.json())["state"] == "ACTIVE"
        async with http.post("/flatten", json={"actor": "ada"}) as answer:
            body = await answer.json()
        assert (body["state"], body["orders_sent"], body["left"]) == ("HALTED", 1, {})


async def test_orders_of_a_flatten_bear_the_trace_of_who_asked_for_it(
    address: str, control: ControlStore, tmp_path: Path
) -> None:
    trace_id = f"{7:032x}"
    headers = {**bearer(tmp_path), "traceparent": f"00-{trace_id}-{9:016x}-01"}
    async with (
        aiohttp.ClientSession(address, headers=headers) as http,
        http.post("/flatten", json={"actor": "alertmanager", "reason": "drawdown"}) as answer,
    ):
        assert (await answer.json())["orders_sent"] == 1
    rows = [entry.row for entry in control.outbox(0, 10_000)]
    for table in ("order_events", "fills"):
        assert {row.columns["trace_id"] for row in rows if row.table == table} == {trace_id}, table


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"actor": 7}', b'{"reason": "' + b"x" * 300 + b'"}'])
async def test_a_body_that_makes_no_sense_changes_nothing(
    address: str, tmp_path: Path, trader: Trader, body: bytes
) -> None:
    async with (
        aiohttp.ClientSession(address, headers=bearer(tmp_path)) as http,
        http.post("/halt", data=body) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["error"] == "usage"
    assert (await trader.states.refresh()).state.value == "ACTIVE"


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b'{"amount": "5"}', "id = '': a text"),
        (b'{"id": "w", "amount": "five"}', "amount = 'five'"),
        (b'{"id": "w", "amount": "NaN"}', "amount = 'NaN'"),
        (b'{"id": "w", "amount": "0"}', "not 0"),
        (b'{"id": "w", "amount": "1e30"}', "below 1"),
        (b'{"id": "w", "amount": "0.00000000001"}', "ten digits"),
    ],
)
async def test_a_movement_that_makes_no_sense_moves_no_capital(
    address: str, tmp_path: Path, trader: Trader, body: bytes, complaint: str
) -> None:
    async with (
        aiohttp.ClientSession(address, headers=bearer(tmp_path)) as http,
        http.post("/capital", data=body) as answer,
    ):
        assert answer.status == 409
        assert complaint in (await answer.json())["message"]
    assert trader.account.parts.capital.quote == 21_000


async def test_deposits_and_withdrawals_are_capital_and_each_counts_once(
    address: str, tmp_path: Path, control: ControlStore
) -> None:
    came = await ares(tmp_path, "deposit", "2500.50", "--id", "wire-7", "--reason", "second tranche")
    assert "capital is 23500.5" in came.stdout
    again = await ares(tmp_path, "deposit", "2500.50", "--id", "wire-7")
    assert "wire-7 was written before; capital is 23500.5" in again.stdout
    went = await ares(tmp_path, "withdraw", "500", "--id", "wire-8", "--json")
    assert '"capital": "23000.5000000000"' in went.stdout
    rows = [entry.row for entry in control.outbox(0, 10_000) if entry.row.table == "capital"]
    assert [(row.symbols["cause"], row.columns["amount_quote"]) for row in rows] == [
        ("counted", 21_000),
        ("deposit", Decimal("2500.5")),
        ("withdrawal", -500),
    ]
    for amount in ("-5", "0", "much"):
        refused = await ares(tmp_path, "withdraw", "--id", "x", "--", amount)
        assert isinstance(refused.exception, UsageError)
        assert f"amount = '{amount}'" in str(refused.exception)


async def test_a_trader_that_does_not_lead_refuses_to_flatten(trader: Trader, tmp_path: Path) -> None:
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    port = await door.start()
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=bearer(tmp_path)) as http,
        http.post("/flatten") as answer,
    ):
        assert answer.status == 409
        assert (await answer.json())["error"] == "not_leading"
    await door.stop()


async def test_a_taken_port_is_named(address: str, trader: Trader, tmp_path: Path) -> None:
    second = ControlPort(trader.commander, tmp_path / "other", "127.0.0.1", int(address.rsplit(":", 1)[1]))
    with pytest.raises(PortInUse, match=r"trading\.control_port"):
        await second.start()


async def test_a_state_directory_that_cannot_be_written_is_named(trader: Trader, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    token_path(tmp_path).mkdir()
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    with pytest.raises(OperatingError, match=r"trader\.token"):
        await door.start()
    assert door._runner is not None
    await door._runner.cleanup()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "position"}, "no such limit"),
        ({"name": "spread_max", "value": "wide"}, "a number is expected"),
        ({"name": "spread_max"}, "was not set here"),
    ],
)
async def test_a_limit_that_makes_no_sense_is_refused_over_http(
    address: str, tmp_path: Path, body: dict[str, str], said: str
) -> None:
    async with (
        aiohttp.ClientSession(address, headers=bearer(tmp_path)) as http,
        http.post("/limit", json=body) as answer,
    ):
        assert answer.status == 409
        assert said in (await answer.json())["message"]


async def test_limits_are_shown_set_and_reset_from_the_command_line(
    address: str, control: ControlStore, tmp_path: Path
) -> None:
    done = await ares_risk(tmp_path, "set", "position_quote_max", "2000", "--reason", "thin books")
    assert "position_quote_max: 2000 from the next cycle on" in done.stdout
    await ares_risk(tmp_path, "set", "spread_max", "0.001", "--reason", "thin", "--symbol", BTC)
    shown = await ares_risk(tmp_path, "limits")
    assert "2000 was set by" in shown.stdout
    assert "the setting is 10000" in shown.stdout
    listed = answered(await ares_risk(tmp_path, "limits", "--json"))["limits"]
    assert [each["value"] for each in listed if each["name"] == "spread_max"] == ["0.01", "0.001"]
    reset = await ares_risk(tmp_path, "reset", "position_quote_max", "--json")
    assert answered(reset)["value"] == ""
    refused = await ares_risk(tmp_path, "reset", "position_quote_max")
    assert isinstance(refused.exception, UsageError)
    rows = [entry.row for entry in control.outbox(0, 10_000)]
    limited = [(row.symbols["name"], row.symbols["status"]) for row in rows if row.table == "limits"]
    assert limited == [("position_quote_max", "set"), ("spread_max", "set"), ("position_quote_max", "reset")]
    commands = [row for row in rows if row.table == "commands" and row.symbols["command"] == "risk_set"]
    assert [row.symbols["status"] for row in commands] == ["received", "done"] * 3 + ["received", "failed"]


async def test_a_raised_limit_waits_for_another_person_on_the_command_line(
    control: ControlStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trader = Trader(parts_on(control, four_eyes=True))
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    await door.start()
    monkeypatch.setattr("trader.cli.operator", lambda: "ada")
    asked = await ares_risk(tmp_path, "set", "leverage_max", "2", "--reason", "margin", "--json")
    answer = answered(asked)
    assert answer["holds"] is False
    alone = await ares_risk(tmp_path, "approve", answer["id"])
    assert isinstance(alone.exception, UsageError)
    waiting = await ares_risk(tmp_path, "limits", "--json")
    assert [each["asked_by"] for each in answered(waiting)["asked"]] == ["ada"]
    assert "ares risk approve ID" in (await ares_risk(tmp_path, "limits")).stdout
    monkeypatch.setattr("trader.cli.operator", lambda: "grace")
    agreed = await ares_risk(tmp_path, "approve", answer["id"])
    assert "leverage_max: 2 from the next cycle on" in agreed.stdout
    await door.stop()
    assert trader.limits.effective(limits(trader._config)).leverage_max == 2


def test_risk_commands_name_what_is_missing_in_one_line(tmp_path: Path) -> None:
    done = run_ares(tmp_path, "limits", group="risk")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no trader runs here" in done.stderr


def run_ares(state_dir: Path, *arguments: str, group: str = "trader") -> subprocess.CompletedProcess[str]:
    """The command line as a user calls it."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("ARES_")}
    return subprocess.run(
        [sys.executable, "-m", "ares.cli", group, *arguments],
        env={**environ, "ARES_ENVIRONMENT__STATE_DIR": str(state_dir)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def ares(state_dir: Path, *arguments: str) -> Result:
    """The same in this process: it starts in no time."""
    environ = {"ARES_ENVIRONMENT__STATE_DIR": str(state_dir)}
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments), env=environ)


async def ares_risk(state_dir: Path, *arguments: str) -> Result:
    environ = {"ARES_ENVIRONMENT__STATE_DIR": str(state_dir), "COLUMNS": "300"}
    return await asyncio.to_thread(CliRunner().invoke, risk_app, list(arguments), env=environ)


def answered(done: Result) -> dict[str, Any]:
    """The JSON among what the trader in this process logs."""
    found = re.search(r"^\{$.*^\}$", done.stdout, re.MULTILINE | re.DOTALL)
    assert found is not None, done.stdout
    return json.loads(found[0])


def test_without_a_trader_the_command_line_says_so_in_one_line(tmp_path: Path) -> None:
    done = run_ares(tmp_path, "status")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "no trader runs here" in done.stderr


async def test_a_trader_that_died_is_said_not_to_answer(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    token_path(tmp_path).write_text("x", encoding="utf-8")
    address_path(tmp_path).write_text("127.0.0.1:9", encoding="utf-8")
    done = await ares(tmp_path, "halt")
    assert isinstance(done.exception, OperatingError)
    assert "does not answer" in str(done.exception)


async def test_the_command_line_shows_halts_resumes_and_flattens(address: str, tmp_path: Path) -> None:
    status = await ares(tmp_path, "status", "--json")
    assert json.loads(status.stdout)["positions"][0]["quantity"] == "0.0200000000"
    table = await ares(tmp_path, "status")
    assert "ACTIVE, ready, leader" in table.stdout
    halted = await ares(tmp_path, "halt", "--reason", "odd fills")
    assert "halt: the trader is HALTED" in halted.stdout
    resumed = await ares(tmp_path, "resume", "--json")
    assert '"state": "ACTIVE"' in resumed.stdout
    asked = await ares(tmp_path, "flatten")
    assert asked.exit_code != 0
    flat = await ares(tmp_path, "flatten", "--yes")
    assert "left nothing" in flat.stdout


async def test_a_trader_elsewhere_is_asked_by_the_address_and_token_that_settings_name(
    trader: Trader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0, token=SecretStr("said to both"))
    address = f"http://127.0.0.1:{await door.start()}"
    elsewhere = tmp_path / "elsewhere"
    status, said = await ask_trader(
        TraderPlace(elsewhere, f"{address}/", SecretStr("said to both")), "halt", 5.0, body={"actor": "ada"}
    )
    assert (status, said["state"]) == (200, "HALTED")
    assert (await ask_trader(TraderPlace(elsewhere, address, SecretStr("guessed")), "status", 5.0))[0] == 401
    monkeypatch.setenv("ARES_TRADING__CONTROL_URL", address)
    monkeypatch.setenv("ARES_TRADING__CONTROL_TOKEN", "said to both")
    assert "HALTED" in (await ares(elsewhere, "status")).stdout
    await door.stop()
    with pytest.raises(NoTrader, match=f"the trader at {address} does not answer"):
        await ask_trader(TraderPlace(elsewhere, address, SecretStr("said to both")), "status", 5.0)


async def test_a_wrong_token_on_the_command_line_is_named(address: str, tmp_path: Path) -> None:
    token_path(tmp_path).write_text("stolen", encoding="utf-8")
    done = await ares(tmp_path, "status")
    assert isinstance(done.exception, OperatingError)
    assert "the token is wrong" in str(done.exception)


async def test_a_refused_command_is_the_users_error(trader: Trader, tmp_path: Path) -> None:
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    await door.start()
    done = await ares(tmp_path, "flatten", "--yes")
    await door.stop()
    assert isinstance(done.exception, UsageError)
