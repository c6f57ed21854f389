"""A whole installation as an operator has it: a folder, variables, `ares up`; and the guide's commands, run in it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
from psycopg.rows import dict_row

from tests.helpers import ROOT

GUIDE = (ROOT / "docs" / "guides" / "operator" / "disaster-recovery.md").read_text(encoding="utf-8")


def commands(scenario: str, *, after_up: bool = False) -> list[str]:
    """The blocks of a section of the guide, those before `ares up` or those after it."""
    section = GUIDE.partition(f"\n## {scenario}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"```bash( after ares up)?\n(.*?)```", section, re.DOTALL)
    return [block for tag, block in blocks if bool(tag) is after_up]


@dataclass
class Place:
    """An installation on disks of its own: the state, the keys, the repository of backups."""

    folder: Path
    variables: dict[str, str]
    pg_port: int
    words: tuple[str, ...] = ("up", "--with-exchange")
    up: subprocess.Popen[bytes] | None = None
    said: list[str] = field(default_factory=list)

    @property
    def state_dir(self) -> Path:
        return Path(self.variables["ARES_ENVIRONMENT__STATE_DIR"])

    def sh(self, script: str, **variables: object) -> str:
        """What an operator types; the first thing that fails ends it."""
        done = self.ran(script, **variables)
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def refused(self, script: str, **variables: object) -> str:
        """What an operator is told who types this, which must not be done."""
        done = self.ran(script, **variables)
        assert done.returncode != 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def ran(self, script: str, **variables: object) -> subprocess.CompletedProcess[str]:
        """How it ended."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env=self.environ() | {name: str(value) for name, value in variables.items()},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        self.said.append(done.stdout + done.stderr)
        return done

    def follow(self, scenario: str, **variables: object) -> str:
        """All that the guide says for a scenario."""
        blocks = commands(scenario)
        assert blocks, f"the guide has no commands for {scenario!r}"
        return "\n".join(self.sh(block, **variables) for block in blocks)

    def environ(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **self.variables, "PATH": path, "COLUMNS": "200", "NO_COLOR": "1"}

    def start(self) -> None:
        with (self.folder / "up.log").open("ab") as log:
            self.up = subprocess.Popen(
                [sys.executable, "-m", "ares.cli", *self.words],
                cwd=ROOT, env=self.environ(), stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self.until("a streamed trade", lambda: self.sql("SELECT seq FROM trades WHERE source = 'stream' LIMIT 1"))
        self.until("the trader", self.trader_is_ready)
        self.until("the trader's answer", self.trader_state)

    def trader_is_ready(self) -> bool:
        """As its own door says: a command to ask it is a process each time."""
        port = json.loads((self.state_dir / "run" / "trader.json").read_text())["port"]
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)

    def trader_state(self) -> str:
        return str(self.trader_status().get("state", ""))

    def trader_status(self) -> dict[str, object]:
        """What the trader says of itself; empty while nobody answers."""
        ran = subprocess.run(
            [sys.executable, "-m", "ares.cli", "trader", "status", "--json"],
            cwd=ROOT, env=self.environ(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return dict(json.loads(ran.stdout)) if ran.returncode == 0 else {}

    def sql(self, query: str, user: str = "user") -> list[dict[str, object]]:
        conninfo = f"host=127.0.0.1 port={self.pg_port} user={user} password=quest dbname=qdb connect_timeout=3"
        with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
            ran = connection.execute(query)  # type: ignore[call-overload] # a query of this file
            return ran.fetchall() if ran.description else []

    def until(self, what: str, condition: Callable[[], object], seconds: float = 240.0) -> None:
        deadline = time.monotonic() + seconds
        last: object = None
        while time.monotonic() < deadline:
            try:
                last = condition()
            except (psycopg.Error, OSError, ValueError) as error:
                last = error
            else:
                if last:
                    return
            time.sleep(1)
        raise AssertionError(f"{what} not seen in {seconds} s; last: {last!r}; see {self.folder}/up.log")

    def kill(self) -> None:
        """All processes, without a word: the machine is gone."""
        for process in self.processes():
            process.kill()
        if self.up is not None:
            self.up.wait(10)

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("ARES_BACKUP__REPOSITORY") == self.variables["ARES_BACKUP__REPOSITORY"]:
                    found.append(process)
            except psutil.Error:
                continue
        return found


def secret_file(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text + "\n", encoding="utf-8")
    return path
