"""Writes what Kubernetes needs of the project's own files: Prometheus' rules as its operator wants them, and
Alertmanager's settings where kustomize finds them, which reads nothing outside its folders.

    python deploy/kubernetes/generate.py
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
ALERTING = HERE.parents[1] / "alerting"
NOTICE = "# Generated from alerting/rules by deploy/kubernetes/generate.py: change it there.\n"
COPIED = {
    "alertmanager/alertmanager.yml": "base/settings/alertmanager/alertmanager.yml",
    "alertmanager/templates/ares.tmpl": "base/settings/alertmanager/ares.tmpl",
}


def rule(name: str, text: str) -> str:
    """A file of rules as a PrometheusRule."""
    groups = text[text.index("groups:\n") :]
    indented = "".join(f"  {line}" if line.strip() else line for line in groups.splitlines(keepends=True))
    head = f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata: {{name: ares-{name}}}\nspec:\n"
    return head + indented


def generated() -> Mapping[str, str]:
    """What lies where below this folder."""
    rules = sorted((ALERTING / "rules").glob("*.yml"))
    said = [rule(each.stem, each.read_text(encoding="utf-8")) for each in rules]
    copied = {there: (ALERTING / here).read_text(encoding="utf-8") for here, there in COPIED.items()}
    return {"components/monitoring/rules.yaml": NOTICE + "---\n".join(said), **copied}


if __name__ == "__main__":
    for place, text in generated().items():
        (HERE / place).write_text(text, encoding="utf-8")
