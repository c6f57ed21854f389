"""Goal: Ctrl-C ends everything, whenever it comes, and leaves no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]


def processes_of(state_dir: Path) -> list[str]:
    """Command lines and environments that name the directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.environ().get("ARES_ENVIRONMENT__STATE_DIR") == str(state_dir)
                or str(state_dir) in process.cmdline()
            ):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("seen", ["looking for its artifact", "questdb: starting"], ids=["checking", "starting"])
def test_interrupt_during_the_start_leaves_nothing_behind(tmp_path: Path, ports: list[int], seen: str) -> None:
    environment = {
        **os.environ,
        "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path),
        "ARES_DATABASE__HTTP_PORT": str(ports[0]),
        "ARES_DATABASE__PG_PORT": str(ports[1]),
        "ARES_DATABASE__HEALTH_PORT": str(ports[2]),
        "ARES_MONITORING__PORT_BASE": "0",
        "ARES_TRADING__CONTROL_PORT": "0",
    }
    with (tmp_path / "up.log").open("w") as log:
        up = subprocess.Popen(
            [sys.executable, "-m", "ares.cli", "up"], cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    deadline = time.monotonic() + 60
    while seen not in (tmp_path / "up.log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    up.send_signal(signal.SIGINT)
    assert up.wait(60) == 130
    assert "Traceback" not in (tmp_path / "up.log").read_text()
    assert processes_of(tmp_path) == []
