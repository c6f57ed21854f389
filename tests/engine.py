"""A Docker engine for tests: QuestDB in a container, and the services of the compose file as a user runs them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from ares.config.settings import DatabaseConfig
from ares.store.server import EmbeddedQuestDB
from tests.helpers import ROOT, missing

DOCKER = os.environ.get("DOCKER", "docker")
IMAGE = os.environ.get("ARES_QUESTDB_IMAGE", "ares-questdb:dev")
IMAGES = (IMAGE, os.environ.get("ARES_IMAGE", "ares:dev"))
INSTALL = "apt-get install docker.io iptables; make images LOCAL=1; dockerd must run"
PORTS = {"http_port": 9000, "pg_port": 8812, "health_port": 9003}
PROFILES = ("--profile", "demo")


def contained() -> bool:
    """Whether tests were asked to take containers: `make test-containers`."""
    return "ARES_TEST_CONTAINERS" in os.environ


@cache
def docker() -> str:
    """The client of an engine that answers and has our images; without them the test skips, in CI it fails."""
    program = shutil.which(DOCKER)
    if program is None:
        missing(f"{DOCKER} is not installed: {INSTALL}")
    for words in (["version"], *(["image", "inspect", image] for image in IMAGES)):
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            missing(f"docker {' '.join(words)}: {done.stderr.strip()}. {INSTALL}")
    return program


@cache
def compose() -> list[str]:
    """`docker compose`, or the one that infra/compose builds."""
    plugin = [docker(), "compose"]
    if not subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode:
        return plugin
    built = subprocess.run([ROOT / "infra" / "compose" / "build.sh"], capture_output=True, text=True, check=False)
    if built.returncode:
        missing(f"docker compose is not there, and cannot be built: {built.stderr.strip()}")
    return [built.stdout.strip()]


class ContainedQuestDB(EmbeddedQuestDB):
    """As the embedded one, in a container: our image, its files in the same folder, its doors at the same ports."""

    def __init__(self, config: DatabaseConfig, state_dir: Path) -> None:
        super().__init__(config, state_dir)
        self._name = f"ares-test-questdb-{secrets.token_hex(6)}"

    def command(self) -> list[str]:
        confined = ["--read-only", "--tmpfs=/tmp:exec", "--cap-drop=ALL", "--security-opt=no-new-privileges:true"]
        told = [f"--env={name}" for name in self.environment()]
        doors = [f"--publish=127.0.0.1:{getattr(self.config, ours)}:{theirs}" for ours, theirs in PORTS.items()]
        return [
            *(docker(), "run", "--rm", "--init", f"--name={self._name}", f"--user={os.getuid()}:{os.getgid()}"),
            *(f"--volume={self.root}:/var/lib/questdb", *confined, *told, *doors, IMAGE),
        ]

    def environment(self) -> Mapping[str, str]:
        """As everywhere, but for what a container has of its own: its addresses, and Java's options."""
        ours = super().environment()
        names = ("QDB_HTTP_BIND_TO", "QDB_PG_NET_BIND_TO", "QDB_HTTP_MIN_NET_BIND_TO")
        doors = {name: f"0.0.0.0:{port}" for name, port in zip(names, PORTS.values(), strict=True)}
        return {**ours, **doors, "JDK_JAVA_OPTIONS": f"-Xmx{self.config.heap_mb}m -XX:+UseParallelGC"}

    def stop(self) -> bool:
        stopped = super().stop()
        subprocess.run([docker(), "rm", "--force", self._name], capture_output=True, check=False)
        return stopped


class Demo:
    """The profile `demo` of the compose file, as a project of a test's own."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self.project = f"ares-test-{secrets.token_hex(4)}"
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.project,
            **{f"ARES_GATEWAY_{name}": str(port) for name, port in ports.items()},
        }

    def ask(self, *words: str, seconds: float = 60.0, given: str | None = None) -> str:
        """What Compose says to a command; it must succeed."""
        done = subprocess.run(
            [*compose(), *PROFILES, *words],
            cwd=ROOT, env=self._environment, input=given, capture_output=True, text=True, timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
        return done.stdout

    def inside(self, service: str, *command: str, given: str | None = None) -> str:
        """What a command says that is run in a service's container."""
        return self.ask("exec", "-T", service, *command, given=given)

    def states(self) -> dict[str, dict[str, Any]]:
        """Every container by its service, as the engine describes it."""
        mine = f"--filter=label=com.docker.compose.project={self.project}"
        ids = subprocess.run([docker(), "ps", "--all", "--quiet", mine], capture_output=True, text=True, check=True)
        done = subprocess.run([docker(), "inspect", *ids.stdout.split()], capture_output=True, text=True, check=True)
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each for each in json.loads(done.stdout)}

    def healthy(self, service: str) -> bool:
        state = self.states()[service]["State"]
        return bool(state["Status"] == "running" and state.get("Health", {}).get("Status") == "healthy")

    def crash(self, service: str) -> int:
        """Kill every process of a container but the one that only passes on how they ended. Returns how often the
        engine has started it again by now.

        `docker kill` would not do: the engine takes it for the wish that it stays away.
        """
        before = int(self.states()[service]["RestartCount"])
        subprocess.run(
            [*compose(), *PROFILES, "exec", "-T", service, "bash", "-c", "kill -9 -1"],
            cwd=ROOT, env=self._environment, capture_output=True, timeout=30, check=False,
        )  # fmt: skip
        return before

    def until(self, what: str, holds: Callable[[], object], seconds: float) -> float:
        """Wait for it; how long that took, in seconds."""
        began = time.monotonic()
        while not holds():
            if time.monotonic() - began > seconds:
                logs = self.ask("logs", "--no-color", "--tail=15")
                raise AssertionError(f"{what}: not within {seconds} s\n{self.ask('ps', '--all')}\n{logs}")
            time.sleep(0.5)
        return time.monotonic() - began


@contextmanager
def running_demo(ports: Mapping[str, int]) -> Iterator[Demo]:
    """To be brought up; taken away with all its volumes at the end."""
    demo = Demo(ports)
    try:
        yield demo
    finally:
        demo.ask("down", "--volumes", "--timeout=10", seconds=180)
