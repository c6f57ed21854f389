"""Goal: every alert fires when it shall and not when it need not, and says where to read what to do."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import require_program
from tests.helpers import ROOT

ALERTING = ROOT / "alerting"
RULES = sorted((ALERTING / "rules").glob("*.yml"))
ALERT = re.compile(r"^\s*- alert: (\w+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def promtool() -> str:
    return require_program("promtool", "apt-get install prometheus")


def alerts(rules: Path) -> list[str]:
    return ALERT.findall(rules.read_text())


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_alerts_fire_and_do_not_fire_as_their_examples_say(promtool: str, rules: Path) -> None:
    examples = ALERTING / "tests" / f"{rules.stem}_test.yml"
    for command in (["check", "rules", rules], ["test", "rules", examples]):
        done = subprocess.run([promtool, *map(str, command)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_every_alert_has_a_runbook_and_an_example_of_both_kinds(rules: Path) -> None:
    examples = (ALERTING / "tests" / f"{rules.stem}_test.yml").read_text()
    assert alerts(rules)
    for alert in alerts(rules):
        assert (ALERTING / "runbooks" / f"{alert}.md").is_file()
        assert f"runbook: alerting/runbooks/{alert}.md" in rules.read_text()
        assert f"name: {alert} fires" in examples
        assert f"name: {alert} does not fire" in examples


def test_every_runbook_is_of_an_alert() -> None:
    known = {alert for rules in RULES for alert in alerts(rules)}
    assert {path.stem for path in (ALERTING / "runbooks").glob("*.md")} == known
