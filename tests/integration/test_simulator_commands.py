"""Goal: `ares simulate exchange` as a user starts it: it replays, says what is wrong in one line, survives kill -9."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from urllib.request import Request, urlopen

import pytest

from ares.clock import SystemClock
from ares.config import load_config
from ares.service import ServiceContext
from simulator.services import EXCHANGE

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60


def start(*arguments: str, state_dir: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "ares.cli", "simulate", "exchange", "--state-dir", str(state_dir), *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def listening(port: int, state_dir: Path) -> Iterator[subprocess.Popen[str]]:
    process = start("--port", str(port), state_dir=state_dir)
    try:
        assert process.stdout is not None
        assert f"listening on http://127.0.0.1:{port}" in process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def signed(port: int, verb: str, path: str, query: str) -> object:
    text = f"{query}&timestamp={time.time_ns() // 1_000_000}"
    text += f"&signature={hmac.new(b'dev-secret', text.encode(), hashlib.sha256).hexdigest()}"
    body = text.encode() if verb == "POST" else None
    url = f"http://127.0.0.1:{port}{path}" + ("" if body else f"?{text}")
    request = Request(url, data=body, method=verb, headers={"X-MBX-APIKEY": "dev-key"})
    with urlopen(request, timeout=10) as response:
        return cast("object", json.load(response))


def test_orders_survive_a_kill_of_the_exchange(port: int, tmp_path: Path) -> None:
    order = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=50000&newClientOrderId=kept"
    with listening(port, tmp_path) as process:
        signed(port, "POST", "/api/v3/order", order)
        process.send_signal(signal.SIGKILL)
        process.wait(DEADLINE_S)
    with listening(port, tmp_path) as process:
        [still] = cast("list[dict[str, str]]", signed(port, "GET", "/api/v3/openOrders", "symbol=BTCUSDT"))
        assert still["clientOrderId"] == "kept"
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0


def test_replay_of_the_past_ends_at_the_present_and_says_so(tmp_path: Path) -> None:
    process = start("--start", "-30s", "--speed", "30", "--port", "0", state_dir=tmp_path)
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert "the replay has reached the present" in output


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--recording", "nowhere.gz"], "simulator.recordings = 'nowhere.gz': no such file"),
        (["--speed", "5"], "the live market runs at 1"),
        (["--misbehave", "gap"], "not a kind and a share"),
        (["--port", "99999"], "'--port'"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: list[str], line: str, tmp_path: Path) -> None:
    process = start(*arguments, state_dir=tmp_path)
    output, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 2
    assert line in errors
    assert len(errors.strip().splitlines()) == 1
    assert output == ""


async def test_service_of_the_configuration_starts_listens_and_stops(port: int, tmp_path: Path) -> None:
    config = load_config(environ={"ARES_SIMULATOR__PORT": str(port), "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)})
    service = EXCHANGE.build(ServiceContext(config, SystemClock(), "test"))
    assert not service.health().ready
    await service.start()
    running = asyncio.create_task(service.run())
    await asyncio.sleep(0.2)
    assert service.health().ready
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await service.stop()
    assert not service.health().ready
