"""Goal: what the board of promises shows is what the alerts of promises are about: same counters, same share."""

from __future__ import annotations

import re

from ares_boards.boards.slo import OBJECTIVES
from tests.helpers import ROOT

RULES = (ROOT / "alerting" / "rules" / "slo.yml").read_text(encoding="utf-8")
RECORDED = re.compile(r"record: slo:burn_rate5m\n +expr: (?P<expr>.+)\n +labels: \{slo: (?P<slo>\w+)")
SHARE = re.compile(r"\) / (?P<room>0\.\d+)$")


def counters(text: str) -> set[str]:
    """Of an expression: the metrics it counts, and of a histogram the bucket that is good."""
    return {
        found[1] or found[2] for found in re.finditer(r'\b(ares_\w+?)(?:_bucket|_count|_total)\b|(le="[\d.]+")', text)
    }


def test_every_promise_with_an_alert_is_shown_with_the_alerts_own_share() -> None:
    shown = {frozenset(counters(each.good_share("5m"))): 1 - each.share for each in OBJECTIVES}
    recorded = list(RECORDED.finditer(RULES))
    assert {each["slo"] for each in recorded} == {"cycles", "rows", "signals"}
    for each in recorded:
        room = SHARE.search(each["expr"])
        assert room is not None, each["slo"]
        counted = frozenset(counters(each["expr"]))
        assert counted in shown, f"{each['slo']} is on no board"
        assert f"{shown[counted]:.6g}" == room["room"], f"{each['slo']}: the board promises another share"
