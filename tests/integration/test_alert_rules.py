"""Goal: Prometheus' alerts fire when they shall and not when they need not; Alertmanager tells whom it shall."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.helpers import ROOT

ALERTING = ROOT / "alerting"
RULES = sorted((ALERTING / "rules").glob("*.yml"))
ROUTES = ALERTING / "alertmanager" / "alertmanager.yml"


@pytest.fixture(scope="module")
def promtool() -> str:
    return require_program("promtool", "apt-get install prometheus")


@pytest.fixture(scope="module")
def amtool() -> str:
    return require_program("amtool", "apt-get install prometheus-alertmanager")


def run(*command: str | Path) -> str:
    """What a program says; it must end well."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_alerts_fire_and_do_not_fire_as_their_examples_say(promtool: str, rules: Path) -> None:
    run(promtool, "check", "rules", rules)
    run(promtool, "test", "rules", ALERTING / "tests" / f"{rules.stem}_test.yml")


def test_prometheus_understands_its_settings(promtool: str) -> None:
    assert "SUCCESS" in run(promtool, "check", "config", "--syntax-only", ALERTING / "prometheus" / "prometheus.yml")


def test_alertmanager_understands_its_settings_and_finds_its_templates(amtool: str) -> None:
    said = run(amtool, "check-config", ROUTES)
    assert " - 1 templates" in said
    assert said.count("SUCCESS") == 2, "the settings and the template"


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"alertname": "Watchdog", "severity": "none", "team": "platform"}, "dead_man"),
        ({"alertname": "MaintenanceOpen", "severity": "none", "team": "platform"}, "nobody"),
        ({"alertname": "Unprotected", "severity": "page", "team": "trading"}, "actions,trading_desk"),
        ({"alertname": "DiskFull", "severity": "page", "team": "platform"}, "actions,pages"),
        ({"alertname": "DataLate", "severity": "page", "team": "data"}, "actions,pages"),
        ({"alertname": "ModelDrifts", "severity": "ticket", "team": "models"}, "actions,models_mail"),
        ({"alertname": "JobFails", "severity": "ticket", "team": "platform"}, "actions,people"),
        ({"alertname": "OnlyReducing", "severity": "ticket", "team": "trading"}, "actions,people"),
    ],
    ids=lambda each: each["alertname"] if isinstance(each, dict) else "",
)
def test_alerts_go_to_whom_they_shall(amtool: str, labels: dict[str, str], receivers: str) -> None:
    words = [f"{name}={value}" for name, value in labels.items()]
    run(amtool, "config", "routes", "test", f"--config.file={ROUTES}", f"--verify.receivers={receivers}", *words)


def test_title_and_text_say_severity_name_value_and_runbook(amtool: str, tmp_path: Path) -> None:
    data = tmp_path / "alert.json"
    data.write_text(
        """{"receiver": "pages", "status": "firing", "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": {"severity": "page", "team": "platform"}, "alerts": [{"status": "firing",
        "labels": {"alertname": "DiskFull"}, "startsAt": "2026-11-23T20:05:03Z",
        "annotations": {"summary": "4% of the disk are left", "runbook": "alerting/runbooks/DiskFull.md"}}]}""",
        encoding="utf-8",
    )
    template = ALERTING / "alertmanager" / "templates" / "ares.tmpl"

    def rendered(name: str) -> str:
        text = '{{ template "' + name + '" . }}'
        options = (f"--template.glob={template}", f"--template.data={data}", f"--template.text={text}")
        return run(amtool, "template", "render", *options)

    assert rendered("ares.title") == "[PAGE] DiskFull (platform)"
    assert rendered("ares.text") == (
        "4% of the disk are left\nsince 2026-11-23 20:05:03 UTC, alerting/runbooks/DiskFull.md"
    )
    assert rendered("ares.colour") == "danger"
