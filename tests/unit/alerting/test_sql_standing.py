"""Goal: an SQL alert that Ares asks fires, waits and ends as Grafana's would, and halts nothing while nobody knows."""

from __future__ import annotations

import re

import pytest

from alerting.sql_asker import told
from alerting.sql_rules import RULES, SqlRule
from alerting.sql_standing import NO_ANSWER, NO_DATA, UNANSWERED_S, Standing, found
from ares.clock import NANOS_PER_SECOND
from ares.store.pool import Record

BY_NAME = {rule.name: rule for rule in RULES}
DRAWDOWN, EXPOSURE, PROVED = BY_NAME["Drawdown"], BY_NAME["ExposureHigh"], BY_NAME["BackupNotProved"]
HIGH: list[Record] = [{"account": "paper", "value": 1.2}]
FINE: list[Record] = [{"account": "paper", "value": 1.0}]
START_NS = 1_790_000_000 * NANOS_PER_SECOND


def names(standing: Standing, rule: SqlRule, answer: list[Record] | None, at_s: float) -> tuple[list[str], list[str]]:
    """What fires and what has ended, by name."""
    both = standing.look(found(rule, answer), START_NS + round(at_s * NANOS_PER_SECOND))
    firing, ended = ([dict(labels)["alertname"] for labels in each] for each in both)
    return firing, ended


def test_a_row_above_fires_with_its_columns_and_the_value_in_words() -> None:
    (labels, finding), *others = found(
        DRAWDOWN, [{"account": "paper", "value": 1.0734}, {"account": "other", "value": 1.0}]
    ).items()
    assert others == []
    assert dict(labels) == {"alertname": "Drawdown", "severity": "page", "team": "trading", "account": "paper"}
    assert finding.summary == "paper fell by 107.3% of its drawdown limit"
    assert finding.runbook == "alerting/runbooks/Drawdown.md"


def test_what_holds_fires_once_it_held_long_enough_and_ends_once() -> None:
    standing = Standing()
    assert names(standing, EXPOSURE, HIGH, 0) == ([], [])
    assert names(standing, EXPOSURE, HIGH, 29) == ([], [])
    assert names(standing, EXPOSURE, HIGH, 30) == (["ExposureHigh"], [])
    assert names(standing, EXPOSURE, FINE, 45) == ([], ["ExposureHigh"])
    assert names(standing, EXPOSURE, FINE, 60) == ([], [])


def test_what_held_in_between_only_begins_anew() -> None:
    standing = Standing()
    names(standing, EXPOSURE, HIGH, 0)
    names(standing, EXPOSURE, FINE, 15)
    assert names(standing, EXPOSURE, HIGH, 30) == ([], [])


def test_each_row_stands_by_itself() -> None:
    standing = Standing()
    one: Record = {"account": "one", "value": 1.5}
    two: Record = {"account": "two", "value": 1.5}
    standing.look(found(DRAWDOWN, [one, two]), START_NS)
    firing, ended = standing.look(found(DRAWDOWN, [two]), START_NS + NANOS_PER_SECOND)
    assert [dict(labels)["account"] for labels in firing] == ["two"]
    assert [dict(labels)["account"] for labels in ended] == ["one"]
    assert [each.began_ns for each in firing.values()] == [START_NS]


@pytest.mark.parametrize(
    ("answer", "name"), [(None, NO_ANSWER), ([], NO_DATA), ([{"account": "paper", "value": None}], NO_DATA)]
)
def test_no_answer_and_no_data_alert_under_their_own_names_so_that_no_trading_is_halted(
    answer: list[Record] | None, name: str
) -> None:
    standing = Standing()
    assert names(standing, DRAWDOWN, answer, 0) == ([], [])
    assert names(standing, DRAWDOWN, answer, UNANSWERED_S) == ([name], [])
    assert all(dict(labels)["rulename"] == "Drawdown" for labels in found(DRAWDOWN, answer))
    assert names(standing, DRAWDOWN, [{"account": "paper", "value": 0.0}], UNANSWERED_S + 15) == ([], [name])


def test_a_rule_that_waits_waits_for_missing_rows_too() -> None:
    standing = Standing()
    names(standing, PROVED, [{"value": None}], 0)
    assert names(standing, PROVED, [{"value": None}], PROVED.for_s - 1) == ([], [])
    assert names(standing, PROVED, [{"value": None}], PROVED.for_s) == ([NO_DATA], [])


def test_alertmanager_is_told_since_when_and_until_when_without_another_word() -> None:
    standing = Standing()
    firing, _ = standing.look(found(DRAWDOWN, [{"account": "paper", "value": 1.5}]), START_NS)
    (alert,) = told(firing, START_NS + 90 * NANOS_PER_SECOND)
    assert alert == {
        "labels": {"account": "paper", "alertname": "Drawdown", "severity": "page", "team": "trading"},
        "annotations": {
            "summary": "paper fell by 150% of its drawdown limit",
            "runbook": "alerting/runbooks/Drawdown.md",
        },
        "startsAt": "2026-09-21T14:13:20.000000000Z",
        "endsAt": "2026-09-21T14:14:50.000000000Z",
    }


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("Drawdown", "{{ $labels.account }} fell by <humanizePercentage > of its drawdown limit"),
        ("GapsUnresolved", "<> ranges are missing and not healed"),
        ("ReconcileDiverges", "Book and venue of {{ $labels.account }} differ for <humanizeDuration >"),
    ],
)
def test_grafana_is_given_the_same_words_as_a_template_that_needs_no_value(name: str, template: str) -> None:
    value = re.compile(r"<(.*)>")
    wanted = value.sub(r"{{ with $values.A }}{{ \1.Value }}{{ else }}?{{ end }}", template)
    assert BY_NAME[name].template == wanted
