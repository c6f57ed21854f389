"""Prometheus, Alertmanager and a Grafana, with the project's own files, beside a running Ares.

The SQL alerts are asked here, too, unless a Grafana does.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import orjson

from alerting.grafana import grafana, lay_grafana, password_file
from alerting.program import HOST, PUBLIC_MODE, Program, ProgramProcess, lay
from alerting.receiver.service import token_of
from alerting.sql_asker import SqlAsker
from ares.clock import SystemClock
from ares.config import AresConfig
from ares.config.alerting import AlertingConfig
from ares.errors import OperatingError
from ares.files import PRIVATE_MODE, write_whole
from ares.service.beside import beside
from ares.service.drift import cards
from ares.service.processes import ManagedProcess
from ares.service.supervisor import Supervisor

TARGETS_S = 5.0
"""How often the list of what is looked at is written again: services come and go."""
PROGRAMS = ("alertmanager", "prometheus", "grafana")
RETENTION = "15d"
RESEND = "15s"
"""What fires is told again so often: an Alertmanager that was away, or not found yet, knows of it soon."""


def ops_dir(state_dir: Path) -> Path:
    """Where the programs find their files and keep their data."""
    return state_dir / "ops"


def lay_files(config: AresConfig) -> Path:
    """Put rules, routes, templates and the receiver's token in place; returns the folder.

    Secrets of Slack and mail are yours to put into `alertmanager/secrets` there; they stay. Raises `OperatingError`.
    """
    state_dir, alerting = config.environment.state_dir.resolve(), config.alerting
    folder, here = ops_dir(state_dir), Path(str(resources.files("alerting")))
    token = token_of(alerting, state_dir)
    try:
        for made in ("prometheus/targets", "alertmanager/secrets", *(f"data/{name}" for name in PROGRAMS)):
            (folder / made).mkdir(parents=True, exist_ok=True)
        shutil.copytree(here / "rules", folder / "prometheus" / "rules", dirs_exist_ok=True)
        shutil.copytree(here / "alertmanager" / "templates", folder / "alertmanager" / "templates", dirs_exist_ok=True)
        told = {f"{HOST}:9093": f"{HOST}:{alerting.alertmanager_port}"}
        lay(here / "prometheus" / "prometheus.yml", folder / "prometheus", told)
        acts = {f"{HOST}:8830": f"{HOST}:{alerting.port}"}
        lay(here / "alertmanager" / "alertmanager.yml", folder / "alertmanager", acts)
        write_whole(folder / "alertmanager" / "secrets" / "receiver_token", token.encode(), PRIVATE_MODE)
        lay_grafana(config, folder)
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


def programs(config: AresConfig) -> list[ManagedProcess]:
    """Alertmanager first, for Prometheus tells it at once what fires; Grafana where its folder is named.

    Raises `UsageError` where that folder has no Grafana.
    """
    alerting, state_dir = config.alerting, config.environment.state_dir.resolve()
    folder = ops_dir(state_dir)
    wanted = [_alertmanager(alerting, folder), _prometheus(alerting, folder)]
    if alerting.grafana_home is not None:
        wanted.append(grafana(config, alerting.grafana_home, folder))
    return [ProgramProcess(state_dir, each) for each in wanted]


def _alertmanager(alerting: AlertingConfig, folder: Path) -> Program:
    address = f"{HOST}:{alerting.alertmanager_port}"
    command = [
        alerting.alertmanager,
        f"--config.file={folder / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data' / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    install = "Install it: apt-get install prometheus-alertmanager"
    return Program("alertmanager", command, alerting.alertmanager_port, install)


def _prometheus(alerting: AlertingConfig, folder: Path) -> Program:
    address = f"{HOST}:{alerting.prometheus_port}"
    command = [
        alerting.prometheus,
        f"--config.file={folder / 'prometheus' / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data' / 'prometheus'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--rules.alert.resend-delay={RESEND}",
        f"--web.listen-address={address}",
    ]
    install, needs = "Install it: apt-get install prometheus", ("alertmanager",)
    return Program("prometheus", command, alerting.prometheus_port, install, depends_on=needs)


async def _ask(config: AresConfig) -> None:
    if config.alerting.sql_asked_by == "ops":
        address = f"http://{HOST}:{config.alerting.alertmanager_port}"
        await SqlAsker(config.database, address, SystemClock()).run()


async def run_ops(config: AresConfig, report: Callable[[str], None], stopping: asyncio.Event) -> None:
    """These programs, and the asking of SQL alerts, until `stopping` is set; what dies is started again.

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
            if config.alerting.grafana_home is not None:
                place = f"http://{HOST}:{config.alerting.grafana_port}/dashboards"
                report(f"Grafana: {place} (user admin, its password is in {password_file(folder)})")
            while not stopping.is_set():
                await asyncio.to_thread(write_targets, config)
                try:
                    await asyncio.wait_for(stopping.wait(), TARGETS_S)
                except TimeoutError:
                    continue
    finally:
        await supervisor.stop()
