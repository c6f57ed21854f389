"""Goal: a release of the API is let through when it is well, asked or not asked anything, and is not when it is not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.conftest import require_program
from tests.kubernetes import named, of_kind, overlay

HASH = "5d9c"
POD = f'namespace="ares",rollouts_pod_template_hash="{HASH}"'
CONDITION = re.compile(r"len\(result\) > 0 && result\[0\] (?P<bound>(?:==|<) [0-9.]+)")
STANDS = {
    f'up{{job="ares",service="api",{POD}}}': "1x20",
    f"ares_config_valid{{{POD}}}": "1x20",
    f"ares_secrets_stale{{{POD}}}": "0x20",
}
"""What a pod says that nobody asks anything."""
IDLE = STANDS | {
    f'ares_statement_seconds_bucket{{{POD},le="0.5"}}': "3x20",
    f'ares_statement_seconds_bucket{{{POD},le="2.5"}}': "3x20",
    f'ares_statement_seconds_bucket{{{POD},le="+Inf"}}': "3x20",
    f'ares_external_calls_total{{{POD},outcome="ok"}}': "3x20",
}
"""It asked something as it started, and nothing since."""
BUSY = STANDS | {
    f'ares_statement_seconds_bucket{{{POD},le="0.5"}}': "0+10x20",
    f'ares_statement_seconds_bucket{{{POD},le="2.5"}}': "0+10x20",
    f'ares_statement_seconds_bucket{{{POD},le="+Inf"}}': "0+10x20",
    f'ares_external_calls_total{{{POD},outcome="ok"}}': "0+99x20",
    f'ares_external_calls_total{{{POD},outcome="error"}}': "0+1x20",
}
SLOW = BUSY | {f'ares_statement_seconds_bucket{{{POD},le="0.5"}}': "0+9x20"}
FAILING = BUSY | {f'ares_external_calls_total{{{POD},outcome="error"}}': "0+9x20"}
GONE = BUSY | {f'up{{job="ares",service="api",{POD}}}': "0x20"}
WRONG = BUSY | {f"ares_config_valid{{{POD}}}": "0x20"}
ALL = {"answers-prometheus", "settings-are-right", "questdb-answers-in-time", "calls-go-well"}


@pytest.mark.parametrize(
    ("said", "against"),
    [
        (STANDS, set()),
        (IDLE, set()),
        (BUSY, set()),
        (SLOW, {"questdb-answers-in-time"}),
        (FAILING, {"calls-go-well"}),
        (GONE, {"answers-prometheus"}),
        (WRONG, {"settings-are-right"}),
        ({}, {"answers-prometheus", "settings-are-right"}),
    ],
    ids=["nothing asked", "idle", "busy", "slow", "failing", "gone", "wrong settings", "nobody there"],
)
def test_the_analysis_of_a_release_is_for_it_but_where_it_is_not_well(
    said: Mapping[str, str], against: set[str], tmp_path: Path
) -> None:
    promtool = require_program("promtool", "apt-get install prometheus")
    asked = questions()
    assert set(asked) == ALL
    file = tmp_path / "judged_test.yml"
    file.write_text(yaml.safe_dump(judged(asked, said, against)), encoding="utf-8")
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def questions() -> Mapping[str, str]:
    """By the name of a metric, a question that Prometheus answers by 1 where its condition holds, or not at all."""
    assert len(of_kind(overlay("prod"), "AnalysisTemplate")) == 2
    found = {}
    for metric in named(overlay("prod"), "AnalysisTemplate", "api-is-well")["spec"]["metrics"]:
        condition = CONDITION.fullmatch(metric["successCondition"])
        assert condition, metric["successCondition"]
        query = metric["provider"]["prometheus"]["query"]
        query = query.replace("{{args.namespace}}", "ares").replace("{{args.hash}}", HASH)
        found[metric["name"]] = f"sum(({query}) {condition['bound']}) * 0 + 1"
    return found


def judged(asked: Mapping[str, str], said: Mapping[str, str], against: set[str]) -> object:
    """A file for promtool: what the questions are answered after ten looks at these series."""
    questions = [
        {"expr": query, "eval_time": "3m", "exp_samples": [] if name in against else [{"labels": "{}", "value": 1}]}
        for name, query in asked.items()
    ]
    series = [{"series": name, "values": values} for name, values in said.items()]
    return {"tests": [{"interval": "15s", "input_series": series, "promql_expr_test": questions}]}
