"""Goal: a real Alertmanager keeps quiet about what a known cause explains, and about nothing else."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from signal import SIGTERM
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from alerting.ops import lay_files, programs
from ares.config.settings import AresConfig
from ares.service.processes import ManagedProcess
from tests.conftest import free_port, require_program

KNOWN_S_MAX = 30.0
Labels = Mapping[str, str]


def labels(alertname: str, team: str, severity: str = "page", **more: str) -> Labels:
    return {"alertname": alertname, "team": team, "severity": severity, "instance": "here:1", **more}


DATABASE_GONE = labels("ServiceDown", "platform", service="questdb")
MAINTENANCE = labels("MaintenanceOpen", "platform", "none")
LATE, FAST = labels("DataLate", "data"), labels("SloBurnsFast", "data", slo="rows")
CASES = {
    "a database that is gone explains late data": (DATABASE_GONE, LATE, True),
    "and promises that burn": (DATABASE_GONE, FAST, True),
    "and statements without an answer": (DATABASE_GONE, labels("DatasourceError", "trading"), True),
    "not a drawdown": (DATABASE_GONE, labels("Drawdown", "trading", account="main"), False),
    "another service that is gone explains no late data": (
        labels("ServiceDown", "platform", service="trader"), LATE, False,
    ),
    "maintenance keeps data quiet": (MAINTENANCE, LATE, True),
    "maintenance keeps tickets of models quiet": (MAINTENANCE, labels("ModelDrifts", "models", "ticket"), True),
    "maintenance never keeps trading quiet": (MAINTENANCE, labels("Unprotected", "trading"), False),
    "a full disk explains that it fills": (labels("DiskFull", "platform"), labels("DiskFills", "platform"), True),
    "not that another one fills": (
        labels("DiskFull", "platform"), labels("DiskFills", "platform", instance="there:1"), False,
    ),
    "a promise that burns fast burns slowly, too": (FAST, labels("SloBurnsSlow", "data", "ticket", slo="rows"), True),
    "another promise is another matter": (FAST, labels("SloBurnsSlow", "data", "ticket", slo="cycles"), False),
    "a certificate about to end needs no second reminder": (
        labels("CertificateExpiresNow", "platform"), labels("CertificateExpires", "platform", "ticket"), True,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where one listens that has the project's routes."""
    require_program("prometheus-alertmanager", "apt-get install prometheus-alertmanager")
    ports = {"port": free_port(), "alertmanager_port": free_port(), "prometheus_port": free_port()}
    state_dir = tmp_path_factory.mktemp("inhibition")
    config = AresConfig.model_validate({"environment": {"state_dir": state_dir}, "alerting": ports})
    lay_files(config)
    process = programs(config)[0]
    process.spawn()
    try:
        until(lambda: answers(process), "it answers")
        yield f"http://127.0.0.1:{ports['alertmanager_port']}/api/v2/alerts"
    finally:
        process.end(SIGTERM)
        until(lambda: process.exit_code() is not None, "it ends")


def answers(process: ManagedProcess) -> bool:
    with suppress(URLError):
        return process.ready()
    return False


def until(condition: Callable[[], bool], words: str) -> None:
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < KNOWN_S_MAX, words
        time.sleep(0.1)


def post(address: str, *alerts: Labels, **times: str) -> None:
    body = json.dumps([{"labels": dict(each), **times} for each in alerts]).encode()
    with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=10) as answer:
        assert answer.status == 200


def known(address: str, case: str) -> dict[str, tuple[str, list[str]]]:
    """By an alert's name: whether it is told, and the causes why not."""
    with urlopen(address, timeout=10) as answer:
        told = [each for each in json.load(answer) if each["labels"].get("case") == case]
    names = {each["fingerprint"]: each["labels"]["alertname"] for each in told}
    return {
        each["labels"]["alertname"]: (
            each["status"]["state"],
            [names.get(cause, cause) for cause in each["status"]["inhibitedBy"]],
        )
        for each in told
    }


def end(address: str, *alerts: Labels) -> None:
    post(address, *alerts, endsAt=datetime.now(UTC).isoformat())


@pytest.mark.parametrize("case", CASES)
def test_a_cause_keeps_its_consequences_quiet(alertmanager: str, case: str) -> None:
    cause, consequence, is_quiet = CASES[case]
    cause, consequence = ({**each, "case": case} for each in (cause, consequence))
    post(alertmanager, cause, consequence)
    try:
        wanted = ("suppressed", [cause["alertname"]]) if is_quiet else ("active", [])
        until(lambda: known(alertmanager, case).get(consequence["alertname"]) == wanted, case)
        assert known(alertmanager, case)[cause["alertname"]][0] == "active", "the cause itself is told"
    finally:
        end(alertmanager, cause, consequence)
        until(lambda: not known(alertmanager, case), "both are over")
