"""A real InfluxDB (1.8, with the API of version 2 and Flux) for a test: started, with a database."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

BUILD = Path(__file__).resolve().parents[1] / "infra" / "influxdb" / "build.sh"
BUCKET = "ares/autogen"
CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc_port}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
flux-enabled = true
auth-enabled = true
log-enabled = false
"""
USER = PASSWORD = "ares"


@dataclass(frozen=True, slots=True)
class RunningInflux:
    """An InfluxDB that asks who one is; `token` is what it wants to hear."""

    url: str
    folder: Path
    bucket: str = BUCKET
    token: str = f"{USER}:{PASSWORD}"

    def command(self, statement: str) -> None:
        """InfluxQL."""
        answer = requests.post(f"{self.url}/query", data={"q": statement}, auth=(USER, PASSWORD), timeout=10)
        answer.raise_for_status()

    def exported(self, file: Path) -> Path:
        """All points as `influx_inspect export` writes them: one line for each field, in no order of time."""
        subprocess.run(
            [
                programs() / "influx_inspect", "export", "-datadir", self.folder / "data",
                "-waldir", self.folder / "wal", "-out", file, *(["-compress"] if file.suffix == ".gz" else []),
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        return file


def programs() -> Path:
    """Where influxd and influx_inspect are, or would be: INFLUXD_FOLDER names it, else `make influxd` builds them."""
    given = os.environ.get("INFLUXD_FOLDER")
    if given:
        return Path(given)
    digest = hashlib.sha256((BUILD.parent / "go.sum").read_bytes()).hexdigest()[:16]
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "ares" / f"influxdb-{digest}"


@contextmanager
def running_influx(folder: Path, port: int, rpc_port: int) -> Iterator[RunningInflux]:
    """An InfluxDB of these tests alone; ended with them."""
    if not (programs() / "influxd").is_file():
        pytest.skip("no InfluxDB was built for the tests: make influxd (needs Go)")
    config = folder / "influxdb.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, rpc_port=rpc_port), encoding="utf-8")
    process = subprocess.Popen([programs() / "influxd", "-config", config], stderr=subprocess.DEVNULL)
    try:
        there = RunningInflux(f"http://127.0.0.1:{port}", folder)
        for _ in range(600):
            try:
                requests.get(f"{there.url}/ping", timeout=2)
                break
            except requests.ConnectionError:
                time.sleep(0.05)
        there.command(f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")
        there.command("CREATE DATABASE ares")
        yield there
    finally:
        process.kill()
        process.wait()
