"""Prometheus and Alertmanager from their packages, with the project's own files, beside a running Ares.

The SQL alerts are asked here, too, unless a Grafana does.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

import orjson

from alerting.receiver.service import token_of
from alerting.sql_asker import SqlAsker
from ares.clock import SystemClock
from ares.config import AresConfig
from ares.config.alerting import AlertingConfig
from ares.errors import OperatingError, PortInUse, UsageError
from ares.files import write_whole
from ares.service.beside import beside
from ares.service.drift import cards
from ares.service.processes import ChildProcess, ManagedProcess, answers_ok
from ares.service.supervisor import Supervisor
from ares.store.server import port_is_free

HOST = "127.0.0.1"
TARGETS_S = 5.0
"""How often the list of what is looked at is written again: services come and go."""
PRIVATE_MODE, PUBLIC_MODE = 0o600, 0o644
RETENTION = "15d"
RESEND = "15s"
"""What fires is told again so often: an Alertmanager that was away, or not found yet, knows of it soon."""


def ops_dir(state_dir: Path) -> Path:
    """Where both programs find their files and keep their data."""
    return state_dir / "ops"


def lay_files(config: AresConfig) -> Path:
    """Put rules, routes, templates and the receiver's token in place; returns the folder.

    Secrets of Slack and mail are yours to put into `alertmanager/secrets` there; they stay. Raises `OperatingError`.
    """
    state_dir, alerting = config.environment.state_dir.resolve(), config.alerting
    folder, here = ops_dir(state_dir), Path(str(resources.files("alerting")))
    token = token_of(alerting, state_dir)
    try:
        for made in ("prometheus/targets", "alertmanager/secrets"):
            (folder / made).mkdir(parents=True, exist_ok=True)
        shutil.copytree(here / "rules", folder / "prometheus" / "rules", dirs_exist_ok=True)
        shutil.copytree(here / "alertmanager" / "templates", folder / "alertmanager" / "templates", dirs_exist_ok=True)
        _lay(here / "prometheus" / "prometheus.yml", folder / "prometheus", {9093: alerting.alertmanager_port})
        _lay(here / "alertmanager" / "alertmanager.yml", folder / "alertmanager", {8830: alerting.port})
        write_whole(folder / "alertmanager" / "secrets" / "receiver_token", token.encode(), PRIVATE_MODE)
    except OSError as error:
        raise OperatingError(f"{folder}: cannot be written ({error.strerror})") from None
    write_targets(config)
    return folder


def write_targets(config: AresConfig) -> list[str]:
    """Write whom Prometheus looks at: every service that runs here, and QuestDB. Returns `service at host:port`."""
    state_dir = config.environment.state_dir.resolve()
    folder = ops_dir(state_dir) / "prometheus" / "targets"
    ares = {card.service: f"{HOST}:{card.port}" for card in cards(state_dir)}
    questdb = {"questdb": f"{config.database.host}:{config.database.health_port}"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for job, found in (("ares", ares), ("questdb", questdb)):
            groups = [{"targets": [place], "labels": {"service": name}} for name, place in found.items()]
            write_whole(folder / f"{job}.json", orjson.dumps(groups), PUBLIC_MODE)
    except OSError as error:
        raise OperatingError(f"{folder}: cannot be written ({error.strerror})") from None
    return [f"{name} at {place}" for name, place in {**ares, **questdb}.items()]


def _lay(source: Path, folder: Path, ports: dict[int, int]) -> None:
    text = source.read_text(encoding="utf-8")
    for usual, ours in ports.items():
        text = text.replace(f"{HOST}:{usual}", f"{HOST}:{ours}")
    write_whole(folder / source.name, text.encode(), PUBLIC_MODE)


class ProgramProcess(ChildProcess):
    """A program of a Debian package as a managed process; ready once `/-/ready` answers."""

    def __init__(
        self, state_dir: Path, command: Sequence[str], port: int, *, package: str, depends_on: tuple[str, ...] = ()
    ) -> None:
        super().__init__(package.removeprefix("prometheus-"), depends_on, state_dir)
        self._command = command
        self._port = port
        self._package = package

    def spawn(self) -> None:
        """Raises `UsageError` naming the package where the program is missing, `PortInUse`."""
        asked, *arguments = self._command
        program = shutil.which(asked)
        if program is None:
            raise UsageError(
                f"alerting.{self.name} = {asked!r}: no such program. Install it: apt-get install {self._package}"
            )
        if not port_is_free(HOST, self._port):
            raise PortInUse(f"alerting.{self.name}_port", HOST, self._port)
        self.start([program, *arguments])

    def ready(self) -> bool:
        return answers_ok(f"http://{HOST}:{self._port}/-/ready")


def programs(config: AresConfig) -> list[ManagedProcess]:
    """Both, Alertmanager first: Prometheus tells it at once what fires."""
    alerting, state_dir = config.alerting, config.environment.state_dir.resolve()
    folder = ops_dir(state_dir)
    return [_alertmanager(alerting, state_dir, folder), _prometheus(alerting, state_dir, folder)]


def _alertmanager(alerting: AlertingConfig, state_dir: Path, folder: Path) -> ProgramProcess:
    address = f"{HOST}:{alerting.alertmanager_port}"
    command = [
        alerting.alertmanager,
        f"--config.file={folder / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={folder / 'alertmanager' / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    return ProgramProcess(state_dir, command, alerting.alertmanager_port, package="prometheus-alertmanager")


def _prometheus(alerting: AlertingConfig, state_dir: Path, folder: Path) -> ProgramProcess:
    address = f"{HOST}:{alerting.prometheus_port}"
    command = [
        alerting.prometheus,
        f"--config.file={folder / 'prometheus' / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus' / 'data'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--rules.alert.resend-delay={RESEND}",
        f"--web.listen-address={address}",
    ]
    needs = ("alertmanager",)
    return ProgramProcess(state_dir, command, alerting.prometheus_port, package="prometheus", depends_on=needs)


async def _ask(config: AresConfig) -> None:
    if config.alerting.sql_asked_by == "ops":
        address = f"http://{HOST}:{config.alerting.alertmanager_port}"
        await SqlAsker(config.database, address, SystemClock()).run()


async def run_ops(config: AresConfig, report: Callable[[str], None], stopping: asyncio.Event) -> None:
    """Both programs, and the asking of SQL alerts, until `stopping` is set; what dies is started again.

    Raises `UsageError`, `OperatingError`.
    """
    folder = await asyncio.to_thread(lay_files, config)
    report(f"files: {folder}")
    supervisor = Supervisor(programs(config), config.environment, SystemClock(), report)
    try:
        await supervisor.start()
        async with beside(supervisor.run(), "ops"), beside(_ask(config), "sql alerts"):
            report(f"Prometheus: http://{HOST}:{config.alerting.prometheus_port}/alerts")
            report(f"Alertmanager: http://{HOST}:{config.alerting.alertmanager_port}")
            while not stopping.is_set():
                await asyncio.to_thread(write_targets, config)
                try:
                    await asyncio.wait_for(stopping.wait(), TARGETS_S)
                except TimeoutError:
                    continue
    finally:
        await supervisor.stop()
