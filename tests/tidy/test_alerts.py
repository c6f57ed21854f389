"""Goal: no alert without runbook, words, owner, and examples of both kinds; no runbook without its alert."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting.sql_rules import NOTICE, PROVISIONED, RULES, files, provisioned
from ares.config.alerting import AlertingConfig
from tests.helpers import ROOT
from tests.sql_alerts import CASES

ALERTING = ROOT / "alerting"
FILES = sorted((ALERTING / "rules").glob("*.yml"))
ALERT = re.compile(r"^ *- alert: (?P<name>\w+)\n(?P<body>(?:(?! *- (?:alert|record): ).*\n?)*)", re.MULTILINE)
SEVERITIES, TEAMS = ("page", "ticket", "none"), ("trading", "data", "models", "platform")
ALWAYS = "expr: vector(1)"
"""An alert of this kind never ends: there is nothing for which it does not fire."""
OWNED_BY_THE_PROMISE = "slo.yml"
"""Its recordings carry the team of what was promised."""


def faults(rules: str, examples: str, *, has_team: bool = True) -> Iterator[str]:
    """What is missing of the alerts of a file of rules."""
    for found in ALERT.finditer(rules):
        name, body = found["name"], found["body"]
        if f"runbook: alerting/runbooks/{name}.md" not in body:
            yield f"{name} names no runbook of its own"
        if not re.search(r'summary: "[^"]*\{\{ \$[^"]*"|summary: "[^"]{20,}"', body):
            yield f"{name} says nothing"
        if not any(f"severity: {each}" in body for each in SEVERITIES):
            yield f"{name} has no severity"
        if has_team and not any(f"team: {each}" in body for each in TEAMS):
            yield f"{name} has no team"
        if f"name: {name} fires" not in examples:
            yield f"{name} is never shown to fire"
        if f"name: {name} does not fire" not in examples and ALWAYS not in body:
            yield f"{name} is never shown not to fire"


@pytest.mark.parametrize("rules", FILES, ids=lambda path: path.stem)
def test_every_alert_of_prometheus_is_whole(rules: Path) -> None:
    examples = (ALERTING / "tests" / f"{rules.stem}_test.yml").read_text(encoding="utf-8")
    text = rules.read_text(encoding="utf-8")
    assert ALERT.search(text)
    assert list(faults(text, examples, has_team=rules.name != OWNED_BY_THE_PROMISE)) == []


def test_an_alert_that_lacks_something_is_found() -> None:
    bare = "groups:\n  - name: a\n    rules:\n      - alert: Bare\n        expr: up == 0\n"
    assert len(list(faults(bare, ""))) == 6
    assert "Bare is never shown not to fire" in list(faults(bare, "name: Bare fires"))


def test_every_sql_alert_is_a_rule_with_rows_for_both() -> None:
    names = [rule.name for rule in RULES]
    assert sorted(names) == files() == sorted(CASES)
    assert [name for name, cases in CASES.items() if not (cases.quiet and cases.firing)] == []
    assert {rule.severity for rule in RULES} <= set(SEVERITIES)
    assert {rule.team for rule in RULES} <= set(TEAMS)
    assert all("$values.A" in rule.template for rule in RULES)


def test_statements_use_no_macro_of_time_and_one_value() -> None:
    for rule in RULES:
        assert "$__" not in rule.statement
        assert len(re.findall(r"AS value\b", rule.statement)) == 1
        assert "now()" in rule.statement


def test_what_grafana_is_given_is_what_the_rules_say() -> None:
    text = PROVISIONED.read_text(encoding="utf-8")
    assert text.startswith(NOTICE)
    assert json.loads(text.removeprefix(NOTICE)) == provisioned(), "make generate"


def known() -> set[str]:
    """All alerts there are."""
    of_prometheus = {found["name"] for rules in FILES for found in ALERT.finditer(rules.read_text(encoding="utf-8"))}
    return of_prometheus | {rule.name for rule in RULES}


def test_every_runbook_is_of_an_alert_and_every_alert_has_one() -> None:
    assert {path.stem for path in (ALERTING / "runbooks").glob("*.md")} == known()


def test_actions_are_of_alerts_that_there_are() -> None:
    assert set(AlertingConfig().actions) <= known()
