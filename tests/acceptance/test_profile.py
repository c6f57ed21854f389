"""Goal: an operator sees where a running service spends its time and memory, without stopping it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def environment(tmp_path: Path, port: int) -> Iterator[dict[str, str]]:
    """The variables of an installation in which the exchange runs."""
    variables = {
        **os.environ,
        "COLUMNS": "200",
        "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path / "state"),
        "ARES_SIMULATOR__PORT": str(port),
    }
    with (tmp_path / "exchange.log").open("w") as log:
        exchange = subprocess.Popen(
            [sys.executable, "-m", "ares.cli", "service", "run", "exchange"],
            cwd=ROOT, env=variables, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "state" / "run" / "exchange.json").exists():
            assert exchange.poll() is None, (tmp_path / "exchange.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield variables
    finally:
        exchange.terminate()
        assert exchange.wait(60) == 0


def profile(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ares.cli", "profile", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_time_and_memory_of_a_running_service_are_shown(environment: dict[str, str], tmp_path: Path) -> None:
    folded = tmp_path / "memory.folded"
    shown = profile(environment, "memory", "exchange", "--seconds", "2", "--out", str(folded))
    assert shown.returncode == 0, shown.stderr
    assert all(line.rpartition(" ")[2].isdigit() for line in folded.read_text().splitlines())
    graph = tmp_path / "cpu.svg"
    drawn = profile(environment, "cpu", "exchange", "--seconds", "2", "--out", str(graph))
    if "ptrace" in drawn.stderr and not os.environ.get("CI"):
        pytest.skip(drawn.stderr)
    assert drawn.returncode == 0, drawn.stderr
    assert "<svg" in graph.read_text()


def test_service_that_does_not_run_is_named_with_those_that_do(environment: dict[str, str]) -> None:
    shown = profile(environment, "cpu", "trader")
    assert (shown.returncode, "Known: exchange" in shown.stderr) == (2, True)
