"""What the SQL alerts' answers mean over time: what holds, what fires, what has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerting.sql_rules import SqlRule
from ares.clock import NANOS_PER_SECOND
from ares.store.pool import Record, as_float

UNANSWERED_S = 60
"""A rule that has had no answer for so long fires; a database that restarts is back before."""
NO_DATA, NO_ANSWER = "DatasourceNoData", "DatasourceError"
"""As Grafana names them. They are not the rule: nothing is done to trading because nobody knows."""

Labels = tuple[tuple[str, str], ...]
"""Sorted by name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Holds now; fires once it has held for `for_s` seconds."""

    for_s: int
    summary: str
    runbook: str


@dataclass(frozen=True, slots=True)
class Firing:
    """Fires since `began_ns`, when it first held (UTC ns)."""

    finding: Finding
    began_ns: int


def found(rule: SqlRule, answer: Sequence[Record] | None) -> dict[Labels, Finding]:
    """What holds by an answer; None: there was none. Values are compared as Grafana's threshold does."""
    runbook = f"alerting/runbooks/{rule.name}.md"
    if answer is None:
        said = f"{rule.name}: the database does not answer, nobody knows"
        return {_labels(rule, NO_ANSWER, rulename=rule.name): Finding(UNANSWERED_S, said, runbook)}
    known = [row for row in answer if row["value"] is not None]
    if not known:
        said = f"{rule.name}: nothing to judge by"
        return {_labels(rule, NO_DATA, rulename=rule.name): Finding(max(UNANSWERED_S, rule.for_s), said, runbook)}
    holds = dict[Labels, Finding]()
    for row in known:
        value, of = as_float(row["value"]), {name: str(cell) for name, cell in row.items() if name != "value"}
        if value > rule.above:
            holds[_labels(rule, rule.name, **of)] = Finding(rule.for_s, rule.told(of, value), runbook)
    return holds


def _labels(rule: SqlRule, name: str, **of: str) -> Labels:
    return tuple(sorted({"alertname": name, "severity": rule.severity, "team": rule.team, **of}.items()))


class Standing:
    """Remembers between two looks. Forgotten with its process: what holds then begins anew."""

    def __init__(self) -> None:
        self._since = dict[Labels, int]()
        self._firing = dict[Labels, Firing]()

    def look(self, holds: Mapping[Labels, Finding], now_ns: int) -> tuple[dict[Labels, Firing], dict[Labels, Firing]]:
        """What fires, and what fired at the last look and no longer does."""
        self._since = {labels: self._since.get(labels, now_ns) for labels in holds}
        firing = {
            labels: Firing(finding, self._since[labels])
            for labels, finding in holds.items()
            if now_ns - self._since[labels] >= finding.for_s * NANOS_PER_SECOND
        }
        ended = {labels: each for labels, each in self._firing.items() if labels not in firing}
        self._firing = firing
        return firing, ended
